"""A batch of askers, each a history at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from operator import attrgetter

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data.columns import Columns
from serendip.data.dataset import DAY, Dataset, kind_weights, newest_only
from serendip.data.lists import Floats, ItemLists, ItemRows
from serendip.data.vocabulary import UNKNOWN, Hashes, Vocabulary
from serendip.domain import EPOCH, HISTORY_LIMIT, Interaction, InteractionKind, micros

PARTS = tuple(map(attrgetter, ("days", "seconds", "microseconds")))
"""What a span of time is made of."""


@dataclass(frozen=True)
class Queries:
    """Histories end to end: query ``q`` owns events ``indptr[q]`` up to ``indptr[q + 1]``, oldest first."""

    indptr: NDArray[np.int64]
    """Shape (n_queries + 1,)."""
    item_ix: ItemRows
    weight: Floats
    kind: NDArray[np.int16]
    value: Floats
    at: NDArray[np.int64]
    """Microseconds since 1970; 0 where the data has no moments."""
    moment: NDArray[np.int64]
    """When each is asked; shape (n_queries,)."""
    salt: NDArray[np.uint64]
    """Orders equal scores, together with the item's hash; shape (n_queries,)."""
    own: NDArray[np.int32]
    """The asker's own row in the training data, or UNKNOWN; shape (n_queries,)."""
    kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),)
    profile: Columns | None = None
    """What is known of each asker besides events, a row a query; None: of nobody anything."""
    event_columns: Columns | None = None
    """What is known of each event besides, a row an event; None: of none anything."""
    whole: Queries | None = None
    """The same askers with all that they did, where counters of a past moment are to be told of long histories."""

    def __len__(self) -> int:
        return len(self.moment)

    @staticmethod
    def of(
        histories: Sequence[Sequence[Interaction]],
        items: Vocabulary,
        at: datetime,
        kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),),
        askers: Sequence[str | None] | None = None,
        users: Vocabulary | Hashes | None = None,
    ) -> Queries:
        """Records as arrays; events with unknown items, or not before ``at``, are skipped.

        A kind that is not among ``kinds`` counts like one that nobody declared: each event with weight 1.
        """
        kinds = _all_kinds(histories, kinds)
        code = {kind.name: i for i, kind in enumerate(kinds)}
        now, size = micros(at), np.array([len(history) for history in histories], np.int64)
        flat = [event for history in histories for event in history]
        item_ix = items.rows([event.item for event in flat])
        moments = _all_micros([event.at for event in flat])
        asker = np.repeat(np.arange(len(histories)), size)
        order = np.flatnonzero((item_ix != UNKNOWN) & (moments < now))
        if (np.diff(moments[order]) < 0).any():
            order = order[np.lexsort((moments[order], asker[order]))]
        size = np.bincount(asker[order], minlength=len(histories))
        if (size > HISTORY_LIMIT).any():
            from_end = np.repeat(np.cumsum(size), size) - np.arange(len(order))
            order = order[from_end <= HISTORY_LIMIT]
            size = np.minimum(size, HISTORY_LIMIT)
        kind = np.array([code[event.kind] for event in flat], np.int16)[order]
        value = np.array([np.nan if event.value is None else event.value for event in flat], np.float32)
        return Queries.of_rows(
            size, item_ix[order], items, kinds, kind, value[order], moments[order], now, askers, users
        )

    @staticmethod
    def of_rows(
        size: NDArray[np.integer],
        item_ix: ItemRows,
        items: Vocabulary,
        kinds: tuple[InteractionKind, ...],
        kind: NDArray[np.int16],
        value: Floats,
        at: NDArray[np.int64],
        now: int,
        askers: Sequence[str | None] | None = None,
        users: Vocabulary | Hashes | None = None,
    ) -> Queries:
        """Columns of known items (n_events,), end to end; ``size[q]`` belong to query ``q``, oldest first.

        ``now`` is in microseconds, and after all of ``at``.
        """
        names = askers if askers is not None else [None] * len(size)
        indptr = np.zeros(len(size) + 1, np.int64)
        np.cumsum(size, out=indptr[1:])
        return Queries(
            indptr,
            item_ix,
            kind_weights(kinds)[kind],
            kind,
            value,
            at,
            np.full(len(size), now, np.int64),
            salts(names, ItemLists(indptr, item_ix), items),
            np.array([UNKNOWN if users is None or name is None else users.row(name) for name in names], np.int32),
            kinds,
        )

    @staticmethod
    def of_users(data: Dataset, user_ix: NDArray[np.integer], moment: NDArray[np.int64] | int | None = None) -> Queries:
        """What these users did strictly before ``moment`` (one for all, or one each; None: everything in ``data``)."""
        indptr, order = data.by_user
        start, stop = indptr[user_ix], indptr[np.asarray(user_ix) + 1]
        now = np.broadcast_to(np.int64(data.now if moment is None else moment), len(user_ix)).astype(np.int64)
        if moment is not None:
            assert data.at is not None, "data without moments knows no before"
            at = data.at[order]
            early = (np.searchsorted(at[a:b], m) for a, b, m in zip(start, stop, now, strict=True))
            stop = start + np.fromiter(early, np.int64, len(start))
        start = np.maximum(start, stop - HISTORY_LIMIT)
        size = stop - start
        ends = np.cumsum(size, dtype=np.int64)
        own = np.concatenate([[0], ends]).astype(np.int64)
        rows = order[np.arange(own[-1]) - np.repeat(own[:-1], size) + np.repeat(start, size)]
        return Queries(
            own,
            data.item_ix[rows],
            data.weight[rows],
            data.kind[rows],
            data.value[rows],
            np.zeros(len(rows), np.int64) if data.at is None else data.at[rows],
            now,
            data.users.hashes[user_ix],
            np.asarray(user_ix, np.int32),
            data.kinds,
            None if data.user_columns is None else data.user_columns.take(user_ix),
            None if data.event_columns is None else data.event_columns.take(rows),
        )

    def take(self, rows: NDArray[np.integer] | slice) -> Queries:
        """Only these askers, in this order."""
        picked = np.arange(len(self))[rows]
        size = np.diff(self.indptr)[picked]
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        events = np.arange(indptr[-1]) - np.repeat(indptr[:-1], size) + np.repeat(self.indptr[:-1][picked], size)
        return replace(
            self,
            indptr=indptr,
            item_ix=self.item_ix[events],
            weight=self.weight[events],
            kind=self.kind[events],
            value=self.value[events],
            at=self.at[events],
            moment=self.moment[picked],
            salt=self.salt[picked],
            own=self.own[picked],
            profile=None if self.profile is None else self.profile.take(picked),
            whole=None if self.whole is None else self.whole.take(picked),
            event_columns=None if self.event_columns is None else self.event_columns.take(events),
        )

    @cached_property
    def asker(self) -> NDArray[np.int64]:
        """The query each event belongs to; shape (n_events,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Which events can be reasons: not replaced by a newer one, and of positive weight. Shape (n_events,)."""
        if all(kind.mode != "latest" for kind in self.kinds):
            return np.asarray(self.weight > 0)
        return newest_only(self.asker, self.item_ix, self.kind, self.at, self.kinds) & (self.weight > 0)

    @cached_property
    def by_item(self) -> tuple[NDArray[np.int64], ItemRows, Floats]:
        """``(indptr, item_ix, weight)``: the items each asker took, ascending, with their summed positive weights."""
        indptr, size = np.zeros(len(self) + 1, np.int64), len(self.item_ix)
        item_ix, weight = np.empty(size, np.int32), np.empty(size, np.float32)
        sum_by_item(self.indptr, self.item_ix, self.weight, self.counted, indptr, item_ix, weight)
        return indptr, item_ix[: indptr[-1]], weight[: indptr[-1]]

    def matrix(self, n_items: int) -> sparse.csr_array:
        """Summed positive weights, float32 (n_queries, n_items); what ``Dataset.matrix`` is for the same users."""
        indptr, item_ix, weight = self.by_item
        return sparse.csr_array((weight, item_ix, indptr), shape=(len(self), n_items))

    @cached_property
    def part(self) -> Floats:
        """What part of its asker's whole weight for its item each event gave; 0 if not counted. Shape (n_events,)."""
        # A query's items and the events' items are both told apart by one number, (asker, item).
        indptr, item_ix, weight = self.by_item
        span = np.int64(self.item_ix.max(initial=0)) + 1
        taken = np.repeat(np.arange(len(self)), np.diff(indptr)) * span + item_ix
        whole = np.ones(len(self.item_ix), np.float32)
        use = self.counted
        whole[use] = weight[np.searchsorted(taken, self.asker[use] * span + self.item_ix[use])]
        return np.where(use, self.weight / whole, 0).astype(np.float32)

    def age_days(self) -> Floats:
        """How long before its query's moment each event was; shape (n_events,)."""
        return ((self.moment[self.asker] - self.at) / DAY).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def sum_by_item(indptr, item_ix, weight, use, out_indptr, out_item, out_weight):  # type: ignore[no-untyped-def]
    """Each query's events of ``use``, sorted by item and summed where an item repeats; written end to end."""
    n = 0
    for q in range(indptr.shape[0] - 1):
        first = n
        own = item_ix[indptr[q] : indptr[q + 1]]
        for place in np.argsort(own, kind="mergesort"):
            event = indptr[q] + place
            if not use[event]:
                continue
            if n > first and out_item[n - 1] == item_ix[event]:
                out_weight[n - 1] += weight[event]
            else:
                out_item[n] = item_ix[event]
                out_weight[n] = weight[event]
                n += 1
        out_indptr[q + 1] = n


