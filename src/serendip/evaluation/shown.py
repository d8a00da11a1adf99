"""Feeds: how many people find something they like among the first places, by two protocols.

*Shown rows*: what somebody was shown in the test period is ranked, and nothing else; whoever was shown something
counts, also who liked nothing of it. *Full catalogue*: everything is ranked, under the rules of hiding, for the same
people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Dataset, ItemLists, Queries, hidden_items
from serendip.domain import Invalid
from serendip.evaluation.bootstrap import Estimate, estimates
from serendip.evaluation.measure import Fits
from serendip.pipeline import Answers, Pipeline, PipelineConfig, fit
from serendip.ranking import NOTHING

AT_ONCE = 32_000_000
"""Askers times items of one batch."""

ShownProtocol = Literal["shown rows", "full catalogue"]
PROTOCOLS: tuple[ShownProtocol, ...] = ("shown rows", "full catalogue")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """One pipeline by one protocol."""

    name: str
    protocol: ShownProtocol
    hit_rate: Estimate
    """Share of askers with a liked item among the first ``k``; the interval over users."""
    over_first: Estimate
    """How far that is above the first pipeline's, on the same draws of users."""
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
    hits: dict[tuple[str, ShownProtocol], list[NDArray[np.bool_]]] = {}
    users: list[NDArray[np.int32]] = []
    liking = 0
    fitted: list[Pipeline] = []
    for turn in windows(data, cut, shown, liked, window_days):
        if not fitted:
            progress(f"fitting {', '.join(config.name for config in configs)}")
            fitted = [fit(config, turn.known, seed, fits.model) for config in configs]
        else:
            fitted = [one.refreshed(turn.known, seed, fits.model) for one in fitted]
        places = _drawn(len(turn.user_ix), most_askers, seed + len(users))
        for some in _parts(places, data.n_items):
            asked = turn.user_ix[some]
            queries = Queries.of_users(turn.known, asked, turn.known.now)
            hidden = hidden_items(turn.known, queries)
            for protocol in protocols:
                for one in fitted:
                    answers = _answer(one, queries, turn, some, hidden, protocol, k)
                    own = hits.setdefault((one.config.name, protocol), [])
                    own.append(_hit(answers, turn.liked, some))
            users.append(asked)
            liking += int(np.count_nonzero(np.diff(turn.liked.indptr)[some]))
        progress(f"asked {sum(map(len, users)):,} questions")
    if not users:
        raise Invalid("nobody was shown anything from the cut on; cut earlier", field="cut")
    return _rows([config.name for config in configs], protocols, hits, np.concatenate(users), liking, seed)


def _rows(
    names: Sequence[str],
    protocols: Sequence[ShownProtocol],
    hits: Mapping[tuple[str, ShownProtocol], Sequence[NDArray[np.bool_]]],
    who: NDArray[np.int32],
    liking: int,
    seed: int,
) -> list[Found]:
    """Shares and differences from the first name's, with intervals over the users ``who`` asked."""
    rows = []
    for protocol in protocols:
        own = np.stack([np.concatenate(hits[name, protocol]) for name in names], axis=1).astype(np.float64)
        found = estimates(np.concatenate([own, own - own[:, :1]], axis=1), who, seed)
        for name, rate, above in zip(names, found[: len(names)], found[len(names) :], strict=True):
            rows.append(Found(name, protocol, rate, above, len(who), liking))
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
    """Whether any place holds something that the asker liked; shape (n_askers,)."""
    return np.array(
        [bool(np.isin(row[row != NOTHING], liked[place]).any()) for row, place in zip(answers.rows, some, strict=True)],
        np.bool_,
    )
