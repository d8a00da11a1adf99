"""Who is asked when, with what known, and what turns out to be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Dataset, ItemLists, Queries, hidden_items
from serendip.domain import Invalid
from serendip.ranking import NO_RULES, Mask, Rules


@dataclass(frozen=True)
class Round:
    """Everybody who is asked at one moment; each has something to be found."""

    known: Dataset
    """What had happened before the moment."""
    met: NDArray[np.int64]
    """How many users had met each item by then; shape (n_items,)."""
    user_ix: NDArray[np.int32]
    """Who is asked, ascending; shape (n_queries,)."""
    relevant: ItemLists
    """What each will take next, among what may be shown to them; ascending."""
    candidates: ItemLists | None = None
    """What alone may be shown to each; None: everything that was known."""
    rules: Rules = NO_RULES
    """What an operator wants of every slate."""

    @property
    def moment(self) -> int:
        """Microseconds; 0 where the data has no moments."""
        return self.known.now

    @cached_property
    def allowed(self) -> Mask:
        """The candidates: items that somebody had met and that were open at the moment; shape (n_items,)."""
        return np.asarray((self.met > 0) & self.known.open_now)

    @cached_property
    def showing(self) -> Mask:
        """The candidates that the rules' filter lets pass; shape (n_items,)."""
        return self.allowed if self.rules.passing is None else self.allowed & self.rules.passing

    @cached_property
    def histories(self) -> Dataset:
        """What is known of those who are asked."""
        asked = np.zeros(self.known.n_users, np.bool_)
        asked[self.user_ix] = True
        return self.known.take(asked[self.known.user_ix])

    def may_show(self, rows: slice) -> Mask:
        """What may be shown to some of them: (n_items,), or (n_queries, n_items) where each has candidates."""
        if self.candidates is None:
            return self.allowed
        lists = [self.candidates[q] for q in range(rows.start, rows.stop)]
        mask = np.zeros((len(lists), self.known.n_items), np.bool_)
        for own, items in zip(mask, lists, strict=True):
            own[items] = True
        return mask

    def ask(self, rows: slice) -> tuple[Queries, ItemLists]:
        """The histories of some of them, and what is hidden from each."""
        queries = Queries.of_users(self.histories, self.user_ix[rows])
        queries = replace(queries, moment=np.full(len(queries), self.moment, np.int64))
        return queries, hidden_items(self.histories, queries)


def replayed(data: Dataset, cut: int, window_days: float = 1.0) -> Iterator[Round]:
    """A round every ``window_days`` from ``cut`` on: each known user who is active in the window is asked at its start.

    ``data`` holds everything, ``cut`` is in microseconds. What is to be found is what the user takes in the window.
    """
    if data.at is None:
        raise Invalid("data without moments cannot be replayed; choose the frozen protocol", field="protocol")
    if not window_days > 0:
        raise Invalid(f"a window of {window_days} days is no window; it must be above 0", field="window_days")
    ordered = data.take(np.argsort(data.at, kind="stable"))
    assert ordered.at is not None
    first = first_meetings(ordered)
    for start in starts(data, cut, window_days):
        here, there = np.searchsorted(ordered.at, [start, start + round(window_days * DAY)])
        if here == there:
            continue
        known = replace(ordered.take(slice(0, here)), until=start)
        met = np.bincount(ordered.item_ix[:here][first[:here]], minlength=data.n_items)
        yield from round_of(known, ordered.take(slice(here, there)), met)


def starts(data: Dataset, cut: int, window_days: float) -> range:
    """The moments at which windows begin, in microseconds."""
    assert data.at is not None
    return range(cut, int(data.at.max(initial=cut - 1)) + 1, max(1, round(window_days * DAY)))


def first_meetings(data: Dataset) -> NDArray[np.bool_]:
    """Which events are the first row of their user and item; shape (n,)."""
    first = np.zeros(len(data), np.bool_)
    first[np.unique(pairs_of(data), return_index=True)[1]] = True
    return first


def round_of(known: Dataset, events: Dataset, met: NDArray[np.int64], new_too: bool = False) -> Iterator[Round]:
    """The round that asks for ``events``, or none where they hold nothing that could be found.

    To be found are items taken by an event of positive weight, that are open now and that somebody had met before (or
    not, with ``new_too``), less those that what the user did before hides.
    """
    has_history = np.bincount(known.user_ix, minlength=known.n_users) > 0
    findable = ((met > 0) | new_too)[events.item_ix] & known.open_now[events.item_ix]
    takes = events.take((events.weight > 0) & has_history[events.user_ix] & findable)
    active = np.zeros(known.n_users, np.bool_)
    active[takes.user_ix] = True
    hides = np.array([kind.hides or kind.negative for kind in known.kinds])
    hidden = known.take(hides[known.kind] & active[known.user_ix])
    pairs = np.setdiff1d(pairs_of(takes), pairs_of(hidden))
    if not len(pairs):
        return
    user_ix, item_ix = np.divmod(pairs, known.n_items)
    asked, begins = np.unique(user_ix, return_index=True)
    indptr = np.append(begins, len(pairs)).astype(np.int64)
    yield Round(known, met, asked.astype(np.int32), ItemLists(indptr, item_ix.astype(np.int32)))


def pairs_of(data: Dataset) -> NDArray[np.int64]:
    """One number for each event's user and item; shape (n,)."""
    return data.user_ix.astype(np.int64) * data.n_items + data.item_ix