def _all_kinds(
    histories: Sequence[Sequence[Interaction]], kinds: tuple[InteractionKind, ...]
) -> tuple[InteractionKind, ...]:
    """``kinds``, and after them those that only the events name."""
    told = dict.fromkeys(event.kind for history in histories for event in history)
    known = {kind.name for kind in kinds}
    return kinds + tuple(InteractionKind(name) for name in told if name not in known)


def _all_micros(moments: Sequence[datetime]) -> NDArray[np.int64]:
    """``micros`` of each, a column at a time; shape (n,)."""
    since, n = [at - EPOCH for at in moments], len(moments)
    days, seconds, rest = (np.fromiter(map(part, since), np.int64, n) for part in PARTS)
    return (days * 86_400 + seconds) * 1_000_000 + rest


def salts(askers: Sequence[str | None], histories: ItemLists, items: Vocabulary) -> NDArray[np.uint64]:
    """A number an asker: of the name where there is one, else of the items of the history. Shape (n_askers,)."""
    named = [q for q, name in enumerate(askers) if name is not None]
    out = np.empty(len(askers), np.uint64)
    if named:
        out[named] = Vocabulary(tuple(name for name in askers if name is not None)).hashes
    for q, name in enumerate(askers):
        if name is None:
            out[q] = np.bitwise_xor.reduce(items.hashes[histories[q]], initial=np.uint64(1))
    return out


def hidden_items(data: Dataset, queries: Queries) -> ItemLists:
    """All items each asker has met by a kind that hides, before the query's moment, whatever ``HISTORY_LIMIT`` says.

    ``queries`` come from ``Queries.of_users`` over the same ``data``.
    """
    indptr, order = data.by_user
    hides = np.array([kind.hides or kind.negative for kind in data.kinds])
    lists = []
    for user, until in zip(queries.own, queries.moment, strict=True):
        rows = order[indptr[user] : indptr[user + 1]]
        rows = rows[hides[data.kind[rows]]]
        if data.at is not None:
            rows = rows[data.at[rows] < until]
        lists.append(np.unique(data.item_ix[rows]))
    return ItemLists.of(lists)
