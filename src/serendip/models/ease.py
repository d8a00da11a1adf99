"""EASE: the item-item weights that best rebuild every user's items from their others, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat
from scipy.linalg import lapack

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import SMALL_BATCH, finish, silent
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_knn import event_weights, taken_items
from serendip.models.kernels.inverse import negate_inverse, workspace
from serendip.models.kernels.item_item import Csr, by_item, gram_rows, nearest_dense, sum_dense_places, sum_dense_rows
from serendip.models.memory import claim
from serendip.models.parallel import equal_work, in_chunks

MOST_IN_PARALLEL = 24_000
"""Rows up to which LAPACK inverts: OpenBLAS 0.3.30 and 0.3.31 crash the process in a parallel spotrf of 28,000 rows
and more. Larger matrices are swept by ``inverse``."""

SQUARE = 64
"""Rows and columns that are mirrored at once."""


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
        rows, values = np.full((len(of), k), -1, np.int32), np.zeros((len(of), k), np.float32)
        in_chunks(
            lambda start, stop: nearest_dense(self.weights, of, k, rows, values, start, stop),
            equal_work(np.ones(len(of)), max(1, len(of) // SMALL_BATCH)),
        )
        return rows, values

    def arrays(self) -> Arrays:
        """B, and which items are known."""
        return {"weights": self.weights, "known": self.known}


@numba.njit(cache=True, nogil=True)
def weights_of_inverse(p, start, stop):  # type: ignore[no-untyped-def]
    """Eq. 8 of Steck 2019, B_ij = -P_ij / P_jj off the diagonal, in place; rows and their mirror columns.

    p (n_items, n_items) holds P = (X'X + l2 I)^-1 in its upper triangle and -1 / P_jj on its diagonal. Each pair of a
    row from ``start`` to ``stop`` (exclusive) and a later column is read once and written twice, a square of SQUARE
    rows and columns after another, so that the mirror's lines of memory are written whole.
    """
    n = p.shape[0]
    for top in range(start, stop, SQUARE):
        for left in range(top, n, SQUARE):
            for i in range(top, min(top + SQUARE, stop)):
                for j in range(max(left, i + 1), min(left + SQUARE, n)):
                    value = p[i, j]
                    p[i, j] = value * p[j, j]
                    p[j, i] = value * p[i, i]


def invert(a: Floats) -> bool:
    """Put A^-1, or -A^-1 of a large one, into the upper triangle of ``a`` (n, n), which held A's; -> success."""
    if len(a) > MOST_IN_PARALLEL:
        return negate_inverse(a)
    # LAPACK reads columns first: the lower triangle it is told of is the upper one of our rows.
    factor, failed = lapack.spotrf(a.T, lower=1, overwrite_a=1, clean=0)
    if not failed:
        _, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    return not failed and bool(np.isfinite(np.einsum("ii->i", a)).all())


def solve_weights(gram: Floats, l2: float) -> Floats:
    """B of the Gram matrix X'X (n_items, n_items), whose upper triangle is read; overwritten: no second one is made.

    B = I - P / diag(P) columnwise with P = (X'X + l2 I)^-1, which may come with either sign.
    """
    diagonal = np.einsum("ii->i", gram)
    diagonal += np.float32(l2)
    if not invert(gram):
        raise Invalid(
            f"ease cannot be solved with regularization={l2:g} in single precision; raise it, or leave binary on",
            field="regularization",
        )
    diagonal[:] = -1 / diagonal
    n = len(gram)
    in_chunks(lambda start, stop: weights_of_inverse(gram, start, stop), equal_work(np.arange(n, 0.0, -1), 64))
    diagonal[:] = 0
    return gram


def together(taken: Csr, n_items: int) -> NDArray[np.bool_]:
    """Items that some user took beside another; shape (n_items,)."""
    size = np.diff(taken.indptr)
    return np.bincount(taken.indices[np.repeat(size > 1, size)], minlength=n_items) > 0


def gram(taken: Csr, n_items: int) -> Floats:
    """The upper triangle of X'X (n_items, n_items) of X by user; the rest is whatever memory held."""
    indptr, users, places = by_item(taken, n_items)
    out = np.empty((n_items, n_items), np.float32)
    size = np.diff(taken.indptr)
    follow = np.repeat(taken.indptr[1:], size) - np.arange(len(taken.indices))
    cost = np.bincount(taken.indices, follow, minlength=n_items) + np.arange(n_items, 0.0, -1)
    in_chunks(lambda start, stop: gram_rows(taken, indptr, users, places, out, start, stop), equal_work(cost, 64))
    return out


def fit(config: EaseConfig, data: Dataset, rng: np.random.Generator) -> Ease:  # noqa: ARG001
    """The weights in closed form (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data")."""
    n = data.n_items
    needed = n**2 * 4 + (workspace(n) if n > MOST_IN_PARALLEL else 0)
    claim(needed, f"ease over {n} items", "take item-knn or als, or fewer items")
    matrix = data.matrix()
    if config.binary:
        matrix.data[:] = 1
    taken = Csr.of(matrix)
    return Ease(solve_weights(gram(taken, n), config.regularization), together(taken, n), config.binary)


def restore(config: EaseConfig, arrays: Arrays) -> Ease:
    """The model that ``arrays`` was made of."""
    return Ease(arrays["weights"], arrays["known"], config.binary)  # type: ignore[arg-type]


KIND = Kind("ease", EaseConfig, fit, restore)
