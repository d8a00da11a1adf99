"""Pairs of an asker and an item that were liked or not, each with what the asker had done before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data import Dataset, Floats, ItemRows
from serendip.domain import HISTORY_LIMIT

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """What was said with events, as vectors."""

    vectors: Floats
    """(n_vectors, size)."""
    row: Places
    """The vector of each event, -1 where there is none; (n_events,)."""

    @staticmethod
    def of(vectors: Floats) -> Said:
        """A row an event; of NaN or of zeros where nothing was said."""
        said = np.nan_to_num(vectors)
        return Said(said, np.where(said.any(axis=1), np.arange(len(said)), -1))

    def take(self, rows: NDArray[np.integer] | Flags) -> Said:
        """What was said with these events."""
        return Said(self.vectors, self.row[rows])


@dataclass(frozen=True)
class Past:
    """Everybody's events that ``telling`` lets count, user after user, each user's oldest first; (n_events,)."""

    item_ix: ItemRows
    weight: Floats
    below: Flags
    """Rated, and not as high as liked ones are."""
    said: Said | None = None
    """None: what was said does not count."""


@dataclass(frozen=True)
class Examples:
    """What is learnt from; columns of shape (n,)."""

    item_ix: ItemRows
    liked: Floats
    """1 or 0."""
    first: Places
    """The asker's history are the events ``first`` to ``stop`` (exclusive) of the past, but for ``event``."""
    stop: Places
    event: Places
    """The event that the example is made of, which nothing else about it may be made of."""
    met: Flags
    """False of a pair that was drawn because it never met."""
    at: NDArray[np.int64]
    """0 where the data has no moments."""

    def __len__(self) -> int:
        return len(self.item_ix)

    def take(self, rows: NDArray[np.integer] | Flags) -> Examples:
        """Only these, in the order given."""
        return Examples(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def and_(self, others: Examples) -> Examples:
        """These, and then the others."""
        return Examples(
            *(np.concatenate([getattr(one, n) for one in (self, others)]) for n in self.__dataclass_fields__)
        )


def examples_of(data: Dataset, positive: float | None, said: Floats | None = None) -> tuple[Past, Examples]:
    """Everybody's past, and an example of every event of it; with ``positive`` of those that carry a value.

    The history is what the user did strictly before the event; without moments, all else that the user did.
    ``said``: a vector of what was said with each event of ``data``, (n, size).
    """
    _, order = data.by_user
    counts, weight = telling(data.counted, data.weight, data.value, positive)
    use = order[counts[order]]
    owner, n = data.user_ix[use], len(use)
    value = data.value[use]
    below = np.zeros(n, np.bool_) if positive is None else value < positive
    ends = np.searchsorted(owner, np.arange(data.n_users + 1)).astype(np.int64)
    first, event = ends[owner], np.arange(n)
    stop, at = ends[owner + 1], np.zeros(n, np.int64)
    if data.at is not None:
        at = data.at[use]
        # The first of the user's events at the same moment: equal moments do not see each other.
        new = np.ones(n, np.bool_)
        new[1:] = (owner[1:] != owner[:-1]) | (at[1:] != at[:-1])
        stop = np.maximum.accumulate(np.where(new, event, 0))
    first = np.maximum(first, stop - HISTORY_LIMIT)
    past = Past(data.item_ix[use], weight[use], below, None if said is None else Said.of(said).take(use))
    every = Examples(past.item_ix, (~below).astype(np.float32), first, stop, event, np.ones(n, np.bool_), at)
    return past, every if positive is None else every.take(~np.isnan(value))


def telling(newest: Flags, weight: Floats, value: Floats, positive: float | None) -> tuple[Flags, Floats]:
    """Which events say something of who did them, and how much each counts; (n_events,) both.

    Those of positive weight; with ``positive`` also ratings that weigh nothing, as 1, for they say what was not liked.
    """
    rated = np.zeros(len(weight), np.bool_) if positive is None else ~np.isnan(value)
    return newest & ((weight > 0) | rated), np.where(rated & (weight <= 0), np.float32(1), weight)


def unmet(
    data: Dataset, past: Past, liked: Examples, each: float, rng: np.random.Generator, positive: float | None = None
) -> Examples:
    """About ``each`` pairs that never met for every example of ``liked``, of the same asker at the same moment."""
    whole, part = divmod(each, 1.0)
    times = np.full(len(liked), int(whole)) + (rng.random(len(liked)) < part)
    drawn = liked.take(np.repeat(np.arange(len(liked)), times))
    item_ix = rng.integers(0, data.n_items, len(drawn)).astype(np.int32)
    drawn = replace(drawn, item_ix=item_ix, liked=np.zeros_like(drawn.liked), met=np.zeros_like(drawn.met))
    _, order = data.by_user
    user_ix = data.user_ix[order[telling(data.counted, data.weight, data.value, positive)[0][order]]]
    pair = np.unique(user_ix.astype(np.int64) * data.n_items + past.item_ix)
    asked = user_ix[drawn.event].astype(np.int64) * data.n_items + item_ix
    place = np.minimum(np.searchsorted(pair, asked), len(pair) - 1)
    return drawn.take(pair[place] != asked)


def asker_features(
    content: Floats,
    indptr: Places,
    item_ix: ItemRows,
    weight: Floats,
    below: Flags | None,
    said: Said | None = None,
) -> Floats:
    """Of each history the mean content of its items by weight, and ln(1 + events) as part of the most: (n, size + 1).

    With ``below`` (n_events,) twice over, of what was liked and of what was rated below: (n, 2 (size + 1)). content
    (n_items, size). With ``said`` the same of what was said with the events, beside it. A history without a kind of
    event has zeros there.
    """
    groups = [np.ones(len(item_ix), np.bool_)] if below is None else [~below, below]
    parts = [_pooled(content, indptr, item_ix, np.where(group, weight, 0), group) for group in groups]
    if said is not None:
        row, spoken = np.maximum(said.row, 0), said.row >= 0
        for group in groups:
            use = group & spoken
            parts.append(_pooled(said.vectors, indptr, row, np.where(use, weight, 0), use))
    return np.concatenate(parts, axis=1)


def _pooled(vectors: Floats, indptr: Places, row: NDArray[np.integer], weight: Floats, counts: Flags) -> Floats:
    """The mean by ``weight`` of the vectors of each history, and ln(1 + events that count) as part of the most."""
    n, owner = len(indptr) - 1, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    total = np.bincount(owner, weight, n)
    share = (weight / np.where(total > 0, total, 1)[owner]).astype(np.float32)
    if len(vectors):
        mean = sparse.csr_array((share, row, indptr), shape=(n, len(vectors))) @ vectors
    else:
        mean = np.zeros((n, vectors.shape[1]), np.float32)
    many = np.log1p(np.bincount(owner, counts, n)) / np.log1p(HISTORY_LIMIT)
    return np.concatenate([mean, many.astype(np.float32)[:, None]], axis=1)


def features_of(content: Floats, past: Past, asked: Examples, split: bool) -> Floats:
    """``asker_features`` of the histories of examples."""
    size = asked.stop - asked.first
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    rows = np.arange(indptr[-1]) - np.repeat(indptr[:-1], size) + np.repeat(asked.first, size)
    other = rows != np.repeat(asked.event, size)
    kept = np.concatenate([[0], np.cumsum(other)])[indptr].astype(np.int64)
    rows = rows[other]
    below = past.below[rows] if split else None
    said = None if past.said is None else past.said.take(rows)
    return asker_features(content, kept, past.item_ix[rows], past.weight[rows], below, said)
