"""The ten best by trained ALS factors, exactly: one asker and many, beside implicit and a flat index of faiss.

    python benchmarks/topk.py [--items 10000 100000 1000000] [--batch 100000] [--askers 2000]

The factors, 64 long, are those of a made-up world of 20 interactions an item after three epochs of our own ALS. One
asker: one thread each; the sides take turns of 20 askers, and each asker is timed alone. Many: as many threads as there
are cores each; the sides take turns with the whole batch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from made import SEED, heading, missing
from scipy import sparse

from serendip.data import ItemLists
from serendip.data.dataset import csr
from serendip.models.als import AlsConfig, extra_confidence, half_step, row_cost
from serendip.models.kernels.item_item import Csr
from serendip.models.parallel import equal_work, n_threads, one_blas_thread
from serendip.ranking import Catalogue
from serendip.sources.world import generate_events

N, TURN, ROUNDS = 10, 20, 5
SIDES = ("ours", "implicit", "faiss")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--batch", nargs="*", type=int, default=[100_000])
    parser.add_argument("--askers", type=int, default=2000, help="askers of a batch")
    chosen = parser.parse_args()
    for peer in ("implicit", "faiss"):
        try:
            __import__(peer)
        except ImportError:
            missing(peer)
    heading("implicit", "faiss-cpu")
    worlds = {n_items: factors(n_items) for n_items in sorted({*chosen.items, *chosen.batch})}
    print("\n| items, one asker | ours p50 us | ours p99 us | implicit p50 us | faiss p50 us | ratios | same scores |")
    print("|---|---|---|---|---|---|---|")
    for n_items in chosen.items:
        print(one_asker(*worlds[n_items], 60 if n_items > 300_000 else 300), flush=True)
    print("\n| items, many askers | askers | threads | ours us an asker | implicit | faiss | ratios | same scores |")
    print("|---|---|---|---|---|---|---|---|")
    for n_items in chosen.batch:
        print(many_askers(*worlds[n_items], chosen.askers), flush=True)
        x, y = worlds[n_items]
        print(many_askers(x, y / np.linalg.norm(y, axis=1, keepdims=True).clip(1e-9), chosen.askers, ", of length 1"))


def factors(n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Trained factors of users who took something, and of items, 64 long."""
    events, _ = generate_events(n_items, n_items, 20 * n_items, seed=SEED)
    matrix = csr(events.user_ix, events.item_ix, np.ones(len(events), np.float32), (n_items, n_items))
    config, sides = AlsConfig(solver="cg"), [Csr.of(matrix), Csr.of(sparse.csr_array(matrix.T))]
    extras = [extra_confidence(side.value, config).astype(np.float32) for side in sides]
    bounds = [equal_work(row_cost(side, config), 128) for side in sides]
    rng = np.random.default_rng(SEED)
    x, y = (rng.standard_normal((n_items, 64), np.float32) * np.float32(0.01) for _ in range(2))
    with one_blas_thread():
        for _ in range(3):
            half_step(sides[0], extras[0], y, x, config, bounds[0])
            half_step(sides[1], extras[1], x, y, config, bounds[1])
    return x[np.diff(sides[0].indptr) > 0], y


def sides(y: np.ndarray, n_threads: int) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Ours, implicit's and faiss's search of ``y``; each gives the scores of the best for vectors (n, 64)."""
    import faiss
    from implicit.cpu.topk import topk

    hashes, catalogue = np.arange(len(y)).astype(np.uint64), Catalogue.of(y)
    index = faiss.IndexFlatIP(y.shape[1])
    index.add(y)
    faiss.omp_set_num_threads(n_threads)

    def ours(x: np.ndarray) -> np.ndarray:
        nothing = ItemLists(np.zeros(len(x) + 1, np.int64), np.empty(0, np.int32))
        return catalogue.top(x, N, hashes, np.zeros(len(x), np.uint64), nothing).scores

    return [ours, lambda x: topk(y, x, N, num_threads=n_threads)[1], lambda x: index.search(x, N)[0]]


def one_asker(x: np.ndarray, y: np.ndarray, n_askers: int) -> str:
    """A line of the table; the sides take turns of ``TURN`` askers, whom each answers one by one."""
    asked = x[np.random.default_rng(1).choice(len(x), n_askers, replace=False)]
    searches = sides(y, 1)
    took, best = np.empty((3, n_askers)), np.empty((3, n_askers, N), np.float32)
    with one_blas_thread():
        for start in range(0, n_askers, TURN):
            for side, search in enumerate(searches):
                search(asked[start : start + 1])
                for q in range(start, min(start + TURN, n_askers)):
                    begin = time.perf_counter()
                    best[side, q] = search(asked[q : q + 1])
                    took[side, q] = time.perf_counter() - begin
    p50, p99 = np.median(took, axis=1) * 1e6, np.percentile(took[0], 99) * 1e6
    return (
        f"| {len(y):,} | {p50[0]:.0f} | {p99:.0f} | {p50[1]:,.0f} | {p50[2]:,.0f} "
        f"| {p50[1] / p50[0]:.1f}, {p50[2] / p50[0]:.1f} | {_same(best)} |"
    )


def many_askers(x: np.ndarray, y: np.ndarray, n_askers: int, note: str = "") -> str:
    """A line of the table; the sides take turns with the whole batch."""
    asked = x[np.random.default_rng(1).choice(len(x), n_askers, replace=False)]
    searches = sides(y, n_threads())
    best = np.stack([search(asked) for search in searches])
    took = np.empty((3, ROUNDS))
    with one_blas_thread():
        for turn in range(ROUNDS):
            for side, search in enumerate(searches):
                begin = time.perf_counter()
                search(asked)
                took[side, turn] = time.perf_counter() - begin
    each = np.median(took, axis=1) / n_askers * 1e6
    ratios = np.median(took / took[0], axis=1)
    return (
        f"| {len(y):,}{note} | {n_askers:,} | {n_threads()} | {each[0]:.1f} | {each[1]:.0f} | {each[2]:.0f} "
        f"| {ratios[1]:.1f}, {ratios[2]:.1f} | {_same(best)} |"
    )


def _same(best: np.ndarray) -> str:
    """How many askers got from us the scores that both others gave them."""
    same = np.isclose(best[0], best[1:], rtol=1e-4, atol=1e-6).all(axis=(0, 2))
    return f"{same.sum():,} of {len(same):,}"


if __name__ == "__main__":
    main()
