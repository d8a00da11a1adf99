"""The feed's route over loopback, at the size of the reference application.

    python benchmarks/feed.py [--posts 7023] [--users 163205] [--rows 1000000] [--seconds 10]

A made feed (``examples/feed/generate.py``) imported into a SQLite file, the four sources and the ranker of
``examples/feed/serendip.toml`` fitted to it without being measured, ``serendip serve`` in a process of its own.
Asked are ``GET /post/recommendations/?id=&limit=5`` for known users drawn at random, and the same as of a moment three
weeks back; from one connection and from four, each asking again as soon as it was answered. Memory is what the
server's process holds at the end and held at most (Linux).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import numpy as np
from made import SEED, heading
from serving import Connection, get, with_server

from serendip import pipeline as pipelines
from serendip.flows.attributes import with_attributes
from serendip.flows.bring import Reading, bring
from serendip.flows.declare import declare, read
from serendip.flows.gather import gather
from serendip.flows.live import HOME, KEYS, USER_KEYS
from serendip.flows.scenarios import scenarios_of
from serendip.flows.train import describe, keys_of
from serendip.store import Artifacts, Store, VersionRecord
from serendip.web.guard import new_key

EXAMPLE = Path(__file__).parents[1] / "examples" / "feed"
sys.path.insert(0, str(EXAMPLE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=7023)
    parser.add_argument("--users", type=int, default=163_205)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--plain", action="store_true", help="the sources without the ranker")
    chosen = parser.parse_args()
    heading("fastapi", "uvicorn", "sqlalchemy", "catboost")
    os.environ["SERENDIP_WIRE"] = "feed"
    with tempfile.TemporaryDirectory() as folder:
        key, users = filled(Path(folder), chosen.users, chosen.posts, chosen.rows, "liked" if chosen.plain else "home")
        with_server(Path(folder), lambda port: asyncio.run(measured(port, key, users, chosen.seconds)), 180)


@contextmanager
def timed(what: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - begin:.1f} s", flush=True)


def filled(folder: Path, n_users: int, n_posts: int, n_rows: int, scenario: str) -> tuple[str, list[int]]:
    """A store with a live version; gives a key and the users there are."""
    from generate import Size, generate

    now = datetime.now(UTC)
    with timed(f"{n_rows:,} rows made"):
        parts = generate(folder / "data", now, SEED, Size(n_users, n_posts, n_rows))
    store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
    declare(store, read(EXAMPLE / "serendip.toml"), now)
    files = [("users", folder / "data" / "user_data.parquet"), ("items", folder / "data" / "post_text_df.parquet")]
    with timed("imported"):
        for as_, path in [*files, *(("interactions", part) for part in parts)]:
            bring(store, str(path), as_, Reading(), now=now)  # type: ignore[arg-type]
    config = scenarios_of(store)[scenario].config.pipeline
    assert config is not None
    if config.ranker is not None:
        # A week of practice is enough for trees of the usual number and depth.
        settings = {**config.ranker.settings, "span_days": 7.0}
        config = config.model_copy(update={"ranker": config.ranker.model_copy(update={"settings": settings})})
    data = with_attributes(store, gather(store), [config])
    with timed("fitted"):
        fitted = pipelines.fit(config, data, SEED)
    manifest = describe(fitted, data, SEED) | {"gate": {"passed": True, "sentence": "made for measuring"}}
    keys = {KEYS: keys_of(store.item_ids(), data.items), USER_KEYS: keys_of(store.user_ids(), data.users)}
    version = artifacts.save(manifest, {**fitted.arrays(), **keys})
    store.add_version(VersionRecord(version, config.name, now, manifest))
    store.promote(HOME, version, now, "measuring")
    print(f"{n_posts:,} posts, {n_users:,} users, {len(data):,} views and likes, {data.fingerprint()[:8]}")
    users = [int(user) for user in data.users.ids]
    key = new_key(store, "measuring", ("read",), now)
    store.close()
    return key, users


async def measured(port: int, key: str, users: list[int], seconds: float) -> None:
    """Print the table."""
    rng = np.random.default_rng(SEED)
    then = (datetime.now(UTC) - timedelta(days=21)).isoformat(timespec="seconds").replace("+00:00", "Z")
    print("\n| asked | connections | answers/s | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|---|")
    for name, more in (("now", ""), ("three weeks back", f"&time={then}")):
        drawn = rng.permutation(users).tolist()
        asked = cycle(get(f"/post/recommendations/?id={user}&limit=5{more}", key) for user in drawn)
        for n in (1, 4):
            await took(port, n, 2, asked)
            found = np.array(await took(port, n, seconds, asked)) * 1e3
            p50, p95, p99 = np.percentile(found, (50, 95, 99))
            print(f"| {name} | {n} | {len(found) / seconds:,.0f} | {p50:.1f} | {p95:.1f} | {p99:.1f} |", flush=True)
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--port\0{port}\0".encode() in told.read_bytes():
                lines = (told.parent / "status").read_text().splitlines()
                named = dict(line.split(":", 1) for line in lines)
                held = {name: int(named[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}
                print(f"\nserver: {held['VmRSS']:,.0f} MB at the end, {held['VmHWM']:,.0f} MB at most")


async def took(port: int, n: int, seconds: float, requests: Iterator[bytes]) -> list[float]:
    """How long each answer took, in seconds, that ``n`` connections asked for as fast as they were answered."""
    connections = [await Connection(port).open() for _ in range(n)]
    until, found = time.perf_counter() + seconds, []

    async def one(connection: Connection) -> None:
        while (begin := time.perf_counter()) < until:
            await connection.ask(next(requests))
            found.append(time.perf_counter() - begin)

    await asyncio.gather(*map(one, connections))
    return found


if __name__ == "__main__":
    main()
