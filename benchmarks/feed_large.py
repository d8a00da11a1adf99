"""A feed of 76.9 million views and likes on one machine: counted, a sample recorded, a ranker learnt, the route served.

    python benchmarks/feed_large.py --folder FOLDER [--rows 76892800] [--users 163205] [--posts 7023]

``FOLDER/data`` holds the made feed; where there is none it is made first (``examples/feed/generate.py``). Each step
runs in a process of its own, so that its peak of memory is its own:

count   four prior counts of every row, in one pass over the Parquet files; never more than a piece is held
record  the declared features of ``examples/feed`` for the views of a share of the readers, as a feature table
learn   the sources on the whole log, trees on the table (CatBoost), and counters over the whole log, as an artifact
serve   the route, with all readers and posts in the store

The store holds the whole histories of one reader in 64, and only these are asked: the log as a whole is learnt from,
but not imported. That leaves more than a million rows, above which a server does not renew counters by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import polars as pl
from feed import EXAMPLE, SEED, measured
from made import heading
from point_in_time import peak_mib
from serving import with_server

from serendip import pipeline as pipelines
from serendip.data import Dataset, Vocabulary
from serendip.data.features import Feature
from serendip.data.features.definition import OF_SOURCE
from serendip.flows.attributes import with_all_attributes
from serendip.flows.bring import Reading, bring
from serendip.flows.declare import declare, read
from serendip.flows.features import Label, build, read_feature_table
from serendip.flows.gather import kinds_of
from serendip.flows.live import HOME, KEYS, USER_KEYS
from serendip.flows.scenarios import scenarios_of
from serendip.flows.train import describe, keys_of
from serendip.pipeline import PipelineConfig
from serendip.store import Artifacts, Store, VersionRecord
from serendip.store.feature_tables import FeatureTables
from serendip.web.guard import new_key

STEPS = ("generate", "count", "fill", "record", "learn")
ONE_IN = 64
"""Of so many readers one has its history in the store."""
SHARE = 0.005
"""Of the readers whose views are recorded for the trees."""


def generate(folder: Path, told: argparse.Namespace) -> str:
    """Make the three tables."""
    from generate import Size, midnight
    from generate import generate as make

    parts = make(folder / "data", midnight(), SEED, Size(told.users, told.posts, told.rows))
    return f"{len(parts)} files"


def count(folder: Path, told: argparse.Namespace) -> str:
    """Four prior counts of every row."""
    from point_in_time import FEATURES, PIECE, piece

    from serendip.data.features import Stream, parse_features

    stream = Stream(parse_features(FEATURES), told.users, told.posts, n_threads=2)
    sums, n = np.zeros(len(FEATURES)), 0
    for part in parts_of(folder):
        for rows in log_of(part).iter_slices(PIECE):
            sums += stream.rows(piece(rows)).sum(axis=0, dtype=np.float64)
            n += len(rows)
    return f"{n:,} rows, sums {sums.astype(np.int64).tolist()}"


def fill(folder: Path, told: argparse.Namespace) -> str:
    """A store with everybody, every post, and the histories of some."""
    (folder / "serendip.db").unlink(missing_ok=True)
    store, now = opened(folder), datetime.now(UTC)
    declare(store, read(EXAMPLE / "serendip.toml"), now)
    for as_, name in (("users", "user_data"), ("items", "post_text_df")):
        bring(store, str(folder / "data" / f"{name}.parquet"), as_, Reading(), now=now)  # type: ignore[arg-type]
    n = 0
    for part in parts_of(folder):
        some = pl.scan_parquet(part).filter(pl.col("user_id") % ONE_IN == 0).collect()
        user, item = (some[name].cast(pl.String) for name in ("user_id", "post_id"))
        at = some["timestamp"].cast(pl.Int64)
        store.load_interactions(pl.DataFrame({"user": user, "item": item, "at": at, "kind": some["action"]}))
        n += len(some)
    store.close()
    return f"{told.users:,} users, {told.posts:,} posts, {n:,} interactions"


def record(folder: Path, told: argparse.Namespace) -> str:
    """The features of some readers' views, as of each view, and whether a like followed."""
    store = opened(folder)
    config = config_of(store)
    assert config.ranker is not None
    data = with_all_attributes(store, log(folder, store))
    tables = FeatureTables.at(str(folder / "tables"))
    built = build(
        data, of_log(config.ranker.features), tables, datetime.now(UTC), Label("view", "like"), share=told.share
    )
    return f"{len(data):,} rows counted, {built.rows:,} recorded, {len(built.names)} numbers each"


