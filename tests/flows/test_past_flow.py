"""A request for a moment of the past is told what a store knows that ends where the moment's day begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from serendip import pipeline as pipelines
from serendip.data import Queries
from serendip.data.past import Past
from serendip.domain import HISTORY_LIMIT, Interaction, InteractionKind, Item, NotReady, User
from serendip.flows.asking import KeyRows, askers
from serendip.flows.attributes import profiles_of, with_attributes
from serendip.flows.gather import gather
from serendip.flows.live import HOME, Live, trending
from serendip.flows.promote import promote
from serendip.flows.recommend import Ask, recommend
from serendip.flows.record import record
from serendip.flows.refresh import refresh_popularity
from serendip.flows.train import train
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.store import Artifacts, Store, VersionRecord
from towns import NOON

pytest.importorskip("catboost")

FEATURES = (
    "count(item, like)", "count(item, view, 7d)", "rate(item, like/view)", "trend(item, 1d/7d)", "recency(item)",
    "age(item)", "decayed(item, 2d)", "rate(user.town x item.topic, like/view)", "count(user x item.topic)",
    "count(user, 3d)", "hour", "user.town",
)  # fmt: skip
SETTINGS = {"n_trees": 10, "depth": 3, "learning_rate": 0.3, "step_days": 2.0}
N_USERS, N_ITEMS = 40, 45
LATER = NOON + timedelta(hours=1)
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


def learnt(store: Store) -> Pipeline:
    """A ranked pipeline of all of it, kept and read back."""
    config = PipelineConfig.parse("popular+popular-3-days:boosted", {**SETTINGS, "features": FEATURES})
    data = with_attributes(store, gather(store, until=NOON), [config])
    whole = pipelines.remembering(pipelines.fit(config, data, seed=1), data)
    return pipelines.restore(config, whole.kinds, whole.arrays())


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Store]:
    """A store that ends where the fifth day before NOON begins."""
    found = Store.open(f"sqlite:///{tmp_path / 'cut.db'}", migrate=True)
    yield filled(found, DAY)
    found.close()


DAY = datetime(NOON.year, NOON.month, NOON.day, tzinfo=UTC) - timedelta(days=5)


def asked_at(store: Store, pipeline: Pipeline, moment: datetime, limit: int = HISTORY_LIMIT) -> Queries:
    keys, ids = store.item_ids()
    rows = KeyRows.of(keys[np.argsort(pipeline.items.rows(ids))])
    queries = askers(store, pipeline, rows, USERS, moment, limit).queries
    return replace(queries, profile=profiles_of(store, pipeline, USERS))


def told_alike(pipeline: Pipeline, cut: Store, queries: Queries) -> None:
    """Every feature is what it is for a version over the store that was cut, asked the same."""
    among = np.tile(np.arange(len(pipeline.items), dtype=np.int32), (len(USERS), 1))
    then = pipeline.ranker.advanced(gather(cut, until=DAY, items=pipeline.items, users=pipeline.users))
    told, expected = (one.features.at(queries, among) for one in (pipeline.ranker, then))
    for place, name in enumerate(FEATURES):
        np.testing.assert_allclose(told[:, :, place], expected[:, :, place], rtol=1e-6, err_msg=name)
    assert not np.isnan(told[:, :, 1]).any()


def test_features_and_slates_of_a_past_moment_are_those_of_a_store_that_ends_there(store, cut, monkeypatch):
    pipeline = learnt(filled(store, NOON))
    for later in (timedelta(0), timedelta(minutes=2)):
        told_alike(pipeline, cut, asked_at(store, pipeline, DAY + later))

    # Also of those who did more than models are told of.
    long = asked_at(store, pipeline, DAY, limit=4)
    assert np.diff(long.indptr).max() == 4
    told_alike(pipeline, cut, long)

    # Sources and fallback are those of the past too, and so is all of the answer.
    queries = asked_at(store, pipeline, DAY)
    then = pipeline.refreshed(gather(cut, until=DAY, items=pipeline.items, users=pipeline.users))
    told, expected = pipeline.answer(queries, 10), then.answer(queries, 10)
    np.testing.assert_array_equal(told.rows, expected.rows)
    np.testing.assert_allclose(told.scores, expected.scores, rtol=1e-5)
    now = pipeline.answer(replace(queries, moment=np.full(len(queries), pipeline.ranker.features.until)), 10)
    assert (now.rows != told.rows).any()

    # A leak of one day is found.
    honest = Past.columns
    monkeypatch.setattr(Past, "columns", lambda self, place, latest: honest(self, place + 1, latest))
    with pytest.raises(AssertionError, match="count"):
        told_alike(learnt(store), cut, asked_at(store, pipeline, DAY))


def test_windows_end_at_the_hour_of_the_request_where_nothing_was_recorded_for_long(store, tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    pipeline = learnt(filled(store, NOON))
    among = np.tile(np.arange(N_ITEMS, dtype=np.int32), (len(USERS), 1))

    def told(now: datetime) -> dict[str, np.ndarray]:
        fresh = pipeline.refreshed(trending(store, pipeline, now), past_days=60)
        found = fresh.ranker.features.at(asked_at(store, fresh, now), among)
        return dict(zip(FEATURES, np.moveaxis(found, 2, 0), strict=True))

    window, now = "count(item, view, 7d)", NOON + timedelta(days=5, minutes=59)
    counted = [one for one in events() if one.kind == "view" and one.at >= now.replace(minute=0) - timedelta(days=7)]
    assert counted
    assert told(now)[window][0].sum() == len(counted)
    after = told(NOON + timedelta(days=90))
    assert not after[window].any()
    assert not after["count(user, 3d)"].any()
    assert np.isnan(after["trend(item, 1d/7d)"]).all()
    assert after["recency(item)"].min() >= 90
    assert after["count(item, like)"].sum() > 0

    # What is live does so by itself, an hour after the last look.
    config = PipelineConfig.parse("popular-3-days")
    promote(store, artifacts, train(store, artifacts, [config], NOON, seed=1).versions[0], HOME, NOON)
    live = Live(store, artifacts)
    live.catch_up(NOON)
    first = live.scenario(HOME).pipeline
    live.refresh_trends(NOON + timedelta(minutes=59))
    assert live.scenario(HOME).pipeline is first
    live.refresh_trends(NOON + timedelta(days=30))
    items = pipeline.items.ids
    ever = Counter(one.item for one in events() for _ in range(1 if one.kind == "view" else 5))
    best = recommend(store, live, "nobody", Ask(HOME, 1), NOON + timedelta(days=30)).items[0].item
    assert best == max(items, key=lambda item: ever[item])
    # And the days before the silence are still told.
    early = recommend(store, live, "nobody", Ask(HOME, 5), NOON - timedelta(days=2, hours=1)).items
    assert [one.item for one in early] != [
        one.item for one in recommend(store, live, "nobody", Ask(HOME, 5), NOON + timedelta(days=30)).items
    ]


def test_an_event_dated_ahead_counts_when_its_moment_has_come_and_harms_nobody_before(store, tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    config = PipelineConfig.parse("popular-3-days")
    promote(store, artifacts, train(filled(store, NOON), artifacts, [config], NOON, seed=1).versions[0], HOME, NOON)
    live = Live(store, artifacts)
    ahead = [Interaction(f"user-{n}", "item-7", NOON + timedelta(hours=20), "like") for n in range(N_USERS)]

    def shown(now: datetime) -> list[str]:
        live.catch_up(now)
        return [one.item for one in recommend(store, live, "nobody", Ask(HOME, 5), now).items]

    before = shown(LATER)
    store.add_interactions(ahead)
    assert shown(LATER) == before
    assert shown(LATER + timedelta(hours=20))[0] == "item-7"


def test_what_is_live_answers_the_past_alike_after_it_was_refreshed(store, tmp_path):
    artifacts, moment = Artifacts(tmp_path / "artifacts"), NOON - timedelta(days=3)
    config = PipelineConfig.parse("popular-3-days")
    version = train(filled(store, NOON), artifacts, [config], NOON, seed=1).versions[0]
    promote(store, artifacts, version, HOME, NOON)
    live = Live(store, artifacts)
    live.refresh()

    def shown(at: datetime) -> list[tuple[str, float]]:
        return [(one.item, one.score) for one in recommend(store, live, "nobody", Ask(HOME, 10), at).items]

    assert (before := shown(moment)) != shown(NOON)
    record(store, [Interaction(f"user-{n}", "item-7", NOON, "like") for n in range(N_USERS)], LATER)
    live.refresh_trends(LATER)
    assert shown(moment) == before
    assert shown(LATER)[0][0] == "item-7"
    assert [one.was for one in refresh_popularity(store, artifacts, LATER)] == [version]
    live.refresh()
    assert shown(moment) == before
    # The first day begins before all data: what is popular by now fills the page.
    assert shown(NOON - timedelta(days=400)) == shown(LATER)


def test_a_version_that_another_release_made_says_what_to_do(store, tmp_path):
    """Of one that holds no past nothing is served, and the job that refreshes refuses it, in the same words."""
    artifacts = Artifacts(tmp_path / "artifacts")
    config = PipelineConfig.parse("popular-3-days")
    found = train(filled(store, NOON), artifacts, [config], NOON, seed=1).versions[0]
    manifest, arrays = artifacts.load(found)
    kept = {name: array for name, array in arrays.items() if not name.endswith("trend/faded")}
    assert len(kept) < len(arrays)
    plain = {name: told for name, told in manifest.items() if name not in ("format", "files", "checksum", "id")}
    old = artifacts.save(plain, kept)
    store.add_version(VersionRecord(old, "popular-3-days", NOON, plain))
    store.promote(HOME, old, NOON, "as it was")
    live = Live(store, artifacts)
    live.refresh()
    said = "it holds no array 'faded', as another release made it; train it again"
    with pytest.raises(NotReady, match=said):
        recommend(store, live, "user-1", Ask(HOME, 1), NOON)
    with pytest.raises(NotReady, match=f"{old} cannot be refreshed: {said}"):
        refresh_popularity(store, artifacts, LATER)
