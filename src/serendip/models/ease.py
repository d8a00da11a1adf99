"""EASE: the item-item weights that best rebuild every user's items from their others, in closed form."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat
from scipy.linalg import lapack

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import finish, most_alike, silent
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_item import Csr, gram_rows, product_cost, sum_dense_places, sum_dense_rows
from serendip.models.item_knn import SMALL_BATCH, event_weights, taken_items
from serendip.models.memory import claim
from serendip.models.parallel import equal_work, in_chunks, one_blas_thread

MOST_IN_PARALLEL = 24_000
"""Rows up to which LAPACK may use several threads: OpenBLAS 0.3.30 and 0.3.31 crash the process in a parallel spotrf
of 28,000 rows and more, and not with one thread."""


class EaseConfig(ModelConfig):
    """How far the weights are held to zero."""

    regularization: PositiveFloat = 400.0
    """Weight of the squared norm of B; larger for sparser data."""
    binary: bool = True
    """Every item of a user counts 1, in training and in histories; false: the summed weight of its events."""


@dataclass(frozen=True)
class Ease:
    """A weight from every item to every other."""

    weights: Floats
    """B (n_items, n_items): row ``j`` is what item ``j`` of a history gives to each item; the diagonal is 0."""
    known: NDArray[np.bool_]
    """Items that some user took together with another; shape (n_items,)."""
    binary: bool

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """The sum of the rows of the history's items, times what these count."""
        history = taken_items(queries, self.binary)
        out = np.empty((len(queries), len(self.weights) if among is None else among.shape[-1]), np.float32)
        bounds = equal_work(np.ones(len(queries)), 1 if len(queries) < SMALL_BATCH else 16)
        if among is None:
            in_chunks(lambda start, stop: sum_dense_rows(history, self.weights, out, start, stop), bounds)
        else:
            places = np.atleast_2d(among).astype(np.int32)
            in_chunks(lambda start, stop: sum_dense_places(history, self.weights, places, out, start, stop), bounds)
        return finish(out, silent(queries, self.known), among)

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """Each event's weight to the item, times its part of what its own item counts."""
        given = event_weights(queries, self.binary)
        shares = []
        for q in range(len(queries)):
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            shares.append(self.weights[queries.item_ix[own][None, :], items[q][:, None]] * given[own])
        return shares

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items that each of ``of`` speaks for most."""
        return most_alike(self.weights[of], of, k)

    def arrays(self) -> Arrays:
        """B, and which items are known."""
        return {"weights": self.weights, "known": self.known}


@numba.njit(cache=True, nogil=True)
def weights_of_inverse(p, start, stop):  # type: ignore[no-untyped-def]
    """Eq. 8 of Steck 2019, B_ij = -P_ij / P_jj off the diagonal, in place; rows and their mirror columns.

    p (n_items, n_items) holds P = (X'X + l2 I)^-1 in its upper triangle and 1 / P_jj, negative, on its diagonal.
    Each pair of a row from ``start`` to ``stop`` (exclusive) and a later column is read once and written twice.
    """
    for i in range(start, stop):
        for j in range(i + 1, p.shape[0]):
            value = p[i, j]
            p[i, j] = value * p[j, j]
            p[j, i] = value * p[i, i]


def solve_weights(gram: Floats, l2: float) -> Floats:
    """B of the Gram matrix X'X (n_items, n_items), which is overwritten: no second matrix is made.

    B = I - P / diag(P) columnwise with P = (X'X + l2 I)^-1, by Cholesky (potrf) and its inverse (potri) in place.
    """
    diagonal = np.einsum("ii->i", gram)
    diagonal += np.float32(l2)
    # LAPACK reads columns first: the lower triangle it is told of is the upper one of our rows.
    with one_blas_thread() if len(gram) > MOST_IN_PARALLEL else nullcontext():
        factor, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1, clean=0)
        if not failed:
            inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or not np.isfinite(np.einsum("ii->i", inverse)).all():
        raise Invalid(
            f"ease cannot be solved with regularization={l2:g} in single precision; raise it, or leave binary on",
            field="regularization",
        )
    weights: Floats = inverse.T
    diagonal = np.einsum("ii->i", weights)
    diagonal[:] = -1 / diagonal
    n = len(weights)
    in_chunks(lambda start, stop: weights_of_inverse(weights, start, stop), equal_work(np.arange(n, 0.0, -1), 64))
    diagonal[:] = 0
    return weights


def fit(config: EaseConfig, data: Dataset, rng: np.random.Generator) -> Ease:  # noqa: ARG001
    """The weights in closed form (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data")."""
    claim(data.n_items**2 * 4, f"ease over {data.n_items} items", "take item-knn or als, or fewer items")
    matrix = data.matrix()
    if config.binary:
        matrix.data[:] = 1
    taken, takers = Csr.of(matrix), Csr.of(matrix.T.tocsr())
    gram = np.empty((data.n_items, data.n_items), np.float32)
    bounds = equal_work(product_cost(taken, takers) + data.n_items, 64)
    in_chunks(lambda start, stop: gram_rows(taken, takers, gram, start, stop), bounds)
    known = np.count_nonzero(gram, axis=1) > 1
    weights = solve_weights(gram, config.regularization)
    return Ease(weights, known, config.binary)


def restore(config: EaseConfig, arrays: Arrays) -> Ease:
    """The model that ``arrays`` was made of."""
    return Ease(arrays["weights"], arrays["known"], config.binary)  # type: ignore[arg-type]


KIND = Kind("ease", EaseConfig, fit, restore)
