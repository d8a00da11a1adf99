"""Where there is much of something: long filters, long histories, many people who are gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from serendip.domain import HISTORY_LIMIT, Interaction, InteractionKind, Invalid, Item, User
from serendip.flows.live import HOME
from serendip.flows.people import recommend_people
from serendip.flows.promote import publish
from serendip.flows.recommend import Ask, recommend
from serendip.flows.record import record
from serendip.flows.scenarios import put_scenario
from serendip.flows.train import configs_of, train
from serendip.ranking.grammar import MAX_LENGTH
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)


def declared(town: Town, name: str, **config: object) -> None:
    put_scenario(town.store, name, config, LATER)
    town.live.refresh()


def test_a_filter_may_be_as_long_in_a_scenario_of_one_catalogue(town: Town):
    declared(town, HOME, catalogue="items")
    longest = "price < 5 and price >= 0"
    longest += " " * (MAX_LENGTH - len(longest))
    slate = recommend(town.store, town.live, "a-stranger", Ask(HOME, 10, longest), LATER)
    assert {one.item for one in slate.items} == {f"item-{i}" for i in range(5)}


def test_a_fault_in_a_filter_is_told_by_its_place_in_what_was_sent(town: Town):
    declared(town, HOME, catalogue="items")
    with pytest.raises(Invalid, match=r"'colour' \(character 15"):
        recommend(town.store, town.live, "user-0", Ask(HOME, 5, "price < 9 and colour == 3"), LATER)


def test_what_was_disliked_long_ago_is_not_shown_again_where_hiding_is_given_up(town: Town):
    town.store.declare_kinds([InteractionKind("no", negative=True), InteractionKind("view")])
    town.store.put_items([Item("item-0", tags=("sea",), attributes={"price": 0})])
    events = [Interaction("fan", "item-1", NOON - timedelta(days=99), "no")]
    events += [
        Interaction("fan", f"item-{2 + i % 28}", NOON - timedelta(days=90, minutes=-i), "view")
        for i in range(HISTORY_LIMIT + 5)
    ]
    record(town.store, events, NOON)
    made = train(town.store, town.artifacts, configs_of(town.store, ("item-knn",), {}), LATER, seed=1)
    publish(town.store, made.versions, LATER)
    declared(town, HOME, rules={"relax": ["hide"]})
    slate = recommend(town.store, town.live, "fan", Ask(HOME, 30), LATER)
    assert len(slate.items) == 29
    assert "item-1" not in {one.item for one in slate.items}


@dataclass(frozen=True)
class Listening:
    """A model that notes how many people it is asked for."""

    model: Any
    asked: list[int]

    def people(self, queries, k):
        self.asked.append(k)
        return self.model.people(queries, k)


def test_where_many_near_people_are_gone_more_are_asked_for_but_not_everybody(town: Town):
    town.store.put_users([User(f"extra-{n}", attributes={"age": n}) for n in range(300)])
    declared(town, "people", recommend="users", candidates=["profile-knn"], page_size=2)
    configs = configs_of(town.store, (), {}, "people")
    publish(town.store, train(town.store, town.artifacts, configs, LATER, seed=1).versions, LATER)
    town.live.refresh()
    found = town.live.scenario("people")
    model = Listening(found.pipeline.sources[0].model, [])
    heard = replace(found, pipeline=replace(found.pipeline, sources=(replace(found.pipeline.sources[0], model=model),)))
    near = recommend(town.store, town.live, "extra-150", Ask("people", 15), LATER).items
    for one in near:
        town.store.delete_user(one.item)
    (slate,) = recommend_people(town.store, town.live, heard, ["extra-150"], LATER, 2)
    assert len(slate.items) == 2
    assert {one.source for one in slate.items} == {"profile-knn"}
    assert not {one.item for one in slate.items} & {one.item for one in near}
    assert max(model.asked) < 300
