"""What a ranker practises on: the last stretch of the past, replayed as it will be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Dataset, Floats, Hashes, Queries
from serendip.data.features import Features, usual_features
from serendip.domain import Invalid, moment
from serendip.models.rankers import Groups, Practice, RankerSettings
from serendip.pipeline.config import RankerConfig
from serendip.pipeline.merging import Merged
from serendip.pipeline.ranked import Candidates, FittedRanker, check_sources
from serendip.pipeline.rounds import Round, replayed
from serendip.pipeline.shown import Shown, practise_shown
from serendip.ranking import NOTHING

FEWEST_WINDOWS = 2
"""One to learn from, and a later one to check."""

QUESTIONS = 1024
"""Questions whose candidates are looked up at once, at most."""

CELLS = 16_000_000
"""Scores of one source that are held at once."""

Sources = Callable[[Dataset], Merged]
"""The sources as of the moment at which a dataset ends; later ones come after earlier ones."""


def fit_ranker(
    config: RankerConfig, data: Dataset, sources: Sources, seed: int, shown: Shown | None = None
) -> FittedRanker:
    """A ranker over features as of the end of ``data``, that practised on its last days, or on what was ``shown``."""
    settings = config.ranker_settings()
    rng = np.random.default_rng(seed)
    if data.at is None or not len(data):
        raise Invalid(
            f"{config.name} learns from what happened when, and the data has no moments; leave the ranker out"
        )
    if shown is not None:
        shown = shown.narrowed(config.features, config.name)
        features = Features.described(shown.definitions, data, rng)
        practice, about = practise_shown(settings, features, shown, data.now)
    else:
        since = first_window(config.name, data, data.at, settings)
        merged = sources(data.before(since))
        names = [source.config.name for source in merged.sources]
        definitions = config.features or usual_features(data, names)
        check_sources(definitions, names)
        features = Features.described(definitions, data, rng)
        practice, about = practise(settings, features, data, since, sources, merged, rng)
    ranker = config.kind.fit(settings, practice, rng)
    told = {"kind": config.ranker, "features": list(features.names), "practice": about, **ranker.about}
    return FittedRanker(config, ranker, features.advanced(data), Hashes(data.users.hashes), told)


def first_window(name: str, data: Dataset, at: NDArray[np.int64], settings: RankerSettings) -> int:
    """When practice begins, a whole number of windows before the end, in microseconds."""
    size = round(settings.step_days * DAY)
    middle = int(np.partition(at, len(at) // 2)[len(data) // 2])
    span = min(settings.span_days * DAY, data.now - middle)
    n_windows = int(span // size)
    if n_windows < FEWEST_WINDOWS:
        raise Invalid(
            f"{name} has too little to practise on: the later half of the events lies within {span / DAY:.2g} days, "
            f"and {FEWEST_WINDOWS} windows of {settings.step_days:g} days are needed; import more, or set a smaller "
            "step_days",
            field="step_days",
        )
    return data.now - n_windows * size


@dataclass
class _Gathered:
    """Questions while they are collected."""

    features: list[Floats] = field(default_factory=list)
    taken: list[NDArray[np.bool_]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, rows: Floats, taken: NDArray[np.bool_]) -> None:
        self.features.append(rows)
        self.taken.append(taken)
        self.sizes.append(len(taken))

    def groups(self, n_features: int) -> Groups:
        rows = np.concatenate(self.features) if self.features else np.empty((0, n_features), np.float32)
        taken = np.concatenate(self.taken) if self.taken else np.empty(0, np.bool_)
        return Groups(rows, taken, np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64))


def practise(
    settings: RankerSettings,
    features: Features,
    data: Dataset,
    since: int,
    sources: Sources,
    merged: Merged,
    rng: np.random.Generator,
) -> tuple[Practice, dict[str, Any]]:
    """The questions of the windows from ``since`` on, and what a manifest says of them.

    Sources are as they were when last fitted, but for trends; features, histories and what is hidden are as of each
    window.
    """
    size = round(settings.step_days * DAY)
    n_windows = (data.now - since) // size
    n_check = min(n_windows - 1, max(1, round(n_windows * settings.check_share)))
    later = since + (n_windows - n_check) * size
    most = max(1, settings.n_questions // n_windows)
    learn, check = _Gathered(), _Gathered()
    n_asked, found, sought = 0, 0, 0
    for turn in replayed(data, since, settings.step_days):
        if turn.moment > since:
            merged = sources(turn.known)
        as_of = features.advanced(turn.known)
        checking = turn.moment >= later
        for queries, candidates, wanted in asked(turn, merged, most, rng):
            n_asked += len(queries)
            for run in candidates.runs(len(features.names)):
                table = candidates.features(as_of, queries, run)
                for place, rows in enumerate(table, run.start):
                    taken = np.isin(candidates.among[place], wanted[place])
                    found, sought = found + int(taken.sum()), sought + len(wanted[place])
                    if not taken.any():
                        continue
                    there = np.flatnonzero(candidates.among[place] != NOTHING)
                    kept = there if checking else sampled(there, taken, settings.n_negatives, rng)
                    (check if checking else learn).add(rows[kept], taken[kept])
    for groups, when in ((learn, "earlier"), (check, "later")):
        if not groups.sizes:
            raise Invalid(
                f"of the candidates of the {when} windows since {moment(since):%Y-%m-%d} none was taken, so there is "
                "no order to learn; name sources that find what people take next, or more candidates",
                field="ranker",
            )
    parts = learn.groups(len(features.names)), check.groups(len(features.names))
    about = {
        "since": moment(since).isoformat(),
        "until": moment(data.now).isoformat(),
        "windows": int(n_windows),
        "later_windows": int(n_check),
        "questions": n_asked,
        "learnt": parts[0].counts,
        "checked": parts[1].counts,
        "negatives": settings.n_negatives,
        "candidate_recall": round(found / max(1, sought), 4),
    }
    return Practice(*parts, features.names, features.categories), about


def asked(
    turn: Round, merged: Merged, most: int, rng: np.random.Generator
) -> Sequence[tuple[Queries, Candidates, list[NDArray[np.int32]]]]:
    """Some of a round's questions, their candidates, and what each took."""
    chosen = np.arange(len(turn.user_ix))
    if len(chosen) > most:
        chosen = np.sort(rng.permutation(len(chosen))[:most])
    some = replace(
        turn,
        user_ix=turn.user_ix[chosen],
        relevant=type(turn.relevant).of([turn.relevant[int(q)] for q in chosen]),
    )
    out = []
    size = min(QUESTIONS, max(1, CELLS // max(1, turn.known.n_items)))
    for start in range(0, len(some.user_ix), size):
        rows = slice(start, min(start + size, len(some.user_ix)))
        queries, hidden = some.ask(rows)
        candidates = Candidates.of(merged, queries, 0, hidden, some.may_show(rows))
        out.append((queries, candidates, [some.relevant[q] for q in range(rows.start, rows.stop)]))
    return out


def sampled(
    there: NDArray[np.int64], taken: NDArray[np.bool_], n_negatives: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The places ``there`` that were taken, and ``n_negatives`` of the others, in their order."""
    others = there[~taken[there]]
    if len(others) > n_negatives:
        others = others[rng.permutation(len(others))[:n_negatives]]
    return np.sort(np.concatenate([there[taken[there]], others]))
