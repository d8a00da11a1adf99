"""Votes: what items are rated on the whole, and how popular they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from serendip.store.engine import Part
from serendip.store.schema import interactions, items, kinds


class Votes(NamedTuple):
    """All items with ratings, by the store's key; columns of shape (n,)."""

    keys: NDArray[np.int64]
    mean: NDArray[np.float64]
    votes: NDArray[np.int64]
    """Users who rated; of several ratings of one user the newest counts."""
    popularity: NDArray[np.float64]
    """From 0 to 1; see ``popularity``."""


class Vote(NamedTuple):
    """One item's."""

    popularity: float = 0.0
    rating: float | None = None
    votes: int = 0


def popularity(mean: NDArray[np.float64], votes: NDArray[np.int64]) -> NDArray[np.float64]:
    """minmax(mean rating x minmax(number of votes)), over all rated items; shape (n,).

    minmax(x) = (x - min) / (max - min), and 0 where all are equal.
    """
    return _minmax(mean * _minmax(votes.astype(np.float64)))


def _minmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    span = x.max() - x.min() if len(x) else 0.0
    return (x - x.min()) / span if span > 0 else np.zeros(len(x))


class Ratings(Part):
    """Votes of all items, kept until the data changes."""

    _votes: tuple[str, int, Votes] | None = None

    def votes(self, kind: str = "rating") -> Votes:
        """The votes of every item that has any, by interactions of ``kind``."""
        state = self.changes()["data"]  # type: ignore[attr-defined]
        kept = self._votes
        if kept is None or kept[:2] != (kind, state):
            kept = (kind, state, self._counted(kind))
            self._votes = kept
        return kept[2]

    def votes_of(self, ids: Sequence[str], kind: str = "rating") -> dict[str, Vote]:
        """The votes of those of ``ids`` that are items; one without ratings has none."""
        every = self.votes(kind)
        with self._db.read() as c:
            rows = c.execute(select(items.c.id, items.c.key).where(items.c.id.in_(ids))).all()
        found = {}
        for item, key in rows:
            place = int(np.searchsorted(every.keys, key))
            there = place < len(every.keys) and every.keys[place] == key
            found[item] = (
                Vote(float(every.popularity[place]), float(every.mean[place]), int(every.votes[place]))
                if there
                else Vote()
            )
        return found

    def _counted(self, kind: str) -> Votes:
        t = interactions.c
        code = select(kinds.c.code).where(kinds.c.name == kind).scalar_subquery()
        newest = func.row_number().over(partition_by=(t.user_key, t.item_key), order_by=(t.at.desc(), t.id.desc()))
        rated = (
            select(t.item_key, t.value, newest.label("place")).where(t.kind == code, t.value.is_not(None)).subquery()
        )
        query = (
            select(rated.c.item_key, func.avg(rated.c.value), func.count())
            .where(rated.c.place == 1)
            .group_by(rated.c.item_key)
            .order_by(rated.c.item_key)
        )
        with self._db.read() as c:
            rows = c.execute(query).all()
        mean = np.array([row[1] for row in rows], np.float64)
        votes = np.array([row[2] for row in rows], np.int64)
        return Votes(np.array([row[0] for row in rows], np.int64), mean, votes, popularity(mean, votes))