def learn(folder: Path, told: argparse.Namespace) -> str:  # noqa: ARG001
    """Sources, trees and counters, kept and promoted."""
    store, artifacts, now = opened(folder), Artifacts(folder / "artifacts"), datetime.now(UTC)
    config = config_of(store)
    assert config.ranker is not None
    settings = {name: value for name, value in config.ranker.settings.items() if name != "features"}
    config = config.model_copy(update={"ranker": config.ranker.model_copy(update={"settings": settings})})
    data = with_all_attributes(store, log(folder, store))
    fitted = pipelines.fit(config, data, SEED, shown=read_feature_table(str(folder / "tables")).shown)
    manifest = describe(fitted, data, SEED) | {"gate": {"passed": True, "sentence": "made for measuring"}}
    keys = {KEYS: keys_of(store.item_ids(), data.items), USER_KEYS: keys_of(store.user_ids(), data.users)}
    version = artifacts.save(manifest, {**fitted.arrays(), **keys})
    store.add_version(VersionRecord(version, config.name, now, manifest))
    store.promote(HOME, version, now, "measuring")
    size = sum(file.stat().st_size for file in (folder / "artifacts").rglob("*") if file.is_file()) / 1e6
    about = manifest["ranker"]
    store.close()
    return f"{about['n_trees']} trees, {json.dumps(about['practice'])}, {about['best']}, artifact of {size:,.0f} MB"


def opened(folder: Path) -> Store:
    """The store of ``folder``."""
    return Store.open(f"sqlite:///{folder / 'serendip.db'}")


def parts_of(folder: Path) -> list[Path]:
    """The files of the log, in order of time."""
    return sorted((folder / "data").glob("feed_data-*.parquet"))


def log_of(part: Path) -> pl.DataFrame:
    """A file of the log with rows for users and posts, as they stand in the order of their numbers."""
    first = {
        "user_id": pl.scan_parquet(part.with_name("user_data.parquet")).select(pl.col("user_id").min()),
        "post_id": pl.scan_parquet(part.with_name("post_text_df.parquet")).select(pl.col("post_id").min()),
    }
    numbered = [(pl.col(name) - lowest.collect().item()).cast(pl.Int32) for name, lowest in first.items()]
    kind = (pl.col("action") == "like").cast(pl.Int16).alias("kind")
    return pl.scan_parquet(part).select(*numbered, kind, pl.col("timestamp").cast(pl.Int64)).collect()


def log(folder: Path, store: Store) -> Dataset:
    """The whole log; users and posts as their tables have them, in the order of their numbers."""
    parts = parts_of(folder)
    n = pl.scan_parquet(parts).select(pl.len()).collect().item()
    user, item, kind, at = (np.empty(n, kind) for kind in (np.int32, np.int32, np.int16, np.int64))
    start = 0
    for part in parts:
        rows = log_of(part)
        here = slice(start, start + len(rows))
        for column, name in ((user, "user_id"), (item, "post_id"), (kind, "kind"), (at, "timestamp")):
            column[here] = rows[name].to_numpy()
        start = here.stop
    ids = [
        Vocabulary(tuple(map(str, pl.read_parquet(folder / "data" / f"{name}.parquet")[column].sort().to_list())))
        for name, column in (("user_data", "user_id"), ("post_text_df", "post_id"))
    ]
    declared = {one.name: one for one in kinds_of(store)[0]}
    return Dataset.of(user, item, *ids, kind=kind, at=at, kinds=(declared["view"], declared["like"]))


def config_of(store: Store) -> PipelineConfig:
    """The pipeline of the example's ``home``."""
    config = scenarios_of(store)[HOME].config.pipeline
    assert config is not None
    return config


def of_log(definitions: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """Those that the log alone tells."""
    return tuple(one for one in definitions if one.what not in OF_SOURCE)


def serve(folder: Path, told: argparse.Namespace) -> None:
    """The route over loopback."""
    store = opened(folder)
    key = new_key(store, "measuring", ("read",), datetime.now(UTC))
    print(f"{store.counts().interactions:,} interactions, {told.users:,} users, {told.posts:,} posts in the store")
    store.close()
    users = pl.read_parquet(folder / "data" / "user_data.parquet")["user_id"]
    asked = users.filter(users % ONE_IN == 0).to_list()
    os.environ["SERENDIP_WIRE"] = "feed"
    with_server(folder, lambda port: asyncio.run(measured(port, key, asked, told.seconds)), 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("var/feed-large"))
    parser.add_argument("--rows", type=int, default=76_892_800)
    parser.add_argument("--users", type=int, default=163_205)
    parser.add_argument("--posts", type=int, default=7023)
    parser.add_argument("--share", type=float, default=SHARE, help="of the readers whose views are recorded")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement of the route")
    parser.add_argument("--steps", default=",".join((*STEPS, "serve")), help="some of them, with commas between")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        sys.path.insert(0, str(EXAMPLE))
        begun, busy = perf_counter(), process_time()
        step = {"generate": generate, "count": count, "fill": fill, "record": record, "learn": learn}[given.step]
        said = step(given.folder, given)
        took = f"{perf_counter() - begun:.1f} | {process_time() - busy:.1f} | {peak_mib():,.0f}"
        print(f"| {given.step} | {took} | {said} |", flush=True)
        return
    heading("polars", "catboost")
    print("| step | wall s | CPU s | peak MiB | |\n|---|---|---|---|---|", flush=True)
    wanted = given.steps.split(",")
    for name in (one for one in STEPS if one in wanted):
        if name != "generate" or not parts_of(given.folder):
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--step", name], check=True)
    if "serve" in wanted:
        serve(given.folder, given)


if __name__ == "__main__":
    main()
