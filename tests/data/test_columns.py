"""Attributes as columns, and the frames that they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from serendip.data import UNKNOWN, Column, Columns, Queries, described
from serendip.domain import Invalid
from worlds import checkerboard, took, world

RECORDS = [
    {"genre": "drama", "price": 20, "new": True, "tags": ["war", "love"], "look": [1.0, 0.0]},
    {"genre": "comedy", "price": 5.5, "new": False, "tags": []},
    {"look": (0.0, 3), "tags": ["love"], "mixed": "x"},
    {"mixed": 7},
]
ARRAYS = {"look": pl.Array(pl.Float32, 2)}
FRAME = {
    "item": ["i1", "i9", "i0"],
    "price": [5, None, 20],
    "genre": ["comedy", "war", None],
    "tags": [["a"], ["b", "a"], None],
    "look": [[1.0, 2.0], None, [3.0, 4.0]],
}


def same(one: Columns, other: Columns) -> bool:
    left, right = one.arrays(), other.arrays()
    return left.keys() == right.keys() and all(
        np.array_equal(left[name], right[name], equal_nan=left[name].dtype.kind == "f") for name in left
    )


def test_columns_come_back_from_their_arrays() -> None:
    columns = Columns.of(RECORDS)
    assert same(Columns.restore(columns.arrays()), columns)
    assert same(Columns.restore(Columns.of([]).arrays()), Columns.of([]))


def test_rows_that_are_taken_are_as_if_made_of_their_records() -> None:
    rows = np.array([2, UNKNOWN, 0])
    taken, made = Columns.of(RECORDS).take(rows), Columns.of([RECORDS[2], {}, RECORDS[0]])
    for name in ("genre", "price", "tags", "look"):
        one, other = taken.columns[name], made.columns[name]
        if one.texts is not None:
            assert [one.texts.words[c] if c >= 0 else None for c in one.texts.codes] == [None, None, "drama"]
        if one.lists is not None:
            assert [[one.lists.words[c] for c in one.lists.codes[row]] for row in range(3)] == [
                ["love"],
                [],
                ["war", "love"],
            ]
        for part in ("numbers", "vectors"):
            if getattr(one, part) is not None:
                np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_of_vectors_those_of_the_commonest_length_count() -> None:
    column = Column.of([[1, 2], [3, 4], [5, 6, 7], [1e300, 0], None])
    assert column.what == "a vector"
    assert column.vectors is not None
    assert np.isnan(column.vectors).any(axis=1).tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(
    "frame",
    [pl.DataFrame(FRAME), FRAME, pd.DataFrame(FRAME), pl.DataFrame(FRAME, schema_overrides=ARRAYS)],
    ids=["polars", "dict", "pandas", "array"],
)
def test_a_frame_of_items_stands_beside_their_rows_and_brings_new_ones(frame) -> None:
    data = described(world([took(0, 0), took(1, 1), took(1, 2)]), items=frame)
    assert data.items.ids == ("i0", "i1", "i2", "i9")
    assert data.item_columns is not None
    columns = data.item_columns.columns
    np.testing.assert_array_equal(columns["price"].numbers, [20, 5, np.nan, np.nan])
    assert columns["look"].vectors is not None
    np.testing.assert_array_equal(columns["look"].vectors[[0, 1]], [[3, 4], [1, 2]])
    assert np.isnan(columns["look"].vectors[[2, 3]]).all()
    assert columns["tags"].lists is not None
    assert columns["tags"].lists.has("a").tolist() == [False, True, False, True]


def test_frames_that_cannot_be_told_apart_are_refused() -> None:
    data = checkerboard()
    with pytest.raises(Invalid, match="no column 'item'; the columns are name"):
        described(data, items={"name": ["a"]})
    with pytest.raises(Invalid, match="'i0' has several rows"):
        described(data, items={"item": ["i0", "i0"]})
    with pytest.raises(Invalid, match="1 rows have no user"):
        described(data, users={"user": ["u0", None]})
    with pytest.raises(Invalid, match="'look' have lengths from 1 to 2"):
        described(data, items={"item": ["i0", "i1"], "look": [[1.0], [1.0, 2.0]]})


def test_profiles_follow_their_askers_and_the_fingerprint_knows_them() -> None:
    plain = checkerboard()
    data = described(plain, users={"user": ["u1", "u0"], "age": [31, 30]})
    queries = Queries.of_users(data, np.array([1, 5, 0]))
    assert queries.profile is not None
    np.testing.assert_array_equal(queries.profile.columns["age"].numbers, [31, np.nan, 30])
    picked = queries.take(np.array([2])).profile
    assert picked is not None
    np.testing.assert_array_equal(picked.columns["age"].numbers, [30])
    older = described(plain, users={"user": ["u1", "u0"], "age": [32, 30]})
    assert len({one.fingerprint() for one in (plain, data, older)}) == 3
    assert data.take(slice(0, 5)).user_columns is data.user_columns
