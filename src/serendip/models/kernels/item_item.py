"""Kernels of item-item products: Gustavson's row by row, nearest of a row, and sums of rows over a history."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data import Floats, ItemRows
from serendip.models.kernels.largest import BLOCK, largest, n_groups

FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, fused; infinities and NaN are still respected."""

FULL = 16
"""A row is full, and read as a whole, when this many times its multiplications are more than its places."""


class Csr(NamedTuple):
    """A sparse matrix as kernels take it: one set of types, so that each is compiled once."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    value: Floats

    @staticmethod
    def of(matrix: sparse.csr_array) -> Csr:
        """The parts of ``matrix``."""
        return Csr(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))


def product_cost(taken: Csr, takers: Csr) -> NDArray[np.float64]:
    """Multiplications that each item's row of the product takes; shape (n_items,)."""
    size = np.diff(taken.indptr).astype(np.float64)
    done = np.concatenate([[0.0], np.cumsum(size[takers.indices])])
    return np.asarray(done[takers.indptr[1:]] - done[takers.indptr[:-1]])


@numba.njit(cache=True, nogil=True)
def nearest_rows(taken, takers, shrinkage, min_support, k, start, stop):  # type: ignore[no-untyped-def]
    """The ``k`` largest entries right of nothing, best first, of rows ``start`` to ``stop`` (exclusive) of X'X.

    taken: X (n_users, n_items) by user, takers: the same by item. An entry of two items that n users have both met
    is (sum over users of x_ui x_uj) * n / (n + shrinkage); it counts if n >= min_support and it is above 0. The
    diagonal is left out. Equal entries stand in the order of their items. Gustavson: the row of item i is the sum of
    the rows of its users, kept dense. The best of a full row are found by looking through all of it; of one that
    touches few places, these are gathered first.

    -> number of entries of each row (stop - start,), and items and values end to end.
    """
    n_items = takers.indptr.shape[0] - 1
    width = (n_items + BLOCK - 1) // BLOCK * BLOCK
    total, met = np.zeros(width, np.float32), np.zeros(width, np.int32)
    few, touched, every = np.empty(width, np.float32), np.empty(width, np.int32), np.arange(width, dtype=np.int32)
    keys, groups = np.empty(width, np.int64), np.empty(n_groups(n_items, k), np.int32)
    sizes = np.zeros(stop - start, np.int64)
    items, values = np.empty(1024, np.int32), np.empty(1024, np.int32)
    counted = shrinkage > 0 or min_support > 1
    filled = 0
    for i in range(start, stop):
        work = 0
        for s in range(takers.indptr[i], takers.indptr[i + 1]):
            u = takers.indices[s]
            work += taken.indptr[u + 1] - taken.indptr[u]
        if work * FULL < n_items:
            n = add_rows_touched(taken, takers, i, total, met, touched)
            for t in range(n):
                j = touched[t]
                enough = met[j] >= min_support and j != i
                few[t] = np.float32(total[j] * met[j] / (met[j] + shrinkage)) if enough else 0
                total[j], met[j] = 0, 0
            while n % BLOCK:
                few[n] = 0
                n += 1
            size = largest(few.view(np.int32), touched, n, k, groups, keys)
        else:
            _add_rows(taken, takers, i, total, met, counted)
            if counted:
                for j in range(n_items):
                    n = met[j]
                    met[j] = 0
                    total[j] = np.float32(total[j] * n / (n + shrinkage)) if n >= min_support else 0
            total[i] = 0
            size = largest(total.view(np.int32), every, width, k, groups, keys)
            total[:] = 0
        while filled + size > items.shape[0]:
            items = np.concatenate((items, np.empty_like(items)))
            values = np.concatenate((values, np.empty_like(values)))
        for place in range(size):
            items[filled + place] = np.int32(keys[place] & 0x7FFFFFFF)
            values[filled + place] = np.int32(-(keys[place] >> 32))
        sizes[i - start] = size
        filled += size
    return sizes, items[:filled].copy(), values[:filled].copy().view(np.float32)


@numba.njit(cache=True, nogil=True)
def add_rows_touched(taken, takers, i, total, met, touched):  # type: ignore[no-untyped-def]
    """Row i of X'X into ``total``, how many users gave to each place into ``met``; -> number of places touched."""
    n_touched = 0
    for s in range(takers.indptr[i], takers.indptr[i + 1]):
        u = takers.indices[s]
        x = takers.value[s]
        for t in range(taken.indptr[u], taken.indptr[u + 1]):
            j = taken.indices[t]
            if met[j] == 0:
                touched[n_touched] = j
                n_touched += 1
            met[j] += 1
            total[j] += x * taken.value[t]
    return n_touched


@numba.njit(cache=True, nogil=True)
def _add_rows(taken, takers, i, total, met, counted):  # type: ignore[no-untyped-def]
    """The same without a list, and without ``met`` unless it is ``counted``.

    Places are unsigned, so that no place is asked whether it counts from the end.
    """
    for s in range(takers.indptr[i], takers.indptr[i + 1]):
        u = takers.indices[s]
        x = takers.value[s]
        first, last = np.uint64(taken.indptr[u]), np.uint64(taken.indptr[u + 1])
        for t in range(first, last):
            total[np.uint32(taken.indices[t])] += x * taken.value[t]
        if counted:
            for t in range(first, last):
                met[np.uint32(taken.indices[t])] += 1


