"""Implicit ALS: factors of users and items from what was taken, and how surely (Hu, Koren, Volinsky 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.als_kernels import solve_rows, solve_white_rows, step_white_rows
from serendip.models.answers import SMALL_BATCH, finish, inner_scores, most_alike, silent
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_item import Csr
from serendip.models.lanes import padded
from serendip.models.memory import claim
from serendip.models.parallel import equal_work, in_chunks, one_blas_thread

Doubles = NDArray[np.float64]

BLOCK = 8192
"""Rows of factors that are multiplied at a time; fixed, so that sums do not depend on the number of threads."""


class AlsConfig(ModelConfig):
    """Size and weights of the factorisation."""

    n_factors: PositiveInt = Field(64, le=4096)
    """Length of the vectors."""
    n_epochs: PositiveInt = 15
    """Times that both sides are solved."""
    regularization: float = Field(20.0, ge=1e-3)
    """lambda: weight of the squared norm of every vector."""
    confidence: float = Field(4.0, gt=0, le=1e6)
    """alpha: what a weight of 1 adds to the confidence 1 of a pair that never met."""
    growth: Literal["linear", "log"] = "log"
    """How confidence grows with the weight r of a pair: 1 + alpha r, or 1 + alpha ln(1 + r)."""
    solver: Literal["exact", "cg"] = "exact"
    """How training solves a row: exactly, or by conjugate gradients. Histories are solved exactly in any case."""
    n_cg_steps: PositiveInt = 3
    """Steps an epoch of the solver cg."""


@dataclass(frozen=True)
class Als:
    """Factors of the items; a history's are solved for when it asks."""

    items: Floats
    """Y (n_items, n_factors)."""
    base: Doubles
    """Y'Y + lambda I, of shape (n_factors, n_factors), in the double precision that histories are solved in."""
    known: NDArray[np.bool_]
    """Items with events; shape (n_items,)."""
    config: AlsConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Inner products of the history's factors with the items'."""
        vectors, items = self.factors(queries)
        scores = inner_scores(vectors, items, among)
        return finish(scores, np.isnan(vectors[:, 0]), among)

    def factors(self, queries: Queries) -> tuple[Floats, Floats]:
        """The exact user half-step of every history (n_queries, n_factors), and the items' factors.

        Solved in double precision; a row is NaN where no item of the history is known.
        """
        indptr, item_ix, weight = queries.by_item
        x = fold_in(indptr, item_ix, extra_confidence(weight, self.config), self.items, self.base, self.floor)
        return finish(x.astype(np.float32), silent(queries, self.known)), self.items

    @property
    def floor(self) -> float:
        """No eigenvalue of ``base`` is below this: lambda."""
        return self.config.regularization

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """What each event adds to y_i'x_u: c_uj y_i' (Y'C_u Y + lambda I)^-1 y_j (section 5 of the paper).

        Events of the same item share its part by their weights.
        """
        with one_blas_thread():
            return [self._shares(queries, q, items[q]) for q in range(len(queries))]

    def _shares(self, queries: Queries, q: int, asked: ItemRows) -> Floats:
        """The shares of one query, (n_asked, n_events)."""
        indptr, item_ix, weight = queries.by_item
        own, events = slice(indptr[q], indptr[q + 1]), slice(queries.indptr[q], queries.indptr[q + 1])
        y_u = self.items[item_ix[own]].astype(np.float64)
        extra = extra_confidence(weight[own], self.config)
        factor = cho_factor(self.base + (y_u.T * extra) @ y_u)
        of_items = (self.items[asked] @ cho_solve(factor, y_u.T)) * (1 + extra)  # (n_asked, n_own_items)
        place = np.searchsorted(item_ix[own], queries.item_ix[events])
        counted = np.flatnonzero(queries.part[events])
        shares = np.zeros((len(asked), len(place)), np.float32)
        shares[:, counted] = of_items[:, place[counted]] * queries.part[events][counted]
        return shares

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items whose factors point most nearly the same way; the likeness is the cosine."""
        lengths = np.linalg.norm(self.items, axis=1)
        unit = (self.items / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
        with one_blas_thread():
            return most_alike(unit[of] @ unit.T, of, k)

    def arrays(self) -> Arrays:
        """Items' factors, their Gram matrix, and which items are known."""
        return {"items": self.items, "base": self.base, "known": self.known}


def extra_confidence(weight: Floats, config: AlsConfig) -> Doubles:
    """w = c - 1 of pairs of summed weight r = ``weight``, (nnz,): alpha r or alpha ln(1 + r).

    The paper's logarithm is of 1 + r/epsilon; weights are declared a kind, and epsilon can be put there. At least
    1e-8, which is nothing beside 1 in single precision and may be divided by.
    """
    r = weight.astype(np.float64)
    grown = r if config.growth == "linear" else np.log1p(r)
    return np.maximum(config.confidence * grown, 1e-8)


def fold_in(
    indptr: NDArray[np.int64], item_ix: ItemRows, extra: Doubles, items: Floats, base: Doubles, floor: float
) -> Doubles:
    """Exact factors of every history (n_queries, k) against items' factors, in double precision."""
    n_queries = len(indptr) - 1
    x = np.empty((n_queries, items.shape[1]), np.float64)
    bounds = [0, n_queries] if n_queries < SMALL_BATCH else equal_work(np.diff(indptr) + items.shape[1] / 3, 32)
    in_chunks(lambda start, stop: solve_rows(indptr, item_ix, extra, items, base, floor, x, start, stop), bounds)
    return x


def gram(y: Floats) -> Doubles:
    """Y'Y (k, k): blocks of rows in single precision, their sum in double."""
    blocks = [*range(0, len(y), BLOCK), len(y)]
    parts = in_chunks(lambda start, stop: y[start:stop].T @ y[start:stop], blocks)
    total: Doubles = np.sum(parts, axis=0, dtype=np.float64)
    return total


def times(y: Floats, matrix: NDArray[np.floating], out: Floats) -> None:
    """out = y @ matrix, a block of rows at a time."""
    right = np.ascontiguousarray(matrix, np.float32)
    blocks = [*range(0, len(y), BLOCK), len(y)]
    in_chunks(lambda start, stop: np.matmul(y[start:stop], right, out=out[start:stop]), blocks)


def half_step(r: Csr, extra: Floats, y: Floats, x: Floats, config: AlsConfig, bounds: list[int]) -> None:
    """Solve for all rows ``x`` (n_rows, k) of ``r`` while ``y`` (n_cols, k) stands still; in place.

    Works on whitened factors Z = Y L^-T with Y'Y + lambda I = L L': the part of the system that all rows share is
    then the identity, which spares its product in every step of cg, and lets short rows be solved in their dual.
    """
    k = y.shape[1]
    wide = padded(k)
    lower = np.linalg.cholesky(gram(y) + config.regularization * np.eye(k))
    inverse = np.zeros((wide, k))
    inverse[:k] = solve_triangular(lower, np.eye(k), lower=True)
    z, white = np.empty((len(y), wide), np.float32), np.empty((len(x), wide), np.float32)
    times(y, inverse.T, z)
    if config.solver == "cg":
        times(x, np.pad(lower, ((0, 0), (0, wide - k))), white)

    def solve(start: int, stop: int) -> None:
        if config.solver == "cg":
            step_white_rows(r.indptr, r.indices, extra, z, config.n_cg_steps, white, start, stop)
        else:
            solve_white_rows(r.indptr, r.indices, extra, z, white, start, stop)

    in_chunks(solve, bounds)
    times(white, inverse, x)


def row_cost(r: Csr, config: AlsConfig) -> Doubles:
    """Relative work of each row of ``r``; shape (n_rows,)."""
    n, k = np.diff(r.indptr).astype(np.float64), config.n_factors
    if config.solver == "cg":
        return n * config.n_cg_steps + 16
    side = np.minimum(n, k)
    return n * side * k / 2 + side**3 / 6 + k


def fit(config: AlsConfig, data: Dataset, rng: np.random.Generator) -> Als:
    """Alternate between the sides from random factors N(0, 0.01)."""
    k = config.n_factors
    needed = (data.n_users + data.n_items) * k * 4 * 3 + len(data) * 24
    claim(needed, f"als over {data.n_users} users and {data.n_items} items", "lower n_factors")
    matrix = data.matrix()
    sides = [Csr.of(matrix), Csr.of(matrix.T.tocsr())]
    extras = [extra_confidence(side.value, config).astype(np.float32) for side in sides]
    bounds = [equal_work(row_cost(side, config), 128) for side in sides]
    x, y = (rng.standard_normal((n, k), dtype=np.float32) * np.float32(0.01) for n in matrix.shape)
    known = np.diff(sides[1].indptr) > 0
    try:
        with one_blas_thread():
            for _ in range(config.n_epochs):
                half_step(sides[0], extras[0], y, x, config, bounds[0])
                half_step(sides[1], extras[1], x, y, config, bounds[1])
            base = gram(y) + config.regularization * np.eye(k)
    except np.linalg.LinAlgError:
        raise Invalid(f"als cannot be solved with regularization={config.regularization:g}; raise it") from None
    return Als(y, base, known, config)


def restore(config: AlsConfig, arrays: Arrays) -> Als:
    """The model that ``arrays`` was made of."""
    return Als(arrays["items"], arrays["base"], arrays["known"], config)  # type: ignore[arg-type]


KIND = Kind("als", AlsConfig, fit, restore)
