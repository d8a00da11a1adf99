"""Pipelines put to the question: what each shows in every round, and how good that was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import DAY, Dataset, ItemLists, Queries
from serendip.evaluation import metrics
from serendip.models import Model, ModelConfig
from serendip.pipeline import Answers, Pipeline, PipelineConfig, Shown
from serendip.pipeline.rounds import Round
from serendip.ranking import NOTHING, Likeness, Mask

CELLS = 32_000_000
"""Askers times items of one batch: what a mask for each of them may hold. Scores a pipeline bounds by itself."""

TAIL_SHARE = 0.2
"""Tail items are the least met ones that together hold this share of all meetings before the cut."""

CEILING = "candidate-recall"
"""What a ranker cannot find more than."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What one pipeline did with every question; all pipelines of a measurement are asked the same, in one order."""

    name: str
    user_ix: NDArray[np.int32]
    """Who asked; shape (n_queries,), as all columns here."""
    moment: NDArray[np.int64]
    """When, in microseconds."""
    n_events: NDArray[np.int64]
    """How long the asker's history was."""
    metrics: dict[str, NDArray[np.float64]]
    """Each query's value, such as ``ndcg@10``; ``tail-ndcg@10`` is NaN where no tail item was to be found."""
    catalogue: dict[str, float]
    """What only all slates together have: ``coverage@10``, ``gini@10``, and ``fallback@10``, the share of places that
    the pipeline left to its fallback. Of a ranked pipeline also ``candidate-recall``, the mean share of what was to be
    found that was among its candidates: no order of them can find more."""


class Fits:
    """Models fitted once, however many pipelines share them.

    It belongs to one split of one dataset. What is fitted at the first moment is kept, so that two protocols share it;
    of later moments only the last one's.
    """

    def __init__(self, shown: Shown | None = None, besides: frozenset[str] = frozenset()) -> None:
        self._shown = shown
        """What rankers practise on, instead of the past replayed,"""
        self._besides = besides
        """but for the pipelines of these names."""
        self._kept: dict[int, dict[tuple[str, str, int, int], Model]] = {}
        self._ranked: dict[tuple[str, int, int, int], Pipeline] = {}

    def refresh_days(self, configs: Iterable[PipelineConfig]) -> float | None:
        """The shortest ``refit_days`` of those of ``configs`` whose rankers practise on the past replayed, if any."""
        replaying = (one for one in configs if self._shown is None or one.name in self._besides)
        return min((one.refit_days for one in replaying if one.refit_days is not None), default=None)

    def pipeline(self, config: PipelineConfig, data: Dataset, seed: int = 0) -> Pipeline:
        """The pipeline of ``config`` learnt from ``data``; what a ranker learnt at the first moment is kept."""
        if config.ranker is None:
            return pipelines.fit(config, data, seed, self.model)
        unnamed = config.model_copy(update={"name": ""})
        key = (unnamed.model_dump_json(), data.now, len(data), seed)
        if key not in self._ranked:
            shown = None if config.name in self._besides else self._shown
            fitted = pipelines.fit(config, data, seed, self.model, shown)
            if data.now != next(iter(self._kept)):
                return fitted
            self._ranked[key] = fitted
        return replace(self._ranked[key], config=config)

    def model(self, kind: str, config: ModelConfig, data: Dataset, seed: int = 0) -> Model:
        """The model of ``kind`` learnt from ``data``, which is known by its moment and its size."""
        if data.now not in self._kept:
            first = next(iter(self._kept), data.now)
            self._kept = {now: kept for now, kept in self._kept.items() if now == first} | {data.now: {}}
        kept, key = self._kept[data.now], (kind, config.model_dump_json(), len(data), seed)
        if key not in kept:
            kept[key] = models.fit(kind, config, data, seed)
        return kept[key]


@dataclass
class _Tally:
    """One pipeline's columns while they grow."""

    shown: dict[int, NDArray[np.int64]]
    """How often each item was among the first k places, by k."""
    metrics: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    n_filled: Counter[int] = field(default_factory=Counter)
    reached: list[NDArray[np.float64]] = field(default_factory=list)
    """Of a ranked pipeline, the share of what was to be found that was among the candidates."""

    def put(self, values: dict[str, NDArray[np.float64]]) -> None:
        for name, column in values.items():
            self.metrics.setdefault(name, []).append(column)

    def add(self, values: dict[str, NDArray[np.float64]], answers: Answers, k: int) -> None:
        self.put(values)
        placed = answers.rows != NOTHING
        self.shown[k] += np.bincount(answers.rows[placed], minlength=len(self.shown[k]))
        self.n_filled[k] += int(np.count_nonzero(placed & (answers.source > 0)))

    def catalogue(self, among: Mask) -> dict[str, float]:
        """What only all slates together have."""
        out = {}
        for k, shown in self.shown.items():
            out[f"coverage@{k}"] = metrics.coverage(shown[among])
            out[f"gini@{k}"] = metrics.gini(shown[among])
            out[f"fallback@{k}"] = self.n_filled[k] / max(1, int(shown.sum()))
        if self.reached:
            out[CEILING] = float(np.mean(np.concatenate(self.reached)))
        return out


