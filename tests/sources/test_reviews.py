"""Reviews as shops export them: what is cleaned, what is left out and counted, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from serendip.domain import Invalid
from serendip.sources import datasets
from serendip.sources.datasets.reviews import is_anonymous

HEADER = "userName,itemName,description,price,rating,reviewTime,summary,reviewText\n"


def loaded(folder: Path, *rows: str) -> tuple[dict[str, pl.DataFrame], list[Any], datasets.LoadedSet]:
    file = folder / "reviews.csv"
    file.write_text(HEADER + "".join(row + "\n" for row in rows), encoding="utf-8")
    made = datasets.load("product-reviews", folder)
    parts = {part.as_: list(part.rows) for part in made.parts}
    frames = {name: pl.concat([one.frame for one in checked]) for name, checked in parts.items()}
    return frames, [error for checked in parts.values() for one in checked for error in one.errors], made


def test_markup_prices_moments_and_other_scripts_are_read_as_people_mean_them(tmp_path: Path):
    frames, errors, made = loaded(
        tmp_path,
        'Ann,Kettle,"<p>Boils &amp; <b>sings</b></p>","$1,234.56",5.0,"09 1, 2016",Five Stars,<br/>Good',
        'ann,kettle,Short,$10.00 - $20.00,4,2017-02-03,,"Очень   хороший"',
        "Bob,Kettle,,nan,5,2016-12-24,,",
        "Bob,Lamp,,.css{color:red},3.5,2016-12-25,,とても良い",
    )
    assert not errors
    items = {row["title"]: row for row in frames["items"].iter_rows(named=True)}
    assert set(items) == {"Kettle", "kettle", "Lamp"}, "names that differ in case are different products"
    assert items["Kettle"]["text"] == "Boils & sings"
    assert {title: json.loads(row["attributes"]).get("price") for title, row in items.items()} == {
        "Kettle": 1234.56, "kettle": 15.0, "Lamp": None,
    }  # fmt: skip
    events = frames["interactions"].sort("at")
    assert events["user"].to_list() == ["Ann", "Bob", "Bob", "ann"]
    assert events["at"].to_list()[0] == 1472688000000000, "1 September 2016"
    assert events["kind"].to_list() == ["five-stars", "five-stars", "review", "review"]
    assert [None if one is None else json.loads(one) for one in events["context"]] == [
        {"summary": "Five Stars", "text": "Good"}, None, {"text": "とても良い"}, {"text": "Очень хороший"},
    ]  # fmt: skip
    assert made.report["reviews without a word"] == 1
    assert made.report["reviews whose product's price cannot be read"] == 1
    assert made.report["products without a price"] == 1


def test_what_is_left_out_is_counted_and_what_is_wrong_is_refused_with_its_line(tmp_path: Path):
    frames, errors, made = loaded(
        tmp_path,
        "Ann,Kettle,,,5,2016-01-01,,A",
        "Ann,Kettle,,,5,2016-01-01,,A",
        "Ann,Kettle,,,2,2016-01-09,,Broke",
        ",Kettle,,,5,2016-01-01,,who?",
        "Bob,,,,5,2016-01-01,,what?",
        "Bob,Lamp,,,6,2016-01-01,,",
        "Bob,Lamp 2,,,many,2016-01-01,,",
        "Bob,Lamp 3,,,5,someday,,",
    )
    assert made.report["reviews that are there twice"] == 1
    assert made.report["earlier reviews of the same product by the same person"] == 1
    assert made.report["reviews that name nobody"] == 1
    assert made.report["reviews that name no product"] == 1
    assert [(error.line, error.field) for error in errors] == [(7, "value"), (8, "value"), (9, "at")]
    kept = frames["interactions"]
    assert kept.select("user", "kind", "value").rows() == [("Ann", "review", 2.0)], "the newest of a pair counts"


def test_a_product_or_a_person_that_cannot_be_kept_is_refused_with_the_line_of_the_file(tmp_path: Path):
    file = tmp_path / "reviews.csv"
    rows = ["A1,Ann,B1,Kettle,5,2016-01-01", "A1,Ann,B1,Kettle,4,2016-01-02", f"A2,Bob,{'b' * 600},Lamp,5,2016-01-03"]
    rows.append(f"{'a' * 600},Cleo,B1,Kettle,5,2016-01-04")
    file.write_text("\n".join(["reviewerID,userName,asin,itemName,rating,reviewTime", *rows, ""]))
    parts = {part.as_: part.rows for part in datasets.load("product-reviews", file).parts}
    faults = {name: [error.line for one in rows for error in one.errors] for name, rows in parts.items()}
    assert faults == {"users": [5], "items": [4], "interactions": [4, 5]}
    assert {rows.source.name for rows in parts.values()} == {str(file)}


def test_who_told_no_name_is_set_apart_one_person_a_review(tmp_path: Path):
    rows = [
        f"{name},Kettle,,,5,2016-01-0{day},,{day}"
        for day, name in enumerate(("Amazon Customer", "A customer.", "Ann"), 1)
    ]
    frames, _, made = loaded(tmp_path, *rows)
    users = frames["interactions"]["user"].to_list()
    assert len(set(users)) == 3
    assert [user.startswith("anonymous:") for user in users] == [True, True, False]
    assert made.report["reviews under an anonymous name, each set apart"] == 2
    flags = {row["id"]: json.loads(row["attributes"]).get("anonymous") for row in frames["users"].iter_rows(named=True)}
    assert flags == {users[0]: True, users[1]: True, "Ann": None}
    again, _, _ = loaded(tmp_path, *reversed(rows))
    assert set(again["interactions"]["user"]) == set(users), "whatever the order of the file"
    assert is_anonymous("  amazon   CUSTOMER ")
    assert not is_anonymous("Ann Customer")


def test_ids_of_the_file_go_before_names_and_a_missing_column_is_named(tmp_path: Path):
    file = tmp_path / "mine.csv"
    file.write_text("reviewerID,reviewerName,asin,title,overall,unixReviewTime\nA1,Ann,B1,Kettle,5,1472688000\n")
    parts = {part.as_: next(iter(part.rows)).frame for part in datasets.load("product-reviews", file).parts}
    assert parts["interactions"].select("user", "item").rows() == [("A1", "B1")]
    assert parts["users"].select("id", "name").rows() == [("A1", "Ann")]
    file.write_text("userName,itemName,reviewTime\nAnn,Kettle,2016-01-01\n")
    with pytest.raises(Invalid, match="has no column rating"):
        datasets.load("product-reviews", file)
