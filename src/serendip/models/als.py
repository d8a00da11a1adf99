"""Implicit ALS: factors of users and items from what was taken, and how surely.

Hu, Koren and Volinsky 2008, with the weights of iALS (Rendle, Krichene, Zhang, Koren 2021, "Revisiting the performance
of iALS on item recommendation benchmarks"): alpha_0 of pairs that never met, and lambda by frequency. iALS counts pairs
that met in its sum over all pairs too, with preference 0; where they all have the same w = c - alpha_0, that is this
model with lambda (1 + alpha_0 / w) in place of lambda, and x and y longer by (1 + alpha_0 / w)^1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.models.answers import SMALL_BATCH, finish, inner_scores, silent
from serendip.models.contract import Kind, ModelConfig
from serendip.models.kernels.als import halve, solve_rows, solve_white_rows, step_white_rows
from serendip.models.kernels.item_item import Csr
from serendip.models.kernels.lanes import padded
from serendip.models.memory import claim
from serendip.models.near import nearest
from serendip.models.parallel import equal_work, in_chunks, one_blas_thread

Doubles = NDArray[np.float64]

FAR = 2**20
"""Factors of more bytes than this do not stay in the cache of one core: cg reads them in half the bytes."""

BLOCK = 8192
"""Rows of factors that are multiplied at a time; fixed, so that sums do not depend on the number of threads."""


NONE_MET = np.zeros(1, np.int64)
"""The length of an empty history."""


class AlsConfig(ModelConfig):
    """Size and weights of the factorisation."""

    n_factors: PositiveInt = Field(64, le=4096)
    """Length of the vectors."""
    n_epochs: PositiveInt = 15
    """Times that both sides are solved."""
    regularization: float = Field(20.0, ge=1e-5)
    """lambda: weight of the squared norm of every vector, before ``frequency_scaling``."""
    frequency_scaling: float = Field(0.0, ge=0, le=2)
    """nu: a vector's lambda grows with (what it met + alpha_0 times all there is to meet)^nu; 0: the same for all."""
    confidence: float = Field(4.0, gt=0, le=1e6)
    """alpha: what a weight of 1 adds to the confidence of a pair that never met."""
    unobserved_weight: float = Field(1.0, ge=1e-6, le=1e6)
    """alpha_0: confidence of a pair that never met; ``confidence`` comes on top of it for one that did."""
    popularity_discount: float = Field(0.0, ge=0, le=1)
    """What ``confidence`` adds falls with the takers of the item to this power; the mean of all pairs stays."""
    growth: Literal["linear", "log"] = "log"
    """How confidence grows with the weight r of a pair: by alpha r, or by alpha ln(1 + r)."""
    solver: Literal["exact", "cg"] = "exact"
    """How training solves a row: exactly, or by conjugate gradients. Histories are solved exactly in any case."""
    n_cg_steps: PositiveInt = 2
    """Steps an epoch of the solver cg, preconditioned: two come at least as near as three that are not."""
    init_sigma: float = Field(0.01, gt=0, le=10)
    """Standard deviation of a vector's parts before the first epoch; Rendle et al. take .1 / sqrt(n_factors)."""


@dataclass(frozen=True)
class Als:
    """Factors of the items; a history's are solved for when it asks."""

    items: Floats
    """Y (n_items, n_factors)."""
    base: Doubles
    """alpha_0 Y'Y + ``floor`` I, (n_factors, n_factors), in the double precision that histories are solved in."""
    known: NDArray[np.bool_]
    """Items with events; shape (n_items,)."""
    sure: Floats
    """What the confidence of a pair with each item is multiplied by; shape (n_items,)."""
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
        x = fold_in(indptr, item_ix, weight, self.items, self.base, self.known, self.config, self.sure)
        return finish(x.astype(np.float32), silent(queries, self.known)), self.items

    @property
    def n_known(self) -> int:
        """How many items have events."""
        return int(np.count_nonzero(self.known))

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """What each event adds to y_i'x_u: c_uj y_i' (Y'C_u Y + lambda_u I)^-1 y_j (section 5 of the paper).

        Events of the same item share its part by their weights.
        """
        with one_blas_thread():
            return [self._shares(queries, q, items[q]) for q in range(len(queries))]

    def _shares(self, queries: Queries, q: int, asked: ItemRows) -> Floats:
        """The shares of one query, (n_asked, n_events)."""
        indptr, item_ix, weight = queries.by_item
        own, events = slice(indptr[q], indptr[q + 1]), slice(queries.indptr[q], queries.indptr[q + 1])
        y_u = self.items[item_ix[own]].astype(np.float64)
        extra = extra_confidence(weight[own], self.config, self.sure[item_ix[own]])
        n_met = int(self.known[item_ix[own]].sum())
        least, ridge = ridges(np.array([0, n_met]), self.n_known, self.config)
        factor = cho_factor(self.base + (ridge - least) * np.eye(len(self.base)) + (y_u.T * extra) @ y_u)
        sure = self.config.unobserved_weight + extra
        of_items = (self.items[asked] @ cho_solve(factor, y_u.T)) * sure  # (n_asked, n_own_items)
        place = np.searchsorted(item_ix[own], queries.item_ix[events])
        counted = np.flatnonzero(queries.part[events])
        shares = np.zeros((len(asked), len(place)), np.float32)
        shares[:, counted] = of_items[:, place[counted]] * queries.part[events][counted]
        return shares

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The items whose factors point most nearly the same way; the likeness is the cosine."""
        return nearest(self.items[of], of, self.items, k)

    def arrays(self) -> Arrays:
        """Items' factors, their Gram matrix, which items are known, and how sure pairs with each are."""
        return {"items": self.items, "base": self.base, "known": self.known, "sure": self.sure}


