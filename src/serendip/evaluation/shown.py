"""Feeds: how many people find something they like among the first places, by two protocols.

*Shown rows*: what somebody was shown in the test period is ranked, and nothing else; whoever was shown something
counts, also who liked nothing of it. *Full catalogue*: everything is ranked, under the rules of hiding, for the same
people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Dataset, ItemLists, Queries, hidden_items
from serendip.domain import Invalid
from serendip.evaluation.bootstrap import Estimate, estimates
from serendip.evaluation.measure import Fits
from serendip.evaluation.metrics import ndcg
from serendip.pipeline import Answers, Pipeline, PipelineConfig
from serendip.ranking import NOTHING

PLACES = 10
"""Places over which nDCG is taken."""

AT_ONCE = 32_000_000
"""Askers times items of one batch."""

ShownProtocol = Literal["shown rows", "full catalogue"]
PROTOCOLS: tuple[ShownProtocol, ...] = ("shown rows", "full catalogue")
Progress = Callable[[str], None]
Hits = dict[tuple[str, ShownProtocol], list[NDArray[np.bool_]]]
"""By pipeline and protocol, batch after batch: which places were liked, (n_askers, n_places)."""


@dataclass(frozen=True)
class Found:
    """One pipeline by one protocol."""

    name: str
    protocol: ShownProtocol
    hit_rate: Estimate
    """Share of askers with a liked item among the first ``k``; the interval over users."""
    over_first: Estimate
    """How far that is above the first pipeline's, on the same draws of users."""
    ndcg: Estimate
    """nDCG@10 of those who liked something."""
    over_single: Estimate
    """How far that is above that of the best pipeline of one source and no ranker, on the same draws of users; of the
    best one itself, and where there is none, 0."""
    single: str | None
    """The name of that pipeline."""
    n_asked: int
    n_liking: int
    """How many of those asked liked something of what they were shown."""


@dataclass(frozen=True)
class Window:
    """What was shown, and liked, from a moment on."""

    known: Dataset
    """What had happened before."""
    user_ix: NDArray[np.int32]
    """Who was shown something, ascending; shape (n_askers,)."""
    shown: ItemLists
    liked: ItemLists
    """Of what was shown."""


def windows(data: Dataset, cut: int, shown: str, liked: str, window_days: float | None = None) -> Iterator[Window]:
    """What happened from ``cut`` (microseconds) on, in one window or in windows of so many days.

    ``data`` holds events of the kinds ``shown`` and ``liked``.
    """
    if data.at is None:
        raise Invalid("data without moments has no test period; give rows with moments", field="at")
    names = [kind.name for kind in data.kinds]
    for kind in (shown, liked):
        if kind not in names:
            raise Invalid(f"there is no kind {kind!r}; the kinds are {', '.join(names)}", field="shown")
    end = data.now
    step = round(window_days * DAY) if window_days is not None else max(1, end - cut)
    for start in range(cut, end, step):
        part = data.take((data.at >= start) & (data.at < start + step))
        views, likes = (_pairs(part.take(part.kind == names.index(kind))) for kind in (shown, liked))
        if len(views):
            user_ix, item_ix = np.divmod(views, data.n_items)
            asked, begins = np.unique(user_ix, return_index=True)
            kept = np.isin(views, likes)
            indptr = np.append(begins, len(views)).astype(np.int64)
            gained = np.concatenate([[0], np.cumsum(kept)])[indptr].astype(np.int64)
            yield Window(
                data.before(start),
                asked.astype(np.int32),
                ItemLists(indptr, item_ix.astype(np.int32)),
                ItemLists(gained, item_ix[kept].astype(np.int32)),
            )


