"""SVD of ratings: a mean, biases and an inner product (Funk 2006; Koren, Bell, Volinsky 2009)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.linalg import cho_factor, cho_solve

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import SMALL_BATCH, finish, inner_scores, own_rows
from serendip.models.contract import Kind, ModelConfig
from serendip.models.kernels.descent import aligned, by_block, deal, descend, n_groups, sow
from serendip.models.kernels.item_item import Csr
from serendip.models.kernels.lanes import LANES, padded
from serendip.models.memory import claim
from serendip.models.near import nearest
from serendip.models.parallel import crew, equal_work, in_chunks, one_blas_thread
from serendip.models.ratings import Ratings, biases, rated_items, ratings_of, ridge_rows

Doubles = NDArray[np.float64]


N_ROUNDS = 5
"""Times that biases are solved, one side after the other, before vectors learn what they leave."""


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
    n_epochs: PositiveInt = 7
    """Times that every rating is learnt from."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """gamma: the length of a step."""
    regularization: float = Field(0.05, ge=0, le=100)
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
        return nearest(q[of], of, q, k)

    def user_neighbours(self, queries: Queries, others: Queries, k: int) -> tuple[NDArray[np.int32], Floats]:
        """The histories whose vectors p_u point most nearly the same way; the likeness is the cosine."""
        asked, known = (self.factors(one)[0][:, 1:-1] for one in (queries, others))
        return nearest(asked, own_rows(queries, others), known, k)

    def arrays(self) -> Arrays:
        """Items' vectors, which items are known, and the scale."""
        return {"items": self.items, "known": self.known, "span": self.span}


def learn(
    config: SvdConfig, ratings: Ratings, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """b_i (n_items,) and q (n_items, n_factors) after all epochs; the values of ``ratings`` have mean 0.

    The biases are solved for first, and stand still: steps long enough for vectors would throw them about. Vectors of
    users begin at 0 and those of items at random, so that the first steps already point where the ratings do.
    """
    n = n_groups(len(ratings.value))
    sizes = [np.bincount(rows, minlength=size) for rows, size in zip(ratings[:2], shape, strict=True)]
    (users, user_group), (items, item_group) = (deal(size, n, rng) for size in sizes)
    _, b_u, b_i = biases(ratings, shape, config.bias_ridge, N_ROUNDS)
    user_ix, item_ix, rest, bounds = by_block(*ratings, b_u, b_i, (users, items), (user_group, item_group), n)
    k = config.n_factors
    p, q = (aligned(size, padded(k)) for size in shape)
    sow(q, k, config.init_sigma, rng.integers(2**62))
    rate, keep = np.float32(config.learning_rate), np.float32(1 - config.learning_rate * config.regularization)

    def step(start: int, stop: int) -> None:
        descend(user_ix, item_ix, rest, p, q, rate, keep, start, stop)

    with crew() as pool:
        for _ in range(config.n_epochs):
            for s in range(n):
                in_chunks(step, bounds[s * n : (s + 1) * n + 1].tolist(), pool)
    vectors = q[items, :k]
    vectors[sizes[1] == 0] = 0
    return b_i, vectors


def fit(config: SvdConfig, data: Dataset, rng: np.random.Generator) -> Svd:
    """Stochastic gradient descent over the ratings, block by block."""
    needed = (data.n_users + data.n_items) * (config.n_factors + LANES) * 4 * 2 + len(data) * 40
    claim(needed, f"svd over {data.n_users} users and {data.n_items} items", "lower n_factors")
    ratings = ratings_of(data, "svd")
    mean = ratings.value.mean(dtype=np.float64)
    spread = ratings.value.std(dtype=np.float64)
    z = ((ratings.value - mean) / (spread or 1.0)).astype(np.float32)
    b_i, q = learn(config, ratings._replace(value=z), (data.n_users, data.n_items), rng)
    if not (np.isfinite(b_i).all() and np.isfinite(q).all()):
        raise Invalid(
            f"svd ran away with learning_rate={config.learning_rate:g}; lower it, or raise regularization",
            field="learning_rate",
        )
    items = np.empty((data.n_items, config.n_factors + 2), np.float32)
    items[:, 0] = np.sqrt(config.ridge / config.bias_ridge)
    items[:, 1:-1] = q
    items[:, -1] = mean + spread * b_i
    known = np.bincount(ratings.item_ix, minlength=data.n_items) > 0
    span = np.array([ratings.value.min(), ratings.value.max()], np.float32)
    return Svd(items, known, span, config)


def restore(config: SvdConfig, arrays: Arrays) -> Svd:
    """The model that ``arrays`` was made of."""
    return Svd(arrays["items"], arrays["known"], arrays["span"], config)  # type: ignore[arg-type]


KIND = Kind("svd", SvdConfig, fit, restore, rates=True)
