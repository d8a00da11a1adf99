"""NMF of ratings: a mean, biases and an inner product of vectors that are nowhere below 0 (Cichocki, Phan 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy import sparse

from serendip.data import Arrays, Dataset, Floats
from serendip.models.answers import SMALL_BATCH
from serendip.models.contract import Kind
from serendip.models.kernels.item_item import FAST, Csr
from serendip.models.memory import claim
from serendip.models.parallel import crew, equal_work, in_chunks
from serendip.models.ratings import Ratings, biases, ratings_of
from serendip.models.svd import N_ROUNDS, Doubles, RatingConfig, Svd

N_SWEEPS = 500
"""Passes over a history's vector at most; they end when nothing moves any more."""


N_CHUNKS = 16
"""Chunks of rows that threads take in turn."""


class NmfConfig(RatingConfig):
    """Size of the factorisation. Ratings are learnt in units of their standard deviation, whatever their scale."""

    n_factors: PositiveInt = Field(15, le=1024)
    """Length of the vectors."""
    n_epochs: PositiveInt = 4
    """Times that both sides are solved."""
    ridge: float = Field(7.0, ge=1e-3)
    """A vector, of an item, a user or a history, is held to 0 as by this many ratings."""


@dataclass(frozen=True)
class Nmf(Svd):
    """As the SVD's, with q_i >= 0; a history's p_u >= 0 is solved for when it asks."""

    def _solved(self, history: Csr) -> Doubles:
        n_queries, k = len(history.indptr) - 1, self.items.shape[1] - 1
        x = np.zeros((n_queries, k))
        y, target = self.items[:, :-1].astype(np.float64), self._target(history)
        bounds = equal_work(np.diff(history.indptr) + 1.0, 1 if n_queries < SMALL_BATCH else 32)

        in_chunks(
            partial(sweep_rows, history.indptr, history.indices, target, y, self.config.ridge, N_SWEEPS, x), bounds
        )
        return x

    def _used(self, history: Csr) -> NDArray[np.bool_]:
        """The bias, and the columns that are not held at 0: over these, the least squares know no bound."""
        used: NDArray[np.bool_] = self._solved(history) != 0
        used[:, 0] = True
        return used


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def sweep_rows(indptr, indices, target, y, ridge, n_sweeps, x, start, stop):  # type: ignore[no-untyped-def]
    """Coordinate descent on rows ``start`` to ``stop`` (exclusive) of ``x`` (n_rows, k), from the x there is.

    With Y_u (n, k) the vectors of the row's own columns and t_u (n,) its targets, for each part f in turn

        x_uf = max(0, x_uf + (Y_uf'(t_u - Y_u x_u) - ridge x_uf) / (|Y_uf|^2 + ridge))

    which is the best x_uf while the others stand still; part 0, a bias, may be below 0. ``n_sweeps`` times, or until
    no part moves by more than a 1e-12th of the largest. A row without columns is 0.
    """
    k = x.shape[1]
    zero = x.dtype.type(0)
    hold = x.dtype.type(ridge)
    columns = np.empty((k, 64), x.dtype)
    rest = np.empty(64, x.dtype)
    norm = np.empty(k, x.dtype)
    for u in range(start, stop):
        first = indptr[u]
        n = indptr[u + 1] - first
        own = x[u]
        if n == 0:
            own[:] = zero
            continue
        if n > rest.shape[0]:
            columns = np.empty((k, 2 * n), x.dtype)
            rest = np.empty(2 * n, x.dtype)
        norm[:] = hold
        for t in range(n):
            row = y[indices[first + t]]
            left = x.dtype.type(target[first + t])
            for f in range(k):
                columns[f, t] = row[f]
                norm[f] += row[f] * row[f]
                left -= own[f] * row[f]
            rest[t] = left
        for _ in range(n_sweeps):
            moved = zero
            largest = zero
            for f in range(k):
                column = columns[f]
                before = own[f]
                slope = -hold * before
                for t in range(n):
                    slope += column[t] * rest[t]
                after = before + slope / norm[f]
                if f > 0 and after < zero:
                    after = zero
                largest = max(largest, abs(after))
                if after == before:
                    continue
                by = after - before
                moved = max(moved, abs(by))
                own[f] = after
                for t in range(n):
                    rest[t] -= by * column[t]
            if moved <= 1e-12 * largest:
                break


def learn(
    config: NmfConfig, ratings: Ratings, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """(c, q_i), of shape (n_items, n_factors + 1), and b_i after all epochs; the values of ``ratings`` have mean 0.

    From users' vectors of 0 and random ones of items, users' rows are solved against the items' vectors, then items'
    against the users', one sweep each: the bias is the part that goes with the column c = (ridge / bias_ridge)^1/2,
    which is the same for all rows of the other side.
    """
    c = np.float32(np.sqrt(config.ridge / config.bias_ridge))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(ratings.user_ix, minlength=shape[0]))])
    by_user = sparse.csr_array((ratings.value, ratings.item_ix, indptr), shape=shape)
    sides = [Csr.of(by_user), Csr.of(by_user.T.tocsr())]
    _, *bias = biases(ratings, shape, config.bias_ridge, N_ROUNDS)
    parts = [np.zeros((n, config.n_factors + 1), np.float32) for n in shape]
    for part, b in zip(parts, bias, strict=True):
        part[:, 0] = b / c
    parts[1][:, 1:] = np.abs(rng.standard_normal((shape[1], config.n_factors), np.float32)) * np.float32(0.1)
    bounds = [equal_work(np.diff(side.indptr) + 1.0, N_CHUNKS) for side in sides]
    with crew() as pool:
        for _ in range(config.n_epochs):
            for this, other in ((0, 1), (1, 0)):
                rows, x, y = sides[this], parts[this], parts[other].copy()
                target = rows.value - (c * y[:, 0])[rows.indices]
                y[:, 0] = c
                solve = partial(sweep_rows, rows.indptr, rows.indices, target, y, config.ridge, 1, x)
                in_chunks(solve, bounds[this], pool)
    b_i = c * parts[1][:, 0]
    parts[1][:, 0] = c
    return parts[1], b_i


def fit(config: NmfConfig, data: Dataset, rng: np.random.Generator) -> Nmf:
    """Hierarchical alternating least squares over the ratings."""
    needed = (data.n_users + data.n_items) * (config.n_factors + 1) * 4 * 3 + len(data) * 60
    claim(needed, f"nmf over {data.n_users} users and {data.n_items} items", "lower n_factors")
    ratings = ratings_of(data, "nmf")
    mean, spread = ratings.value.mean(dtype=np.float64), ratings.value.std(dtype=np.float64)
    z = ((ratings.value - mean) / (spread or 1.0)).astype(np.float32)
    vectors, b_i = learn(config, ratings._replace(value=z), (data.n_users, data.n_items), rng)
    known = np.bincount(ratings.item_ix, minlength=data.n_items) > 0
    items = np.concatenate([vectors, (mean + spread * b_i)[:, None]], axis=1).astype(np.float32)
    span = np.array([ratings.value.min(), ratings.value.max()], np.float32)
    return Nmf(items, known, span, config)


def restore(config: NmfConfig, arrays: Arrays) -> Nmf:
    """The model that ``arrays`` was made of."""
    return Nmf(arrays["items"], arrays["known"], arrays["span"], config)  # type: ignore[arg-type]


KIND = Kind("nmf", NmfConfig, fit, restore, rates=True)