@dataclass(frozen=True)
class _Batch:
    """Some of the questions of a round."""

    turn: Round
    rows: slice
    queries: Queries
    hidden: ItemLists
    allowed: Mask
    tail: Mask

    def ask(self, pipeline: Pipeline, tally: _Tally, ks: Sequence[int], whole: bool, likeness: Likeness | None) -> None:
        """Put them to a pipeline, and how good its answers are into its tally."""
        turn, asked = self.turn, (self.hidden, self.allowed)
        answers = pipeline.answer(self.queries, max(ks), *asked, turn.rules)
        for k in ks:
            first = answers.first(k)
            tally.add(values(first, turn, self.rows, self.tail, k), first, k)
            if likeness is not None:
                tally.put({f"diversity@{k}": metrics.diversity(likeness, first.rows)})
        if pipeline.ranker is not None:
            found = pipeline.candidates(self.queries, max(ks), *asked, turn.rules)
            tally.reached.append(reached(found, turn, self.rows))
        if whole:
            plain = replace(turn.rules, likeness=None)
            ranking = pipeline.answer(self.queries, most_shown(self.allowed), *asked, plain)
            tally.put({"auc": whole_auc(ranking, turn, self.rows)})


def measure(
    configs: Sequence[PipelineConfig],
    rounds: Iterable[Round],
    k: int | Sequence[int] = 10,
    refresh_days: float | None = None,
    seed: int = 0,
    fits: Fits | None = None,
    progress: Progress = lambda _: None,
    whole: bool = False,
    likeness: Likeness | None = None,
) -> list[Outcome]:
    """What every pipeline makes of ``rounds``, by its first ``k`` places, or by the first of several numbers of them.

    With ``whole``, everything that may be shown is ranked too, for the metric ``auc``; diversity is left out of that.
    With ``likeness``, ``diversity`` is measured over it.

    All are fitted to what is known at the first round's moment; at later rounds their trend models are refitted, and
    with ``refresh_days`` everything whenever that long has passed, but for what a ranker learnt: it goes on with the
    fresh sources.
    """
    fits = fits or Fits()
    ks = (k,) if isinstance(k, int) else tuple(k)
    fitted: list[Pipeline] = []
    tallies: list[_Tally] = []
    asked: list[tuple[NDArray[np.int32], int, NDArray[np.int64]]] = []
    catalogue = tail = np.empty(0, np.bool_)
    fitted_at = 0
    for turn in rounds:
        if not fitted:
            catalogue, tail = turn.showing, tail_items(turn.met)
            tallies = [_Tally({k: np.zeros(turn.known.n_items, np.int64) for k in ks}) for _ in configs]
            fitted, fitted_at = [_fit(config, turn.known, seed, fits, progress) for config in configs], turn.moment
        elif refresh_days is not None and turn.moment - fitted_at >= refresh_days * DAY:
            fitted = [pipelines.refitted(one, turn.known, seed, fits.model) for one in fitted]
            fitted_at = turn.moment
        elif turn.moment > fitted_at:
            fitted = [one.refreshed(turn.known, seed, fits.model) for one in fitted]
        catalogue = catalogue | turn.showing
        for rows in batches(len(turn.user_ix), turn.known.n_items):
            batch = _Batch(turn, rows, *turn.ask(rows), turn.may_show(rows), tail)
            asked.append((turn.user_ix[rows], turn.moment, np.diff(batch.queries.indptr)))
            for one, tally in zip(fitted, tallies, strict=True):
                batch.ask(one, tally, ks, whole, likeness)
        progress(f"asked {sum(len(users) for users, _, _ in asked):,} questions")
    if not asked:
        return []
    user_ix = np.concatenate([users for users, _, _ in asked])
    moment = np.concatenate([np.full(len(users), at, np.int64) for users, at, _ in asked])
    n_events = np.concatenate([sizes for _, _, sizes in asked]).astype(np.int64)
    return [
        Outcome(
            config.name,
            user_ix,
            moment,
            n_events,
            {name: np.concatenate(columns) for name, columns in tally.metrics.items()},
            tally.catalogue(catalogue),
        )
        for config, tally in zip(configs, tallies, strict=True)
    ]