def measure_shown(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    cut: int,
    shown: str = "view",
    liked: str = "like",
    *,
    k: int = 5,
    window_days: float | None = None,
    protocols: Sequence[ShownProtocol] = PROTOCOLS,
    most_askers: int | None = None,
    seed: int = 0,
    fits: Fits | None = None,
    progress: Progress = lambda _: None,
) -> list[Found]:
    """The share of askers whom each pipeline shows something they like, by each protocol, beside the first pipeline's.

    Pipelines are fitted to what was before ``cut`` (microseconds); with ``window_days`` everybody is asked anew at the
    start of every window in which they were shown something, and trend models are refitted then. ``most_askers``: so
    many of a window are drawn where there are more.
    """
    fits = fits or Fits()
    hits: Hits = {}
    users: list[NDArray[np.int32]] = []
    n_liked: list[NDArray[np.int64]] = []
    fitted: list[Pipeline] = []
    for turn in windows(data, cut, shown, liked, window_days):
        if not fitted:
            progress(f"fitting {', '.join(config.name for config in configs)}")
            fitted = [fits.pipeline(config, turn.known, seed) for config in configs]
        else:
            fitted = [one.refreshed(turn.known, seed, fits.model) for one in fitted]
        places = _drawn(len(turn.user_ix), most_askers, seed + len(users))
        for some in _parts(places, data.n_items):
            asked = turn.user_ix[some]
            queries = Queries.of_users(turn.known, asked, turn.known.now)
            hidden = hidden_items(turn.known, queries)
            for protocol in protocols:
                for one in fitted:
                    answers = _answer(one, queries, turn, some, hidden, protocol, max(k, PLACES))
                    own = hits.setdefault((one.config.name, protocol), [])
                    own.append(_hit(answers, turn.liked, some))
            users.append(asked)
            n_liked.append(np.diff(turn.liked.indptr)[some])
        progress(f"asked {sum(map(len, users)):,} questions")
    if not users:
        raise Invalid("nobody was shown anything from the cut on; cut earlier", field="cut")
    return _rows(configs, protocols, hits, np.concatenate(users), np.concatenate(n_liked), k, seed)


def _rows(
    configs: Sequence[PipelineConfig],
    protocols: Sequence[ShownProtocol],
    hits: Hits,
    who: NDArray[np.int32],
    n_liked: NDArray[np.int64],
    k: int,
    seed: int,
) -> list[Found]:
    """Shares, nDCG and differences, with intervals over the users ``who`` asked."""
    rows, liking = [], n_liked > 0
    for protocol in protocols:
        places = [np.concatenate(hits[one.name, protocol]) for one in configs]
        own = np.stack([one[:, :k].any(axis=1) for one in places], axis=1).astype(np.float64)
        found = estimates(np.concatenate([own, own - own[:, :1]], axis=1), who, seed)
        order = np.stack([ndcg(one[liking, :PLACES], n_liked[liking]) for one in places], axis=1)
        # Where nobody liked anything there is no order to judge.
        order = order if liking.any() else np.zeros((len(who), len(configs)))
        single = [j for j, one in enumerate(configs) if len(one.sources) == 1 and one.ranker is None]
        best = max(single, key=lambda j: float(order[:, j].mean()), default=None)
        above = order * 0 if best is None else order - order[:, [best]]
        ordered = estimates(np.concatenate([order, above], axis=1), who[liking] if liking.any() else who, seed)
        for j, one in enumerate(configs):
            rows.append(
                Found(
                    one.name, protocol, found[j], found[j + len(configs)], ordered[j], ordered[j + len(configs)],
                    None if best is None else configs[best].name, len(who), int(liking.sum()),
                )
            )  # fmt: skip
    return rows


def _pairs(data: Dataset) -> NDArray[np.int64]:
    """Each user and item of the events as one number, ascending, each once."""
    return np.unique(data.user_ix.astype(np.int64) * data.n_items + data.item_ix)


def _drawn(n: int, most: int | None, seed: int) -> NDArray[np.int64]:
    """Places of all, or of so many drawn; ascending."""
    if most is None or n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _parts(places: NDArray[np.int64], n_items: int) -> Iterator[NDArray[np.int64]]:
    size = max(1, AT_ONCE // max(1, n_items))
    return (places[start : start + size] for start in range(0, len(places), size))


def _answer(
    pipeline: Pipeline,
    queries: Queries,
    turn: Window,
    some: NDArray[np.int64],
    hidden: ItemLists,
    protocol: ShownProtocol,
    k: int,
) -> Answers:
    """The first ``k`` of what was shown to each, whatever they met before; or of everything that they may be shown."""
    if protocol == "full catalogue":
        return pipeline.answer(queries, k, hidden)
    mask = np.zeros((len(some), turn.known.n_items), np.bool_)
    for row, place in zip(mask, some, strict=True):
        row[turn.shown[place]] = True
    return pipeline.answer(queries, k, ItemLists.of([np.empty(0, np.int32)] * len(some)), mask)


def _hit(answers: Answers, liked: ItemLists, some: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which places hold something that the asker liked; shape (n_askers, n_places)."""
    return np.array(
        [np.isin(row, liked[place]) & (row != NOTHING) for row, place in zip(answers.rows, some, strict=True)],
        np.bool_,
    ).reshape(answers.rows.shape)
