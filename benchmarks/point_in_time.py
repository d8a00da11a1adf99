"""Counts as of every row's own moment, beside Polars: views and likes so far of the row's user and of its post.

    python benchmarks/point_in_time.py [--rows 76892800] [--runs 1] [--file log.parquet]
    python benchmarks/point_in_time.py --requests

A generated log in order of time, 163,205 users and 7,023 posts of uneven activity, about one like in ten rows, in
Parquet. Every run reads the file, makes four numbers a row and adds each of them up, in a process of its own; both
sides may use two threads. The sums must be equal. No two rows are of one moment: Polars counts the rows above, and
only where moments differ is that what was before.

With ``--requests``: one asker is told 34 features of every post, over a million rows of the same kind.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

N_USERS, N_POSTS = 163_205, 7_023
PIECE = 1 << 20
FEATURES = ("count(user)", "count(user, like)", "count(item)", "count(item, like)")
SEED = 7
TOLD = (
    *("count(item)", "count(item, like)", "count(item, 7d)", "count(item, like, 7d)", "decayed(item, 3d)"),
    *("decayed(item, like, 3d)", "trend(item, 3d/30d)", "rate(item, like/view)", "rate(item, like/view, 7d)"),
    *("recency(item)", "age(item)", "count(user)", "count(user, like)", "rate(user, like/view)", "count(user, 7d)"),
    *("recency(user)", "age(user)", "count(user x item)", "count(user x item.topic, like)"),
    *("rate(user x item.topic, like/view)", "decayed(user x item.topic, 30d)", "count(item.topic, 7d)"),
    *("rate(item.topic, like/view)", "rate(user.city x item.topic, like/view)", "hour", "weekday", "day", "month"),
    *("user.city", "user.age", "item.topic", "item.price", "gap(item.price)", "likeness(item.topic)"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--file", type=Path, help="Kept, and read again by the next run.")
    parser.add_argument("--engine", choices=("serendip", "polars"), help=argparse.SUPPRESS)
    parser.add_argument("--requests", action="store_true")
    given = parser.parse_args()
    if given.requests:
        requests()
        return
    if given.engine:
        print(json.dumps(measured(given.engine, given.file)))
        return
    from made import heading

    with TemporaryDirectory() as folder:
        file = given.file or Path(folder) / "log.parquet"
        if not file.exists():
            generate(file, given.rows)
        heading("polars")
        print(f"{given.rows:,} rows, {file.stat().st_size / 1e6:,.0f} MB of Parquet, seed {SEED}\n")
        print("| | wall s | CPU s | peak MiB |\n|---|---|---|---|")
        told = {engine: [asked(engine, file) for _ in range(given.runs)] for engine in ("serendip", "polars")}
        best = {}
        for engine, runs in told.items():
            best[engine] = sorted(runs, key=lambda run: run["wall"])[len(runs) // 2]
            print("| {} | {wall:.2f} | {cpu:.2f} | {peak:,.0f} |".format(engine, **best[engine]))
        sums = {tuple(run["sums"]) for runs in told.values() for run in runs}
        assert len(sums) == 1, f"the sums differ: {sums}"
        ratio = best["polars"]["wall"] / best["serendip"]["wall"]
        print(f"\n{ratio:.1f} times as fast; the sums of all four are equal: {sums.pop()}")


def generate(file: Path, n_rows: int) -> None:
    """Moments without two alike, users and posts of uneven activity, likes of a tenth."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(SEED)
    parts, last = [], 1_640_000_000_000_000
    folder = file.with_suffix(".parts")
    folder.mkdir(parents=True, exist_ok=True)
    for place, start in enumerate(range(0, n_rows, PIECE)):
        n = min(PIECE, n_rows - start)
        at = last + np.cumsum(rng.integers(1, 180_000, n))
        last = int(at[-1])
        frame = pl.DataFrame(
            {
                "user_id": (N_USERS * rng.random(n) ** 1.5).astype(np.int32),
                "post_id": (N_POSTS * rng.random(n) ** 2).astype(np.int32),
                "timestamp": at,
                "action": pl.Series(rng.random(n) < 0.1).replace_strict({True: "like", False: "view"}),
            }
        )
        parts.append(folder / f"{place:05}.parquet")
        frame.write_parquet(parts[-1])
    pl.scan_parquet(parts).sink_parquet(file, row_group_size=PIECE, maintain_order=True)
    for part in parts:
        part.unlink()
    folder.rmdir()


