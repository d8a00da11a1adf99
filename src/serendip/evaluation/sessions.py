"""Sessions after a cut as questions: asked at their start and in their middle, of somebody known or of nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Dataset, ItemLists, Queries, Vocabulary, hidden_items
from serendip.data.sessions import Sessions, sessions_of
from serendip.domain import HISTORY_LIMIT, Invalid, moment
from serendip.evaluation.bootstrap import Estimate, estimates
from serendip.evaluation.measure import Outcome, Progress, measure
from serendip.evaluation.rounds import Round, first_meetings
from serendip.evaluation.split import time_split
from serendip.evaluation.table import aligned
from serendip.evaluation.wanted import parse_metrics
from serendip.pipeline import PipelineConfig

GROUPS = ("known, warm", "known, cold", "anonymous, warm", "anonymous, cold")
"""Known: a customer. Warm: something is known of what the asker did, before or in this session."""

BASELINES = ("random", "popular", "popular-7-days")
AGAINST = "popular-7-days"


@dataclass(frozen=True)
class SessionRound(Round):
    """The questions of the sessions that began on one day; several may be one user's."""

    askers: Dataset = field(kw_only=True)
    """What each had done: its users are the questions."""
    moments: NDArray[np.int64] = field(kw_only=True)
    """When each is asked, in microseconds; shape (n_queries,)."""
    group: NDArray[np.int64] = field(kw_only=True)
    """Place in ``GROUPS``; shape (n_queries,)."""

    def ask(self, rows: slice) -> tuple[Queries, ItemLists]:
        """The histories of some of them, and what is hidden from each."""
        queries = Queries.of_users(self.askers, np.arange(len(self.user_ix))[rows])
        hidden, who = hidden_items(self.askers, queries), self.user_ix[rows]
        columns = self.known.user_columns
        profile = None if columns is None else columns.take(who)
        salt = self.known.users.hashes[who]
        return replace(queries, moment=self.moments[rows], own=who, salt=salt, profile=profile), hidden


@dataclass(frozen=True)
class Questions:
    """All questions of a test period, in the order of their sessions; of shape (n_questions,)."""

    user_ix: NDArray[np.int32]
    moment: NDArray[np.int64]
    first: NDArray[np.int64]
    """Where in the sessions' order the history begins,"""
    here: NDArray[np.int64]
    """where it ends and what is to be found begins,"""
    end: NDArray[np.int64]
    """and where that ends."""
    begun: NDArray[np.int64]
    """When the session began, in microseconds."""

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Questions:
        """Only these."""
        return Questions(*(column[rows] for column in vars(self).values()))


