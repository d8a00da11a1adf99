"""What people hand to the library: ids of every sort, columns with gaps, and what is refused in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import serendip as sd
from serendip.data import adopt
from serendip.domain import Invalid

PAIRS = [(u, i) for u in range(12) for i in range(u % 2, 10, 2) if (u + i) % 5]
NUMBERS = pl.DataFrame(PAIRS, schema=["user", "item"], orient="row")
USERS = pl.DataFrame({"user": range(12), "town": [("North", "South")[u % 2] for u in range(12)]})
RAGGED = {"user": np.array(["a", "b"]), "item": np.array(["x"])}
TEXT_VALUE = {"user": ["a", "b"], "item": ["x", "y"], "value": ["5", "good"]}
MIXED = pd.DataFrame({"user": [1, "b"], "item": ["x", "y"]})
GAPS = pd.DataFrame({"user": pd.array(["a", pd.NA], dtype="string"), "item": ["x", "y"]})
NANS = {"user": ["a", "b"], "item": np.array([1.0, np.nan])}


@pytest.fixture(scope="module")
def model():
    return sd.fit("item-knn", NUMBERS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (RAGGED, "user has 2, item has 1"),
        (TEXT_VALUE, "'value' holds 'good' in row 1"),
        (MIXED, "'user' cannot be read: its values are of int and str"),
        (GAPS, "1 rows have no user, the first of them row 1"),
        (NANS, "1 rows have no item, the first of them row 1"),
        ({"user": [["a"], ["b"]], "item": ["x", "y"]}, "'user' holds List"),
        ({"user": "a", "item": ["x"]}, "'user' is str"),
    ],
)
def test_data_that_cannot_be_read_is_refused_once_and_by_its_column(given, words):
    with pytest.raises(Invalid, match=words):
        adopt(given)


def test_a_frame_of_attributes_without_a_row_tells_nothing():
    empty = pl.DataFrame(schema={"item": pl.String, "size": pl.Float64, "tags": pl.List(pl.String), "t": pl.String})
    told = sd.fit("als", NUMBERS, items=empty, n_factors=2)
    assert told.data.items.ids == sd.fit("als", NUMBERS, n_factors=2).data.items.ids
    assert told.data.item_columns is not None
    assert np.isnan(told.data.item_columns.columns["size"].numbers).all()


def test_what_pandas_calls_missing_is_missing():
    towns = pd.DataFrame({"user": [0, 1], "town": pd.array(["North", pd.NA], dtype="string")})
    column = sd.fit("popularity", NUMBERS, users=towns).data.user_columns.columns["town"]
    rows = adopt(NUMBERS).users.rows(["0", "1"])
    assert (column.texts.codes[rows] >= 0).tolist() == [True, False]


@pytest.mark.parametrize("asked", [1, np.int64(1), 1.0, "1", ["1"], np.array([1]), np.array(1), pl.Series([1])])
def test_an_id_is_the_same_however_it_is_written(model, asked):
    expected = model.recommend(["1"], k=3)
    assert model.recommend(asked, k=3).items.tolist() == expected.items.tolist()
    assert model.recommend(asked, k=3).users == ("1",)
    bare = model.recommend(history=["1"], items=["3", "5"], k=2)
    assert set(bare.sources[0]) == {"item-knn"}
    assert model.recommend(history=asked, items=[3, 5], k=2).items.tolist() == bare.items.tolist()
    assert model.recommend("0", items=asked, k=2, filter_seen=False).items.tolist() == [["1", None]]


def test_several_users_are_an_array_or_a_list(model):
    assert model.recommend(np.array([1, 2])).users == model.recommend([1, "2"]).users == ("1", "2")


def test_a_bare_text_is_one_id_and_not_its_letters():
    named = sd.fit("item-knn", NUMBERS.with_columns(item=pl.format("i{}", "item")))
    one, many = named.recommend(history="i3", k=3), named.recommend(history=["i3"], k=3)
    assert one.items.tolist() == many.items.tolist()
    assert named.recommend(0, items="i3", k=1).items.tolist() == [["i3"]]


@pytest.mark.parametrize("wrong", [None, float("nan"), b"a", ["a"]])
def test_what_is_no_id_is_refused(model, wrong):
    with pytest.raises(Invalid, match="is no id"):
        model.recommend(["1", wrong])


def test_k_counts_up_to_the_number_of_items(model):
    assert model.recommend("1", k=10**15).items.shape == (1, 10)
    assert len(model.similar_items("1", 10**15)) <= 10
    for wrong in (0, "3", 2.5, True):
        with pytest.raises(Invalid, match="k is"):
            model.recommend("1", k=wrong)


def test_whole_floats_are_the_integers_that_they_stand_for():
    items = pl.DataFrame({"item": [0.0, 1.0, 99.0, 0.5], "size": [1, 2, 3, 4]})
    data = sd.fit("popularity", NUMBERS, items=items).data
    assert set(data.items.ids) == {*map(str, range(10)), "99", "0.5"}
    floats = NUMBERS.with_columns(pl.all().cast(pl.Float64))
    assert adopt(floats).fingerprint() == adopt(NUMBERS).fingerprint()


def test_columns_rename_a_frame_or_are_the_models_own():
    users = USERS.with_columns(age=pl.Series(range(12)))
    for own in ("town", ["town"]):
        fitted = sd.fit("profile-knn", NUMBERS, users=users, columns=own)
        assert tuple(fitted.pipeline.config.sources[0].model_settings().columns) == ("town",)
    theirs = NUMBERS.rename({"user": "customer"})
    assert sd.fit("popularity", theirs, columns={"user": "customer"}).data.users.ids == adopt(NUMBERS).users.ids
    with pytest.raises(Invalid, match="has no setting 'columns'"):
        sd.fit("popularity", NUMBERS, columns="town")
    with pytest.raises(Invalid, match="a Dataset has no columns to rename"):
        sd.fit("popularity", adopt(NUMBERS), columns={"user": "customer"})
    with pytest.raises(Invalid, match="there is a column 'user'"):
        adopt(NUMBERS.with_columns(customer="user"), {"user": "customer"})


def test_what_is_asked_of_one_user_refuses_several():
    with pytest.raises(Invalid, match="one user at a time, and 2 were given"):
        sd.fit("user-knn", NUMBERS).similar_users(["1", "2"])


def test_a_profile_is_a_dict_and_for_models_that_read_one(model):
    with pytest.raises(Invalid, match="reads no profile; fit profile-knn or segments"):
        model.recommend(profile={"town": "South"})
    with pytest.raises(Invalid, match="'x' is no dict"):
        model.recommend(profile="x")
    fitted = sd.fit("profile-knn", NUMBERS, users=USERS)
    assert set(fitted.recommend(profile={"town": "South"}, k=2).sources[0]) == {"profile-knn"}
