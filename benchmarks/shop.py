"""A shop of 46.5 million rows on one machine: made, read, learnt from by ALS, and a file of sessions answered.

Each step runs in a process of its own, so that its peak of memory is its own. ``--rows`` and the like make it smaller.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import orjson
import polars as pl

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import Queries, dataset_of
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.sources.datasets import inditex

ROOT = Path(__file__).parents[1]
STEPS = ("generate", "learn")
CHUNK = 5000
"""Sessions that are answered at a time."""


def generate(folder: Path, told: argparse.Namespace) -> dict[str, float]:
    """Make the files."""
    sys.path.insert(0, str(ROOT / "examples" / "shop"))
    from generate import Size
    from generate import generate as make

    begun = perf_counter()
    n = make(folder, datetime(2026, 6, 1, tzinfo=UTC), 7, Size(told.customers, told.products, told.rows, told.numbers))
    return {"rows": n, "generate s": perf_counter() - begun}


def learn(folder: Path, told: argparse.Namespace) -> dict[str, float]:
    """Read ``train.parquet``, fit ALS, answer the sessions of ``test.parquet`` by folding in their events."""
    found: dict[str, float] = {}
    begun = perf_counter()
    data = dataset_of(inditex.all_events(folder / "train.parquet"), inditex.KINDS)
    found |= {"read s": perf_counter() - begun, "users": data.n_users, "items": data.n_items, "read GiB": peak()}
    settings = {
        "n_factors": told.factors,
        "n_epochs": told.epochs,
        "confidence": 1.0,
        "growth": "linear",
        "solver": "cg",
    }
    config = PipelineConfig.parse("als", {**settings, "solver": "cg"}).model_copy(update={"fallback": ()})
    begun = perf_counter()
    fitted = pipelines.fit(config, data, 0, models.fit)
    found |= {"fit s": perf_counter() - begun, "fit GiB": peak()}
    begun = perf_counter()
    target = answered(fitted, inditex.all_events(folder / "test.parquet"))
    (folder / "target.json").write_bytes(orjson.dumps({"target": target}))
    seconds = perf_counter() - begun
    return found | {"answered": len(target), "answer s": seconds, "answer GiB": peak()}


def answered(fitted: Pipeline, events: pl.DataFrame) -> dict[str, list[str]]:
    """The best five of every session in ``events``, by its own events."""
    of = dataset_of(events, fitted.kinds)
    indptr, order = of.by_user
    assert of.at is not None
    rows = fitted.items.rows(of.items.ids)[of.item_ix[order]]
    target: dict[str, list[str]] = {}
    for start in range(0, of.n_users, CHUNK):
        stop = min(start + CHUNK, of.n_users)
        own = np.arange(indptr[start], indptr[stop])
        asker = np.repeat(np.arange(stop - start), np.diff(indptr[start : stop + 1]))
        met, asker = own[rows[own] >= 0], asker[rows[own] >= 0]
        events_of = order[met]
        queries = Queries.of_rows(
            np.bincount(asker, minlength=stop - start), rows[met], fitted.items, of.kinds, of.kind[events_of],
            of.value[events_of], of.at[events_of], of.now,
        )  # fmt: skip
        for q, line in enumerate(fitted.answer(queries, 5).rows.tolist()):
            target[of.users.ids[start + q]] = [fitted.items.ids[row] for row in line if row >= 0]
    return target


def peak() -> float:
    """The most memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run every step in a process of its own, and print what each took."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/shop-large"))
    told.add_argument("--rows", type=int, default=46_500_000)
    told.add_argument("--customers", type=int, default=557_006)
    told.add_argument("--products", type=int, default=43_692)
    told.add_argument("--numbers", type=int, default=1280)
    told.add_argument("--factors", type=int, default=64)
    told.add_argument("--epochs", type=int, default=15)
    told.add_argument("--step", choices=STEPS, help="one of them, in this process")
    given = told.parse_args()
    if given.step:
        step = {"generate": generate, "learn": learn}[given.step]
        print(json.dumps(step(given.folder, given) | {f"{given.step} peak GiB": peak()}))
        return
    for name in STEPS:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--step", name], check=True, capture_output=True, text=True
        )
        for what, value in json.loads(done.stdout).items():
            print(f"{what:<18} {value:>14,.1f}", flush=True)


if __name__ == "__main__":
    main()
