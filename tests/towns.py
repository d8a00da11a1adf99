"""A town of three tastes, recorded, trained and live, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from serendip.domain import Interaction, InteractionKind, Item
from serendip.flows.live import FOR_YOU, Live
from serendip.flows.promote import publish
from serendip.flows.record import record
from serendip.flows.train import Trained, configs_of, train
from serendip.store import Artifacts, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
N_USERS, N_ITEMS, N_TASTES = 60, 30, 3
LIKE = InteractionKind("like")


def townspeople() -> list[Interaction]:
    """Every user likes most items of one taste, a new one every few days, and now and then another's."""
    rng = np.random.default_rng(3)
    events = []
    for user in range(N_USERS):
        mine = [item for item in range(N_ITEMS) if item % N_TASTES == user % N_TASTES]
        for place, item in enumerate(rng.permutation(mine)[:8]):
            taken = int(rng.integers(N_ITEMS)) if rng.random() < 0.1 else int(item)
            at = NOON - timedelta(days=40 - 5 * place, minutes=int(rng.integers(5000)))
            events.append(Interaction(f"user-{user}", f"item-{taken}", at, "like"))
    return events


@dataclass(frozen=True)
class Town:
    store: Store
    artifacts: Artifacts
    live: Live
    trained: Trained
    said: list[str]


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Iterator[Town]:
    """The town, with popular-7-days, item-knn and als trained, and the best promoted."""
    store.declare_kinds([LIKE])
    tastes = ("sea", "hills", "city")
    store.put_items(
        [Item(f"item-{i}", title=f"Item {i}", tags=(tastes[i % 3],), attributes={"price": i}) for i in range(N_ITEMS)]
    )
    record(store, townspeople(), NOON)
    artifacts = Artifacts(tmp_path / "artifacts")
    configs = configs_of(store, ("popular-7-days", "item-knn", "als"), {"n_factors": 8})
    trained = train(store, artifacts, configs, NOON, seed=1)
    said = publish(store, trained.versions, NOON)
    live = Live(store, artifacts)
    live.refresh()
    yield Town(store, artifacts, live, trained, said)
    store.flush_slates()


def live_with(town: Town, spec: str) -> Live:
    """The town an hour later, with this pipeline trained and live for everybody personally, whatever the gate says."""
    trained = train(town.store, town.artifacts, configs_of(town.store, (spec,), {}), LATER)
    town.store.promote(FOR_YOU, trained.versions[0], LATER, "for this test")
    live = Live(town.store, town.artifacts)
    live.refresh()
    return live
