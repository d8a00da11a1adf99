"""The ten best items of one asker by trained ALS factors: the bounded search beside implicit's and a full scan.

    python benchmarks/topk.py [--items 10000 100000] [--askers 300]

The factors are those of a made-up world of 20 interactions an item after three epochs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from made import SEED, heading, missing
from scipy import sparse

from serendip.data import ItemLists
from serendip.data.dataset import csr
from serendip.models.als import AlsConfig, extra_confidence, half_step, row_cost
from serendip.models.als_kernels import inner_products
from serendip.models.item_item import Csr
from serendip.models.parallel import equal_work, one_blas_thread
from serendip.ranking import Catalogue, top
from serendip.sources.world import generate_events

N = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--askers", type=int, default=300)
    chosen = parser.parse_args()
    try:
        import implicit  # noqa: F401
    except ImportError:
        missing("implicit")
    heading("implicit")
    print("| items | ours p50 us | ours p99 us | full scan p50 us | implicit p50 us | ratio | same as sorting all |")
    print("|---|---|---|---|---|---|---|")
    for n_items in chosen.items:
        print(measured(n_items, chosen.askers), flush=True)


def factors(n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Trained factors of users and items, 64 long."""
    events, _ = generate_events(n_items, n_items, 20 * n_items, seed=SEED)
    matrix = csr(events.user_ix, events.item_ix, np.ones(len(events), np.float32), (n_items, n_items))
    config, sides = AlsConfig(solver="cg"), [Csr.of(matrix), Csr.of(sparse.csr_array(matrix.T))]
    extras = [extra_confidence(side.value, config).astype(np.float32) for side in sides]
    bounds = [equal_work(row_cost(side, config), 128) for side in sides]
    rng = np.random.default_rng(SEED)
    x, y = (rng.standard_normal((n_items, 64), np.float32) * np.float32(0.01) for _ in range(2))
    for _ in range(3):
        half_step(sides[0], extras[0], y, x, config, bounds[0])
        half_step(sides[1], extras[1], x, y, config, bounds[1])
    return x, y


def measured(n_items: int, n_askers: int) -> str:
    """A line of the table; the three take turns, one asker at a time."""
    from implicit.cpu.topk import topk

    x, y = factors(n_items)
    asked = x[np.random.default_rng(1).choice(np.flatnonzero(x.any(axis=1)), n_askers, replace=False)]
    hashes, salt, nothing = np.arange(n_items).astype(np.uint64), np.zeros(1, np.uint64), ItemLists.of([[]])
    catalogue, took, same = Catalogue.of(y), np.empty((3, n_askers)), 0
    scores = np.empty((1, n_items), np.float32)
    with one_blas_thread():
        for warm in (True, False):
            for q in range(5 if warm else n_askers):
                start = time.perf_counter()
                found = catalogue.top(asked[q : q + 1], N, hashes, salt, nothing)
                took[0, q] = time.perf_counter() - start
                start = time.perf_counter()
                inner_products(y, asked[q], scores[0])
                full = top(scores, N, hashes, salt, nothing)
                took[1, q] = time.perf_counter() - start
                start = time.perf_counter()
                topk(y, asked[q : q + 1], N, num_threads=1)
                took[2, q] = time.perf_counter() - start
                same += not warm and np.allclose(found.scores, full.scores, rtol=1e-4)
    middle = np.median(took, axis=1) * 1e6
    p99 = np.percentile(took[0], 99) * 1e6
    return (
        f"| {n_items:,} | {middle[0]:.0f} | {p99:.0f} | {middle[1]:.0f} | {middle[2]:.0f} "
        f"| {np.median(took[2] / took[0]):.1f} | {same} of {n_askers} |"
    )


if __name__ == "__main__":
    main()
