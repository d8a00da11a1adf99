"""Neighbours among people: whom an asker is like, and what these took."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Dataset, Floats, ItemRows, Queries
from serendip.models.answers import BATCH, SMALL_BATCH
from serendip.models.kernels.item_item import Csr, add_rows_touched, at_places
from serendip.models.near import ROUNDING, insert_best
from serendip.models.parallel import equal_work, in_chunks

NOBODY = -1

TILE = 512
"""Users whose vectors are compared with every asker's before the next ones' are."""

People = tuple[NDArray[np.int32], Floats]
"""Rows of users, best first, padded with NOBODY, and how alike they are; both (n_queries, k)."""


def taken_by(data: Dataset, binary: bool) -> Csr:
    """What every user's items count, (n_users, n_items): 1, or their summed weight."""
    matrix = data.matrix()
    if binary:
        matrix.data[:] = 1
    return Csr.of(matrix)


@dataclass(frozen=True)
class UserNames:
    """The users learnt from, by the hashes of their ids: the vocabulary of users is no part of a model."""

    hashes: NDArray[np.uint64]
    """Shape (n_users,)."""

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.hashes, kind="stable")

    def own_rows(self, queries: Queries) -> NDArray[np.int32]:
        """Which of the users each asker is, or NOBODY; shape (n_queries,).

        An asker is known by the salt, which is the hash of the id wherever the question is asked.
        """
        place = np.minimum(np.searchsorted(self.hashes, queries.salt, sorter=self._order), len(self) - 1)
        found = self._order[place]
        return np.where(self.hashes[found] == queries.salt, found, NOBODY).astype(np.int32)


def chunks(n_queries: int) -> list[int]:
    """Bounds of the parts that threads take."""
    return equal_work(np.ones(n_queries), 1 if n_queries < SMALL_BATCH else 16)


def scores_of(people: People, taken: Csr, n_items: int, among: ItemRows | None) -> Floats:
    """score_qi = sum over the people u of query q of likeness_qu * taken_ui, (n_queries, n_items), or of ``among``."""
    rows, likeness = people

    def summed(here: slice) -> Floats:
        out = np.empty((len(rows[here]), n_items), np.float32)
        some = (rows[here], likeness[here])
        in_chunks(lambda start, stop: sum_people(*some, taken, out, start, stop), chunks(len(out)))
        return out

    if among is None:
        return summed(slice(None))
    scores = np.empty((len(rows), among.shape[-1]), np.float32)
    for first in range(0, len(rows), BATCH):
        here = slice(first, first + BATCH)
        full = summed(here)
        scores[here] = full[:, among] if among.ndim == 1 else np.take_along_axis(full, np.maximum(among[here], 0), 1)
    return scores


def taken_at(rows: NDArray[np.int32], taken: Csr, items: NDArray[np.int32]) -> Floats:
    """What ``items`` (n,) count for each of the users ``rows`` (m,): (m, n)."""
    found = [at_places(*taken, int(row), items) for row in rows]
    return np.array(found, np.float32).reshape(len(rows), len(items))


@numba.njit(cache=True, nogil=True)
def sum_people(rows, likeness, taken, out, start, stop):  # type: ignore[no-untyped-def]
    """That sum, for queries ``start`` to ``stop`` (exclusive)."""
    for q in range(start, stop):
        sums = out[q]
        sums[:] = 0
        for p in range(rows.shape[1]):
            u = rows[q, p]
            if u < 0:
                break
            for t in range(taken.indptr[u], taken.indptr[u + 1]):
                sums[taken.indices[t]] += likeness[q, p] * taken.value[t]


@numba.njit(cache=True, nogil=True)
def nearest_by_items(history, takers, n_users, own, shrinkage, rows, values, start, stop):  # type: ignore[no-untyped-def]
    """The users of the largest products with queries ``start`` to ``stop``, into ``rows``, ``values`` (n_queries, k).

    history: V (n_queries, n_items); takers: X (n_users, n_items) by item. With n the items that query q and user u
    have both met,

        likeness_qu = (sum over items j of v_qj x_uj) * n / (n + shrinkage)

    if it is above 0 and u is not own[q]. Only users of the history's items are looked at.
    """
    total = np.zeros(n_users, np.float32)
    met = np.zeros(n_users, np.int32)
    touched = np.empty(n_users, np.int32)
    for q in range(start, stop):
        n_touched = add_rows_touched(takers, history, q, total, met, touched)
        size = 0
        for t in range(n_touched):
            u = touched[t]
            value = np.float32(total[u] * met[u] / (met[u] + shrinkage))
            met[u] = 0
            total[u] = 0
            if u != own[q] and value > 0:
                size = insert_best(rows[q], values[q], size, u, value)
        rows[q, size:] = NOBODY
        values[q, size:] = 0


@numba.njit(cache=True, nogil=True)
def nearest_by_vectors(asked, unit, may, own, rows, values, start, stop):  # type: ignore[no-untyped-def]
    """The same by inner products above ROUNDING of ``asked`` (n_queries, d) and ``unit`` (n_users, d).

    Only users that ``may`` (n_users,) are looked at, in tiles that stay in the cache while every query passes over
    them, turned so that a tile's users are summed side by side. Profiles are mostly 0: what an asker does not have is
    left out. Every product is summed in the same order, so that equal people are equally alike.
    """
    if rows.shape[1] == 0:
        return
    n_users, d = unit.shape
    used = np.zeros(d, np.bool_)
    for q in range(start, stop):
        used |= asked[q] != 0
    features = np.flatnonzero(used)
    size = np.zeros(stop - start, np.int64)
    turned, sums = np.zeros((len(features), TILE), np.float32), np.empty(TILE, np.float32)
    for first in range(0, n_users, TILE):
        n = min(TILE, n_users - first)
        for u in range(n):
            for f in range(len(features)):
                turned[f, u] = unit[first + u, features[f]]
        for q in range(start, stop):
            sums[:] = 0
            for f in range(len(features)):
                part = asked[q, features[f]]
                if part != 0:
                    line = turned[f]
                    for u in range(TILE):
                        sums[u] += part * line[u]
            # Users come in order of their rows, so that one who is as alike as the last of a full list stays out.
            best_rows, best, n_best, bar = rows[q], values[q], size[q - start], np.float32(ROUNDING)
            if n_best == len(best):
                bar = best[n_best - 1]
            for u in range(n):
                if sums[u] > bar and may[first + u] and first + u != own[q]:
                    n_best = insert_best(best_rows, best, n_best, first + u, sums[u])
                    if n_best == len(best):
                        bar = best[n_best - 1]
            size[q - start] = n_best
    for q in range(start, stop):
        rows[q, size[q - start] :] = NOBODY
        values[q, size[q - start] :] = 0