def questions_of(data: Dataset, sessions: Sessions, cut: int) -> Questions:
    """Each session that began after ``cut`` at its start, and in its middle where there is a moment before that."""
    assert data.at is not None
    at = data.at[sessions.order]
    begin, end = sessions.begin[:-1], sessions.begin[1:]
    after = np.flatnonzero(at[begin] >= cut)
    begin, end, first = begin[after], end[after], sessions.of_user[after]
    half = begin + (end - begin) // 2
    # Events of one moment do not see each other.
    session = np.repeat(np.arange(len(begin)), end - begin)
    rows = np.arange(len(session)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[session]
    middle = begin + np.bincount(session, at[rows] < at[half[session]], minlength=len(begin)).astype(np.int64)
    split = middle > begin
    here = np.concatenate([begin, middle[split]])
    both = np.concatenate([np.arange(len(begin)), np.flatnonzero(split)])
    order = np.argsort(both, kind="stable")
    both, here = both[order], here[order]
    user_ix = data.user_ix[sessions.order[here]]
    return Questions(user_ix, at[here], np.maximum(first[both], here - HISTORY_LIMIT), here, end[both], at[begin[both]])


def session_rounds(
    data: Dataset,
    cut: int,
    anonymous: NDArray[np.bool_],
    find: Sequence[str] = (),
    gap_minutes: float = 30.0,
    most: int | None = None,
    seed: int = 0,
) -> Iterator[SessionRound]:
    """A round a day from ``cut`` on (microseconds), of the sessions that began in it; models know what was before it.

    anonymous: which users are sessions of nobody known, (n_users,). To be found are items that an event of a kind in
    ``find`` takes in the rest of the session (none named: of any kind of positive weight), as far as somebody had met
    them before the day and nothing hides them. ``most``: so many sessions at most, drawn with ``seed``.
    """
    assert data.at is not None
    names = [kind.name for kind in data.kinds]
    for name in find:
        if name not in names:
            raise Invalid(f"there are no events of kind {name!r}; the kinds are {', '.join(names)}", field="find")
    wanted = np.array([kind.name in find if find else kind.weight > 0 for kind in data.kinds]) & ~np.array(
        [kind.negative for kind in data.kinds]
    )
    ordered = data.take(np.argsort(data.at, kind="stable"))
    assert ordered.at is not None
    sessions = sessions_of(ordered, gap_minutes)
    asked = questions_of(ordered, sessions, cut)
    if most is not None and len(ends := np.unique(asked.end)) > most:
        drawn = np.random.default_rng(seed).choice(ends, most, replace=False)
        asked = asked.take(np.isin(asked.end, drawn))
    met_first = first_meetings(ordered)
    day = (asked.begun - cut) // DAY
    for number in np.unique(day):
        start = cut + int(number) * DAY
        here = int(np.searchsorted(ordered.at, start))
        known = replace(ordered.take(slice(0, here)), until=start)
        met = np.bincount(ordered.item_ix[:here][met_first[:here]], minlength=data.n_items)
        turn = _round(known, ordered, met, sessions, asked.take(day == number), wanted, anonymous)
        if turn is not None:
            yield turn


def _round(
    known: Dataset, data: Dataset, met: NDArray[np.int64], sessions: Sessions, asked: Questions,
    wanted: NDArray[np.bool_], anonymous: NDArray[np.bool_],
) -> SessionRound | None:  # fmt: skip
    """The round of these questions, less those with nothing to find; None where none is left."""
    allowed = (met > 0) & known.open_now
    takes = wanted[data.kind]
    hides = np.array([kind.hides or kind.negative for kind in data.kinds])
    lists, kept = [], []
    for q in range(len(asked.here)):
        rows = sessions.order[asked.here[q] : asked.end[q]]
        found = np.unique(data.item_ix[rows[takes[rows]]])
        if not len(found):
            continue
        before = sessions.order[asked.first[q] : asked.here[q]]
        found = np.setdiff1d(found[allowed[found]], data.item_ix[before[hides[data.kind[before]]]])
        if len(found):
            lists.append(found.astype(np.int32))
            kept.append(q)
    if not kept:
        return None
    asked = asked.take(np.array(kept))
    size = asked.here - asked.first
    question = np.repeat(np.arange(len(kept)), size)
    rows = sessions.order[np.arange(len(question)) - np.repeat(np.cumsum(size) - size, size) + asked.first[question]]
    askers = replace(
        data.take(rows), user_ix=question.astype(np.int32), users=Vocabulary(tuple(map(str, range(len(kept))))),
        user_columns=None, until=None,
    )  # fmt: skip
    group = (2 * anonymous[asked.user_ix] + (size == 0)).astype(np.int64)
    relevant = ItemLists.of(lists)
    return SessionRound(known, met, asked.user_ix, relevant, askers=askers, moments=asked.moment, group=group)


@dataclass(frozen=True)
class GroupTable:
    """The pipelines over the questions of one group."""

    name: str
    n_questions: int
    n_users: int
    rows: dict[str, dict[str, Estimate]]
    """For each pipeline its metrics."""
    against: dict[str, Estimate]
    """For each pipeline how much better it is than recent popularity, in the first metric, on the same questions."""


@dataclass(frozen=True)
class SessionTable:
    """Pipelines that were asked at the start and in the middle of the same sessions."""

    cut: str
    """ISO; models know what was before it, popularity what was before the day."""
    until: str
    """ISO; exclusive."""
    find: tuple[str, ...]
    metrics: tuple[str, ...]
    groups: tuple[GroupTable, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """A block a group: a line a pipeline with its metrics and half the width of their intervals."""
        said = [f"sessions from {self.cut[:16]} to {self.until[:16]}, to be found: {', '.join(self.find)}"]
        for group in self.groups:
            lines = [["", *self.metrics, f"{self.metrics[0]} against {AGAINST}"]]
            for name, row in group.rows.items():
                gap = group.against[name]
                cells = (f"{row[one].mean:.4f} ±{(row[one].high - row[one].low) / 2:.4f}" for one in self.metrics)
                beside = "" if name == AGAINST else f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
                lines.append([name, *cells, beside])
            said += ["", f"{group.name}: {group.n_questions:,} questions of {group.n_users:,} users", *aligned(lines)]
        return "\n".join([*said, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def compare_sessions(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    anonymous: NDArray[np.bool_],
    *,
    fraction: float = 0.1,
    find: Sequence[str] = (),
    metrics: Sequence[str] = ("recall@5", "ndcg@5"),
    gap_minutes: float = 30.0,
    most: int | None = None,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> SessionTable:
    """``configs`` beside chance and popularity on the sessions of the last ``fraction`` of the events, by group.

    Pipelines are fitted to what was before the cut; popularity is told every day what was before it.
    """
    wanted = [str(one) for one in parse_metrics(metrics, 5)]
    if whole := [one for one in wanted if "@" not in one]:
        raise Invalid(f"{whole[0]} is not measured by session; ask for recall@5 or ndcg@5", field="metrics")
    names = {config.name for config in configs}
    lineup = [*configs, *(PipelineConfig.parse(name) for name in BASELINES if name not in names)]
    split = time_split(data, fraction)
    assert split.cut is not None
    groups: list[NDArray[np.int64]] = []

    def noted() -> Iterator[SessionRound]:
        for turn in session_rounds(data, split.cut or 0, anonymous, find, gap_minutes, most, seed):
            groups.append(turn.group)
            yield turn

    ks = tuple(dict.fromkeys(int(one.partition("@")[2]) for one in wanted))
    outcomes = measure(lineup, noted(), ks, seed=seed, progress=progress)
    if not outcomes:
        raise Invalid(
            "no session after the cut takes an item that was known before, so nothing can be measured; import a longer "
            "stretch of time, or name other kinds as what is to be found",
            field="find",
        )
    lacking = [one for one in wanted if one not in outcomes[0].metrics]
    if lacking:
        raise Invalid(f"{lacking[0]} is not measured by session; ask for recall@5 or ndcg@5", field="metrics")
    group = np.concatenate(groups)
    tables = [_table(outcomes, group == place, name, wanted, seed) for place, name in enumerate(GROUPS)]
    taken = tuple(find) or tuple(kind.name for kind in data.kinds if kind.weight > 0 and not kind.negative)
    missing = [f"nobody was asked who is {name}" for name, one in zip(GROUPS, tables, strict=True) if one is None]
    return SessionTable(
        moment(split.cut).isoformat(), moment(data.now).isoformat(), taken, tuple(wanted),
        tuple(one for one in tables if one is not None), tuple(missing),
    )  # fmt: skip


def _table(
    outcomes: Sequence[Outcome], among: NDArray[np.bool_], name: str, wanted: Sequence[str], seed: int
) -> GroupTable | None:
    if not among.any():
        return None
    users = outcomes[0].user_ix[among]
    values = {one.name: np.stack([one.metrics[metric][among] for metric in wanted], axis=1) for one in outcomes}
    rival = values[AGAINST][:, :1]
    columns = np.concatenate([*values.values(), *(own[:, :1] - rival for own in values.values())], axis=1)
    found = estimates(columns, users, seed)
    n = len(wanted)
    rows = {one: dict(zip(wanted, found[n * i : n * (i + 1)], strict=True)) for i, one in enumerate(values)}
    against = dict(zip(values, found[n * len(values) :], strict=True))
    order = sorted(rows, key=lambda one: -rows[one][wanted[0]].mean)
    return GroupTable(name, len(users), len(np.unique(users)), {one: rows[one] for one in order}, against)