def sureness(n_takers: NDArray[np.int64], config: AlsConfig) -> Floats:
    """n_i^-d of items with ``n_takers`` (n_items,), over its mean of all pairs; d: ``popularity_discount``.

    Our own, and at 0 the paper's. That many took an item says less of each of them; it is kin to eALS (He et al. 2016),
    which counts what was not taken the more, the more popular it is.
    """
    fallen = np.maximum(n_takers, 1).astype(np.float64) ** -config.popularity_discount
    return np.asarray(fallen * max(n_takers.sum(), 1) / max((n_takers * fallen).sum(), 1e-300), np.float32)


def extra_confidence(weight: Floats, config: AlsConfig, sure: Floats | None = None) -> Doubles:
    """w = c - alpha_0 of pairs of summed weight r = ``weight``, (nnz,): alpha r or alpha ln(1 + r), times ``sure``.

    The paper's logarithm is of 1 + r/epsilon; weights are declared a kind, and epsilon can be put there. At least
    1e-8, which is next to nothing and may be divided by.
    """
    r = weight.astype(np.float64)
    grown = r if config.growth == "linear" else np.log1p(r)
    return np.maximum(config.confidence * (grown if sure is None else grown * sure), 1e-8)


def ridges(n_met: NDArray[np.int64], n_other: int, config: AlsConfig) -> Doubles:
    """lambda_u of vectors that met ``n_met`` (n,) of ``n_other`` that anybody met: lambda (n_met + alpha_0 n_other)^nu.

    Rendle et al. 2021, section 3.2. A newcomer's is that of the own history's length.
    """
    return np.asarray(
        config.regularization * np.power(n_met + config.unobserved_weight * n_other, config.frequency_scaling)
    )


def n_met_columns(r: Csr, config: AlsConfig) -> int:
    """How many columns of ``r`` somebody met; 0 where ``ridges`` does not ask: one that nobody met changes nothing."""
    return int(np.count_nonzero(np.bincount(r.indices))) if config.frequency_scaling else 0


def fold_in(
    indptr: NDArray[np.int64],
    item_ix: ItemRows,
    weight: Floats,
    items: Floats,
    base: Doubles,
    known: NDArray[np.bool_],
    config: AlsConfig,
    sure: Floats | None = None,
) -> Doubles:
    """Exact factors of every history (n_queries, k) against items' factors, in double precision.

    base: alpha_0 Y'Y and, on its diagonal, the lambda of an empty history. known: items with events, (n_items,); the
    others are zeros, and do not count as met. sure: what confidence is multiplied by, (n_items,).
    """
    n_queries, lengths = len(indptr) - 1, np.diff(indptr)
    n_known, n_met = 0, lengths
    if config.frequency_scaling:
        n_known = int(np.count_nonzero(known))
        n_met = np.diff(np.concatenate([[0], np.cumsum(known[item_ix])])[indptr])
    x = np.empty((n_queries, items.shape[1]), np.float64)
    extra = extra_confidence(weight, config, None if sure is None else sure[item_ix])
    floor = float(ridges(NONE_MET, n_known, config)[0])
    more = ridges(n_met, n_known, config) - floor
    unseen = config.unobserved_weight

    def solve(start: int, stop: int) -> None:
        solve_rows(indptr, item_ix, extra, items, base, floor, more, unseen, x, start, stop)

    in_chunks(solve, [0, n_queries] if n_queries < SMALL_BATCH else equal_work(lengths + items.shape[1] / 3, 32))
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


class Rotation(NamedTuple):
    """Coordinates in which the part of a row's system that all rows share is diagonal."""

    into: Doubles
    """Factors times this (k, k) are in them."""
    start: Doubles
    """What is to be solved for times this (k, k) is in them."""
    back: Doubles
    """And times this (k, k) is no longer."""
    spectrum: Doubles
    """The diagonal, (k,), to which every row adds its own ridge."""


