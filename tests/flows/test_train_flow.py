"""Training where not everything can be trained, or measured."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from serendip.domain import Interaction, Invalid
from serendip.flows.live import FOR_YOU, HOME, Live
from serendip.flows.promote import promote, publish
from serendip.flows.recommend import Ask, recommend
from serendip.flows.record import record
from serendip.flows.train import configs_of, train
from serendip.models import memory
from serendip.store import Artifacts, Store
from serendip.web.pages.models import tables
from towns import LIKE, NOON, Town, townspeople

LATER = NOON + timedelta(hours=1)


def few(store: Store) -> None:
    """Two users, each with one item, at one moment."""
    store.declare_kinds([LIKE])
    at = NOON - timedelta(hours=1)
    record(store, [Interaction("ann", "i1", at, "like"), Interaction("bob", "i2", at, "like")], NOON)


def test_data_too_small_to_measure_on_keeps_popularity_which_may_go_live(store: Store, tmp_path: Path):
    few(store)
    artifacts = Artifacts(tmp_path / "artifacts")
    trained = train(store, artifacts, configs_of(store, (), {}), NOON)
    assert (len(trained.versions), trained.tables) == (1, {})
    assert set(trained.left_out) == {"item-knn", "als", "ease"}
    assert all("nothing before the cut" in why for why in trained.left_out.values())
    said = publish(store, trained.versions, NOON)
    assert any("popular-7-days is popularity, which may always go live; it was not measured" in one for one in said)
    assert store.live()[HOME].version == trained.versions[0]
    assert FOR_YOU not in store.live()
    (act,) = store.acts().records
    assert (act.actor, act.action, act.target) == ("terminal", "promote_model", HOME)
    assert (act.detail or {})["version"] == trained.versions[0]
    live = Live(store, artifacts)
    live.refresh()
    slate = recommend(store, live, "ann", Ask(HOME, n=2), NOON)
    assert [one.item for one in slate.items] == ["i2"]
    newest = store.version(trained.versions[0])
    assert newest is not None
    assert tables(newest, [newest], store.live()) == []
    store.flush_slates()


def test_what_was_asked_for_by_name_and_cannot_be_measured_is_an_error(store: Store, tmp_path: Path):
    few(store)
    with pytest.raises(Invalid, match="nothing before the cut to learn from"):
        train(store, Artifacts(tmp_path / "artifacts"), configs_of(store, ("als",), {}), NOON)


def test_a_kind_that_refuses_is_left_out_with_its_reason_and_the_others_go_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store.declare_kinds([LIKE])
    record(store, townspeople(), NOON)
    artifacts = Artifacts(tmp_path / "artifacts")
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    trained = train(store, artifacts, configs_of(store, (), {}), NOON)
    records = [store.version(version) for version in trained.versions]
    assert [one.name for one in records if one is not None] == ["popular-7-days"]
    assert set(trained.left_out) == {"item-knn", "als", "ease"}
    assert all("GiB of memory" in why for why in trained.left_out.values())
    assert {row.name for row in trained.tables["replayed"].rows} == {"random", "popular", "popular-7-days"}
    assert any(note.startswith("the baseline item-knn is left out: ") for note in trained.tables["replayed"].notes)
    with pytest.raises(Invalid, match=r"als .*needs .* GiB of memory"):
        train(store, artifacts, configs_of(store, ("als",), {}), NOON)


def test_popularity_that_was_not_measured_does_not_replace_what_is_personal(town: Town):
    personal = next(one for one in town.trained.versions if town.store.version(one).manifest["personal"])
    promote(town.store, town.artifacts, personal, HOME, NOON, override="for the test")
    # Before this moment there is next to nothing.
    early = min(one.at for one in townspeople()) + timedelta(minutes=1)
    trained = train(town.store, town.artifacts, configs_of(town.store, ("popular",), {}), early)
    assert trained.tables == {}
    publish(town.store, trained.versions, LATER)
    assert town.store.live()[HOME].version == personal
    # A person may still say so: popularity always may.
    assert promote(town.store, town.artifacts, trained.versions[0], HOME, LATER).version == trained.versions[0]
