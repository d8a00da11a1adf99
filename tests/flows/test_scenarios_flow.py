from __future__ import annotations

from datetime import timedelta

import pytest

from serendip.domain import Conflict, Invalid, NotFound, NotReady, Relation, User
from serendip.flows.live import HOME
from serendip.flows.promote import promote, publish
from serendip.flows.recommend import Ask, recommend, recommend_many
from serendip.flows.scenarios import delete_scenario, patch_scenario, put_scenario, scenarios_of
from serendip.flows.train import configs_of, train
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)


def ids(slate):
    return [one.item for one in slate.items]


def declared(town: Town, name: str, **config: object) -> None:
    put_scenario(town.store, name, config, LATER)
    town.live.refresh()


def trained(town: Town, scenario: str) -> list[str]:
    """Train what ``scenario`` declares, publish it, and say what was decided."""
    made = train(town.store, town.artifacts, configs_of(town.store, (), {}, scenario), LATER, seed=1)
    said = publish(town.store, made.versions, LATER)
    town.live.refresh()
    return said


def test_the_page_and_the_rules_of_a_scenario_act_at_once_without_training(town: Town):
    before = recommend(town.store, town.live, "user-0", Ask(HOME), LATER)
    assert len(before.items) == 10
    declared(town, HOME, page_size=3, rules={"filter": 'tags has "city"'})
    after = recommend(town.store, town.live, "user-0", Ask(HOME), LATER)
    assert after.version == before.version
    assert len(after.items) == 3
    assert {int(item.removeprefix("item-")) % 3 for item in ids(after)} == {2}
    assert len(recommend(town.store, town.live, "user-0", Ask(HOME, 5), LATER).items) == 5


def test_a_rule_may_let_items_be_shown_again_that_were_met(town: Town):
    seen = set(town.store.seen("user-0", kinds=("like",), until=LATER))
    assert not seen & set(ids(recommend(town.store, town.live, "user-0", Ask(HOME, 30), LATER)))
    declared(town, HOME, rules={"hide": []})
    assert seen <= set(ids(recommend(town.store, town.live, "user-0", Ask(HOME, 30), LATER)))


def test_what_had_to_be_given_up_for_a_full_page_is_said(town: Town):
    declared(town, HOME, rules={"filter": 'tags has "city"', "relax": ["filter"]})
    slate = recommend(town.store, town.live, "user-0", Ask(HOME, 15), LATER)
    assert len(slate.items) == 15
    assert slate.relaxed == ("filter",)


def test_a_scenario_answers_only_with_items_of_its_catalogue(town: Town):
    declared(town, HOME, catalogue="elsewhere")
    slate = recommend(town.store, town.live, "user-0", Ask(HOME, 5), LATER)
    assert slate.exhausted
    assert not slate.items


def test_a_scenario_without_a_version_answers_through_the_one_it_falls_back_on_and_says_so(town: Town):
    declared(town, "events", candidates=["item-knn(n_neighbours=3)"], fallback="home", page_size=4)
    slate = recommend(town.store, town.live, "user-0", Ask("events"), LATER)
    assert slate.scenario == "events"
    assert slate.version == town.live.scenarios[HOME].version
    assert len(slate.items) == 4
    assert "no version of its own yet; home answers" in slate.note
    declared(town, "lonely", candidates=["item-knn(n_neighbours=3)"])
    with pytest.raises(NotReady, match="nothing is live as 'lonely'"):
        recommend(town.store, town.live, "user-0", Ask("lonely"), LATER)


def test_places_that_a_scenario_leaves_are_filled_by_the_one_behind_it(town: Town):
    declared(town, "events", candidates=["item-knn(n_neighbours=2)"], fallback="home", gate="open")
    trained(town, "events")
    slate = recommend(town.store, town.live, "user-0", Ask("events", 15), LATER)
    assert len(set(ids(slate))) == len(slate.items) == 15
    assert slate.version == town.live.scenarios["events"].version
    sources = [one.source for one in slate.items]
    assert sources[0] == "item-knn"
    assert len(set(sources)) > 1


def test_training_a_scenario_makes_its_own_pipeline_with_the_settings_of_its_named_models(town: Town):
    declared(
        town,
        "mix",
        candidates=["near", "popular-7-days*0.2"],
        models={"near": {"kind": "item-knn", "n_neighbours": 7}},
        merge="rrf",
        gate="open",
    )
    said = trained(town, "mix")
    version = town.live.scenarios["mix"].version
    assert said[-1].startswith(f"mix is now {version}")
    config = town.live.scenarios["mix"].pipeline.config
    assert (config.name, config.merge, config.sources[0].settings) == (
        "near+popular-7-days*0.2",
        "rrf",
        {"n_neighbours": 7},
    )


