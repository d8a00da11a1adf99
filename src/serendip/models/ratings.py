"""Ratings: the events that carry a value, one for every pair, and the least squares that fold a history of them in."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data import Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.als_kernels import add_outer, solve_spd
from serendip.models.item_item import FAST, Csr

MAX_VALUE = 1e6
"""The largest size of a rating; sums of more would leave single precision."""


MANY = 10_000
"""Events that are worth another way of sorting."""


class Ratings(NamedTuple):
    """One rating for every pair of a user and an item, by user and item; columns of shape (n,)."""

    user_ix: NDArray[np.int32]
    item_ix: ItemRows
    value: Floats


def ratings_of(data: Dataset, who: str) -> Ratings:
    """The latest value of every pair, of the events that count and weigh more than 0; ``who`` learns from them."""
    use = data.counted & (data.weight > 0) & ~np.isnan(data.value)
    if not use.any():
        raise Invalid(
            f"{who} learns from ratings, and no interaction carries a value; import the column that holds them"
        )
    if not (np.abs(data.value[use]) <= MAX_VALUE).all():
        raise Invalid(f"{who} takes values from -{MAX_VALUE:g} to {MAX_VALUE:g}, and the data holds others; scale them")
    rows = np.flatnonzero(use)
    rows = rows[_latest(data.user_ix[rows], data.item_ix[rows], rows if data.at is None else data.at[rows])]
    return Ratings(data.user_ix[rows], data.item_ix[rows], data.value[rows])


def rated_items(queries: Queries, known: NDArray[np.bool_]) -> tuple[Csr, NDArray[np.int64]]:
    """What each query rated among the ``known`` items (n_items,), (n_queries, n_items), and the event of each entry."""
    use = queries.counted & np.isfinite(queries.value) & known[queries.item_ix]
    use &= np.abs(np.nan_to_num(queries.value)) <= MAX_VALUE
    rows = np.flatnonzero(use)
    rows = rows[_latest(queries.asker[rows], queries.item_ix[rows], rows)]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(queries.asker[rows], minlength=len(queries)))])
    return Csr(indptr.astype(np.int64), queries.item_ix[rows], queries.value[rows]), rows


def _latest(owner: NDArray[np.integer], item_ix: ItemRows, at: NDArray[np.integer]) -> NDArray[np.int64]:
    """The places of each pair's last event, by owner and item; of events at one moment the later row counts."""
    if len(owner) >= MANY:
        # Where no pair repeats, and mostly none does, a sparse matrix sorts them in one pass.
        pairs = sparse.coo_array((np.arange(len(owner)), (owner, item_ix))).tocsr()
        if pairs.nnz == len(owner):
            return np.asarray(pairs.data)
    order = np.lexsort((np.arange(len(owner)), at, item_ix, owner))
    last = np.ones(len(order), np.bool_)
    last[:-1] = (np.diff(owner[order]) != 0) | (np.diff(item_ix[order]) != 0)
    return np.asarray(order[last])


N_ROUNDS = 10
"""Times that biases are solved, one side after the other."""


def biases(ratings: Ratings, shape: tuple[int, int], ridge: float) -> tuple[float, Floats, Floats]:
    """mean, b_u (n_users,) and b_i (n_items,) of r ~ mean + b_u + b_i, by ridge regression; 0 where nothing is known.

    The mean is that of all ratings. A bias is the sum of what is left of its ratings, over their number + ridge.
    """
    mean = ratings.value.mean(dtype=np.float64)
    sides, b = (ratings.user_ix, ratings.item_ix), [np.zeros(n) for n in shape]
    sizes = [np.bincount(rows, minlength=n) for rows, n in zip(sides, shape, strict=True)]
    for _ in range(N_ROUNDS):
        for this, other in ((1, 0), (0, 1)):
            rest = ratings.value - mean - b[other][sides[other]]
            b[this] = np.bincount(sides[this], rest, minlength=shape[this]) / (sizes[this] + ridge)
    return float(mean), b[0].astype(np.float32), b[1].astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def add_inner(rows, n, a):  # type: ignore[no-untyped-def]
    """a += rows[:n] rows[:n]' in the lower triangle; rows (>= n, k), a (>= n, >= n)."""
    k = rows.shape[1]
    for s in range(n):
        left = rows[s]
        for t in range(s + 1):
            right = rows[t]
            total = a[s, t]
            for f in range(k):
                total += left[f] * right[f]
            a[s, t] = total


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def ridge_rows(indptr, indices, target, y, ridge, x, start, stop):  # type: ignore[no-untyped-def]
    """Regularised least squares for rows ``start`` to ``stop`` (exclusive) of ``x`` (n_rows, k), in its precision.

    With Y_u (n, k) the vectors of the row's own columns and t_u (n,) its targets,

        x_u = argmin |t_u - Y_u x|^2 + ridge |x|^2 = (Y_u'Y_u + ridge I)^-1 Y_u' t_u = Y_u' (Y_u Y_u' + ridge I)^-1 t_u

    by the smaller of the two systems. A row without columns is 0.
    """
    k = x.shape[1]
    rows = np.empty((max(64, k), k), x.dtype)
    a = np.empty((k, k), x.dtype)
    b = np.empty(k, x.dtype)
    for u in range(start, stop):
        first = indptr[u]
        n = indptr[u + 1] - first
        x[u] = 0
        if n < k:
            for t in range(n):
                b[t] = target[first + t]
                rows[t] = y[indices[first + t], :k]
                a[t, : t + 1] = 0
                a[t, t] = ridge
            add_inner(rows, n, a)
            solve_spd(a, b, n, ridge)
            for t in range(n):
                for f in range(k):
                    x[u, f] += b[t] * rows[t, f]
            continue
        b[:] = 0
        a[:] = 0
        for f in range(k):
            a[f, f] = ridge
        done = 0
        while done < n:
            size = min(rows.shape[0], n - done)
            for t in range(size):
                rows[t] = y[indices[first + done + t], :k]
                for f in range(k):
                    b[f] += target[first + done + t] * rows[t, f]
            add_outer(rows, size, a)
            done += size
        solve_spd(a, b, k, ridge)
        x[u] = b
