"""The similarity jobs: 96,605 made ratings of 1,098 people and 3,139 items, the 50 nearest of each, stored.

    python benchmarks/similarity.py

Each job is run six times on one SQLite store; the first compiles and is left out. A run reads the ratings, measures
the model on a tenth of them, fits it to all, compares everybody with everybody, writes the next version of both
matrices and switches readers to it. The goal is 5 s a job. The ratings have biases and three hidden tastes, so that
there is something to learn.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from made import heading

from serendip.domain import InteractionKind
from serendip.flows.similarity import SimilarityReport, refresh_similarity
from serendip.store import Store

N_USERS, N_ITEMS, N_RATINGS = 1_098, 3_139, 96_605
RUNS = 5
GOAL = 5.0
STAGES = ("reading", "measuring", "fitting", "comparing", "keeping")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    heading()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'similarity.db'}")
        try:
            store.declare_kinds([InteractionKind("rating", "latest", scale=(1.0, 5.0))])
            frame = made(chosen.seed)
            store.load_interactions(frame)
            print(f"{frame.height:,} ratings of {N_USERS:,} people and {N_ITEMS:,} items, seed {chosen.seed}\n")
            print(
                "| job | s, median of 5 | lowest | highest | "
                + " | ".join(STAGES)
                + " | goal | RMSE: own, mean, biases |"
            )
            print("|---" * (len(STAGES) + 6) + "|")
            for kind in ("svd", "nmf"):
                row(store, kind)
        finally:
            store.close()


def row(store: Store, kind: str) -> None:
    """One job's line."""
    spent, reports = [], list[SimilarityReport]()
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        reports.append(refresh_similarity(store, kind))
        spent.append(time.perf_counter() - began)
    measured = spent[1:]
    stages = [f"{np.median([one.seconds[stage] for one in reports[1:]]):.2f}" for stage in STAGES]
    error = reports[-1].rmse
    assert error is not None
    told = ", ".join(f"{error[name]:.3f}" for name in (kind, "mean", "biases"))
    middle = float(np.median(measured))
    met = "met" if middle <= GOAL else "missed"
    cells = [f"{kind}-similarity", f"{middle:.2f}", f"{min(measured):.2f}", f"{max(measured):.2f}", *stages]
    print("| " + " | ".join([*cells, f"{GOAL:g} s: {met}", told]) + " |", flush=True)


def made(seed: int) -> pl.DataFrame:
    """Ratings 1 to 5, some items far more popular than others."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, N_ITEMS + 1) ** 0.8
    draws = 140_000
    pairs = np.stack([rng.integers(0, N_USERS, draws), rng.choice(N_ITEMS, draws, p=share / share.sum())], 1)
    pairs = np.unique(pairs, axis=0)
    user, item = pairs[rng.permutation(len(pairs))[:N_RATINGS]].T
    p, q = rng.normal(0, 0.6, (N_USERS, 3)), rng.normal(0, 0.6, (N_ITEMS, 3))
    taste = rng.normal(0, 0.4, N_USERS)[user] + rng.normal(0, 0.5, N_ITEMS)[item] + (p[user] * q[item]).sum(axis=1)
    value = np.clip(np.rint(3.5 + taste + rng.normal(0, 0.7, N_RATINGS)), 1, 5)
    start = 1_700_000_000_000_000
    return pl.DataFrame(
        {
            "user": [str(one) for one in user],
            "item": [str(one) for one in item],
            "at": start + np.arange(N_RATINGS, dtype=np.int64) * 1_000_000,
            "kind": ["rating"] * N_RATINGS,
            "value": value,
        }
    )


if __name__ == "__main__":
    main()