@numba.njit(cache=True, nogil=True)
def nearest_dense(rows, of, k, items, values, start, stop):  # type: ignore[no-untyped-def]
    """The ``k`` largest entries above 0 of the rows ``of`` (n,), best first, without their own places.

    rows (n_items, n_items); into items and values (n, k) from ``start`` to ``stop`` (exclusive), whose rest stays as it
    is. Equal ones stand in the order of their items.
    """
    n_items = rows.shape[1]
    width = (n_items + BLOCK - 1) // BLOCK * BLOCK
    row, names = np.zeros(width, np.float32), np.arange(width, dtype=np.int32)
    bits = row.view(np.int32)
    keys, groups = np.empty(width, np.int64), np.empty(n_groups(n_items, k), np.int32)
    for i in range(start, stop):
        row[:n_items] = rows[of[i]]
        row[of[i]] = 0
        size = largest(bits, names, width, k, groups, keys)
        for place in range(size):
            items[i, place] = np.int32(keys[place] & 0x7FFFFFFF)
            values[i, place] = row[items[i, place]]


@numba.njit(cache=True, nogil=True)
def by_item(taken, n_items):  # type: ignore[no-untyped-def]
    """X (n_users, n_items) by user, seen by item: whose entries they are, and where in ``taken`` they stand.

    -> indptr (n_items + 1,), users and places (n_entries,); users ascend within an item.
    """
    indptr = np.zeros(n_items + 1, np.int64)
    for t in range(taken.indices.shape[0]):
        indptr[taken.indices[t] + 1] += 1
    for i in range(n_items):
        indptr[i + 1] += indptr[i]
    users, places = np.empty(taken.indices.shape[0], np.int32), np.empty(taken.indices.shape[0], np.int64)
    free = indptr[:-1].copy()
    for u in range(taken.indptr.shape[0] - 1):
        for t in range(taken.indptr[u], taken.indptr[u + 1]):
            i = taken.indices[t]
            users[free[i]], places[free[i]] = u, t
            free[i] += 1
    return indptr, users, places


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def gram_rows(taken, indptr, users, places, out, start, stop):  # type: ignore[no-untyped-def]
    """Rows ``start`` to ``stop`` (exclusive) of the upper triangle of X'X, dense, into ``out`` (n_items, n_items).

    ``taken`` by user, items ascending, and the rest as ``by_item`` gives it: a user's items from the own one on are
    those that follow its place. What is left of the diagonal is not touched.
    """
    for i in range(start, stop):
        row = out[i]
        row[i:] = 0
        for s in range(indptr[i], indptr[i + 1]):
            x = taken.value[places[s]]
            for t in range(places[s], taken.indptr[users[s] + 1]):
                row[taken.indices[t]] += x * taken.value[t]


@numba.njit(cache=True, nogil=True)
def sum_sparse_rows(history, rows, out, start, stop):  # type: ignore[no-untyped-def]
    """out_q = sum over the items j of history q of h_qj * rows_j, for queries ``start`` to ``stop``; rows sparse."""
    for q in range(start, stop):
        sums = out[q]
        sums[:] = 0
        for s in range(history.indptr[q], history.indptr[q + 1]):
            j = history.indices[s]
            for t in range(rows.indptr[j], rows.indptr[j + 1]):
                sums[rows.indices[t]] += history.value[s] * rows.value[t]


@numba.njit(cache=True, nogil=True)
def sum_dense_rows(history, rows, out, start, stop):  # type: ignore[no-untyped-def]
    """The same for dense rows (n_items, n_items)."""
    for q in range(start, stop):
        sums = out[q]
        sums[:] = 0
        for s in range(history.indptr[q], history.indptr[q + 1]):
            row = rows[history.indices[s]]
            h = history.value[s]
            for i in range(row.shape[0]):
                sums[i] += h * row[i]


@numba.njit(cache=True, nogil=True)
def sum_dense_places(history, rows, among, out, start, stop):  # type: ignore[no-untyped-def]
    """The same of the places ``among`` only: (n_queries, n_among), or (1, n_among) for all; padding is left 0."""
    for q in range(start, stop):
        own = among[q if among.shape[0] > 1 else 0]
        out[q, :] = 0
        for s in range(history.indptr[q], history.indptr[q + 1]):
            row = rows[history.indices[s]]
            h = history.value[s]
            for a in range(own.shape[0]):
                if own[a] >= 0:
                    out[q, a] += h * row[own[a]]


def at_places(indptr: NDArray[np.int64], index: ItemRows, value: Floats, row: int, places: ItemRows) -> Floats:
    """Entries of a sparse row at ``places``, 0 where it has none; the row's own entries may stand in any order."""
    own = slice(indptr[row], indptr[row + 1])
    order = np.argsort(index[own], kind="stable")
    items, values = index[own][order], value[own][order]
    found = np.searchsorted(items, places)
    found = np.minimum(found, max(len(items) - 1, 0))
    if not len(items):
        return np.zeros(len(places), np.float32)
    return np.where(items[found] == places, values[found], 0).astype(np.float32)
