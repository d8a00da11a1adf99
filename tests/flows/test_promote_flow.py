from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from serendip.domain import Conflict, Invalid, NotFound
from serendip.flows.declare import declare, read
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.promote import promote, publish, rollback
from serendip.flows.recommend import Ask, recommend
from serendip.flows.train import KEEP, configs_of, train
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)


def test_training_measures_by_both_protocols_beside_the_baselines(town: Town):
    assert list(town.trained.tables) == ["replayed", "frozen"]
    for table in town.trained.tables.values():
        assert {"random", "popular", "popular-7-days", "item-knn", "als"} <= {row.name for row in table.rows}
        assert all(row.metrics["ndcg@10"].low <= row.metrics["ndcg@10"].high for row in table.rows)


def test_the_best_that_beats_popularity_goes_live_at_once(town: Town):
    best = max(town.trained.tables["replayed"].rows, key=lambda row: row.metrics["ndcg@10"].mean)
    assert best.name in ("item-knn", "als")
    live = town.store.live()
    assert town.store.version(live[HOME].version).name == best.name
    assert town.store.version(live[FOR_YOU].version).name == best.name


def test_the_manifest_says_what_was_learnt_and_how_well(town: Town):
    manifest, _ = town.artifacts.load(town.trained.versions[1])
    assert manifest["seed"] == 1
    assert manifest["data"]["n_interactions"] == 480
    assert len(manifest["data"]["fingerprint"]) == 32
    assert set(manifest["measured"]["protocols"]) == {"replayed", "frozen"}


def test_the_same_data_and_seed_give_the_same_version(town: Town):
    again = train(town.store, town.artifacts, configs_of(town.store, ("item-knn",), {}), LATER, seed=1)
    assert town.artifacts.load(again.versions[0])[1].keys() == town.artifacts.load(town.trained.versions[1])[1].keys()
    once_more = train(town.store, town.artifacts, configs_of(town.store, ("item-knn",), {}), LATER, seed=1)
    assert again.versions == once_more.versions


def test_the_gate_refuses_what_is_not_better_and_a_person_may_override(town: Town):
    trained = train(town.store, town.artifacts, configs_of(town.store, ("again",), {}), LATER, seed=1)
    with pytest.raises(Conflict, match=r"again does not beat .*--override"):
        promote(town.store, town.artifacts, trained.versions[0], HOME, LATER)
    with pytest.raises(Invalid, match="needs a reason"):
        promote(town.store, town.artifacts, trained.versions[0], HOME, LATER, "  ")
    done = promote(town.store, town.artifacts, trained.versions[0], HOME, LATER, "a test of the whole chain")
    assert done.override
    assert town.store.live()[HOME].reason == "a test of the whole chain"


def test_what_an_open_gate_lets_live_is_told_with_what_it_was_not_better_than(town: Town, tmp_path: Path):
    file = tmp_path / "serendip.toml"
    file.write_text('[scenarios.anew]\ncandidates = ["again"]\ngate = "open"\n')
    declare(town.store, read(file), LATER)
    version = train(town.store, town.artifacts, configs_of(town.store, ("again",), {}), LATER, seed=1).versions[0]
    sentence = town.store.version(version).manifest["gate"]["sentence"]
    assert "again does not beat" in sentence
    assert f"anew is now {version}; its slates carry the gate's note: {sentence}" in publish(
        town.store, [version], LATER
    )


def test_rollback_brings_the_version_before_at_once(town: Town):
    before = town.store.live()[HOME].version
    popular = town.trained.versions[0]
    promote(town.store, town.artifacts, popular, HOME, LATER)
    town.live.refresh()
    assert recommend(town.store, town.live, "user-0", Ask(HOME), LATER).version == popular
    rollback(town.store, town.artifacts, HOME, LATER)
    assert town.live.refresh()
    assert recommend(town.store, town.live, "user-0", Ask(HOME), LATER).version == before


def test_there_is_nothing_to_roll_back_to_at_first(town: Town):
    with pytest.raises(Conflict, match="no earlier version"):
        rollback(town.store, town.artifacts, HOME, LATER)


def test_popularity_may_not_be_for_you(town: Town):
    with pytest.raises(Conflict, match="personal"):
        promote(town.store, town.artifacts, town.trained.versions[0], FOR_YOU, LATER)


def test_an_unknown_version_or_scenario_is_named(town: Town):
    with pytest.raises(NotFound, match="no version 'als-nothing'"):
        promote(town.store, town.artifacts, "als-nothing", HOME, LATER)
    with pytest.raises(NotFound, match="no scenario 'hom'"):
        promote(town.store, town.artifacts, town.trained.versions[0], "hom", LATER)


def test_a_broken_version_is_reported_and_the_last_good_one_keeps_serving(town: Town):
    good = town.store.live()[HOME].version
    bad = town.trained.versions[0]
    assert bad != good
    for array in (Path(town.artifacts.folder) / bad).glob("*.npy"):
        array.write_bytes(array.read_bytes()[:-1])
    town.store.promote(HOME, bad, LATER)
    town.live.refresh()
    assert recommend(town.store, town.live, "user-0", Ask(HOME), LATER).version == good
    assert len(town.live.problems) == 1
    assert bad in town.live.problems[0]
    assert good in town.live.problems[0]


def test_only_the_last_versions_of_a_pipeline_are_kept_and_live_ones_besides(town: Town):
    configs = configs_of(town.store, ("item-knn",), {})
    for seed in range(2, 2 + KEEP + 1):
        train(town.store, town.artifacts, configs, NOON + timedelta(minutes=seed), seed=seed)
    kept = town.store.versions("item-knn")
    live = {promotion.version for promotion in town.store.live().values()}
    assert len(kept) == KEEP + len({one.id for one in kept[KEEP:]} & live)
    assert live <= set(town.artifacts.ids())
    assert {one.id for one in town.store.versions()} == set(town.artifacts.ids())
