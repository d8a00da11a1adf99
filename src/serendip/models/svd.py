"""SVD of ratings: a mean, biases and an inner product (Funk 2006; Koren, Bell, Volinsky 2009)."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import SMALL_BATCH, finish, inner_scores, most_alike
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_item import FAST, Csr
from serendip.models.memory import claim
from serendip.models.parallel import equal_work, in_chunks, one_blas_thread
from serendip.models.ratings import Ratings, biases, rated_items, ratings_of, ridge_rows

Doubles = NDArray[np.float64]

MOST_GROUPS = 8
"""Groups that users, and items, are dealt into at most: so many threads can learn at once."""

BLOCK = 20_000
"""Ratings of a block at least, on average; with fewer, the rows of a block are fetched for one rating each."""

PAD = 8
"""Vectors are lengthened to a multiple of this with zeros, which stay zero, so that a kernel's loops have no rest."""


class RatingConfig(ModelConfig):
    """How a history's own part is held to 0."""

    ridge: float = Field(3.0, ge=1e-3)
    """A history's vector is held to 0 as by this many ratings."""
    bias_ridge: float = Field(2.0, ge=1e-3)
    """A bias, of an item, a user or a history, is held to 0 as by this many ratings."""


class SvdConfig(RatingConfig):
    """Size and speed of the descent. Ratings are learnt in units of their standard deviation, whatever their scale."""

    n_factors: PositiveInt = Field(100, le=4096)
    """Length of the vectors."""
    n_epochs: PositiveInt = 20
    """Times that every rating is learnt from."""
    learning_rate: float = Field(0.01, gt=0, le=1)
    """gamma: the length of a step."""
    regularization: float = Field(0.02, ge=0, le=100)
    """lambda: how much of a vector a step takes away."""
    init_sigma: float = Field(0.02, gt=0, le=10)
    """Standard deviation of a vector's parts before the first epoch."""


