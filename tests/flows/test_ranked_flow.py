"""A ranked pipeline through the store: trained, kept, served, and fresh with what is recorded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import serendip as sd
from serendip import models
from serendip.domain import Interaction, InteractionKind, Invalid, Item, User, micros
from serendip.evaluation import Fits
from serendip.flows.features import Label, build, definitions_of, read_feature_table, recorded
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, Live
from serendip.flows.promote import promote
from serendip.flows.recommend import Ask, recommend
from serendip.flows.record import record
from serendip.flows.train import replaying, train
from serendip.pipeline import PipelineConfig, Shown
from serendip.store import Artifacts, Store
from serendip.store.feature_tables import FeatureTables
from towns import NOON

pytest.importorskip("catboost")

FEATURES = ("count(item, 7d)", "count(user x item.topic)", "user.town", "item.topic", "recency(item)", "score(popular)")
SETTINGS = {"features": FEATURES, "n_trees": 15, "depth": 3, "learning_rate": 0.3, "step_days": 2.0}
TOPICS = ("art", "cars", "food")
LATER = NOON + timedelta(hours=1)


def ranked() -> PipelineConfig:
    return PipelineConfig.parse("popular+popular-7-days:boosted", SETTINGS)


def folk() -> list[Interaction]:
    """Forty users, each with a topic, over forty days."""
    rng = np.random.default_rng(8)
    events = []
    for user in range(40):
        for item in rng.permutation(np.arange(user % 3, 60, 3))[:12]:
            at = NOON - timedelta(minutes=float(rng.uniform(60, 40 * 1440)))
            events.append(Interaction(f"user-{user}", f"item-{item}", at, "like"))
    return sorted(events, key=lambda one: one.at)


def promoted(store: Store, artifacts: Artifacts) -> str:
    """A ranked version of what they did, which is live."""
    store.declare_kinds([InteractionKind("like")])
    store.put_items([Item(f"item-{i}", title=f"Item {i}", attributes={"topic": TOPICS[i % 3]}) for i in range(60)])
    store.put_users([User(f"user-{u}", attributes={"town": ("North", "South")[u % 2]}) for u in range(40)])
    record(store, folk(), NOON)
    trained = train(store, artifacts, [ranked()], NOON, seed=1)
    promote(store, artifacts, trained.versions[0], FOR_YOU, NOON, override="for the test")
    return trained.versions[0]


@pytest.fixture
def served(store: Store, tmp_path: Path) -> tuple[Store, Live, str]:
    artifacts = Artifacts(tmp_path / "artifacts")
    version = promoted(store, artifacts)
    live = Live(store, artifacts)
    live.refresh()
    return store, live, version


def topics_of(slate) -> list[int]:
    return [int(one.item.removeprefix("item-")) % 3 for one in slate.items]


def test_a_ranked_version_is_kept_with_its_account_and_served_with_parts_of_features(served):
    store, live, version = served
    manifest = store.version(version).manifest
    told = manifest["ranker"]
    assert told["kind"] == "boosted"
    assert set(told["features"]) == set(FEATURES)
    assert told["practice"]["windows"] >= 2
    rows = {row["name"]: row for row in manifest["measured"]["protocols"]["replayed"]["rows"]}
    assert rows[ranked().name]["sources"] == ["popular", "popular-7-days"]
    slate = recommend(store, live, "user-4", Ask(FOR_YOU, 5, explain=True), LATER)
    assert topics_of(slate) == [1] * 5
    assert "count(user x item.topic)" in slate.items[0].parts
    assert sum(slate.items[0].parts.values()) == pytest.approx(slate.items[0].score, abs=1e-4)


def test_the_last_click_and_new_trends_change_the_next_slate_without_training(served):
    store, live, _ = served
    for user, topic in (("first", 0), ("second", 2)):
        record(store, [Interaction(user, f"item-{topic + 3 * n}", NOON, "like") for n in range(3)], NOON)
        assert np.mean(np.array(topics_of(recommend(store, live, user, Ask(FOR_YOU, 5), LATER))) == topic) > 0.5

    # Trends, and the counters of users who came since, follow without training too.
    before = live.scenario(FOR_YOU).pipeline
    fresh = [Interaction(f"new-{n}", "item-30", NOON + timedelta(minutes=n), "like") for n in range(25)]
    record(store, fresh, LATER)
    live.refresh_trends(LATER)
    after = live.scenario(FOR_YOU).pipeline
    assert len(after.users) == len(before.users) + 27
    assert after.users.row("user-4") == before.users.row("user-4")
    assert after.ranker.features.until > before.ranker.features.until
    assert len(recommend(store, live, "new-3", Ask(FOR_YOU, 5), LATER).items) == 5


def test_the_server_answers_what_the_library_answers_and_a_saved_model_too(served, tmp_path):
    store, live, _ = served
    data = gather(store, until=NOON)
    items = {"item": list(data.items.ids), "topic": [TOPICS[int(i[5:]) % 3] for i in data.items.ids]}
    users = {"user": list(data.users.ids), "town": [("North", "South")[int(u[5:]) % 2] for u in data.users.ids]}
    model = sd.fit("popular+popular-7-days:boosted", data, seed=1, items=items, users=users, **SETTINGS)
    model.save(tmp_path / "kept")
    for one in (model, sd.load(tmp_path / "kept")):
        mine = one.recommend("user-7", k=5).items[0].tolist()
        slate = recommend(store, live, "user-7", Ask(FOR_YOU, 5), NOON)
        assert [item.item for item in slate.items] == mine


def test_a_ranker_practises_on_a_feature_table_that_was_built(store, tmp_path):
    store.declare_kinds([InteractionKind("view", weight=0.1, hides=False), InteractionKind("like")])
    store.put_items([Item(f"item-{i}", title=f"Item {i}", attributes={"topic": TOPICS[i % 3]}) for i in range(60)])
    rng, shown = np.random.default_rng(1), []
    for like in folk():
        for item in {int(like.item[5:]), *rng.integers(0, 60, 3).tolist()}:
            shown.append(replace(like, item=f"item-{item}", kind="view", at=like.at - timedelta(minutes=5)))
    record(store, sorted([*folk(), *shown], key=lambda one: one.at), NOON)
    data = recorded(store)
    told = ("count(item, like, 7d)", "count(user x item.topic, like)", "item.topic")
    url = str(tmp_path / "table")
    build(data, definitions_of(told, data), FeatureTables.at(url), NOON, Label("view", "like"))
    table = read_feature_table(url).shown
    settings = {key: value for key, value in SETTINGS.items() if key != "features"}
    config = PipelineConfig.parse("popular+popular-7-days:boosted", settings)
    artifacts = Artifacts(tmp_path / "artifacts")
    trained = train(store, artifacts, [config], NOON, seed=1, shown=table)
    told_of = store.version(trained.versions[0]).manifest["ranker"]
    assert told_of["practice"]["shown"]
    assert tuple(told_of["features"]) == told
    promote(store, artifacts, trained.versions[0], FOR_YOU, NOON, override="for the test")
    live = Live(store, artifacts)
    live.refresh()
    assert topics_of(recommend(store, live, "user-4", Ask(FOR_YOU, 3), LATER)) == [1] * 3

    # What is live and practised on the past is refitted as it was, not on a table that it never saw.
    own = {"features": ("count(item)",), **settings}
    live_one = PipelineConfig.parse("popular:boosted", own)
    assert replaying(store, [config, live_one]) == {live_one.name}
    fits = Fits(table, frozenset({live_one.name}))
    assert fits.pipeline(config, data, 1).ranker.about["practice"]["shown"]
    assert "shown" not in fits.pipeline(live_one, data, 1).ranker.about["practice"]


FIRST_ANSWER = """
import sys
from datetime import datetime
from numba.core.dispatcher import Dispatcher
from serendip.flows.live import FOR_YOU, Live
from serendip.flows.recommend import Ask, recommend
from serendip.store import Artifacts, Store

