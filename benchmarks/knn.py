"""The 50 nearest items of each by cosine, beside implicit's, from the same matrix of zeros and ones.

    python benchmarks/knn.py [--size 1M 10M] [--rounds 5]

Quality: the mean of the similarities kept, ours over implicit's; implicit counts an item among its own nearest.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from made import heading, in_turn, missing, taken
from scipy import sparse

from serendip.models.item_item import Csr, nearest_rows, product_cost
from serendip.models.item_knn import ItemKnnConfig, weigh
from serendip.models.parallel import equal_work, in_chunks, n_threads

K = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["1M", "10M"])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    try:
        from implicit.nearest_neighbours import CosineRecommender
    except ImportError:
        missing("implicit")
    heading("implicit")
    for size in chosen.size:
        matrix = taken(size)
        matrix.data[:] = 1
        peers = sparse.csr_matrix(matrix)

        def ours(matrix: sparse.csr_array = matrix) -> list[tuple[np.ndarray, ...]]:
            unit = matrix.copy()
            unit.data = weigh(ItemKnnConfig(), Csr.of(unit), unit.shape[1])
            by_user, by_item = Csr.of(unit), Csr.of(unit.T.tocsr())
            bounds = equal_work(product_cost(by_user, by_item) + 16, 64)
            return in_chunks(lambda start, stop: nearest_rows(by_user, by_item, 0.0, 1, K, start, stop), bounds)

        def theirs(peers: sparse.csr_matrix = peers) -> CosineRecommender:
            model = CosineRecommender(K=K + 1, num_threads=n_threads())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(peers, show_progress=False)
            return model

        kept = np.concatenate([part[2] for part in ours()]).sum(dtype=np.float64)
        similar = theirs().similarity
        others = similar.sum(dtype=np.float64) - similar.diagonal().sum(dtype=np.float64)
        a, b, ratio, cpu = in_turn(ours, theirs, chosen.rounds)
        print(
            "| ours s | implicit s | ratio | ratio of cpu | similarity kept, ours / implicit |\n|---|---|---|---|---|"
        )
        print(f"| {a:.3f} | {b:.3f} | {ratio:.1f} | {cpu:.1f} | {kept / others:.6f} |", flush=True)


if __name__ == "__main__":
    main()
