"""Promotions and rollbacks under load: does any request fail, does any answer mix two versions.

    python benchmarks/flips.py [--flips 200] [--rate 100] [--items 5000] [--users 500]

``serendip serve`` over a SQLite file runs in a process of its own. Two versions of ALS with other seeds are promoted
and rolled back over HTTP, evenly spread over the time that requests come in even steps. Before, each version was
asked alone for what it answers to everybody: an answer counts as mixed unless it is, item by item and score by score,
what the version that it names answers. Every tenth request asks for five users at once, which must all be of one
version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from made import SEED, heading
from serving import Connection, get, post, with_server

from serendip import pipeline as pipelines
from serendip.domain import micros
from serendip.flows.gather import gather
from serendip.flows.live import HOME, KEYS
from serendip.flows.train import describe
from serendip.pipeline import PipelineConfig
from serendip.sources.world import generate_events
from serendip.store import Artifacts, Store, VersionRecord
from serendip.web.guard import new_key

CONNECTIONS = 16
EVENTS_EACH = 40
TOGETHER = 5

Answer = list[tuple[str, float]]


@dataclass
class Seen:
    """What came back."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the steady part, and of the flips")
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--users", type=int, default=500)
    chosen = parser.parse_args()
    heading("fastapi", "uvicorn", "sqlalchemy", "orjson")
    with TemporaryDirectory() as folder:
        key, versions = filled(Path(folder), chosen.items, chosen.users)
        with_server(Path(folder), lambda port: asyncio.run(measured(port, key, versions, chosen)))


def filled(folder: Path, n_items: int, n_users: int) -> tuple[str, list[str]]:
    """A store with two versions; gives a key that may do everything."""
    store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
    now = datetime.now(UTC)
    events, _ = generate_events(n_users, n_items, n_users * EVENTS_EACH, seed=SEED)
    step = timedelta(days=300) / len(events)
    at = micros(now - timedelta(days=301)) + np.arange(len(events)) * int(step / timedelta(microseconds=1))
    columns = {"user": events.user_ix, "item": events.item_ix}
    frame = pl.DataFrame({"at": at, "kind": ["view"] * len(events)}).with_columns(
        pl.Series(name, [f"{name}-{row}" for row in rows]) for name, rows in columns.items()
    )
    store.load_interactions(frame)
    data = gather(store)
    key_of = dict(zip(*reversed(store.item_ids()), strict=True))
    keys = np.array([key_of[item] for item in data.items], np.int64)
    versions = []
    for seed in (SEED, SEED + 1):
        fitted = pipelines.fit(PipelineConfig.parse("als(n_factors=32, n_epochs=3)"), data, seed)
        manifest = describe(fitted, data, seed) | {"gate": {"passed": True, "sentence": "made for measuring"}}
        versions.append(artifacts.save(manifest, {**fitted.arrays(), KEYS: keys}))
        store.add_version(VersionRecord(versions[-1], fitted.config.name, now, manifest))
    store.promote(HOME, versions[0], now, "measuring")
    key = new_key(store, "measuring", ("read", "write", "admin"), now)
    print(f"{n_items:,} items, {n_users:,} users, {len(data):,} interactions, seed {SEED}, {data.fingerprint()[:8]}")
    store.close()
    return key, versions


async def measured(port: int, key: str, versions: list[str], chosen: argparse.Namespace) -> None:
    """Print the table."""
    users = [f"user-{n}" for n in range(chosen.users)]
    control = await Connection(port).open()
    expected: dict[str, dict[str, Answer]] = {}
    for version in (versions[1], versions[0]):
        await promote(control, key, version)
        asked = post("/v1/recommendations", key, {"users": users, "scenario": HOME, "n": 10})
        slates = json.loads(await control.ask(asked))["slates"]
        assert {slate["version"] for slate in slates} == {version}, "the version that was promoted answers"
        expected[version] = {slate["user"]: answer(slate) for slate in slates}
    differ = sum(expected[versions[0]][user] != expected[versions[1]][user] for user in users)
    print(f"the two versions answer {differ:,} of {len(users):,} users differently")
    print(
        "\n| | requests | flips | failed | mixed | versions seen | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|"
    )
    for name, flips in (("steady", 0), ("promote / rollback", chosen.flips)):
        seen = Seen()
        flipping = asyncio.create_task(flip(port, key, versions[1], flips, chosen.seconds, seen))
        await load(port, key, users, chosen, expected, seen)
        done = await flipping
        p50, p99 = np.percentile(seen.took, (50, 99)) * 1e3
        print(
            f"| {name} | {len(seen.took):,} | {done} | {len(seen.failed)} | {len(seen.mixed)} | {len(seen.versions)} "
            f"| {p50:.2f} | {p99:.2f} |",
            flush=True,
        )
        for wrong in (seen.failed + seen.mixed)[:5]:
            print(f"  {wrong}")


def answer(slate: dict[str, Any]) -> Answer:
    """A slate's items and scores."""
    return [(one["item"], one["score"]) for one in slate["items"]]


async def promote(control: Connection, key: str, version: str) -> None:
    """Make ``version`` live."""
    body = {"version": version, "override": "measuring"}
    await control.ask(post(f"/v1/scenarios/{HOME}/promote", key, body))


async def flip(port: int, key: str, other: str, flips: int, seconds: float, seen: Seen) -> int:
    """Promote and roll back in turn, in even steps; how often it was done."""
    # A connection of its own: one that was idle for long is closed by the server.
    control = await Connection(port).open()
    begin = time.perf_counter()
    for n in range(flips):
        await asyncio.sleep(max(0.0, begin + n * seconds / flips - time.perf_counter()))
        try:
            if n % 2 == 0:
                await promote(control, key, other)
            else:
                await control.ask(post(f"/v1/scenarios/{HOME}/rollback", key, {"reason": "measuring"}))
        except RuntimeError as error:
            seen.failed.append(str(error))
    return flips


def asked(key: str, users: list[str]) -> Iterator[tuple[bytes, list[str]]]:
    """Requests and for whom they ask, without end; every tenth for several."""
    order = cycle(np.random.default_rng(SEED).permutation(len(users)).tolist())
    for n in cycle(range(10)):
        if n:
            user = users[next(order)]
            yield get(f"/v1/recommendations?user={user}&scenario={HOME}&n=10", key), [user]
        else:
            some = [users[next(order)] for _ in range(TOGETHER)]
            yield post("/v1/recommendations", key, {"users": some, "scenario": HOME, "n": 10}), some


async def load(
    port: int,
    key: str,
    users: list[str],
    chosen: argparse.Namespace,
    expected: dict[str, dict[str, Answer]],
    seen: Seen,
) -> None:
    """Requests in even steps for as long as was chosen, each answer held against what its version says."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await Connection(port).open())
    requests, waiting = asked(key, users), []

    async def one(due: float, request: bytes, of: list[str]) -> None:
        connection = await idle.get()
        try:
            found = json.loads(await connection.ask(request))
        except RuntimeError as error:
            seen.failed.append(str(error))
        else:
            slates = found["slates"] if len(of) > 1 else [found]
            named = {slate["version"] for slate in slates}
            seen.versions |= named
            right = all(answer(slate) == expected[slate["version"]][slate["user"]] for slate in slates)
            if len(named) > 1 or not right:
                seen.mixed.append(f"{', '.join(of)} of {', '.join(sorted(named))}")
        seen.took.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    begin = time.perf_counter()
    for n in range(int(chosen.rate * chosen.seconds)):
        due = begin + n / chosen.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(one(due, *next(requests))))
    await asyncio.gather(*waiting)


if __name__ == "__main__":
    main()