def compiled():
    rooms = [room for name, room in sys.modules.items() if name.startswith("serendip.")]
    kernels = {id(one): one for room in rooms for one in vars(room).values() if isinstance(one, Dispatcher)}
    return {(one.__name__, str(types)) for one in kernels.values() for types in one.signatures}

store = Store.open(sys.argv[1])
live = Live(store, Artifacts(sys.argv[2]))
live.refresh()
before = compiled()
slate = recommend(store, live, "user-4", Ask(FOR_YOU, 5, explain=True), datetime.fromisoformat(sys.argv[3]))
store.close()
assert len(slate.items) == 5
print(len(before), sorted(compiled() - before))
"""


def test_a_ranked_version_goes_live_with_its_kernels_compiled(tmp_path):
    url = f"sqlite:///{tmp_path / 'serendip.db'}"
    store = Store.open(url)
    promoted(store, Artifacts(tmp_path / "artifacts"))
    store.close()
    # In a process of its own: here the training has compiled them.
    command = [sys.executable, "-c", FIRST_ANSWER, url, str(tmp_path / "artifacts"), LATER.isoformat()]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    n_before, late = told.stdout.strip().split(" ", 1)
    assert int(n_before) > 5
    assert late == "[]", "the first asker would wait for these"


def test_the_gate_refits_everything_as_often_as_the_ranker_was_promised_fresh_sources(store, tmp_path, monkeypatch):
    fitted: list[tuple[str, int]] = []
    measured: list[int] = []
    honest = models.fit

    def counting(kind, config, data, seed=0):
        fitted.append((kind, data.now))
        return honest(kind, config, data, seed)

    def progress(doing):
        if doing.endswith("on everything"):
            measured.append(len(fitted))

    store.declare_kinds([InteractionKind("like")])
    record(store, folk(), NOON)
    monkeypatch.setattr(models, "fit", counting)
    settings = {**SETTINGS, "features": ("count(item, 7d)", "score(item-knn)"), "refit_days": 2.0}
    ranker = PipelineConfig.parse("popular+item-knn:boosted", settings)
    trained = train(store, Artifacts(tmp_path), [ranker, PipelineConfig.parse("ease")], NOON, 1, progress)

    tables = trained.tables
    assert {name: table.refresh_days for name, table in tables.items()} == {"replayed": 2.0, "frozen": None}
    cut = micros(datetime.fromisoformat(tables["replayed"].cut))
    later = {kind: [now for one, now in fitted[: measured[0]] if one == kind and now > cut] for kind, _ in fitted}
    assert later["item-knn"], "the ranker's source must be fitted again within the test period"
    assert (np.diff([cut, *later["item-knn"]]) == 2 * 86_400_000_000).all()
    assert later["ease"] == later["item-knn"], "every contender is fitted again as often"
    for version in trained.versions:
        assert "fitted again every 2 days" in store.version(version).manifest["gate"]["sentence"]


def test_the_gate_leaves_models_as_of_the_cut_where_no_ranker_practised_over_fresh_ones():
    weekly, daily = (PipelineConfig.parse("popular:boosted", {**SETTINGS, "refit_days": days}) for days in (7, 1))
    assert Fits().refresh_days([ranked(), PipelineConfig.parse("als")]) is None
    assert Fits().refresh_days([ranked(), weekly, daily]) == 1
    tabled = Shown(np.zeros((0, 0), np.float32), *(np.zeros(0, np.int64),) * 3, (), {})
    assert Fits(tabled).refresh_days([daily]) is None
    live = weekly.model_copy(update={"name": "live"})
    assert Fits(tabled, frozenset({"live"})).refresh_days([daily, live]) == 7


def test_a_feature_table_is_not_passed_over_where_nothing_ranks(store, tmp_path):
    one = np.zeros(1, np.int64)
    rows = Shown(np.zeros((1, 1), np.float32), one.astype(np.float32), one.astype(np.int32), one, (), {})
    with pytest.raises(Invalid, match="none of the pipelines has a ranker"):
        train(store, Artifacts(tmp_path), [PipelineConfig.parse("popular")], LATER, shown=rows)