def asked(engine: str, file: Path) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, __file__, "--engine", engine, "--file", str(file)]
    done = subprocess.run(
        command, env={**os.environ, "POLARS_MAX_THREADS": "2"}, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def measured(engine: str, file: Path) -> dict[str, object]:
    """Seconds, the most memory and the sums of one engine, both warmed."""
    if engine == "serendip":
        warm()
    count = {"serendip": by_serendip, "polars": by_polars}[engine]
    wall, cpu = time.perf_counter(), time.process_time()
    sums = count(file)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": peak_mib(), "sums": sums}


def peak_mib() -> float:
    """The most memory of this process; where /proc tells it, without that of the process it was forked from."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_polars(file: Path) -> list[int]:
    """Rows above, and likes above, of the same user and of the same post."""
    import polars as pl

    log = pl.scan_parquet(file).select("user_id", "post_id", (pl.col("action") == "like").cast(pl.Int32).alias("y"))
    told = log.with_columns(
        un=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
        ul=(pl.col("y").cum_sum() - pl.col("y")).over("user_id"),
        pn=pl.int_range(pl.len(), dtype=pl.Int32).over("post_id"),
        pl=(pl.col("y").cum_sum() - pl.col("y")).over("post_id"),
    ).collect(engine="streaming")
    return list(told.select(pl.col("un", "ul", "pn", "pl").cast(pl.Int64).sum()).row(0))


def by_serendip(file: Path) -> list[int]:
    """The four features, piece by piece; the next piece is read meanwhile."""
    import numpy as np
    import polars as pl

    from serendip.data.features import Stream, parse_features

    stream = Stream(parse_features(FEATURES), N_USERS, N_POSTS, n_threads=2)
    log = pl.scan_parquet(file).select(
        "user_id", "post_id", (pl.col("action") == "like").cast(pl.Int16).alias("kind"), "timestamp"
    )
    n_rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    sums = np.zeros(len(FEATURES), np.int64)
    with ThreadPoolExecutor(1) as reader:
        starts = range(0, n_rows, PIECE)
        coming = reader.submit(lambda: log.slice(0, PIECE).collect())
        for start in starts:
            frame = coming.result()
            if start + PIECE < n_rows:
                coming = reader.submit(lambda first: log.slice(first, PIECE).collect(), start + PIECE)
            # Single precision holds whole numbers up to 2^24 exactly, and double sums of a piece of them.
            sums += stream.rows(piece(frame)).sum(axis=0, dtype=np.float64).astype(np.int64)
    return sums.tolist()


def requests() -> None:
    """Median time of ``Features.at`` for one asker and all posts, and of making the counters anew."""
    from dataclasses import replace
    from statistics import median

    import numpy as np
    from made import heading

    from serendip.data import Column, Columns, Dataset, Queries, Vocabulary
    from serendip.data.features import Features, parse_features
    from serendip.domain import InteractionKind

    rng, n = np.random.default_rng(SEED), 1_000_000
    topics = Column.of([f"topic {one}" for one in rng.integers(0, 7, N_POSTS)])
    cities = Column.of([f"city {one}" for one in rng.integers(0, 3000, N_USERS)])
    log = Dataset.of(
        (N_USERS * rng.random(n) ** 1.5).astype(np.int32),
        (N_POSTS * rng.random(n) ** 2).astype(np.int32),
        Vocabulary(tuple(map(str, range(N_USERS)))),
        Vocabulary(tuple(map(str, range(N_POSTS)))),
        kind=(rng.random(n) < 0.1).astype(np.int16),
        at=1_640_000_000_000_000 + np.cumsum(rng.integers(1, 14_000_000, n)),
        kinds=(InteractionKind("view"), InteractionKind("like")),
    )
    log = replace(
        log,
        item_columns=Columns(N_POSTS, {"topic": topics, "price": Column.of(rng.random(N_POSTS).tolist())}),
        user_columns=Columns(N_USERS, {"city": cities, "age": Column.of(rng.integers(10, 80, N_USERS).tolist())}),
    )
    features = Features.of(parse_features(TOLD), log, rng)
    queries = Queries.of_users(log, np.array([5]), log.now + 1)
    posts = np.arange(N_POSTS, dtype=np.int32)[None]
    times: dict[str, list[tuple[float, float]]] = {"a request": [], "counters of a million rows": []}
    for name, rounds in (("a request", 100), ("counters of a million rows", 3)):
        for _ in range(rounds):
            began = time.perf_counter(), time.process_time()
            _ = features.at(queries, posts) if name == "a request" else features.advanced(log)
            times[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    heading()
    print(f"{len(features.names)} features, {N_POSTS:,} posts, {N_USERS:,} users\n")
    print("| | wall ms | CPU ms |\n|---|---|---|")
    for name, runs in times.items():
        wall, cpu = (1000 * median(one) for one in zip(*runs, strict=True))
        print(f"| {name} | {wall:,.1f} | {cpu:,.1f} |")


def piece(frame):
    from serendip.data import Dataset, Vocabulary
    from serendip.domain import InteractionKind

    user, item, kind, at = (frame[name].to_numpy() for name in ("user_id", "post_id", "kind", "timestamp"))
    nothing, kinds = kind[:0].astype("float32"), (InteractionKind("view"), InteractionKind("like"))
    return Dataset(user, item, Vocabulary(()), Vocabulary(()), nothing, kind, nothing, kinds, at)


def warm() -> None:
    """Compile, over a few rows."""
    import polars as pl

    from serendip.data.features import Stream, parse_features

    frame = pl.DataFrame({"user_id": [0, 0], "post_id": [0, 1], "kind": [0, 1], "timestamp": [1, 2]})
    frame = frame.cast({"user_id": pl.Int32, "post_id": pl.Int32, "kind": pl.Int16, "timestamp": pl.Int64})
    Stream(parse_features(FEATURES), 1, 2).rows(piece(frame))


if __name__ == "__main__":
    main()
