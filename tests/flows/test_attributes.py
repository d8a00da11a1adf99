"""What the store knows of items and users reaches the models that read it, in training and in serving."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from serendip.domain import Invalid, User
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.promote import publish
from serendip.flows.recommend import Ask, recommend
from serendip.flows.train import configs_of, evaluate, train
from serendip.pipeline import PipelineConfig
from towns import LATER, N_USERS, Town, live_with

TASTES = ("sea", "hills", "city")


def test_columns_are_read_where_a_kind_may_read_them_and_only_then(town: Town):
    data = gather(town.store)
    plain = with_attributes(town.store, data, [PipelineConfig.parse("item-knn+als")])
    assert plain.item_columns is None
    assert plain.user_columns is None
    told = with_attributes(town.store, data, [PipelineConfig.parse("item-knn+content-knn")])
    assert told.item_columns is not None
    assert told.user_columns is None
    columns, row = told.item_columns.columns, told.items.row("item-4")
    assert columns["price"].numbers is not None
    assert columns["price"].numbers[row] == 4
    assert columns["tags"].lists is not None
    assert columns["tags"].lists.has("hills")[row]
    assert columns["title"].texts is not None
    assert columns["title"].texts.words[columns["title"].texts.codes[row]] == "Item 4"


def test_items_alike_by_their_tags_are_trained_and_served(town: Town):
    slate = recommend(town.store, live_with(town, "content-knn(columns=tags)"), "user-0", Ask(FOR_YOU, 2), LATER)
    assert {item.source for item in slate.items} == {"content-knn"}
    assert {int(item.item.removeprefix("item-")) % 3 for item in slate.items} == {0}


def test_somebody_without_a_history_is_answered_by_the_profile_in_the_store(town: Town):
    town.store.put_users([User(f"user-{u}", attributes={"likes": [TASTES[u % 3]]}) for u in range(N_USERS)])
    town.store.put_users([User("newcomer", attributes={"likes": ["hills"]}), User("stranger")])
    live = live_with(town, "profile-knn")
    slate = recommend(town.store, live, "newcomer", Ask(FOR_YOU, 3), LATER)
    assert {item.source for item in slate.items} == {"profile-knn"}
    assert {int(item.item.removeprefix("item-")) % 3 for item in slate.items} == {1}
    other = recommend(town.store, live, "stranger", Ask(FOR_YOU, 3), LATER)
    assert "profile-knn" not in {item.source for item in other.items}


def test_a_kind_that_needs_what_the_store_has_not_is_refused_with_the_way_out(town: Town):
    with pytest.raises(Invalid, match="profile-knn learns from attributes of users, and the data holds none; import"):
        evaluate(town.store, [PipelineConfig.parse("profile-knn")], "frozen", "time:0.1", None, 10, 0)


def test_what_is_live_and_can_learn_no_longer_does_not_stand_in_the_way_of_others(town: Town):
    trained = train(town.store, town.artifacts, configs_of(town.store, ("content-knn(columns=tags)",), {}), LATER)
    town.store.promote(HOME, trained.versions[0], LATER, "for this test")
    items = [replace(item, tags=()) for item in town.store.items_by_id([f"item-{i}" for i in range(30)]).values()]
    town.store.put_items(items)
    later = train(town.store, town.artifacts, configs_of(town.store, ("popular",), {}), LATER)
    said = publish(town.store, later.versions, LATER)
    assert any(one.startswith(f"{HOME} is now popular") for one in said), said
    assert "not compared with what is live" in " ".join(said)


def test_stored_vectors_that_a_setting_names_are_columns(town: Town):
    vectors = [[float(i % 3 == taste) for taste in range(3)] for i in range(30)]
    town.store.load_vectors("look", pl.DataFrame({"item": [f"item-{i}" for i in range(30)], "vector": vectors}))
    config = PipelineConfig.parse("content-knn(vectors=look)")
    told = with_attributes(town.store, gather(town.store), [config])
    assert told.item_columns is not None
    found = told.item_columns.columns["look"].vectors
    assert found is not None
    np.testing.assert_array_equal(found[told.items.row("item-7")], [0, 1, 0])
