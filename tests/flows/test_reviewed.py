"""Faults that a reviewer found, which must not come back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import serendip as sd
from serendip.domain import Interaction, InteractionKind, Invalid, Item
from serendip.flows.bring import Reading, bring, declare_missing
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.promote import promote, publish, rollback
from serendip.flows.recommend import Ask, recommend
from serendip.flows.record import record
from serendip.flows.train import configs_of, measure, train
from serendip.store import Store
from towns import NOON, Town, townspeople

LATER = NOON + timedelta(hours=1)


def ids(slate):
    return [one.item for one in slate.items]


def test_training_again_without_news_leaves_the_way_back_open(town: Town):
    first = town.store.live()[HOME].version
    promote(town.store, town.artifacts, town.trained.versions[0], HOME, LATER)
    promote(town.store, town.artifacts, town.trained.versions[0], HOME, LATER)
    assert town.store.live()[HOME].previous == first
    assert rollback(town.store, town.artifacts, HOME, LATER).version == first


def test_an_event_from_the_future_is_refused_and_a_little_skew_is_forgiven(town: Town):
    far = Interaction("skewed", "item-1", NOON + timedelta(days=2), "like")
    with pytest.raises(Invalid, match="lies in the future"):
        record(town.store, [far], NOON)
    record(town.store, [replace(far, at=NOON + timedelta(seconds=90))], NOON)
    assert town.store.history("skewed", until=NOON + timedelta(seconds=1), limit=5)[0].at == NOON


def test_an_import_of_some_columns_leaves_the_others_as_they_are(store: Store, tmp_path: Path):
    store.put_items([Item("i1", title="One", tags=("a",), image="x.png", attributes={"genre": "drama"}), Item("i2")])
    (tmp_path / "years.csv").write_text("id,year\ni1,1955\ni2,1956\ni3,1957\n")
    report = bring(store, str(tmp_path / "years.csv"), "items", Reading())
    assert (report.added, report.repeated, report.changed) == (1, 2, 2)
    kept = store.item("i1")
    assert (kept.title, kept.tags, kept.image) == ("One", ("a",), "x.png")
    assert kept.attributes == {"genre": "drama", "year": 1955}
    again = bring(store, str(tmp_path / "years.csv"), "items", Reading())
    assert (again.added, again.repeated, again.changed) == (0, 3, 0)


def test_a_scale_given_at_import_changes_nothing_else_of_a_declared_kind(store: Store):
    store.declare_kinds([InteractionKind("dislike", weight=3, negative=True, hides=False)])
    declare_missing(store, "dislike", (1, 5))
    assert store.kinds()["dislike"] == InteractionKind("dislike", weight=3, negative=True, hides=False, scale=(1, 5))


def test_a_version_of_another_release_is_a_problem_and_not_the_end(town: Town, monkeypatch: pytest.MonkeyPatch):
    good = town.store.live()[HOME].version
    bad = town.trained.versions[0]
    original = town.artifacts.load

    def newer(version: str):
        manifest, arrays = original(version)
        return ({**manifest, "pipeline": {"unheard": "of"}} if version == bad else manifest), arrays

    monkeypatch.setattr(town.artifacts, "load", newer)
    town.store.promote(HOME, bad, LATER)
    town.live.refresh()
    assert town.live.scenario(HOME).version == good
    assert bad in town.live.problems[0]
    monkeypatch.undo()
    monkeypatch.setattr("serendip.flows.live.RETRY_SECONDS", 0.0)
    assert town.live.refresh()
    assert town.live.scenario(HOME).version == bad
    assert town.live.problems == []


def test_after_a_rollback_the_trend_is_still_the_latest(town: Town):
    popular = town.trained.versions[0]
    promote(town.store, town.artifacts, popular, HOME, LATER)
    record(town.store, [Interaction(f"fan-{n}", "item-29", NOON, "like") for n in range(40)], NOON)
    town.live.catch_up(LATER)
    assert ids(recommend(town.store, town.live, "fresh", Ask(HOME, 1), LATER)) == ["item-29"]
    rollback(town.store, town.artifacts, HOME, LATER)
    town.live.catch_up(LATER)
    promote(town.store, town.artifacts, popular, HOME, LATER)
    town.live.catch_up(LATER)
    assert ids(recommend(town.store, town.live, "fresh", Ask(HOME, 1), LATER)) == ["item-29"]


def test_publishing_does_not_put_something_worse_into_for_you(town: Town):
    before = town.store.live()[FOR_YOU].version
    poor = train(town.store, town.artifacts, configs_of(town.store, ("again",), {}), LATER, seed=1)
    said = publish(town.store, poor.versions, LATER)
    assert town.store.live()[FOR_YOU].version == before
    assert any("for-you stays" in sentence for sentence in said)


def test_a_deleted_item_that_comes_back_is_a_new_one(town: Town):
    item = ids(recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 1), LATER))[0]
    town.store.delete_item(item)
    town.store.put_items([Item(item, title="Something else entirely")])
    town.live.refresh()
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 100), LATER)
    assert {one.source for one in slate.items if one.item == item} == {"new"}


def test_data_without_moments_is_not_cut_in_time(store: Store, tmp_path: Path):
    rows = [f"{event.user},{event.item}" for event in townspeople()]
    file = tmp_path / "bare.csv"
    file.write_text("user,item\n" + "\n".join(rows) + "\n")
    bring(store, str(file), "interactions", Reading())
    data = gather(store)
    assert data.at is None
    assert sd.read(file).at is None
    configs = configs_of(store, (), {"n_factors": 4})
    assert "popular-7-days" not in [config.name for config in configs]
    tables = measure(configs[:2], data)
    assert list(tables) == ["frozen"]
    assert tables["frozen"].parity_only
    assert "popular-7-days" not in tables["frozen"].baselines
    assert any("popular-7-days" in note for note in tables["frozen"].notes)


def test_an_import_in_which_every_row_is_refused_is_an_error(store: Store, tmp_path: Path):
    (tmp_path / "bad.csv").write_text("user,item,at\nann,,2026-01-01\nbob,x,2999-01-01\n")
    with pytest.raises(Invalid, match=r"all 2 rows were refused, the first in line 2 \(item"):
        bring(store, str(tmp_path / "bad.csv"), "interactions", Reading(), now=NOON)
    assert store.counts().interactions == 0


def test_windows_in_which_nothing_happened_cost_nothing(town: Town):
    from serendip.evaluation import replayed, time_split

    data = gather(town.store)
    lonely = replace(data, at=np.where(np.arange(len(data)) == len(data) - 1, data.at + 10**15, data.at))
    rounds = list(replayed(lonely, time_split(data).cut))
    assert len(rounds) < 10


def test_settings_of_popularity_are_used_or_refused(store: Store):
    assert configs_of(store, ("popular",), {"half_life_days": 3})[0].sources[0].settings == {"half_life_days": 3}
    with pytest.raises(Invalid, match="says its window already"):
        configs_of(store, ("popular-7-days",), {"window_days": 3})


def test_the_manifest_that_is_kept_can_be_read_as_json(town: Town):
    for version in town.trained.versions:
        assert json.loads(json.dumps(town.store.version(version).manifest))["name"]


def test_the_scale_of_ratings_is_inferred_shown_and_held(store: Store, tmp_path: Path):
    (tmp_path / "ratings.csv").write_text("user,item,rating\nann,x,5\nbob,y,2\n")
    report = bring(store, str(tmp_path / "ratings.csv"), "interactions", Reading())
    assert store.kinds()["rating"] == InteractionKind("rating", mode="latest", scale=(1, 5))
    assert any("from 1 to 5" in note for note in report.notes)
    with pytest.raises(Invalid, match="outside 1 to 5"):
        record(store, [Interaction("ann", "y", NOON, "rating", 6)], NOON)
    (tmp_path / "more.csv").write_text("user,item,rating\nann,z,9\nbob,z,3\n")
    more = bring(store, str(tmp_path / "more.csv"), "interactions", Reading())
    assert (more.added, more.refused) == (1, 1)
    wider = bring(store, str(tmp_path / "more.csv"), "interactions", Reading(scale=(0, 10)))
    assert (wider.added, wider.repeated) == (1, 1)
