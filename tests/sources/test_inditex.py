"""The data set inditex: files of its layout, whatever wrote them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip.domain import Invalid, NotFound, micros
from serendip.flows.sessions import read_sessions
from serendip.sources import datasets
from serendip.sources.datasets import LoadedSet, inditex


def shop(folder: Path, **more: pl.DataFrame) -> Path:
    """Three products, two customers, two sessions."""
    frames = {
        "products": pl.DataFrame(
            {
                "discount": [0, 1, 0], "embedding": [[0.5, 1.0], None, []], "partnumber": [10, 20, 30],
                "color_id": [7, 7, 9], "cod_section": [1.0, 1.0, None], "family": [3, 4, 4],
            },
            schema_overrides={"embedding": pl.List(pl.Float64)},
        ),
        "train": pl.DataFrame(
            {
                "session_id": [1, 1, 1, 2], "date": ["2024-06-01"] * 4,
                "timestamp_local": [
                    f"2024-06-01 {at}" for at in ("10:00:00.123", "10:00:05.000", "10:00:09.500", "11:00:00.000")
                ],
                "add_to_cart": [0, 1, 0, 0], "purchase": [0, 0, 1, 0], "user_id": [None, None, None, 12.0],
                "country": [25] * 4, "partnumber": [10, 10, 10, 20], "device_type": [1] * 4, "pagetype": [8.0] * 4,
            },
            schema_overrides={"user_id": pl.Float64},
        ),
    } | more  # fmt: skip
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "users.csv").write_text("user_id,country,R,F,M\n12,25,3,1,10.5\n13,34,9,2,20\n12,34,5,8,99.5\n")
    return folder


def table(loaded: LoadedSet, as_: str) -> list[pl.DataFrame]:
    """The accepted rows of each part of one sort; every row is accounted for."""
    found = []
    for part in loaded.parts:
        if part.as_ == as_:
            frames = []
            for checked in part.rows:
                assert checked.frame.height + len(checked.errors) + sum(checked.left_out.values()) == checked.rows_read
                frames.append(checked.frame)
            found.append(pl.concat(frames))
    return found


def test_sessions_without_a_customer_stand_for_themselves(tmp_path: Path):
    loaded = datasets.load("inditex", shop(tmp_path))
    [events] = table(loaded, "interactions")
    assert events["user"].to_list() == ["session:1", "session:1", "session:1", "12"]
    assert events["kind"].to_list() == ["view", "cart", "purchase", "view"]
    assert events["item"].to_list() == ["10", "10", "10", "20"]
    assert events["context"].to_list() == [None, None, None, '{"session": "2"}']
    assert events["at"][0] == micros(datetime(2024, 6, 1, 10, 0, 0, 123_000, tzinfo=UTC))
    assert {kind.name: (kind.weight, kind.hides) for kind in loaded.kinds} == {
        "view": (1, False), "cart": (10, False), "purchase": (20, True),
    }  # fmt: skip


def test_products_have_words_and_those_with_a_picture_a_vector(tmp_path: Path):
    loaded = datasets.load("inditex", shop(tmp_path))
    [products] = table(loaded, "items")
    assert products["tags"].to_list() == [
        ["family 3", "section 1", "colour 7"], ["family 4", "section 1", "colour 7"], ["family 4", "colour 9"],
    ]  # fmt: skip
    assert json.loads(products["attributes"][1]) == {
        "section": "section 1", "family": "family 4", "colour": "colour 7", "discount": 1,
    }  # fmt: skip
    [pictures] = table(loaded, "vectors")
    assert pictures.to_dicts() == [{"item": "10", "vector": [0.5, 1.0]}]


def test_pictures_may_lie_in_a_file_of_their_own(tmp_path: Path):
    folder = shop(tmp_path, products=pl.read_parquet(shop(tmp_path) / "products.parquet").drop("embedding"))
    (folder / "embeddings.csv").write_text("partnumber,e0,e1\n10,1,2\n30.0,3,4.5\n")
    [pictures] = table(datasets.load("inditex", folder), "vectors")
    assert pictures.to_dicts() == [{"item": "10", "vector": [1.0, 2.0]}, {"item": "30", "vector": [3.0, 4.5]}]
    (folder / "embeddings.csv").write_text('partnumber,embedding\n20,"[1, 2, 3]"\n')
    [pictures] = table(datasets.load("inditex", folder), "vectors")
    assert pictures.to_dicts() == [{"item": "20", "vector": [1.0, 2.0, 3.0]}]


def test_of_a_customer_of_several_countries_the_row_of_most_purchases_counts(tmp_path: Path):
    [people] = table(datasets.load("inditex", shop(tmp_path)), "users")
    told = {row["id"]: json.loads(row["attributes"]) for row in people.to_dicts()}
    assert told == {"12": {"country": 34, "R": 5, "F": 8, "M": 99.5}, "13": {"country": 34, "R": 9, "F": 2, "M": 20}}


def test_a_pickle_is_never_read_and_the_refusal_says_how_to_convert_it(tmp_path: Path):
    folder = shop(tmp_path)
    (folder / "products.parquet").unlink()
    (folder / "products.pkl").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(Invalid, match=r"read_pickle\(.*products\.pkl.*\)\.to_parquet\(.*products\.parquet.*\)"):
        datasets.load("inditex", folder)
    assert not (tmp_path / "owned").exists()
    (folder / "products.pkl").unlink()
    with pytest.raises(NotFound, match=r"products\.parquet"):
        datasets.load("inditex", folder)


def test_rows_that_say_nothing_are_refused_with_their_line(tmp_path: Path):
    train = pl.read_parquet(shop(tmp_path) / "train.parquet").with_columns(
        session_id=pl.Series([1, None, 1, 2]), add_to_cart=pl.Series(["0", "1", "perhaps", "0"])
    )
    loaded = datasets.load("inditex", shop(tmp_path, train=train))
    errors = [error for part in loaded.parts if part.as_ == "interactions" for one in part.rows for error in one.errors]
    assert [(error.line, error.field) for error in errors] == [(2, "user"), (3, "add_to_cart")]
    with pytest.raises(Invalid, match="has no column partnumber"):
        datasets.load("inditex", shop(tmp_path, train=train.drop("partnumber")))


def test_one_bad_cell_refuses_its_row_and_neither_the_column_nor_the_load(tmp_path: Path):
    products = pl.DataFrame(
        {
            "discount": [0, 1, 0], "embedding": [[0.5, 1.0], [float("nan"), 1.0], [1.0, 2.0, 3.0]],
            "partnumber": [10, 20, 30], "color_id": [7, 7, 9], "cod_section": [1.0, 1.0, None], "family": [3, 4, 4],
        }
    )  # fmt: skip
    folder = shop(tmp_path, products=products)
    (folder / "users.csv").write_text("user_id,country,R,F,M\n12,25,3,1,x\n13,34,,2,20\n14,34,5,NaN,9\n")
    loaded = datasets.load("inditex", folder)
    found = {
        part.as_: [(error.line, error.field) for one in part.rows for error in one.errors]
        for part in loaded.parts
        if part.as_ in ("users", "vectors")
    }
    assert found == {"users": [(2, "M"), (4, "F")], "vectors": [(2, "vector"), (3, "vector")]}


def test_sessions_need_no_column_of_customers_and_their_names_may_hold_quotes(tmp_path: Path):
    train = pl.read_parquet(shop(tmp_path) / "train.parquet").with_columns(
        session_id=pl.Series(['a"b\\', "c", "c", "d"])
    )
    file = tmp_path / "asked.parquet"
    train.with_columns(user_id=pl.lit(12)).write_parquet(file)
    assert read_sessions(str(file))["session"].to_list() == ['a"b\\', "c", "c", "d"]
    train.drop("user_id").write_parquet(file)
    told = read_sessions(str(file))
    assert told["kind"].to_list() == ["view", "cart", "purchase", "view"]
    assert told["user"].null_count() == 4
    train.with_columns(session_id=pl.lit(None, pl.String), user_id=pl.lit(12)).write_parquet(file)
    with pytest.raises(Invalid, match="4 events without a session"):
        read_sessions(str(file))


def test_all_events_at_once_are_those_of_the_loader(tmp_path: Path):
    folder = shop(tmp_path)
    [checked] = table(datasets.load("inditex", folder), "interactions")
    whole = inditex.all_events(folder / "train.parquet")
    assert whole.select("user", "item", "kind").equals(checked.select("user", "item", "kind"))
    np.testing.assert_array_equal(whole["at"].to_physical(), checked["at"])
