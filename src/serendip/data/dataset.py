"""All interactions as columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data.columns import Columns
from serendip.data.lists import Floats, ItemRows
from serendip.data.vocabulary import Arrays, Vocabulary
from serendip.domain import InteractionKind

DAY = 86_400_000_000
NEVER = int(np.iinfo(np.int64).max)
"""A moment after every other."""
"""Microseconds."""


PLAIN = ("user_ix", "item_ix", "weight", "kind", "value", "at", "item_open")
ATTRIBUTES = ("item_columns", "user_columns", "event_columns")


@dataclass(frozen=True)
class Dataset:
    """Interactions as columns of shape (n,), with the vocabularies their rows refer to."""

    user_ix: NDArray[np.int32]
    item_ix: ItemRows
    users: Vocabulary
    items: Vocabulary
    weight: Floats
    """What an event counts for implicit models; 0 for negative kinds."""
    kind: NDArray[np.int16]
    """Position in ``kinds``."""
    value: Floats
    """A rating, a quantity; NaN where the event carries none."""
    kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),)
    at: NDArray[np.int64] | None = None
    """Microseconds since 1970; None where the data has no moments."""
    until: int | None = None
    """The moment the data is cut at, exclusive; None: one microsecond after the latest event."""
    item_columns: Columns | None = None
    """What is known of the items besides events, a row an item. It has no moments: a cut in time leaves it as it is."""
    user_columns: Columns | None = None
    """The same of the users: their profiles."""
    event_columns: Columns | None = None
    """What is known of each event besides, a row an event: vectors of what was said with it."""
    item_open: NDArray[np.int64] | None = None
    """From when and until when, exclusive, each item may be shown, in microseconds; (n_items, 2). None: always."""

    @staticmethod
    def of(
        user_ix: NDArray[np.integer],
        item_ix: NDArray[np.integer],
        users: Vocabulary,
        items: Vocabulary,
        *,
        kind: NDArray[np.integer] | None = None,
        value: NDArray[np.floating] | None = None,
        at: NDArray[np.integer] | None = None,
        kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),),
    ) -> Dataset:
        """Columns as they come; weights are what the kinds say."""
        n = len(user_ix)
        codes = np.zeros(n, np.int16) if kind is None else kind.astype(np.int16)
        return Dataset(
            user_ix.astype(np.int32),
            item_ix.astype(np.int32),
            users,
            items,
            kind_weights(kinds)[codes],
            codes,
            np.full(n, np.nan, np.float32) if value is None else value.astype(np.float32),
            kinds,
            None if at is None else at.astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.user_ix)

    @property
    def n_users(self) -> int:
        """Users of the vocabulary, with or without events."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Items of the vocabulary, with or without events."""
        return len(self.items)

    @property
    def now(self) -> int:
        """The moment this data ends, exclusive, in microseconds; 0 where there are no moments."""
        if self.until is not None:
            return self.until
        return int(self.at.max()) + 1 if self.at is not None and len(self.at) else 0

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Dataset:
        """Only these events, in the order given; vocabularies and ``until`` stay. A slice copies nothing."""
        events = self.event_columns
        return replace(
            self,
            event_columns=None if events is None else events.take(np.arange(len(self))[rows]),
            user_ix=self.user_ix[rows],
            item_ix=self.item_ix[rows],
            weight=self.weight[rows],
            kind=self.kind[rows],
            value=self.value[rows],
            at=None if self.at is None else self.at[rows],
        )

    def before(self, until: int) -> Dataset:
        """The events strictly before ``until`` (microseconds), as they were known then."""
        assert self.at is not None, "data without moments cannot be cut in time"
        return replace(self.take(self.at < until), until=until)

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Which events count now: all, but of a *latest* kind only the newest of a pair. Shape (n,)."""
        return newest_only(self.user_ix, self.item_ix, self.kind, self.at, self.kinds)

    @property
    def open_now(self) -> NDArray[np.bool_]:
        """Which items may be shown at ``now``; all where nothing else is known. Shape (n_items,)."""
        if self.item_open is None or self.at is None:
            return np.ones(self.n_items, np.bool_)
        return np.asarray((self.item_open[:, 0] <= self.now) & (self.now < self.item_open[:, 1]))

    def matrix(self) -> sparse.csr_array:
        """Summed positive weights of every user and item that met; float32 (n_users, n_items), indices sorted."""
        use = self.counted & (self.weight > 0)
        shape = (self.n_users, self.n_items)
        return csr(self.user_ix[use], self.item_ix[use], self.weight[use], shape)

    @cached_property
    def by_user(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(indptr, order)``: events ``order[indptr[u]:indptr[u + 1]]`` are user ``u``'s, oldest first."""
        keys = (self.user_ix,) if self.at is None else (self.at, self.user_ix)
        order = np.lexsort(keys).astype(np.int64)
        counts = np.bincount(self.user_ix, minlength=self.n_users)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order

    @cached_property
    def events_by_user(self) -> tuple[ItemRows, NDArray[np.bool_], NDArray[np.int64]]:
        """In the order of ``by_user``: items, whether they count, and moments; each of shape (n,)."""
        assert self.at is not None, "data without moments knows no before"
        order = self.by_user[1]
        return self.item_ix[order], (self.weight > 0)[order], self.at[order]

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the items, the kinds and ``until``: columns, attributes, users."""
        kept = {name: column for name in PLAIN if (column := getattr(self, name)) is not None}
        for name in ATTRIBUTES:
            if (attributes := getattr(self, name)) is not None:
                kept |= {f"{name}.{key}": array for key, array in attributes.arrays().items()}
        return kept | {f"users.{name}": array for name, array in self.users.arrays().items()}

    @staticmethod
    def restore(arrays: Arrays, items: Vocabulary, kinds: tuple[InteractionKind, ...], until: int | None) -> Dataset:
        """The dataset that ``arrays`` was made of."""
        columns: dict[str, Any] = {name: np.asarray(arrays[name]) for name in PLAIN if name in arrays}
        for name in ATTRIBUTES:
            found = {key.removeprefix(f"{name}."): arrays[key] for key in arrays if key.startswith(f"{name}.")}
            columns[name] = Columns.restore(found) if found else None
        users = Vocabulary.restore({name: arrays[f"users.{name}"] for name in ("blob", "ends")})
        return Dataset(users=users, items=items, kinds=kinds, until=until, **columns)

    def fingerprint(self) -> str:
        """A digest of everything that a model could learn from; equal data, equal digest."""
        digest = hashlib.blake2b(digest_size=16)
        for column in (self.user_ix, self.item_ix, self.weight, self.kind, self.value, self.at):
            digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
        for vocabulary in (self.users, self.items):
            digest.update(vocabulary.hashes.tobytes())
        for columns in (self.item_columns, self.user_columns, self.event_columns):
            for name, array in sorted(columns.arrays().items()) if columns is not None else ():
                digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        digest.update(repr((self.kinds, self.now)).encode())
        return digest.hexdigest()


def kind_weights(kinds: Sequence[InteractionKind]) -> Floats:
    """What one event of each kind counts, of shape (n_kinds,)."""
    return np.array([0.0 if kind.negative else kind.weight for kind in kinds], np.float32)


def newest_only(
    owner: NDArray[np.integer],
    item_ix: ItemRows,
    kind: NDArray[np.int16],
    at: NDArray[np.int64] | None,
    kinds: Sequence[InteractionKind],
) -> NDArray[np.bool_]:
    """True for every event but those of a *latest* kind that a later one of the same owner and item replaced.

    Columns of shape (n,) in any order; without moments a later row is the later event.
    """
    keep = np.ones(len(owner), np.bool_)
    keep[_replaced(owner, item_ix, kind, at, kinds)[0]] = False
    return keep


def replaced_at(data: Dataset) -> NDArray[np.int64]:
    """When each event was replaced by a later one of its user, item and *latest* kind; NEVER where it was not. (n,)."""
    assert data.at is not None, "data without moments knows no before"
    out = np.full(len(data), NEVER, np.int64)
    old, new = _replaced(data.user_ix, data.item_ix, data.kind, data.at, data.kinds)
    out[old] = data.at[new]
    return out


def _replaced(
    owner: NDArray[np.integer],
    item_ix: ItemRows,
    kind: NDArray[np.int16],
    at: NDArray[np.int64] | None,
    kinds: Sequence[InteractionKind],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that were replaced, and for each the row that did so first."""
    latest = np.array([one.mode == "latest" for one in kinds])
    if not latest.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = np.flatnonzero(latest[kind])
    order = rows[np.lexsort((rows if at is None else at[rows], kind[rows], item_ix[rows], owner[rows]))]
    same = (
        (owner[order[1:]] == owner[order[:-1]])
        & (item_ix[order[1:]] == item_ix[order[:-1]])
        & (kind[order[1:]] == kind[order[:-1]])
    )
    return order[:-1][same], order[1:][same]


def csr(row: NDArray[np.integer], col: NDArray[np.integer], data: Floats, shape: tuple[int, int]) -> sparse.csr_array:
    """Entries summed into float32 CSR of ``shape`` with sorted indices."""
    built = sparse.coo_array((data, (row, col)), shape=shape).tocsr()
    built.sum_duplicates()
    return built.astype(np.float32)
