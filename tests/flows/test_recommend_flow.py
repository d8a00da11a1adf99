from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

import serendip as sd
from serendip.domain import Interaction, Invalid, Item, NotFound
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.recommend import Ask, recommend, recommend_many, recommend_session, similar
from serendip.flows.record import record
from serendip.library import Recommender
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)


def ids(slate):
    return [one.item for one in slate.items]


def took(user: str, item: str, minutes: int = 1) -> Interaction:
    return Interaction(user, item, NOON + timedelta(minutes=minutes), "like")


def test_what_was_just_recorded_changes_the_next_slate_without_training(town: Town):
    ask = Ask(FOR_YOU, 5, explain=True)
    before = recommend(town.store, town.live, "newcomer", ask, LATER)
    record(town.store, [took("newcomer", "item-4")], NOON)
    after = recommend(town.store, town.live, "newcomer", ask, LATER)
    assert before.version == after.version
    assert not before.known
    assert after.known
    assert ids(before) != ids(after)
    assert {reason.item for one in after.items for reason in one.reasons} == {"item-4"}
    # Item 4 is of taste 1; a newcomer with this one event gets that taste first.
    assert [int(item.removeprefix("item-")) % 3 for item in ids(after)][:3] == [1, 1, 1]


def test_a_seen_item_is_not_shown_again_and_is_not_a_gap(town: Town):
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 10), LATER)
    seen = set(town.store.seen("user-0", kinds=("like",), until=LATER))
    assert len(slate.items) == 10
    assert not seen & set(ids(slate))


def test_a_slate_is_short_only_when_nothing_more_qualifies_and_says_so(town: Town):
    seen = set(town.store.seen("user-0", kinds=("like",), until=LATER))
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 100), LATER)
    assert slate.exhausted
    assert set(ids(slate)) == {f"item-{i}" for i in range(30)} - seen
    assert slate.note == f"only {30 - len(seen)} of 30 items are available and not yet seen"


def test_a_slate_that_its_filter_made_short_does_not_say_that_every_item_passes_it(town: Town):
    slate = recommend(town.store, town.live, "nobody", Ask(HOME, 5, filter='id == "item-4"'), LATER)
    assert slate.note is not None
    assert slate.note.startswith("only 1 of 30 items pass the filter, are available and not yet seen")


def test_a_filter_acts_before_the_best_are_taken(town: Town):
    slate = recommend(town.store, town.live, "user-0", Ask(HOME, 5, filter='tags has "city" and price >= 10'), LATER)
    assert {int(item.removeprefix("item-")) % 3 for item in ids(slate)} == {2}
    assert min(int(item.removeprefix("item-")) for item in ids(slate)) >= 10


def test_an_unknown_attribute_of_a_filter_is_refused_naming_those_there_are(town: Town):
    with pytest.raises(Invalid, match=r"colour.*price"):
        recommend(town.store, town.live, "user-0", Ask(HOME, 5, filter='colour == "red"'), LATER)


def test_time_is_honoured(town: Town):
    past = NOON - timedelta(days=365)
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 5), past)
    stranger = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 5, explain=True), past)
    assert ids(slate) == ids(stranger)
    assert all(not one.reasons for one in stranger.items)


def test_a_session_is_answered_like_a_user_with_the_same_events(town: Town):
    events = [took("-", "item-1", 1), took("-", "item-7", 2)]
    record(town.store, [took("twin", "item-1", 1), took("twin", "item-7", 2)], NOON)
    session = recommend_session(town.store, town.live, events, Ask(FOR_YOU, 5), LATER)
    user = recommend(town.store, town.live, "twin", Ask(FOR_YOU, 5), LATER)
    assert [(one.item, pytest.approx(one.score)) for one in session.items] == [
        (one.item, one.score) for one in user.items
    ]


def test_many_users_get_what_each_gets_alone(town: Town):
    users = ["user-1", "nobody-yet", "user-2"]
    together = recommend_many(town.store, town.live, users, Ask(FOR_YOU, 5), LATER)
    assert [ids(slate) for slate in together] == [
        ids(recommend(town.store, town.live, user, Ask(FOR_YOU, 5), LATER)) for user in users
    ]
    assert [slate.known for slate in together] == [True, False, True]


def test_the_library_object_gives_the_served_answer(town: Town):
    data = gather(town.store)
    home = town.live.scenario(FOR_YOU)
    notebook = Recommender(sd.library.pipelines.fit(home.pipeline.config, data, 1), data)
    for user in ("user-3", "user-14", "a-stranger"):
        served = recommend(town.store, town.live, user, Ask(FOR_YOU, 6), LATER)
        own = notebook.recommend([user], k=6)
        assert own.items[0].tolist() == ids(served)
        np.testing.assert_allclose(own.scores[0], [one.score for one in served.items], rtol=1e-5)


def test_a_deleted_or_hidden_item_is_gone_and_a_new_one_fills_what_is_left(town: Town):
    first = ids(recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 3), LATER))
    town.store.delete_item(first[0])
    town.store.put_items([Item(first[1], hidden=True), Item("brand-new", title="Brand new")])
    assert town.live.refresh()
    slate = recommend(town.store, town.live, "user-0", Ask(FOR_YOU, 100), LATER)
    assert first[0] not in ids(slate)
    assert first[1] not in ids(slate)
    assert (slate.items[-1].item, slate.items[-1].source) == ("brand-new", "new")


def test_an_item_outside_its_window_is_not_shown(town: Town):
    town.store.put_items([Item("item-3", available_from=LATER), Item("item-6", available_until=LATER)])
    town.live.refresh()
    just_before = recommend(town.store, town.live, "fresh", Ask(HOME, 30), LATER - timedelta(seconds=1))
    just_then = recommend(town.store, town.live, "fresh", Ask(HOME, 30), LATER)
    assert "item-3" not in ids(just_before)
    assert "item-6" in ids(just_before)
    assert "item-3" in ids(just_then)
    assert "item-6" not in ids(just_then)


def test_similar_items_are_of_the_same_taste_and_never_the_item_itself(town: Town):
    source, found = similar(town.store, town.live, "item-5", 4, LATER)
    assert source in ("item-knn", "als")
    assert "item-5" not in [item for item, _ in found]
    assert [int(item.removeprefix("item-")) % 3 for item, _ in found] == [2, 2, 2, 2]
    likeness = [value for _, value in found]
    assert likeness == sorted(likeness, reverse=True)


def test_asking_for_neighbours_of_an_unknown_item_is_not_found(town: Town):
    with pytest.raises(NotFound, match="no item 'nothing'"):
        similar(town.store, town.live, "nothing", 4, LATER)


@pytest.mark.parametrize("n", [0, -1, 1001])
def test_a_slate_of_no_or_too_many_items_is_refused(n: int):
    with pytest.raises(Invalid, match="ask for 1 to 1000"):
        Ask(HOME, n)


def test_an_unknown_scenario_is_named(town: Town):
    with pytest.raises(NotFound, match="home, for-you"):
        recommend(town.store, town.live, "user-0", Ask("homme"), LATER)
