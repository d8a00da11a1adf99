"""A server over a real SQLite file and a small world in which two tastes can be told apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from databases import database, database_url
from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.promote import promote
from serendip.flows.train import train
from serendip.pipeline import PipelineConfig
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key

__all__ = ["database", "database_url"]

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
N_USERS, N_ITEMS = 40, 30
GENRES = ("drama", "comedy")


def taste(user: int) -> int:
    return user % 2


def films() -> list[Item]:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 3"><rect width="2" height="3" fill="teal"/></svg>'
    return [
        Item(
            f"film-{n}",
            "films",
            f"Film number {n}",
            "A small story.",
            (GENRES[n % 2],),
            drawing if n < 3 else None,
            attributes={"year": 1990 + n},
        )
        for n in range(N_ITEMS)
    ]


def happened(seed: int = 3) -> list[Interaction]:
    """Everybody looks at films of one genre, mostly; more at those with low numbers."""
    rng = np.random.default_rng(seed)
    events = []
    for user in range(N_USERS):
        own = [n for n in range(N_ITEMS) if n % 2 == taste(user)]
        for n in rng.choice(own, size=8, replace=False, p=np.linspace(2, 1, 15) / np.linspace(2, 1, 15).sum()):
            at = START + timedelta(minutes=int(rng.integers(0, 58 * 24 * 60)))
            rated = rng.random() < 0.5
            kind, value = ("rating", float(rng.integers(3, 6))) if rated else ("view", None)
            events.append(Interaction(f"user-{user}", f"film-{n}", at, kind, value))
    return sorted(events, key=lambda event: event.at)


@dataclass(frozen=True)
class World:
    """A trained world on disk."""

    folder: Path
    versions: dict[str, str]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
    store.declare_kinds(
        [InteractionKind("view", hides=False), InteractionKind("rating", mode="latest", scale=(1.0, 5.0))]
    )
    store.put_users([User(f"user-{n}", f"Person {n}", {"taste": GENRES[taste(n)]}) for n in range(N_USERS)])
    store.put_items(films())
    store.add_interactions(happened())
    names = ("popular-7-days", "item-knn", "ease")
    trained = train(store, artifacts, [PipelineConfig.parse(name) for name in names], NOON)
    versions = dict(zip(names, trained.versions, strict=True))
    promote(store, artifacts, versions["popular-7-days"], HOME, NOON, "a world to test in")
    promote(store, artifacts, versions["item-knn"], FOR_YOU, NOON)
    store.close()
    return World(folder, versions)


class Clock:
    """A clock that the test moves, and that ticks whenever it is read."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass(frozen=True)
class Server:
    """An application of one test, its parts, and clients for it."""

    app: FastAPI
    store: Store
    artifacts: Artifacts
    clock: Clock
    versions: dict[str, str]
    client: TestClient
    """With a key that may do everything."""
    stranger: TestClient
    """Without any key."""


def make_client(app: FastAPI, key: str | None = None) -> TestClient:
    headers = {"X-API-Key": key} if key else {}
    return TestClient(app, headers=headers, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def make_server(world: World, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    opened: list[tuple[TestClient, Store]] = []

    def make(**settings: object) -> Server:
        folder = tmp_path / f"copy-{len(opened)}"
        shutil.copytree(world.folder, folder)
        store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
        clock = Clock(NOON)
        app = create_app(store, artifacts, Settings(**settings), clock)
        client = make_client(app, new_key(store, "test", ("read", "write", "admin"), NOON))
        client.__enter__()
        opened.append((client, store))
        return Server(app, store, artifacts, clock, world.versions, client, make_client(app))

    yield make
    for client, store in opened:
        client.__exit__(None, None, None)
        store.close()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()