@dataclass(frozen=True)
class Svd:
    """What is known of every item; a history's own part is solved for when it asks."""

    items: Floats
    """(n_items, n_factors + 2): the bias's column, the same for all items; q_i; and mu + b_i."""
    known: NDArray[np.bool_]
    """Items with ratings; shape (n_items,)."""
    span: Floats
    """The least and the largest rating learnt from."""
    config: RatingConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Predicted ratings, which may lie beyond the scale; NaN without a rating of a known item."""
        vectors, items = self.factors(queries)
        return finish(inner_scores(vectors, items, among), np.isnan(vectors[:, 0]), among)

    def predict(self, queries: Queries, items: ItemRows) -> Floats:
        """The same for ``items`` (n_queries, n), held within the scale."""
        return np.clip(self.score(queries, items), *self.span)

    def factors(self, queries: Queries) -> tuple[Floats, Floats]:
        """(b_u / c, p_u, 1) of every history and (c, q_i, mu + b_i) of every item; c**2 = ridge / bias_ridge.

        The history's own part is the ridge regression of what it rated, less mu + b_i, on (c, q_i): a c below 1 holds
        the bias harder than the vector, and above 1 softer. Solved in double precision.
        """
        history, _ = rated_items(queries, self.known)
        x = self._solved(history)
        vectors = np.concatenate([x, np.ones((len(queries), 1))], axis=1).astype(np.float32)
        return finish(vectors, np.diff(history.indptr) == 0), self.items

    def _solved(self, history: Csr) -> Doubles:
        """The least squares of every history (n_queries, n_factors + 1)."""
        n_queries, k = len(history.indptr) - 1, self.items.shape[1] - 1
        x = np.empty((n_queries, k))
        size = np.diff(history.indptr).astype(np.float64)
        bounds = [0, n_queries] if n_queries < SMALL_BATCH else equal_work(size + k / 3, 32)
        target = self._target(history)

        def solve(start: int, stop: int) -> None:
            ridge_rows(history.indptr, history.indices, target, self.items, self.config.ridge, x, start, stop)

        in_chunks(solve, bounds)
        return x

    def _target(self, history: Csr) -> Doubles:
        """Ratings less mu + b_i; shape (nnz,)."""
        return np.asarray(history.value.astype(np.float64) - self.items[history.indices, -1])

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """What each rating adds to mu + b_i: y_i' (Y_u'Y_u + ridge I)^-1 y_j (r_j - mu - b_j), with y_i = (c, q_i).

        The shares and the item's own part, mu + b_i, sum to the score.
        """
        history, events = rated_items(queries, self.known)
        used = self._used(history)
        with one_blas_thread():
            return [self._shares(queries, history, events, q, items[q], used[q]) for q in range(len(queries))]

    def _shares(
        self,
        queries: Queries,
        history: Csr,
        events: NDArray[np.int64],
        q: int,
        asked: ItemRows,
        used: NDArray[np.bool_],
    ) -> Floats:
        """The shares of one query, (n_asked, n_events)."""
        own = slice(history.indptr[q], history.indptr[q + 1])
        shares = np.zeros((len(asked), int(queries.indptr[q + 1] - queries.indptr[q])), np.float32)
        if own.start == own.stop:
            return shares
        y_u = self.items[history.indices[own], :-1].astype(np.float64) * used
        y_i = self.items[asked, :-1].astype(np.float64)
        kernel = y_u @ y_u.T + self.config.ridge * np.eye(len(y_u))
        weights = cho_solve(cho_factor(kernel), y_u @ y_i.T).T  # (n_asked, n_own)
        shares[:, events[own] - queries.indptr[q]] = weights * self._target(history)[own]
        return shares

    def _used(self, history: Csr) -> NDArray[np.bool_]:
        """The columns of (c, q_i) that each history's least squares run over, (n_queries, n_factors + 1): all."""
        return np.ones((len(history.indptr) - 1, self.items.shape[1] - 1), np.bool_)

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items whose vectors point most nearly the same way; the likeness is the cosine."""
        q = self.items[:, 1:-1]
        lengths = np.linalg.norm(q, axis=1)
        unit = (q / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
        with one_blas_thread():
            return most_alike(unit[of] @ unit.T, of, k)

    def arrays(self) -> Arrays:
        """Items' vectors, which items are known, and the scale."""
        return {"items": self.items, "known": self.known, "span": self.span}


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def descend(user_ix, item_ix, z, bu, bi, p, q, rate, keep_u, keep_i, keep, start, stop):  # type: ignore[no-untyped-def]
    """One step for every rating from ``start`` to ``stop`` (exclusive), in that order (Koren 2009, eq. 5 and on).

        e = z_ui - b_u - b_i - p_u'q_i
        b_u += gamma (e - lambda_u b_u)        p_u += gamma (e q_i - lambda p_u)
        b_i += gamma (e - lambda_i b_i)        q_i += gamma (e p_u - lambda q_i)

    rate is gamma, keep 1 - gamma lambda, keep_u (n_users,) and keep_i (n_items,) the same of the biases. We take
    lambda_u = ridge / n_u for the n_u ratings of u: they add up to the ridge by which a history's bias is solved for.
    z (n,) has mean 0; p (n_users, k), q (n_items, k).
    """
    k = p.shape[1]
    for t in range(start, stop):
        u, i = user_ix[t], item_ix[t]
        p_u, q_i = p[u], q[i]
        dot = np.float32(0)
        for f in range(k):
            dot += p_u[f] * q_i[f]
        step = rate * (z[t] - bu[u] - bi[i] - dot)
        bu[u] = keep_u[u] * bu[u] + step
        bi[i] = keep_i[i] * bi[i] + step
        for f in range(k):
            p_uf, q_if = p_u[f], q_i[f]
            p_u[f] = keep * p_uf + step * q_if
            q_i[f] = keep * q_if + step * p_uf


def n_groups(n_ratings: int) -> int:
    """1, 2, 4 or 8, by the ratings alone: the model does not depend on the number of threads."""
    n = 1
    while n < MOST_GROUPS and n_ratings >= (2 * n) ** 2 * BLOCK:
        n *= 2
    return n


