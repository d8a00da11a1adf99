"""A server over loopback: recommendations for known users, and interactions recorded to disk.

    python benchmarks/serving.py [--items 27000] [--users 6000] [--seconds 10]

A made-up world in a SQLite file, histories of about a hundred events, ALS with 64 factors live; `serendip serve` runs
in a process of its own. Recommendations: ``GET /v1/recommendations?user=&scenario=for-you&n=10``, and the same with a
filter over an attribute; first as many as eight connections can ask, then at half that rate, in
even steps whether or not answers are there yet: p50 and p99 are of those. Recordings: one a request from 64
connections, then 1,000 a request from two; each is acknowledged after it is on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import polars as pl
from made import SEED, heading

from serendip import pipeline as pipelines
from serendip.domain import Item, micros
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, KEYS
from serendip.flows.train import describe
from serendip.pipeline import PipelineConfig
from serendip.sources.world import generate_events
from serendip.store import Artifacts, Store, VersionRecord
from serendip.web.guard import new_key

CONNECTIONS, WRITERS, BATCH = 8, 64, 1000
EVENTS_EACH = 100
FILTER = "year%20%3E%3D%201960"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--users", type=int, default=6_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    chosen = parser.parse_args()
    heading("fastapi", "uvicorn", "sqlalchemy", "orjson")
    with tempfile.TemporaryDirectory() as folder:
        key = filled(Path(folder), chosen.items, chosen.users)
        with_server(Path(folder), lambda port: asyncio.run(measured(port, key, chosen.users, chosen.seconds)))


def filled(folder: Path, n_items: int, n_users: int) -> str:
    """A store with a live version; gives a key that may read and write."""
    store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
    now = datetime.now(UTC)
    store.put_items(
        [Item(f"item-{n}", title=f"Number {n}", attributes={"year": 1930 + n % 90}) for n in range(n_items)]
    )
    events, _ = generate_events(n_users, n_items, n_users * EVENTS_EACH, seed=SEED)
    step = timedelta(days=300) / len(events)
    at = micros(now - timedelta(days=301)) + np.arange(len(events)) * int(step / timedelta(microseconds=1))
    columns = {"user": events.user_ix, "item": events.item_ix}
    frame = pl.DataFrame({"at": at, "kind": ["view"] * len(events)}).with_columns(
        pl.Series(name, [f"{name}-{row}" for row in rows]) for name, rows in columns.items()
    )
    for part in frame.iter_slices(100_000):
        store.load_interactions(part)
    data = gather(store)
    fitted = pipelines.fit(PipelineConfig.parse("als(n_factors=64, n_epochs=3, solver=cg)"), data, SEED)
    key_of = dict(zip(*reversed(store.item_ids()), strict=True))
    manifest = describe(fitted, data, SEED) | {"gate": {"passed": True, "sentence": "made for measuring"}}
    keys = np.array([key_of[item] for item in data.items], np.int64)
    version = artifacts.save(manifest, {**fitted.arrays(), KEYS: keys})
    store.add_version(VersionRecord(version, fitted.config.name, now, manifest))
    store.promote(FOR_YOU, version, now, "measuring")
    key = new_key(store, "measuring", ("read", "write"), now)
    print(f"{n_items:,} items, {n_users:,} users, {len(data):,} interactions, seed {SEED}, {data.fingerprint()[:8]}")
    store.close()
    return key


def with_server(folder: Path, work: Callable[[int], None], wait_seconds: float = 60) -> None:
    """``serendip serve`` over ``folder`` while ``work`` runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serendip", "serve", "--port", str(port)]
    command += ["--database", f"sqlite:///{folder / 'serendip.db'}", "--artifacts", str(folder / "artifacts")]
    told = {**os.environ, "SERENDIP_LOG_FILE": str(folder / "log"), "SERENDIP_CONFIG": os.devnull}
    server = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + wait_seconds
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        break
            except OSError:
                if time.monotonic() > until or server.poll() is not None:
                    raise
                time.sleep(0.1)
        work(port)
    finally:
        server.terminate()
        server.wait(30)


class Connection:
    """A kept-alive connection that knows just enough of HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> Connection:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer; anything but success ends the measurement."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(length)
        if head[9:10] != b"2":
            raise RuntimeError(f"{head.splitlines()[0].decode()}: {body[:300].decode()}")
        return body


def get(path: str, key: str) -> bytes:
    """A request for ``path``."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode()


def post(path: str, key: str, content: object) -> bytes:
    """A request that sends ``content``."""
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def flat_out(port: int, n: int, seconds: float, requests: Iterator[bytes]) -> float:
    """Answers a second that ``n`` connections get, each asking again as soon as it was answered."""
    connections = [await Connection(port).open() for _ in range(n)]
    until, answered = time.perf_counter() + seconds, 0

    async def one(connection: Connection) -> None:
        nonlocal answered
        while time.perf_counter() < until:
            await connection.ask(next(requests))
            answered += 1

    begin = time.perf_counter()
    await asyncio.gather(*map(one, connections))
    return answered / (time.perf_counter() - begin)


async def paced(port: int, rate: float, seconds: float, requests: Iterator[bytes]) -> tuple[float, float]:
    """p50 and p99 in milliseconds of requests that are due in even steps, from when each was due."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(4 * CONNECTIONS):
        idle.put_nowait(await Connection(port).open())
    took: list[float] = []

    async def one(due: float) -> None:
        connection = await idle.get()
        await connection.ask(next(requests))
        took.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    begin, waiting = time.perf_counter(), []
    for n in range(int(rate * seconds)):
        due = begin + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(one(due)))
    await asyncio.gather(*waiting)
    p50, p99 = np.percentile(took, (50, 99)) * 1e3
    return float(p50), float(p99)


async def measured(port: int, key: str, n_users: int, seconds: float) -> None:
    """Print the tables."""
    rng = np.random.default_rng(SEED)
    print("\n| asked | requests/s, 8 connections | p50 ms at half load | p99 ms |\n|---|---|---|---|")
    for name, more in (("10 items", ""), ("10 items, filtered", f"&filter={FILTER}")):
        asked = cycle(
            get(f"/v1/recommendations?user=user-{user}&scenario={FOR_YOU}&n=10{more}", key)
            for user in rng.permutation(n_users)
        )
        await flat_out(port, CONNECTIONS, 2, asked)
        rate = await flat_out(port, CONNECTIONS, seconds, asked)
        p50, p99 = await paced(port, rate / 2, seconds, asked)
        print(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |", flush=True)
    print("\n| recorded | interactions/s |\n|---|---|")
    one = (post("/v1/interactions", key, event) for event in events(rng, n_users))
    many = (
        post("/v1/interactions", key, [next(stream) for _ in range(BATCH)]) for stream in cycle([events(rng, n_users)])
    )
    await row("one a request, 64 connections", flat_out(port, WRITERS, seconds, one), 1)
    await row("1,000 a request, 2 connections", flat_out(port, 2, seconds, many), BATCH)


async def row(name: str, answers: Awaitable[float], each: int) -> None:
    """One line of the second table."""
    print(f"| {name} | {await answers * each:,.0f} |", flush=True)


def events(rng: np.random.Generator, n_users: int) -> Iterator[dict[str, str]]:
    """Interactions without end."""
    while True:
        for user, item in rng.integers(0, n_users, (1000, 2)):
            yield {"user": f"user-{user}", "item": f"item-{item}", "kind": "view"}


if __name__ == "__main__":
    main()
