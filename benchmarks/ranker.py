"""A ranker over candidates against the best of its sources alone, replayed by day on real data.

    python benchmarks/ranker.py --datasets FOLDER [--only films|shop|new] [--refresh 1]

Pipelines were chosen on the time before the cut (``--tune`` asks there: the last tenth is cut off, and what is before
it is split again), not on the last tenth, which is asked here. With ``--refresh`` the sources are fitted anew so often,
while the ranker practises and while everybody is asked; without it they are as of the first day of either. Intervals
are of paired differences, bootstrapped over users.
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import polars as pl
from time_split import known_set, reference_shop

from serendip.data import Dataset, described
from serendip.data.features import OF_SOURCE
from serendip.domain import InteractionKind
from serendip.evaluation import allows_repeats, compare, judge, time_split
from serendip.pipeline import PipelineConfig
from serendip.sources import datasets

WINDOWS = ("1d", "3d", "7d", "14d", "30d", "90d")

FILMS = (
    *(f"count(item, {span})" for span in WINDOWS), "count(item)", "trend(item, 3d/7d)", "trend(item, 7d/30d)",
    "age(item)", "recency(item)", "mean(item)", "item.year", "gap(item.year)", "likeness(item.tags)",
    "count(user)", "count(user, 7d)", "count(user, 30d)", "recency(user)", "age(user)", "mean(user)",
    "gap(age)", "usual(age)", "usual(item.year)",
)  # fmt: skip
SHOP = (
    *(f"count(item, {span})" for span in WINDOWS), "count(item)", "trend(item, 7d/30d)", "age(item)", "recency(item)",
    "count(user x item)", "decayed(user x item, 30d)", "decayed(user x item, 180d)", "recency(user x item)",
    "age(user x item)", "count(user x item, 30d)", "count(user x item, 90d)", "count(user)", "count(user, 7d)",
    "count(user, 30d)", "recency(user)", "age(user)", "trend(item, 3d/7d)", "gap(age)", "usual(age)",
)  # fmt: skip

CHOSEN = {
    "films": (
        "popular-3-days+popular-7-days+item-knn",
        FILMS,
        100,
        {"span_days": 50, "patience": 30, "n_negatives": 40, "learning_rate": 0.1},
    ),
    "shop": ("again+popular-7-days+item-knn", SHOP, 100, {"patience": 30}),
    "new": ("popular-7-days+item-knn", SHOP, 100, {"patience": 30}),
}
"""By what is asked: the sources, the features besides what the sources say, how many candidates each, and settings."""


def films(folder: Path) -> Dataset:
    """Ratings with the years and genres of the films."""
    loaded = datasets.load("movietweetings", folder)
    told = next(rows for as_, rows in loaded.parts if as_ == "items")
    items = pl.concat([checked.frame for checked in told]).select(
        item="id", tags="tags", year=pl.col("attributes").str.json_path_match("$.year").cast(pl.Float64)
    )
    data = known_set("movietweetings", folder)
    return described(data, items.filter(pl.col("item").is_in(list(data.items.ids))))


def data_of(asked: str, folder: Path) -> Dataset:
    if asked == "films":
        return films(folder / "movietweetings")
    shop = reference_shop(folder / "online-retail" / "online_retail.csv.gz")
    return shop if asked == "shop" else replace(shop, kinds=(InteractionKind("purchase"),))


def config_of(asked: str, library: str, refresh: float | None = None) -> PipelineConfig:
    spec, features, n_candidates, chosen = CHOSEN[asked]
    told = [f"{what}({source})" for source in spec.split("+") for what in OF_SOURCE]
    settings = {**chosen, "library": library, "features": (*features, *told), "refit_days": refresh}
    config = PipelineConfig.parse(f"{spec}:boosted", settings)
    return config.model_copy(update={"n_candidates": n_candidates})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--only", choices=list(CHOSEN))
    parser.add_argument("--library", choices=["auto", "catboost", "lightgbm"], default="auto")
    parser.add_argument("--refresh", type=float, help="days after which sources are fitted again")
    parser.add_argument("--tune", action="store_true", help="ask before the cut, as the choice was made")
    chosen = parser.parse_args()
    names = ("numpy", "numba", "catboost", "lightgbm")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names))
    for asked in [chosen.only] if chosen.only else CHOSEN:
        data = data_of(asked, chosen.datasets)
        data = time_split(data).train if chosen.tune else data
        begun, config = perf_counter(), config_of(asked, chosen.library, chosen.refresh)
        metrics = ["ndcg@10", "recall@10", "hit-rate@10"]
        table = compare([config], data, "replayed", metrics=metrics, refresh_days=chosen.refresh)
        row = table.row(config.name)
        best = max((table.row(name) for name in row.sources), key=lambda one: one.metrics["ndcg@10"].mean)
        gap, mean = row.vs[best.name], best.metrics["ndcg@10"].mean
        print(
            f"\n### {asked}, fingerprint {data.fingerprint()[:12]}, seed 0, {perf_counter() - begun:.0f} s\n\n{table}"
        )
        print(
            f"against {best.name}: {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}], "
            f"{gap.difference / mean:+.1%} [{gap.low / mean:+.1%}, {gap.high / mean:+.1%}]"
        )
        print(judge(table, config.name, None, allows_repeats(data)).sentence, flush=True)


if __name__ == "__main__":
    main()
