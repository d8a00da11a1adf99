"""An epoch of implicit ALS beside other libraries', on the same data with the same confidences.

    python benchmarks/als.py [--size 1M 10M 25M] [--factors 64 128] [--solver cg exact] [--peer implicit] [--rounds 5]

Against implicit both sides start from the same factors and do the same number of epochs in turn; beside stand the
objective that each reached and nDCG@10 of pairs that were held out. cmfrec and Spark (local[2]; wants Java) start from
factors of their own and are timed by the difference of two fits. A peer that is not installed is skipped.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made import SEED, SIZES, heading, in_turn, taken
from scipy import sparse

from serendip.models.als import AlsConfig, extra_confidence, half_step, row_cost
from serendip.models.kernels.item_item import Csr
from serendip.models.parallel import equal_work, n_threads, one_blas_thread

PEER_STEPS = 3
"""Steps of cg an epoch that the peers take, as is their default; ours are preconditioned and take ours."""

ASKED = 3000
"""Users whose last pairs are held out."""

Fit = Callable[[int], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["1M", "10M"], choices=list(SIZES))
    parser.add_argument("--factors", nargs="+", type=int, default=[64, 128])
    parser.add_argument("--solver", nargs="+", default=["cg", "exact"], choices=["cg", "exact"])
    parser.add_argument("--peer", nargs="+", default=["implicit"], choices=["implicit", "cmfrec", "spark"])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    heading("implicit", "cmfrec", "pyspark")
    peers = [peer for peer in chosen.peer if present({"spark": "pyspark"}.get(peer, peer))]
    for size in chosen.size:
        train, held = split(taken(size))
        columns = [
            "peer",
            "solver",
            "factors",
            "ours s",
            "peer s",
            "ratio",
            "cpu",
            "objective",
            "nDCG@10",
            "less peer's",
        ]
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        for k in chosen.factors:
            for solver in chosen.solver:
                config = AlsConfig(n_factors=k, solver=solver)
                for peer in peers:
                    line = beside_implicit if peer == "implicit" else beside_fits
                    print(f"| {peer} | {solver} | {k} | {line(peer, train, held, config, chosen.rounds)} |", flush=True)


def present(module: str) -> bool:
    """Whether a peer can be imported; says so where it cannot."""
    try:
        importlib.import_module(module)
    except Exception as problem:
        print(f"{module} cannot be imported and is skipped: {problem}")
        return False
    return True


def split(matrix: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The matrix without, and with only, a fifth of the pairs of ``ASKED`` users who have five or more."""
    rng = np.random.default_rng(SEED)
    lengths = np.diff(matrix.indptr)
    users = rng.permutation(np.flatnonzero(lengths >= 5))[:ASKED]
    held = np.concatenate([matrix.indptr[u] + rng.permutation(lengths[u])[: lengths[u] // 5] for u in users])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    out = np.zeros(matrix.nnz, bool)
    out[held] = True
    parts = [
        sparse.csr_array((matrix.data[some], (rows[some], matrix.indices[some])), shape=matrix.shape)
        for some in (~out, out)
    ]
    return parts[0], parts[1]


class Ours:
    """Both half-steps on one matrix."""

    def __init__(self, matrix: sparse.csr_array, config: AlsConfig) -> None:
        self.config = config
        self.sides = [Csr.of(matrix), Csr.of(matrix.T.tocsr())]
        self.extras = [extra_confidence(side.value, config).astype(np.float32) for side in self.sides]
        self.bounds = [equal_work(row_cost(side, config), 128) for side in self.sides]
        rng = np.random.default_rng(SEED)
        self.x, self.y = (
            rng.standard_normal((n, config.n_factors), np.float32) * np.float32(0.01) for n in matrix.shape
        )
        # Compiled, or read from the cache.
        half_step(self.sides[0], self.extras[0], self.y, self.x.copy(), config, self.bounds[0])

    def epoch(self) -> None:
        """Users, then items."""
        half_step(self.sides[0], self.extras[0], self.y, self.x, self.config, self.bounds[0])
        half_step(self.sides[1], self.extras[1], self.x, self.y, self.config, self.bounds[1])


def beside_implicit(_: str, train: sparse.csr_array, held: sparse.csr_array, config: AlsConfig, rounds: int) -> str:
    """Both sides' epochs in turn, from the same factors."""
    from implicit.cpu import _als as peer

    with one_blas_thread():
        ours, l2 = Ours(train, config), config.regularization
        x, y = ours.x.copy(), ours.y.copy()
        sure = [
            sparse.csr_matrix((1 + extra, side.indices, side.indptr.astype(np.int32)), shape=shape)
            for side, extra, shape in zip(ours.sides, ours.extras, (train.shape, train.shape[::-1]), strict=True)
        ]

        def theirs() -> None:
            for c, own, other in ((sure[0], x, y), (sure[1], y, x)):
                if config.solver == "cg":
                    peer.least_squares_cg(c, own, other, l2, num_threads=n_threads(), cg_steps=PEER_STEPS)
                else:
                    peer.least_squares(c, own, other, l2, num_threads=n_threads())

        a, b, ratio, cpu = in_turn(ours.epoch, theirs, rounds)
        costs = [objective(ours.sides[0], ours.extras[0], *side, l2) for side in ((ours.x, ours.y), (x, y))]
        mine, other = (ndcg(train, held, *side) for side in ((ours.x, ours.y), (x, y)))
    low, high = paired(mine - other)
    quality = f"{costs[0] / costs[1]:.6f} | {mine.mean():.4f} | {np.mean(mine - other):+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"{a:.3f} | {b:.3f} | {ratio:.1f} | {cpu:.1f} | {quality}"


def beside_fits(name: str, train: sparse.csr_array, _held: sparse.csr_array, config: AlsConfig, rounds: int) -> str:
    """Our epochs, and a peer's fits of one epoch and of three: half of the difference is an epoch."""
    with one_blas_thread():
        ours = Ours(train, config)
        mine = []
        for _ in range(rounds):
            start = time.perf_counter()
            ours.epoch()
            mine.append(time.perf_counter() - start)
    fit = cmfrec_fit(train, config) if name == "cmfrec" else spark_fit(train, config)
    fit(1)
    epochs = []
    for _ in range(max(1, rounds // 2)):
        moments = [time.perf_counter()]
        for n_epochs in (1, 3):
            fit(n_epochs)
            moments.append(time.perf_counter())
        epochs.append((moments[2] - 2 * moments[1] + moments[0]) / 2)
    a, b = float(np.median(mine)), float(np.median(epochs))
    return f"{a:.3f} | {b:.3f} | {b / a:.1f} | | | |"


def cmfrec_fit(train: sparse.csr_array, config: AlsConfig) -> Fit:
    """cmfrec's model of implicit feedback, by cg or Cholesky."""
    import cmfrec

    triples = sparse.coo_matrix(train)
    triples.data = np.log1p(triples.data)

    def fit(n_epochs: int) -> object:
        return cmfrec.CMF_implicit(
            k=config.n_factors, lambda_=config.regularization, alpha=config.confidence, niter=n_epochs,
            use_cg=config.solver == "cg", max_cg_steps=PEER_STEPS, finalize_chol=False, nthreads=n_threads(),
            use_float=True, precompute_for_predictions=False, random_state=SEED, verbose=False,
        ).fit(triples)  # fmt: skip

    return fit


def spark_fit(train: sparse.csr_array, config: AlsConfig) -> Fit:
    """ALS of Spark, local[2], over rows cached in memory; its regularisation grows with the length of a row."""
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    logging.getLogger("py4j").setLevel(logging.ERROR)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "8g")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    import polars as pl

    triples = train.tocoo()
    frame = pl.DataFrame(
        {"user": triples.row.astype(np.int32), "item": triples.col.astype(np.int32), "rating": np.log1p(triples.data)}
    )
    folder = tempfile.mkdtemp()
    frame.write_parquet(Path(folder) / "rows.parquet")
    rows = session.read.parquet(folder).repartition(4).cache()
    rows.count()

    def fit(n_epochs: int) -> object:
        return ALS(
            rank=config.n_factors, maxIter=n_epochs, regParam=config.regularization / 20, alpha=config.confidence,
            implicitPrefs=True, numUserBlocks=4,
            numItemBlocks=4, seed=SEED,
        ).fit(rows)  # fmt: skip

    return fit


def objective(r: Csr, extra: np.ndarray, x: np.ndarray, y: np.ndarray, l2: float) -> float:
    """Eq. 3 in double precision: every pair's squared error by its confidence, and the factors' squared lengths.

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


def ndcg(train: sparse.csr_array, held: sparse.csr_array, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """nDCG@10 of every user with pairs held out, among all items that the rest does not hold."""
    values, discount = [], 1 / np.log2(np.arange(2, 12))
    for u in np.flatnonzero(np.diff(held.indptr)):
        scores = y @ x[u]
        scores[train.indices[train.indptr[u] : train.indptr[u + 1]]] = -np.inf
        best = np.argpartition(-scores, 10)[:10]
        best = best[np.argsort(-scores[best], kind="stable")]
        relevant = held.indices[held.indptr[u] : held.indptr[u + 1]]
        values.append(float(discount[np.isin(best, relevant)].sum() / discount[: min(10, len(relevant))].sum()))
    return np.array(values)


def paired(difference: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the mean of ``difference``, by a thousand resamples of users."""
    rng = np.random.default_rng(SEED)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(1000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
