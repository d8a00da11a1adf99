"""Models that are trained with PyTorch, by published protocols: figures to be reached, and what an answer takes.

    python benchmarks/neural.py --datasets FOLDER [--only amazon-beauty] [--threads 1]

FOLDER holds what benchmarks/published.py reads, and the protocol is the same. Settings were chosen on validation data
only; docs/benchmarks.md says how often each test part was asked. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from made import heading
from published import Paper, papers, show

from serendip import models
from serendip.data import Queries
from serendip.evaluation import Table
from serendip.flows.measure_files import evaluate_files, read_parts
from serendip.models.neural.transformer import made
from serendip.models.parallel import n_threads, threads
from serendip.pipeline import PipelineConfig

ROWS: dict[str, dict[str, tuple[str, tuple[float, float]]]] = {
    "amazon-beauty": {
        "sequence": (
            "sequence(n_factors=128,n_negatives=1024,dropout=0.3,n_epochs=20,patience=0)",
            (0.090, 0.051),
        ),
    },
    "gowalla": {"two-tower": ("two-tower(n_factors=64)", (0.170, 0.142))},
}
"""Of each paper: a row's name -> the pipeline, and what both metrics are to reach."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--only", choices=list(ROWS))
    parser.add_argument("--threads", type=int, default=n_threads())
    chosen = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("serendip.models.neural").setLevel(logging.INFO)
    heading("torch")
    known = papers(chosen.datasets)
    for name, rows in ROWS.items():
        if chosen.only not in (None, name):
            continue
        if name not in known:
            print(f"\n{name} is left out: {chosen.datasets} does not hold it", flush=True)
            continue
        with threads(chosen.threads):
            measure(known[name], rows)


def measure(paper: Paper, rows: dict[str, tuple[str, tuple[float, float]]]) -> None:
    """The paper's table with these rows, what it took, and what answers take."""
    assert paper.files is not None
    specs = {row: spec for row, (spec, _) in rows.items()}
    wall, used = time.perf_counter(), time.process_time()
    table = evaluate_files(
        paper.files, [PipelineConfig.parse(spec) for spec in specs.values()], paper.split, metrics=paper.metrics
    )
    wall, used = time.perf_counter() - wall, time.process_time() - used
    assert isinstance(table, Table)
    show(replace(paper, targets={row: target for row, (_, target) in rows.items()}), specs, table)
    print(f"{wall:.0f} s, of which the processor worked {used:.0f} s, fits and all answers together")
    if "sequence" in specs:
        answers(paper, specs["sequence"])


def answers(paper: Paper, spec: str, n: int = 500) -> None:
    """Milliseconds of single answers in process: histories of the data, parameters of the size, not of the fit."""
    assert paper.files is not None
    data = read_parts(paper.files).rows
    config = PipelineConfig.parse(spec).sources[0].model_settings()
    arrays = {
        **made(config.plan(data.n_items).shape, np.random.default_rng(0)),
        "known": np.ones(data.n_items, np.bool_),
    }
    model = models.restore("sequence", config, arrays)
    took = []
    for user in np.random.default_rng(1).integers(0, data.n_users, n + 20):
        queries = Queries.of_users(data, np.array([user]))
        began = time.perf_counter()
        best = np.argpartition(-model.score(queries)[0], 10)[:10]
        took.append(time.perf_counter() - began)
        assert len(best) == 10
    p50, p95 = 1000 * np.quantile(took[20:], [0.5, 0.95])
    print(f"one answer, 10 of {data.n_items:,} items, history in hand: p50 {p50:.2f} ms, p95 {p95:.2f} ms")


if __name__ == "__main__":
    main()
