"""An epoch of implicit ALS beside implicit's, on the same data, from the same factors, with the same confidences.

    python benchmarks/als.py [--size 1M 10M] [--factors 64 128] [--solver cg exact] [--rounds 5]

Both sides do the same number of epochs; the objective that each reached stands beside.
"""

from __future__ import annotations

import argparse

import numpy as np
from made import SEED, heading, in_turn, missing, taken
from scipy import sparse

from serendip.models.als import AlsConfig, extra_confidence, half_step, row_cost
from serendip.models.item_item import Csr
from serendip.models.parallel import equal_work, n_threads, one_blas_thread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["1M", "10M"])
    parser.add_argument("--factors", nargs="+", type=int, default=[64, 128])
    parser.add_argument("--solver", nargs="+", default=["cg", "exact"])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    try:
        import implicit  # noqa: F401
    except ImportError:
        missing("implicit")
    heading("implicit")
    for size in chosen.size:
        matrix = taken(size)
        print("| solver | factors | ours s | implicit s | ratio | ratio of cpu | objective, ours / implicit |")
        print("|---|---|---|---|---|---|---|")
        for k in chosen.factors:
            for solver in chosen.solver:
                print(measured(matrix, AlsConfig(n_factors=k, solver=solver), chosen.rounds), flush=True)


def measured(matrix: sparse.csr_array, config: AlsConfig, rounds: int) -> str:
    """A line of the table: both sides' epochs in turn."""
    from implicit.cpu import _als as peer

    sides = [Csr.of(matrix), Csr.of(matrix.T.tocsr())]
    extras = [extra_confidence(side.value, config).astype(np.float32) for side in sides]
    bounds = [equal_work(row_cost(side, config), 128) for side in sides]
    rng, l2 = np.random.default_rng(SEED), config.regularization
    x, y = (rng.standard_normal((n, config.n_factors), np.float32) * np.float32(0.01) for n in matrix.shape)
    their_x, their_y = x.copy(), y.copy()
    shapes = (matrix.shape, matrix.shape[::-1])
    sure = [
        sparse.csr_matrix((1 + extra, side.indices, side.indptr.astype(np.int32)), shape=shape)
        for side, extra, shape in zip(sides, extras, shapes, strict=True)
    ]

    def ours() -> None:
        half_step(sides[0], extras[0], y, x, config, bounds[0])
        half_step(sides[1], extras[1], x, y, config, bounds[1])

    def theirs() -> None:
        if config.solver == "cg":
            for c, own, other in ((sure[0], their_x, their_y), (sure[1], their_y, their_x)):
                peer.least_squares_cg(c, own, other, l2, num_threads=n_threads(), cg_steps=config.n_cg_steps)
        else:
            for c, own, other in ((sure[0], their_x, their_y), (sure[1], their_y, their_x)):
                peer.least_squares(c, own, other, l2, num_threads=n_threads())

    with one_blas_thread():
        half_step(sides[0], extras[0], y, x.copy(), config, bounds[0])  # Compiled, or read from the cache.
        a, b, ratio, cpu = in_turn(ours, theirs, rounds)
    quality = objective(sides[0], extras[0], x, y, l2) / objective(sides[0], extras[0], their_x, their_y, l2)
    return f"| {config.solver} | {config.n_factors} | {a:.3f} | {b:.3f} | {ratio:.1f} | {cpu:.1f} | {quality:.6f} |"


def objective(r: Csr, extra: np.ndarray, x: np.ndarray, y: np.ndarray, l2: float) -> float:
    """Eq. 3: every pair's squared error by its confidence, and the factors' squared lengths.

    As if no pair had met, that is the product of both Gram matrices; the pairs that met are put right, some at a time.
    """
    gram_x, gram_y = (side.T.astype(np.float64) @ side for side in (x, y))
    total = float((gram_x * gram_y).sum()) + l2 * float(np.trace(gram_x) + np.trace(gram_y))
    row = np.repeat(np.arange(len(x)), np.diff(r.indptr))
    for start in range(0, len(row), 500_000):
        some = slice(start, start + 500_000)
        score = np.einsum("nk,nk->n", x[row[some]], y[r.indices[some]]).astype(np.float64)
        total += float(((1 + extra[some]) * (1 - score) ** 2 - score**2).sum())
    return total


if __name__ == "__main__":
    main()