def rotation(shared: Doubles, ridge: Doubles) -> tuple[Rotation, Doubles]:
    """For ``shared`` = alpha_0 Y'Y (k, k) and all rows' ``ridge`` (n_rows,); and the ridge that is left to each row.

    Where all rows have the same, A = shared + ridge I = L L': y -> L^-1 y and x -> L'x make it the identity. Else A is
    V (S + ridge_u) V' for every u, with the eigenvectors V and eigenvalues S of shared: y -> V'y and x -> V'x.
    """
    eye = np.eye(len(shared))
    if not len(ridge) or np.ptp(ridge) == 0:
        lower = np.asarray(np.linalg.cholesky(shared + ridge[:1] * eye), np.float64)
        inverse = solve_triangular(lower, eye, lower=True)
        return Rotation(inverse.T, lower, inverse, np.ones(len(eye))), np.zeros(len(ridge))
    spectrum, vectors = np.linalg.eigh(shared)
    return Rotation(vectors, vectors, vectors.T, np.maximum(spectrum, 0)), ridge


def half_step(r: Csr, extra: Floats, y: Floats, x: Floats, config: AlsConfig, bounds: list[int]) -> None:
    """Solve for all rows ``x`` (n_rows, k) of ``r`` while ``y`` (n_cols, k) stands still; in place.

    In rotated factors the part of the system that all rows share is diagonal, and by scaling the identity: it costs cg
    no product, and lets short rows be solved in their dual. cg reads factors too many for the cache in bfloat16.
    """
    k = y.shape[1]
    more = padded(k) - k
    turn, ridge = rotation(
        config.unobserved_weight * gram(y), ridges(np.diff(r.indptr), n_met_columns(r, config), config)
    )
    z, rotated = (np.empty((len(side), k + more), np.float32) for side in (y, x))
    times(y, np.pad(turn.into, ((0, 0), (0, more))), z)
    cg = config.solver == "cg"
    if cg:
        times(x, np.pad(turn.start, ((0, 0), (0, more))), rotated)
    near = halved(z) if cg and z.nbytes > FAR else z
    spectrum = np.pad(turn.spectrum, (0, more), constant_values=1).astype(np.float32)
    own_ridge, unseen = ridge.astype(np.float32), np.float32(config.unobserved_weight)

    def solve(start: int, stop: int) -> None:
        own = rotated[start:stop]
        system = r.indptr[start : stop + 1], r.indices, extra, near, spectrum, own_ridge[start:stop], unseen
        if cg:
            step_white_rows(*system, config.n_cg_steps, own)
        else:
            solve_white_rows(*system, own)

    in_chunks(solve, bounds)
    times(rotated, np.pad(turn.back, ((0, more), (0, 0))), x)


def halved(z: Floats) -> NDArray[np.uint16]:
    """``z`` (n, k) in bfloat16, as bits."""
    out = np.empty(z.shape, np.uint16)
    blocks = [*range(0, len(z), BLOCK), len(z)]
    in_chunks(lambda start, stop: halve(z.view(np.uint32), out, start, stop), blocks)
    return out


def row_cost(r: Csr, config: AlsConfig) -> Doubles:
    """Relative work of each row of ``r``; shape (n_rows,)."""
    n, k = np.diff(r.indptr).astype(np.float64), config.n_factors
    if config.solver == "cg":
        return n * config.n_cg_steps + 16
    side = np.minimum(n, k)
    return n * side * k / 2 + side**3 / 6 + k


def fit(config: AlsConfig, data: Dataset, rng: np.random.Generator) -> Als:
    """Alternate between the sides from random factors."""
    k = config.n_factors
    needed = (data.n_users + data.n_items) * k * 4 * 3 + len(data) * 24
    claim(needed, f"als over {data.n_users} users and {data.n_items} items", "lower n_factors")
    matrix = data.matrix()
    sides = [Csr.of(matrix), Csr.of(matrix.T.tocsr())]
    takers = np.diff(sides[1].indptr)
    known, sure = takers > 0, sureness(takers, config)
    of_pairs = sure[sides[0].indices], np.repeat(sure, takers)
    extras = [
        extra_confidence(side.value, config, own).astype(np.float32) for side, own in zip(sides, of_pairs, strict=True)
    ]
    bounds = [equal_work(row_cost(side, config), 128) for side in sides]
    x, y = (rng.standard_normal((n, k), dtype=np.float32) * np.float32(config.init_sigma) for n in matrix.shape)
    y[~known] = 0
    try:
        with one_blas_thread():
            for _ in range(config.n_epochs):
                half_step(sides[0], extras[0], y, x, config, bounds[0])
                half_step(sides[1], extras[1], x, y, config, bounds[1])
            base = config.unobserved_weight * gram(y) + ridges(NONE_MET, int(known.sum()), config) * np.eye(k)
    except np.linalg.LinAlgError:
        raise Invalid(f"als cannot be solved with regularization={config.regularization:g}; raise it") from None
    return Als(y, base, known, sure, config)


def restore(config: AlsConfig, arrays: Arrays) -> Als:
    """The model that ``arrays`` was made of; versions of before ``popularity_discount`` keep no ``sure``."""
    own = {name: arrays[name] for name in ("items", "base", "known")}
    sure = np.asarray(arrays.get("sure", np.ones(len(own["items"]))), np.float32)
    return Als(**own, sure=sure, config=config)  # type: ignore[arg-type]


KIND = Kind("als", AlsConfig, fit, restore)