def deal(
    rows: NDArray[np.int32], size: int, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """New numbers for ``size`` rows, in random order, and the group of each new number, of ``n``; both (size,).

    Groups are runs of new numbers of about as many ratings each: threads do not write to one another's lines of memory.
    """
    order = rng.permutation(size)
    number = np.empty(size, np.int32)
    number[order] = np.arange(size)
    done = np.cumsum(np.bincount(rows, minlength=size)[order])
    return number, np.minimum((done - 1).clip(0) * n // max(len(rows), 1), n - 1)


def blocks(
    ratings: Ratings, groups: tuple[NDArray[np.integer], NDArray[np.integer]], n: int
) -> tuple[Ratings, NDArray[np.int64]]:
    """The ratings by block, and the bounds of the ``n`` x ``n`` blocks (n**2 + 1,), of the groups of users and items.

    Stratum s, of n blocks in a row, holds those of user group a and item group (a + s) mod n: no user and no item of
    one block is in another of its stratum, so that they may be learnt from at the same time (Gemulla, Nijkamp, Haas,
    Sismanis 2011).
    """
    user_group, item_group = groups[0][ratings.user_ix], groups[1][ratings.item_ix]
    block = (item_group - user_group) % n * n + user_group
    # By user, which a sparse matrix does in one pass, then by block, which are few enough for a radix sort.
    by_user = sparse.coo_array((np.arange(len(block)), (ratings.user_ix, ratings.item_ix))).tocsr().data
    order = by_user[np.argsort(block[by_user].astype(np.uint8), kind="stable")]
    bounds = np.searchsorted(block[order], np.arange(n * n + 1))
    return Ratings(ratings.user_ix[order], ratings.item_ix[order], ratings.value[order]), bounds


def learn(
    config: SvdConfig, ratings: Ratings, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """b_i and q after all epochs; the values of ``ratings`` have mean 0."""
    n = n_groups(len(ratings.value))
    users, user_group = deal(ratings.user_ix, shape[0], n, rng)
    items, item_group = deal(ratings.item_ix, shape[1], n, rng)
    dealt = Ratings(users[ratings.user_ix], items[ratings.item_ix], ratings.value)
    (user_ix, item_ix, z), bounds = blocks(dealt, (user_group, item_group), n)
    _, bu, bi = biases(dealt, shape, config.bias_ridge)
    k = -(-config.n_factors // PAD) * PAD
    p, q = (np.zeros((size, k), np.float32) for size in shape)
    for side in (p, q):
        side[:, : config.n_factors] = rng.standard_normal((len(side), config.n_factors), np.float32) * config.init_sigma
    rate, keep = np.float32(config.learning_rate), np.float32(1 - config.learning_rate * config.regularization)
    sizes = (np.bincount(rows, minlength=size).clip(1) for rows, size in zip((user_ix, item_ix), shape, strict=True))
    keep_u, keep_i = ((1 - rate * np.float32(config.bias_ridge) / size).clip(0).astype(np.float32) for size in sizes)

    def step(start: int, stop: int) -> None:
        descend(user_ix, item_ix, z, bu, bi, p, q, rate, keep_u, keep_i, keep, start, stop)

    for _ in range(config.n_epochs):
        for s in range(n):
            in_chunks(step, bounds[s * n : (s + 1) * n + 1].tolist())
    return bi[items], q[items, : config.n_factors]


def fit(config: SvdConfig, data: Dataset, rng: np.random.Generator) -> Svd:
    """Stochastic gradient descent over the ratings, block by block."""
    needed = (data.n_users + data.n_items) * (config.n_factors + PAD) * 4 * 2 + len(data) * 40
    claim(needed, f"svd over {data.n_users} users and {data.n_items} items", "lower n_factors")
    ratings = ratings_of(data, "svd")
    mean = ratings.value.mean(dtype=np.float64)
    spread = ratings.value.std(dtype=np.float64)
    z = ((ratings.value - mean) / (spread or 1.0)).astype(np.float32)
    bi, q = learn(config, ratings._replace(value=z), (data.n_users, data.n_items), rng)
    known = np.bincount(ratings.item_ix, minlength=data.n_items) > 0
    q[~known] = 0
    if not (np.isfinite(bi).all() and np.isfinite(q).all()):
        raise Invalid(
            f"svd ran away with learning_rate={config.learning_rate:g}; lower it, or raise regularization",
            field="learning_rate",
        )
    c = np.full((data.n_items, 1), np.sqrt(config.ridge / config.bias_ridge))
    items = np.concatenate([c, q, (mean + spread * bi)[:, None]], axis=1).astype(np.float32)
    span = np.array([ratings.value.min(), ratings.value.max()], np.float32)
    return Svd(items, known, span, config)


def restore(config: SvdConfig, arrays: Arrays) -> Svd:
    """The model that ``arrays`` was made of."""
    return Svd(arrays["items"], arrays["known"], arrays["span"], config)  # type: ignore[arg-type]


KIND = Kind("svd", SvdConfig, fit, restore, rates=True)
