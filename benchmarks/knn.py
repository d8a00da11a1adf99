"""The 50 nearest items of each by cosine, beside peers, from the same matrix of zeros and ones.

    python benchmarks/knn.py [--size 1M 10M] [--rounds 5] [--peers implicit sparse_dot_topn]

Quality: the mean of the similarities kept, ours over theirs, and the share of our neighbours that are theirs too
(equal similarities at the fiftieth place may differ). Peers count an item among its own nearest and are asked for one
more. Memory: the most the process held, measured in a process of its own for each side, less what it held before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made import heading, in_turn, missing, taken
from scipy import sparse

from serendip.models.item_knn import ItemKnnConfig, weigh
from serendip.models.kernels.item_item import Csr, nearest_rows, product_cost
from serendip.models.parallel import equal_work, in_chunks, n_threads

K = 50


def ours(matrix: sparse.csr_array) -> sparse.csr_array:
    """Our neighbours, without the item itself."""
    unit = matrix.copy()
    unit.data = weigh(ItemKnnConfig(), Csr.of(unit), unit.shape[1])
    by_user, by_item = Csr.of(unit), Csr.of(unit.T.tocsr())
    bounds = equal_work(product_cost(by_user, by_item) + 16, 64)
    parts = in_chunks(lambda start, stop: nearest_rows(by_user, by_item, 0.0, 1, K, start, stop), bounds)
    sizes, items, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sparse.csr_array((values, items, np.concatenate([[0], np.cumsum(sizes)])), shape=(unit.shape[1],) * 2)


def by_implicit(matrix: sparse.csr_array) -> sparse.csr_array:
    """implicit's."""
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=K + 1, num_threads=n_threads())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(sparse.csr_matrix(matrix), show_progress=False)
    return sparse.csr_array(model.similarity)


def by_sparse_dot_topn(matrix: sparse.csr_array) -> sparse.csr_array:
    """sparse_dot_topn's, of the matrix that we have weighed."""
    from sparse_dot_topn import sp_matmul_topn

    unit = matrix.copy()
    unit.data = weigh(ItemKnnConfig(), Csr.of(unit), unit.shape[1])
    by_item = sparse.csr_matrix(unit.T.tocsr())
    return sparse.csr_array(sp_matmul_topn(by_item, sparse.csr_matrix(unit), top_n=K + 1, n_threads=n_threads()))


SIDES: dict[str, Callable[[sparse.csr_array], sparse.csr_array]] = {
    "ours": ours,
    "implicit": by_implicit,
    "sparse_dot_topn": by_sparse_dot_topn,
}


def others(similar: sparse.csr_array) -> sparse.csr_array:
    """Without the diagonal."""
    coo = similar.tocoo()
    use = (coo.row != coo.col) & (coo.data > 0)
    return sparse.csr_array((coo.data[use], (coo.row[use], coo.col[use])), shape=similar.shape)


def peak(side: str, matrix: sparse.csr_array, answer: multiprocessing.Queue[float]) -> None:
    """MiB that a side adds to the most the process has held."""
    before = held()
    SIDES[side](matrix)
    answer.put((held() - before) / 1024)


def held() -> int:
    """KiB that this process held at most; ``ru_maxrss`` would be what its parent held when it began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def memory(side: str, matrix: sparse.csr_array) -> float:
    """The same, in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    answer = fresh.Queue()
    process = fresh.Process(target=peak, args=(side, matrix, answer))
    process.start()
    added = float(answer.get())
    process.join()
    return added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["1M", "10M"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=list(SIDES)[1:], default=list(SIDES)[1:])
    chosen = parser.parse_args()
    for peer in chosen.peers:
        try:
            __import__(peer)
        except ImportError:
            missing(peer)
    heading(*chosen.peers)
    for size in chosen.size:
        matrix = taken(size)
        matrix.data[:] = 1
        kept = ours(matrix)
        print("| peer | ours s | peer s | ratio | ratio of cpu | similarity kept | same neighbours | MiB ours, peer |")
        print("|---|---|---|---|---|---|---|---|")
        for peer in chosen.peers:
            theirs = others(SIDES[peer](matrix))
            quality = kept.data.sum(dtype=np.float64) / theirs.data.sum(dtype=np.float64)
            same = ((kept != 0) * (theirs != 0)).nnz / kept.nnz
            a, b, ratio, cpu = in_turn(lambda: ours(matrix), lambda peer=peer: SIDES[peer](matrix), chosen.rounds)  # noqa: B023
            added = f"{memory('ours', matrix):.0f}, {memory(peer, matrix):.0f}"
            print(
                f"| {peer} | {a:.3f} | {b:.3f} | {ratio:.1f} | {cpu:.1f} | {quality:.6f} | {same:.4f} | {added} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
