"""Whether a pipeline may go live."""

from __future__ import annotations

from dataclasses import dataclass

from serendip.domain import Invalid
from serendip.evaluation.table import Difference, Row, Table

FEWEST_USERS = 20
"""Below this many users an interval means little."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says, and why."""

    passed: bool
    sentence: str
    beaten: tuple[str, ...]
    not_beaten: tuple[str, ...]


def judge(table: Table, candidate: str, live: str | None, repeats: bool) -> Verdict:
    """Whether ``candidate`` is better, beyond noise, than what is live and than the baselines.

    ``live`` is the row of what is live now, refitted at the same cut, or None. The lower end of the 95% interval of
    the difference must be above 0 against it, popular, popular-7-days and, where ``repeats`` are allowed, again, unless
    again had nothing to say; of a ranked pipeline also against the best of its sources alone. Popularity may always go
    live.
    """
    row = table.row(candidate)
    needed = ["popular", "popular-7-days", *(["again"] if repeats else [])]
    others = dict.fromkeys(table.baselines[name] for name in needed if name in table.baselines)
    again = table.baselines.get("again")
    if again in others and _wholly_filled(table.row(again), table.metric):
        del others[again]
    best = max(row.sources, key=lambda name: table.row(name).metrics[table.metric].mean, default=None)
    if best is not None:
        others[best] = None
    if live is not None:
        others = {table.row(live).name: None} | others
    against = [other for other in others if other != candidate]
    beaten = tuple(other for other in against if row.vs[other].low > 0)
    not_beaten = tuple(other for other in against if row.vs[other].low <= 0)
    asked = f"{table.n_queries:,} questions of {table.n_users:,} users"
    about = f"{_word(table.metric)}, {table.protocol}{_refitted(table.refresh_days)}, {asked}"
    if set(row.models) == {"popularity"}:
        return Verdict(True, f"{candidate} is popularity, which may always go live", beaten, not_beaten)
    missing = [name for name in needed if name not in table.baselines]
    if set(missing) - {"popular-7-days"}:
        raise Invalid(f"the table has no {' and no '.join(missing)} to judge by; compare again with the baselines")
    note = f"; {' '.join(table.notes[:1])}" if missing else ""
    way_out = 'measure a better one, or override with a reason (--override "reason")'
    if not_beaten:
        gaps = " and ".join(f"{_called(other, best)} ({_gap(row.vs[other])})" for other in not_beaten)
        return Verdict(False, f"{candidate} does not beat {gaps} in {about}{note}; {way_out}", beaten, not_beaten)
    if table.n_users < FEWEST_USERS:
        sentence = f"{table.n_users} users are too few to tell; {FEWEST_USERS} are needed to let {candidate} live"
        return Verdict(False, f"{sentence}; {way_out}", beaten, not_beaten)
    gaps = " and ".join(f"{_called(other, best)} by {_gap(row.vs[other])}" for other in beaten)
    return Verdict(True, f"{candidate} beats {gaps} in {about}{note}", beaten, not_beaten)


def _wholly_filled(row: Row, metric: str) -> bool:
    """Whether every place of a baseline was left to its fallback, which is popular-7-days: it is that row once more."""
    return row.catalogue.get(f"fallback@{metric.rpartition('@')[2]}") == 1.0


def _called(name: str, best: str | None) -> str:
    return f"{name}, its best single source" if name == best else name


def _gap(gap: Difference) -> str:
    return f"{gap.difference:+.4f}, 95% {gap.low:+.4f} to {gap.high:+.4f}"


def often(days: float) -> str:
    """How often, in words."""
    return "daily" if days == 1 else f"every {days:g} days"


def _refitted(days: float | None) -> str:
    return "" if days is None else f", all but what rankers learnt fitted again {often(days)}"


def _word(metric: str) -> str:
    return metric.replace("ndcg", "nDCG")
