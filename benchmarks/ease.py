"""EASE beside the bare Cholesky and inverse of LAPACK on the same Gram matrix, which no closed form does without.

    python benchmarks/ease.py [--items 5000 10000] [--rounds 3]

Ours is everything from the matrix of users by items on: Gram matrix, inverse and weights. Quality: the largest
difference of our weights from those of numpy's inverse in float64, where the items are at most 5,000.
"""

from __future__ import annotations

import argparse

import numpy as np
from made import SEED, heading, in_turn
from scipy import sparse
from scipy.linalg import lapack

from serendip.data.dataset import csr
from serendip.models.ease import gram, solve_weights
from serendip.models.kernels.item_item import Csr
from serendip.sources.world import generate_events

REGULARIZATION = 400.0


def world(n_items: int) -> sparse.csr_array:
    """Who took what in a made-up world with a hundred interactions an item, (n_users, n_items)."""
    n_users = 3 * n_items
    events, _ = generate_events(n_users, n_items, 100 * n_items, seed=SEED)
    matrix = csr(events.user_ix, events.item_ix, np.ones(len(events), np.float32), (n_users, n_items))
    matrix.data[:] = 1
    return matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="+", type=int, default=[5_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    heading()
    print("| items | ours s | potrf + potri s | ours / LAPACK | largest difference |\n|---|---|---|---|---|")
    for n in chosen.items:
        taken = Csr.of(world(n))
        matrix = gram(taken, n) + np.float32(0)
        np.einsum("ii->i", matrix)[:] += np.float32(REGULARIZATION)
        room = np.empty_like(matrix)

        def ours(taken: Csr = taken, n: int = n) -> np.ndarray:
            return solve_weights(gram(taken, n), REGULARIZATION)

        def bare(matrix: np.ndarray = matrix, room: np.ndarray = room) -> None:
            room[:] = matrix
            factor, _ = lapack.spotrf(room.T, lower=1, overwrite_a=1, clean=0)
            lapack.spotri(factor, lower=1, overwrite_c=1)

        difference = "not measured"
        if n <= 5_000:
            upper = np.triu(matrix).astype(float)
            p = np.linalg.inv(upper + np.triu(upper, 1).T)
            expected = -p / np.diag(p)
            np.fill_diagonal(expected, 0)
            difference = f"{np.abs(ours() - expected).max():.1e}"
        a, b, ratio, _ = in_turn(ours, bare, chosen.rounds)
        print(f"| {n:,} | {a:.2f} | {b:.2f} | {1 / ratio:.2f} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
