"""A scenario's rules over the store's catalogue: compiled once, and the same in serving and in measuring."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from serendip.domain import Invalid, Item
from serendip.flows.live import FOR_YOU
from serendip.flows.recommend import Ask, recommend
from serendip.flows.scenarios import put_scenario
from serendip.flows.train import configs_of, evaluate
from serendip.ranking import RulesConfig
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)


def test_rules_are_compiled_once_for_a_catalogue_unless_they_depend_on_the_moment(town: Town):
    catalogue = town.live.scenario(FOR_YOU).catalogue
    still, moving = RulesConfig(filter='tags has "sea"'), RulesConfig(filter="available_until > now")
    assert catalogue.rules(still, NOON) is catalogue.rules(RulesConfig(filter='tags has "sea"'), LATER)
    town.store.put_items([Item("item-0", tags=("sea",), available_until=NOON + timedelta(minutes=30))])
    town.live.refresh()
    fresh = town.live.scenario(FOR_YOU).catalogue
    assert fresh is not catalogue
    assert [fresh.rules(moving, now).passing.sum() for now in (NOON, LATER)] == [1, 0]


def test_rules_about_what_no_item_has_name_what_there_is(town: Town):
    catalogue = town.live.scenario(FOR_YOU).catalogue
    for rules in (RulesConfig(filter="colour == 3"), RulesConfig(diversity={"by": "colour"})):
        with pytest.raises(Invalid, match=r"'colour'.*tags"):
            catalogue.rules(rules, NOON)


def test_stored_vectors_are_what_slates_may_be_diverse_by(town: Town):
    # By their vectors, all items of a taste are the same.
    rows = {
        "item": [f"item-{i}" for i in range(30)],
        "vector": [[float(i % 3 == t) for t in range(3)] for i in range(30)],
    }
    town.store.load_vectors("look", pl.DataFrame(rows))
    town.store.put_items([Item("item-0", tags=("sea",), attributes={"price": 0})])
    town.live.refresh()
    put_scenario(town.store, FOR_YOU, {"gate": "personal", "rules": {"diversity": {"by": "look", "share": 0.95}}}, NOON)
    town.live.refresh()
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 3), LATER)
    assert {int(one.item.removeprefix("item-")) % 3 for one in slate.items} == {0, 1, 2}


def test_new_items_keep_the_filter_too(town: Town):
    town.store.put_items([Item("new-sea", tags=("sea",)), Item("new-hills", tags=("hills",))])
    town.live.refresh()
    catalogue = town.live.scenario(FOR_YOU).catalogue
    assert catalogue.new_ids(NOON, rules=RulesConfig(filter='tags has "hills"')) == ["new-hills"]
    assert set(catalogue.new_ids(NOON)) == {"new-sea", "new-hills"}


def test_a_comparison_under_a_scenario_is_of_what_it_shows(town: Town):
    rules = {"filter": 'tags has "sea"', "diversity": {"by": "tags"}}
    put_scenario(town.store, "sea", {"rules": rules, "catalogue": "items"}, NOON)
    configs = configs_of(town.store, ("popular",), {})
    asked = {"protocol": "frozen", "split": "time:0.2", "refresh": None, "k": 5, "seed": 0}
    plain = evaluate(town.store, configs, **asked, metrics=["coverage@5", "diversity@5"], diverse_by="tags")
    sea = evaluate(town.store, configs, **asked, metrics=["coverage@5", "diversity@5"], scenario="sea")
    assert sea.n_queries < plain.n_queries
    # Only the ten items by the sea are shown, which are all alike.
    assert sea.row("random").metrics["diversity@5"].mean == pytest.approx(0)
    assert plain.row("random").metrics["diversity@5"].mean > 0.3
    assert any('tags has \\"sea\\"' in note and "catalogue" in note for note in sea.notes)