def _fit(config: PipelineConfig, data: Dataset, seed: int, fits: Fits, progress: Progress) -> Pipeline:
    progress(f"fitting {config.name}")
    return fits.pipeline(config, data, seed)


def batches(n_queries: int, n_items: int) -> Iterator[slice]:
    """Queries in parts whose masks fit into memory."""
    size = max(1, CELLS // max(1, n_items))
    return (slice(start, min(start + size, n_queries)) for start in range(0, n_queries, size))


def most_shown(allowed: Mask) -> int:
    """The most items that any asker may be shown, by a mask of shape (n_items,) or (n_queries, n_items)."""
    return max(1, int(np.count_nonzero(allowed, axis=-1).max(initial=0)))


def joined(folds: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """The outcomes of several folds as one a pipeline: all questions, and the mean of what whole catalogues have."""
    return [
        Outcome(
            parts[0].name,
            np.concatenate([one.user_ix for one in parts]),
            np.concatenate([one.moment for one in parts]),
            np.concatenate([one.n_events for one in parts]),
            {name: np.concatenate([one.metrics[name] for one in parts]) for name in parts[0].metrics},
            {name: float(np.mean([one.catalogue[name] for one in parts])) for name in parts[0].catalogue},
        )
        for parts in zip(*folds, strict=True)
    ]


def tail_items(met: NDArray[np.int64]) -> Mask:
    """The least met items, which together hold ``TAIL_SHARE`` of all meetings; shape (n_items,)."""
    order = np.argsort(met, kind="stable")
    tail = np.zeros(len(met), np.bool_)
    tail[order[np.cumsum(met[order]) <= TAIL_SHARE * met.sum()]] = True
    return tail


def sought(turn: Round, rows: slice) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """What the queries ``rows`` are to find: how many items each (n_queries,), the items, and whose each is."""
    begin, end = turn.relevant.indptr[rows.start], turn.relevant.indptr[rows.stop]
    n_relevant = np.diff(turn.relevant.indptr)[rows]
    return n_relevant, turn.relevant.item_ix[begin:end], np.repeat(np.arange(len(n_relevant)), n_relevant)


def reached(candidates: ItemLists, turn: Round, rows: slice) -> NDArray[np.float64]:
    """Of what each query is to find, the share that is among its candidates; shape (n_queries,)."""
    n_relevant, items, asker = sought(turn, rows)
    whose = np.repeat(np.arange(len(candidates)), np.diff(candidates.indptr))
    n_items = np.int64(turn.known.n_items)
    there = np.isin(asker * n_items + items, whose * n_items + candidates.item_ix)
    return np.asarray(np.bincount(asker, there, len(n_relevant)) / n_relevant)


def whole_auc(answers: Answers, turn: Round, rows: slice) -> NDArray[np.float64]:
    """``metrics.auc`` of answers that hold everything that may be shown; shape (n_queries,)."""
    n_relevant, items, asker = sought(turn, rows)
    hits = find_hits(answers, asker, items, turn.known.n_items)
    return metrics.auc(hits, answers.rows != NOTHING, n_relevant)


def values(answers: Answers, turn: Round, rows: slice, tail: Mask, k: int) -> dict[str, NDArray[np.float64]]:
    """Every metric of the answers to the queries ``rows`` of a round, each of shape (n_queries,)."""
    n_relevant, items, asker = sought(turn, rows)
    hits = find_hits(answers, asker, items, turn.known.n_items)
    out = {f"{name}@{k}": function(hits, n_relevant) for name, function in metrics.BY_QUERY.items()}
    placed = answers.rows != NOTHING
    # Among given candidates may be items that nobody had met: they count as met by one.
    share = np.maximum(turn.met[answers.rows], 1) / np.count_nonzero(np.bincount(turn.known.user_ix))
    out[f"novelty@{k}"] = metrics.novelty(np.where(placed, share, 1.0), placed)
    n_tail = np.bincount(asker, tail[items], len(n_relevant)).astype(np.int64)
    tail_ndcg = np.full(len(n_relevant), np.nan)
    some = n_tail > 0
    tail_ndcg[some] = metrics.ndcg((hits & tail[answers.rows])[some], n_tail[some])
    return out | {f"tail-ndcg@{k}": tail_ndcg}


def find_hits(
    answers: Answers, asker: NDArray[np.integer], items: NDArray[np.int32], n_items: int
) -> NDArray[np.bool_]:
    """Where the places hold a relevant item, (n_queries, k); query ``asker[r]`` was to find ``items[r]``."""
    places = np.arange(len(answers.rows), dtype=np.int64)[:, None] * n_items + answers.rows
    found = np.isin(places, asker * np.int64(n_items) + items)
    return np.asarray(found & (answers.rows != NOTHING))
