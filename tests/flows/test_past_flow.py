"""A request for a moment of the past is told what a store knows that ends where the moment's day begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from serendip.data import Queries
from serendip.data.past import Past
from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.flows.asking import askers
from serendip.flows.attributes import profiles_of
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, Live
from serendip.flows.promote import promote
from serendip.flows.recommend import Ask, recommend
from serendip.flows.refresh import refresh_popularity
from serendip.flows.train import train
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.store import Artifacts, Store
from towns import NOON

pytest.importorskip("catboost")

FEATURES = (
    "count(item, like)", "count(item, view, 7d)", "rate(item, like/view)", "trend(item, 1d/7d)", "recency(item)",
    "age(item)", "decayed(item, 2d)", "rate(user.town x item.topic, like/view)", "count(user x item.topic)",
    "count(user, 3d)", "hour", "user.town",
)  # fmt: skip
SETTINGS = {"n_trees": 10, "depth": 3, "learning_rate": 0.3, "step_days": 2.0}
N_USERS, N_ITEMS = 40, 45
USERS = [f"user-{n}" for n in range(0, N_USERS, 3)]


def events() -> list[Interaction]:
    """Views, every third one with a like, over forty days; what is viewed moves on with time."""
    rng = np.random.default_rng(8)
    found = []
    for day in range(40):
        for _ in range(30):
            user, item = int(rng.integers(N_USERS)), int((day + rng.integers(12)) % N_ITEMS)
            at = NOON - timedelta(days=40 - day, minutes=float(rng.uniform(1, 1400)))
            found.append(Interaction(f"user-{user}", f"item-{item}", at, "view"))
            if rng.random() < 0.35:
                found.append(replace(found[-1], kind="like", at=at + timedelta(seconds=9)))
    return sorted(found, key=lambda one: one.at)


def filled(store: Store, until: datetime) -> Store:
    store.declare_kinds([InteractionKind("view", weight=0.2, hides=False), InteractionKind("like")])
    topics = ("art", "cars", "food")
    store.put_items([Item(f"item-{i}", attributes={"topic": topics[i % 3]}) for i in range(N_ITEMS)])
    store.put_users([User(f"user-{u}", attributes={"town": ("North", "South")[u % 2]}) for u in range(N_USERS)])
    store.add_interactions([one for one in events() if one.at < until])
    return store


@pytest.fixture
def served(store: Store, tmp_path: Path) -> tuple[Store, Artifacts, Live]:
    """A ranked version of all of it, live."""
    artifacts = Artifacts(tmp_path / "artifacts")
    filled(store, NOON)
    config = PipelineConfig.parse("popular+popular-3-days:boosted", {**SETTINGS, "features": FEATURES})
    version = train(store, artifacts, [config], NOON, seed=1).versions[0]
    promote(store, artifacts, version, FOR_YOU, NOON, override="for the test")
    live = Live(store, artifacts)
    live.refresh()
    return store, artifacts, live


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Store]:
    """A store that ends where the fifth day before NOON begins."""
    found = Store.open(f"sqlite:///{tmp_path / 'cut.db'}", migrate=True)
    yield filled(found, DAY)
    found.close()


DAY = datetime(NOON.year, NOON.month, NOON.day, tzinfo=UTC) - timedelta(days=5)


def asked_at(store: Store, live: Live, moment: datetime) -> tuple[Pipeline, Queries]:
    one = live.scenario(FOR_YOU)
    queries = askers(store, one.pipeline, one.rows, USERS, moment).queries
    return one.pipeline, replace(queries, profile=profiles_of(store, one.pipeline, USERS))


def told_alike(store: Store, live: Live, cut: Store, moment: datetime) -> None:
    """Every feature is what it is for a version over the store that was cut, asked the same."""
    pipeline, queries = asked_at(store, live, moment)
    among = np.tile(np.arange(len(pipeline.items), dtype=np.int32), (len(USERS), 1))
    then = pipeline.ranker.advanced(gather(cut, until=DAY, items=pipeline.items, users=pipeline.users))
    told, expected = (one.features.at(queries, among) for one in (pipeline.ranker, then))
    for place, name in enumerate(FEATURES):
        np.testing.assert_allclose(told[:, :, place], expected[:, :, place], rtol=1e-6, err_msg=name)
    assert not np.isnan(told[:, :, 1]).any()


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=2)], ids=["when the day begins", "a little later"])
def test_features_of_a_past_moment_are_those_of_a_store_that_ends_there(served, cut, later):
    store, _, live = served
    told_alike(store, live, cut, DAY + later)


def test_a_planted_leak_is_found(served, cut, monkeypatch):
    store, _, live = served
    honest = Past.columns
    monkeypatch.setattr(Past, "columns", lambda self, place, latest: honest(self, place + 1, latest))
    with pytest.raises(AssertionError, match="count"):
        told_alike(store, live, cut, DAY)


def test_a_slate_of_the_past_is_that_of_the_pipeline_over_the_past_alone(served, cut):
    """Sources, fallback and all, after what is live was refreshed too."""
    store, artifacts, live = served
    for _ in range(2):
        pipeline, queries = asked_at(store, live, DAY)
        then = pipeline.refreshed(gather(cut, until=DAY, items=pipeline.items, users=pipeline.users))
        expected = then.answer(queries, 10)
        told = pipeline.answer(queries, 10)
        np.testing.assert_array_equal(told.rows, expected.rows)
        np.testing.assert_allclose(told.scores, expected.scores, rtol=1e-5)
        late = replace(queries, moment=np.full(len(queries), np.iinfo(np.int64).max // 2))
        assert (pipeline.answer(late, 10).rows != told.rows).any()
        assert refresh_popularity(store, artifacts, NOON)
        live.refresh()


def test_before_all_data_and_beyond_what_is_kept_the_fallback_answers(served):
    store, artifacts, _ = served
    config = PipelineConfig.parse("popular+popular-3-days:boosted", {**SETTINGS, "features": FEATURES})
    short = config.model_copy(update={"past_days": 3})
    version = train(store, artifacts, [short], NOON, seed=1).versions[0]
    promote(store, artifacts, version, FOR_YOU, NOON, override="for the test")
    live = Live(store, artifacts)
    live.refresh()
    for days, by in ((0, config.name), (2, config.name), (10, "popular-7-days"), (400, "popular-7-days")):
        slate = recommend(store, live, "user-4", Ask(FOR_YOU, 5), NOON - timedelta(days=days))
        assert {one.source for one in slate.items} == {by}, days