def test_all_scenarios_are_trained_together_beside_recent_popularity(town: Town):
    declared(town, "one", candidates=["item-knn"])
    declared(town, "two", candidates=["item-knn"], page_size=3)
    declared(town, "three", candidates=["item-knn"], merge="rrf")
    names = [config.name for config in configs_of(town.store, (), {})]
    assert names == ["popular-7-days", "item-knn", "item-knn (three)"]


def test_a_scenario_takes_what_it_declares_unless_a_person_overrides(town: Town):
    declared(town, "one", candidates=["item-knn(n_neighbours=4)"], gate="open")
    with pytest.raises(Conflict, match=r"not what one declares.*--scenario one"):
        promote(town.store, town.artifacts, town.trained.versions[1], "one", LATER)
    assert promote(town.store, town.artifacts, town.trained.versions[1], "one", LATER, "to try it").override


def test_a_fallback_that_goes_round_or_leads_nowhere_is_refused(town: Town):
    declared(town, "a", candidates=["als"], fallback="home")
    with pytest.raises(Invalid, match=r"there is no scenario 'nowhere'; the scenarios are home, for-you, a"):
        declared(town, "b", candidates=["als"], fallback="nowhere")
    declared(town, "b", candidates=["als"], fallback="a")
    with pytest.raises(Invalid, match="goes round in a circle"):
        declared(town, "home", fallback="b")
    with pytest.raises(Conflict, match="is the fallback of b"):
        delete_scenario(town.store, "a", LATER)
    delete_scenario(town.store, "b", LATER)
    delete_scenario(town.store, "a", LATER)
    assert list(scenarios_of(town.store)) == ["home", "for-you"]
    with pytest.raises(NotFound, match="no scenario 'a'"):
        patch_scenario(town.store, "a", {"page_size": 3}, LATER)


def friends(town: Town) -> None:
    town.store.put_users([User(f"user-{n}", f"Person {n}") for n in range(6)])
    town.store.put_relations([Relation("user-0", "user-3"), Relation("user-1", "user-5"), Relation("user-2", "user-5")])
    declared(town, "people", recommend="users", candidates=["user-knn"], page_size=4)


def test_people_are_recommended_but_never_oneself_nor_whom_one_follows(town: Town):
    friends(town)
    trained(town, "people")
    users = [f"user-{n}" for n in range(12)]
    for slate in recommend_many(town.store, town.live, users, Ask("people"), LATER):
        assert len(set(ids(slate))) == len(slate.items) == 4
        assert slate.user not in ids(slate)
        assert slate.recommends == "users"
    mine = recommend(town.store, town.live, "user-0", Ask("people", 40), LATER)
    assert "user-3" not in ids(mine)
    # Tastes are told apart by the remainder of three.
    assert {int(one.item.removeprefix("user-")) % 3 for one in mine.items[:5]} == {0}


def test_two_newcomers_with_nothing_told_of_them_get_whom_most_follow_then_who_came_last(town: Town):
    friends(town)
    trained(town, "people")
    town.store.put_users([User("twin-1"), User("twin-2")])
    for slate in recommend_many(town.store, town.live, ["twin-1", "twin-2", "nobody-yet"], Ask("people", 3), LATER):
        assert [(one.item, one.source) for one in slate.items][:2] == [
            ("user-5", "most-followed"),
            ("user-3", "most-followed"),
        ]
        assert slate.items[2].source == "newest"
        assert slate.items[2].item in {"twin-1", "twin-2"} - {slate.user}


def test_a_deleted_user_is_recommended_to_nobody_from_then_on(town: Town):
    friends(town)
    trained(town, "people")
    first = recommend(town.store, town.live, "user-0", Ask("people"), LATER).items[0].item
    town.store.delete_user(first)
    again = recommend(town.store, town.live, "user-0", Ask("people"), LATER)
    assert first not in ids(again)
    assert len(again.items) == 4


def test_a_scenario_of_people_refuses_what_cannot_say_who_is_alike(town: Town):
    with pytest.raises(Invalid, match="als knows no likeness of people"):
        declared(town, "people", recommend="users", candidates=["als"])
    with pytest.raises(Invalid, match="better measures items"):
        declared(town, "people", recommend="users", candidates=["user-knn"], gate="better")
    friends(town)
    trained(town, "people")
    with pytest.raises(Conflict, match="recommends items, and people users"):
        promote(town.store, town.artifacts, town.trained.versions[0], "people", LATER)
