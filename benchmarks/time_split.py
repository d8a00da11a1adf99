"""Accuracy over a split in time on real data: the reference runs reproduced, and the product's own tables.

    python benchmarks/time_split.py --datasets FOLDER        a folder that holds movietweetings/ and online-retail/

The reference runs clean their data by a rule of a line each and ask everybody at the cut; their figures stand beside
ours. The product's own tables use the importer's cleaning and both protocols, and refit everything daily where
``--refresh`` says so. The whole catalogue is ranked; nothing is chosen on the test period.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import polars as pl

from serendip.data import Dataset, dataset_of
from serendip.domain import InteractionKind
from serendip.evaluation import Fits, Table, compare
from serendip.flows.train import usual
from serendip.pipeline import PipelineConfig
from serendip.sources import datasets

FILMS_REFERENCE = {"popular": 0.062, "popular-7-days": 0.145, "item-knn": 0.049, "ease": 0.060}
SHOP_REFERENCE = {"popular": 0.080, "popular-7-days": 0.134, "item-knn": 0.160, "ease": 0.247, "again": 0.355}
NEW_REFERENCE = {"popular": 0.023, "popular-7-days": 0.068, "item-knn": 0.054, "ease": 0.089}
REPLAYED_REFERENCE = {"popular-3-days": 0.131, "popular-7-days": 0.124, "item-knn": 0.047}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--only", choices=["references", "tables"], help="one half of it")
    chosen = parser.parse_args()
    names = ("numpy", "scipy", "numba", "polars")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names))
    if chosen.only != "tables":
        references(chosen.datasets)
    if chosen.only != "references":
        for name in ("movietweetings", "online-retail"):
            tables(name, chosen.datasets / name)


def references(folder: Path) -> None:
    """Ours beside the reference runs, frozen, and the films replayed with everything refitted daily."""
    films = known_set("movietweetings", folder / "movietweetings")
    asked = configs("popular", "popular-7-days", "item-knn", ease(500))
    beside(films, "films, frozen", compare(asked, films, "frozen"), FILMS_REFERENCE)
    asked = configs("popular-3-days", "popular-7-days", "item-knn")
    daily = compare(asked, films, "replayed", refresh_days=1)
    beside(films, "films, replayed, refitted daily", daily, REPLAYED_REFERENCE)
    shop = reference_shop(folder / "online-retail" / "online_retail.csv.gz")
    asked = configs("popular", "popular-7-days", "item-knn", ease(300), "again")
    beside(shop, "shop, frozen, repeats allowed", compare(asked, shop, "frozen"), SHOP_REFERENCE)
    fresh = replace(shop, kinds=(InteractionKind("purchase"),))
    beside(fresh, "shop, frozen, new products only", compare(asked[:-1], fresh, "frozen"), NEW_REFERENCE)


def configs(*specs: str | PipelineConfig) -> list[PipelineConfig]:
    return [PipelineConfig.parse(spec) if isinstance(spec, str) else spec for spec in specs]


def ease(regularization: float) -> PipelineConfig:
    return PipelineConfig.parse("ease", {"regularization": regularization})


def known_set(name: str, path: Path) -> Dataset:
    """The interactions of a known data set, cleaned by its loader."""
    loaded = datasets.load(name, path)
    rows = next(rows for as_, rows in loaded.parts if as_ == "interactions")
    return dataset_of(pl.concat([checked.frame for checked in rows]), loaded.kinds)


def reference_shop(file: Path) -> Dataset:
    """The reference's cleaning: no cancellations, known customers, one row a customer, product and minute."""
    lines = pl.read_csv(file, infer_schema_length=0)
    kept = lines.filter(
        pl.col("CustomerID").is_not_null()
        & ~pl.col("InvoiceNo").str.starts_with("C")
        & (pl.col("Quantity").cast(pl.Float64) > 0)
    )
    at = pl.col("InvoiceDate").str.to_datetime(time_unit="us").to_physical().alias("at")
    rows = (
        kept.select(pl.col("CustomerID").alias("user"), pl.col("StockCode").alias("item"), at)
        .unique(maintain_order=True)
        .sort("at", maintain_order=True)
    )
    kind = InteractionKind("purchase", hides=False)
    return dataset_of(rows.with_columns(kind=pl.lit("purchase")), [kind])


def beside(data: Dataset, title: str, table: Table, reference: dict[str, float]) -> None:
    print(
        f"\n### {title}: {table.n_queries:,} questions of {table.n_users:,} users, "
        f"fingerprint {data.fingerprint()[:12]}\n"
    )
    print("| pipeline | nDCG@10 | 95% interval | reference | difference |\n|---|---|---|---|---|")
    for name, wanted in reference.items():
        own = table.row(name).metrics["ndcg@10"]
        print(
            f"| {name} | {own.mean:.4f} | {own.low:.4f} to {own.high:.4f} | {wanted:.3f} | {own.mean - wanted:+.4f} |"
        )
    sys.stdout.flush()


def tables(name: str, path: Path) -> None:
    """What `serendip train` prints of a known data set: all usual pipelines and the baselines, by both protocols."""
    data = known_set(name, path)
    repeats = any(not kind.hides for kind in data.kinds)
    fits = Fits()
    for protocol in ("replayed", "frozen"):
        table = compare(configs(*usual(repeats)), data, protocol, fits=fits)
        print(f"\n### {name}, {protocol}: {table.n_queries:,} questions of {table.n_users:,} users, ", end="")
        print(f"{table.cut[:16]} to {table.until[:16]}, fingerprint {data.fingerprint()[:12]}, seed {table.seed}\n")
        print(
            "| pipeline | nDCG@10 | recall@10 | hit rate@10 | MRR@10 | coverage@10 | nDCG@10 against popular-7-days |"
        )
        print("|---|---|---|---|---|---|---|")
        for row in table.rows:
            cells = []
            for metric in ("ndcg@10", "recall@10", "hit-rate@10", "mrr@10"):
                one = row.metrics[metric]
                cells.append(f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}")
            gap = row.vs.get("popular-7-days")
            told = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]" if gap else ""
            print(f"| {row.name} | {' | '.join(cells)} | {row.catalogue['coverage@10']:.3f} | {told} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
