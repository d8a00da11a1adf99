"""Published protocols by the product's own commands, beside the figures to be reached.

    python benchmarks/published.py --datasets FOLDER [--only gowalla] [--kinds item-knn]

FOLDER holds amazon-beauty/sequences.txt (a line a user, in order) and gowalla/train.txt and test.txt. Everything is
ranked, what a user has met is left out. Settings were chosen on validation data only, by the commands in
docs/benchmarks.md, with how often each test part was asked.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from made import heading

from serendip.evaluation import Table
from serendip.flows.measure_files import Files, evaluate_files
from serendip.pipeline import PipelineConfig


@dataclass(frozen=True)
class Paper:
    """A protocol, and what is held against it."""

    title: str
    files: Files | None
    """None where they are not there."""
    split: str
    metrics: tuple[str, str]
    settings: dict[str, str]
    """A row's name -> the pipeline, with the settings that validation chose."""
    targets: dict[str, tuple[float, float]]
    """A row's name -> what both metrics are to reach."""


def papers(folder: Path) -> dict[str, Paper]:
    """Those that the folder has files for."""
    beauty, gowalla = folder / "amazon-beauty" / "sequences.txt", folder / "gowalla"
    known = {
        "amazon-beauty": Paper(
            "Amazon Beauty, leave-one-out (training includes the validation item)",
            Files(beauty) if beauty.exists() else None,
            "last-out",
            ("hit-rate@10", "ndcg@10"),
            {
                "item-knn": "item-knn(similarity=bm25,n_neighbours=382,shrinkage=29)",
                "ease": "ease(regularization=66)",
                "als": "als(n_factors=98,n_epochs=15,confidence=26,regularization=2)",
            },
            {"item-knn": (0.060, 0.035), "ease": (0.075, 0.042)},
        ),
        "gowalla": Paper(
            "Gowalla m1, parts as published",
            Files(train=gowalla / "train.txt", test=gowalla / "test.txt") if gowalla.exists() else None,
            "",
            ("recall@20", "ndcg@20"),
            {
                "item-knn": "item-knn(similarity=rp3beta,n_neighbours=200,alpha=0.6,beta=0.3)",
                "ease": "ease(regularization=100)",
                "als": "als(n_factors=64,n_epochs=8,confidence=1,growth=linear,unobserved_weight=0.01,"
                "regularization=0.004,frequency_scaling=1,popularity_discount=0.3,init_sigma=0.0125)",
            },
            {"popular": (0.0416, 0.0317), "item-knn": (0.180, 0.149), "ease": (0.175, 0.145), "als": (0.165, 0.135)},
        ),
    }
    return {name: paper for name, paper in known.items() if paper.files is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--only", choices=["amazon-beauty", "gowalla"])
    parser.add_argument("--kinds", nargs="+", help="only these rows; baselines stand in every table")
    chosen = parser.parse_args()
    heading("polars")
    for name in ("amazon-beauty", "gowalla"):
        paper = papers(chosen.datasets).get(name)
        if chosen.only not in (None, name):
            continue
        if paper is None:
            print(f"\n{name} is left out: {chosen.datasets} does not hold it", flush=True)
            continue
        began = time.perf_counter()
        rows = {row: spec for row, spec in paper.settings.items() if chosen.kinds is None or row in chosen.kinds}
        configs = [PipelineConfig.parse(spec) for spec in rows.values()]
        table = evaluate_files(paper.files, configs, paper.split, metrics=paper.metrics)
        assert isinstance(table, Table)
        show(paper, rows, table)
        print(f"{time.perf_counter() - began:.0f} s", flush=True)


def show(paper: Paper, rows: dict[str, str], table: Table) -> None:
    """A line a pipeline with its intervals, and whether the target is reached."""
    print(f"\n### {paper.title}: {table.n_queries:,} questions, seed {table.seed}\n")
    print(f"| pipeline | {' | '.join(paper.metrics)} | target | |\n|---|---|---|---|---|")
    called = {spec: row for row, spec in rows.items()}
    for row in table.rows:
        found = [row.metrics[metric] for metric in paper.metrics]
        cells = [f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}" for one in found]
        wanted = paper.targets.get(called.get(row.name, "popular" if row.name == "popular" else ""))
        if wanted is None:
            cells += ["", ""]
        else:
            reached = all(one.mean >= target - 0.00005 for one, target in zip(found, wanted, strict=True))
            cells += [f"{wanted[0]} / {wanted[1]}", "met" if reached else "NOT met"]
        print(f"| {row.name} | {' | '.join(cells)} |")
    for note in table.notes:
        print(f"- {note}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
