"""Ratings: the events that carry a value, one for every pair, and the least squares that fold a history of them in."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.kernels.als import add_outer, solve_spd
from serendip.models.kernels.item_item import FAST, Csr

MAX_VALUE = 1e6
"""The largest size of a rating; sums of more would leave single precision."""


class Ratings(NamedTuple):
    """One rating for every pair of a user and an item, by user, in the order they came; columns of shape (n,)."""

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
    at = np.arange(len(data)) if data.at is None else data.at
    rows, item_ix, indptr = latest(data.user_ix, data.item_ix, at, use, data.n_users, data.n_items)
    return Ratings(np.repeat(np.arange(data.n_users, dtype=np.int32), np.diff(indptr)), item_ix, data.value[rows])


def rated_items(queries: Queries, known: NDArray[np.bool_]) -> tuple[Csr, NDArray[np.int64]]:
    """What each query rated among the ``known`` items (n_items,), (n_queries, n_items), and the event of each entry."""
    use = queries.counted & np.isfinite(queries.value) & known[queries.item_ix]
    use &= np.abs(np.nan_to_num(queries.value)) <= MAX_VALUE
    at = np.arange(len(use))
    rows, item_ix, indptr = latest(queries.asker, queries.item_ix, at, use, len(queries), len(known))
    return Csr(indptr, item_ix, queries.value[rows]), rows


@numba.njit(cache=True, nogil=True)
def latest(owner, item_ix, at, use, n_owners, n_items):  # type: ignore[no-untyped-def]
    """The places of each pair's last event of ``use``, by owner, else in their order; their items; and indptr.

    owner, item_ix, at, use: columns of shape (n,). Of events at one moment the later place counts. Owner u's are from
    indptr[u] to indptr[u + 1], of (n_owners + 1,).
    """
    n = len(owner)
    start = np.zeros(n_owners + 1, np.int64)
    for t in range(n):
        start[owner[t] + 1] += use[t]
    for u in range(n_owners):
        start[u + 1] += start[u]
    places, items, to = np.empty(start[-1], np.int64), np.empty(start[-1], np.int32), start[:-1].copy()
    for t in range(n):
        if use[t]:
            places[to[owner[t]]] = t
            items[to[owner[t]]] = item_ix[t]
            to[owner[t]] += 1
    # Which owner met each item last, and where that owner's last event of it is.
    seen, met = np.full(n_items, -1, np.int64), np.empty(n_items, np.int64)
    indptr = np.zeros(n_owners + 1, np.int64)
    filled = 0
    for u in range(n_owners):
        repeated = False
        for s in range(start[u], start[u + 1]):
            t, i = places[s], items[s]
            if seen[i] == u:
                repeated = True
                if at[t] < at[met[i]]:
                    continue
            seen[i] = u
            met[i] = t
        for s in range(start[u], start[u + 1]):
            if not repeated or met[items[s]] == places[s]:
                places[filled], items[filled] = places[s], items[s]
                filled += 1
        indptr[u + 1] = filled
    return places[:filled].copy(), items[:filled].copy(), indptr


N_ROUNDS = 10
"""Times that biases are solved, one side after the other, where they are the answer."""


def biases(
    ratings: Ratings, shape: tuple[int, int], ridge: float, n_rounds: int = N_ROUNDS
) -> tuple[float, Floats, Floats]:
    """mean, b_u (n_users,) and b_i (n_items,) of r ~ mean + b_u + b_i, by ridge regression; 0 where nothing is known.

    The mean is that of all ratings. A bias is the sum of what is left of its ratings, over their number + ridge.
    """
    mean = ratings.value.mean(dtype=np.float64)
    b_u, b_i = (np.zeros(n) for n in shape)
    solve_biases(*ratings, mean, ridge, n_rounds, b_u, b_i)
    return float(mean), b_u.astype(np.float32), b_i.astype(np.float32)


@numba.njit(cache=True, nogil=True)
def solve_biases(user_ix, item_ix, value, mean, ridge, n_rounds, b_u, b_i):  # type: ignore[no-untyped-def]
    """Items' biases, then users', in place, ``n_rounds`` times: b_i = sum of (r_ui - mean - b_u) / (n_i + ridge)."""
    sizes_u, sizes_i = np.full(len(b_u), ridge), np.full(len(b_i), ridge)
    sums_u, sums_i = np.zeros(len(b_u)), np.zeros(len(b_i))
    for t in range(len(value)):
        sizes_u[user_ix[t]] += 1
        sizes_i[item_ix[t]] += 1
        sums_u[user_ix[t]] += value[t] - mean
        sums_i[item_ix[t]] += value[t] - mean
    rest = np.empty(max(len(b_u), len(b_i)))
    for _ in range(n_rounds):
        for i in range(len(b_i)):
            rest[i] = sums_i[i]
        for t in range(len(value)):
            rest[item_ix[t]] -= b_u[user_ix[t]]
        for i in range(len(b_i)):
            b_i[i] = rest[i] / sizes_i[i]
        for u in range(len(b_u)):
            rest[u] = sums_u[u]
        for t in range(len(value)):
            rest[user_ix[t]] -= b_i[item_ix[t]]
        for u in range(len(b_u)):
            b_u[u] = rest[u] / sizes_u[u]


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
