"""Files of every format: what is found out about them, and what their rows become."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serendip.domain import Invalid, NotFound, micros
from serendip.sources import infer, open_source, read
from sources.whole import read_whole

NOON = micros(datetime(2024, 5, 1, 12, tzinfo=UTC))

SAME = {
    "csv": "user,item,value,at\nann,film-1,4,1714564800\n",
    "semicolons": "user;item;value;at\nann;film-1;4;2024-05-01T12:00:00\n",
    "tsv": "user\titem\tvalue\tat\nann\tfilm-1\t4\t1714564800000\n",
    "bars": "user|item|value|at\nann|film-1|4|2024-05-01 12:00\n",
    "double colons": "ann::film-1::4::1714564800\n",
    "a sheet's names": "CustomerID,StockCode,Rating,InvoiceDate\nann,film-1,4.0,5/1/2024 12:00\n",
    "typed names": "user_id:token\titem_id:token\trating:float\ttimestamp:float\nann\tfilm-1\t4\t1714564800.0\n",
    "camel case": "userId,movieId,rating,timestamp\nann,film-1,4,2024-05-01T14:00:00+02:00\n",
    "quoted": '"user","item","value","at"\n"ann","film-1","4","2024-05-01T12:00:00Z"\n',
    "microseconds": "user,item,value,at\nann,film-1,4,1714564800000000\n",
    "jsonl": '{"user": "ann", "item": "film-1", "value": 4, "at": "2024-05-01T12:00:00Z"}\n',
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_one_row_is_the_same_however_it_is_written(name: str, zipped: bool, write: Callable[..., Path]) -> None:
    [row] = read_whole(write(SAME[name], zipped=zipped), defaults={"kind": "rating"}).rows
    key = row.pop("key")
    assert row == {"user": "ann", "item": "film-1", "at": NOON, "kind": "rating", "value": 4.0, "context": None}
    [plain] = read_whole(write(SAME["csv"]), defaults={"kind": "rating"}).rows
    assert key == plain["key"]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    frame = pl.DataFrame({"user": [1.0, None], "item": [7, 8], "at": [NOON, NOON], "extra": [[1], [2]]})
    frame.with_columns(pl.from_epoch("at", time_unit="us")).write_parquet(path)
    whole = read_whole(path)
    assert whole.rows[0]["user"] == "1"  # A whole number that a table with gaps made a float.
    assert whole.rows[0]["item"] == "7"
    assert whole.rows[0]["at"] == NOON
    assert [(error.line, error.field) for error in whole.errors] == [(2, "user")]


def test_a_file_without_names_is_taken_by_position_and_says_so(write: Callable[..., Path]) -> None:
    source = open_source(write("1::0123::7::1365029107\n2::0456::8::1365029108\n"))
    mapping = infer(source, "interactions")
    assert mapping.fields == {"user": "column_1", "item": "column_2", "value": "column_3", "at": "column_4"}
    assert mapping.kind == "rating"
    assert any("by position" in note for note in mapping.notes)
    [first, _] = read_whole(source.name).rows
    assert first["item"] == "0123"


def test_a_third_column_of_epochs_is_the_moment(write: Callable[..., Path]) -> None:
    assert infer(open_source(write("1,2,1365029107\n3,4,1365029108\n")), "interactions").fields["at"] == "column_3"
    assert infer(open_source(write("1,2,3.5\n3,4,5.0\n")), "interactions").fields["value"] == "column_3"


def test_a_line_a_user_is_read_as_a_sequence(write: Callable[..., Path]) -> None:
    whole = read_whole(write("0 5 6 7\n1 8\n"))
    assert [(row["user"], row["item"], row["at"]) for row in whole.rows] == [
        ("0", "5", 1_000_000),
        ("0", "6", 2_000_000),
        ("0", "7", 3_000_000),
        ("1", "8", 1_000_000),
    ]
    assert whole.lines == [1, 1, 1, 2]


def test_what_the_operator_says_goes_before_what_is_inferred(write: Callable[..., Path]) -> None:
    path = write("user,who,item,value,at\nann,bob,film-1,4,1714564800\n")
    whole = read_whole(path, mapping={"user": "who", "value": ""})
    assert whole.rows[0]["user"] == "bob"
    assert whole.rows[0]["value"] is None


@pytest.mark.parametrize(
    ("mapping", "word"), [({"user": "nobody"}, "columns are user, item"), ({"colour": "user"}, "fields are user, item")]
)
def test_a_mapping_that_cannot_be_lists_what_can(
    mapping: dict[str, str], word: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(Invalid, match=word):
        infer(open_source(write("user,item\nann,film-1\n")), "interactions", mapping)


def test_missing_columns_are_named_with_the_columns_that_are_there(write: Callable[..., Path]) -> None:
    with pytest.raises(Invalid, match=r"the item of interactions.*user, colour.*--map item=COLUMN"):
        infer(open_source(write("user,colour\nann,red\n")), "interactions")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no file .*nothing\.csv"):
        open_source(tmp_path / "nothing.csv")


@pytest.mark.parametrize("bad", ["folder", "http://example.org/x.csv", "a\0b"])
def test_what_is_no_file_is_refused(bad: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        open_source(tmp_path if bad == "folder" else bad)


def test_latin_1_is_read_and_announced(write: Callable[..., Path]) -> None:
    path = write("user,item\njosé,Å\n".encode("latin-1"))
    whole = read_whole(path)
    assert whole.rows[0]["user"] == "josé"
    assert any("latin-1" in note for note in whole.notes)
    assert read_whole(path, encoding="cp1252").rows[0]["item"] == "Å"


def test_local_time_becomes_utc_and_skipped_hours_are_errors(write: Callable[..., Path]) -> None:
    path = write("user,item,at\na,b,2024-07-01 13:00\na,b,2024-03-31 01:30\na,b,2024-12-01 12:00\n")
    whole = read_whole(path, timezone="Europe/London")
    assert whole.frame["at"].to_list() == [
        micros(datetime(2024, 7, 1, 12, tzinfo=UTC)),
        micros(datetime(2024, 12, 1, 12, tzinfo=UTC)),
    ]
    assert [(error.line, error.field) for error in whole.errors] == [(3, "at")]
    with pytest.raises(Invalid, match="no time zone"):
        read_whole(path, timezone="Mars/Olympus")


def test_moments_read_month_first_are_announced(write: Callable[..., Path]) -> None:
    whole = read_whole(write("user,item,at\na,b,2/3/2024\n"))
    assert whole.frame["at"].to_list() == [micros(datetime(2024, 2, 3, tzinfo=UTC))]
    assert any("month first" in note for note in whole.notes)
    certain = read_whole(write("user,item,at\na,b,2/3/2024\na,b,23/3/2024\n"))
    assert certain.frame["at"][0] == micros(datetime(2024, 3, 2, tzinfo=UTC))
    assert not any("month first" in note for note in certain.notes)


def test_values_outside_the_scale_are_refused(write: Callable[..., Path]) -> None:
    path = write("user,item,value\na,b,5\na,c,5.5\na,d,0\n")
    whole = read_whole(path, scale=(1, 5))
    assert [(error.line, error.what) for error in whole.errors] == [
        (3, "lies outside 1 to 5"),
        (4, "lies outside 1 to 5"),
    ]
    with pytest.raises(Invalid, match="scale"):
        read_whole(path, scale=(5, 1))


def test_items_take_the_columns_that_are_left_as_attributes(write: Callable[..., Path]) -> None:
    text = (
        "movieId,title,genres,price,code,start\n"
        "1,Heat (1995),Crime|Drama,4.5,007,2024-05-01T12:00:00Z\n"
        "2,Up,(no genres listed),3,12,\n"
    )
    first, second = read_whole(write(text), "items").rows
    assert (first["id"], first["title"], first["tags"]) == ("1", "Heat (1995)", ["Crime", "Drama"])
    assert json.loads(str(first["attributes"])) == {"price": 4.5, "code": "007"}
    assert first["available_from"] == NOON
    assert second["tags"] == []
    assert json.loads(str(second["attributes"])) == {"price": 3, "code": "12"}


def test_the_last_of_several_records_with_one_id_counts(write: Callable[..., Path]) -> None:
    whole = read_whole(write("id,name\nann,Ann\nbob,Bob\nann,Anna\n"), "users")
    assert {row["id"]: row["name"] for row in whole.rows} == {"ann": "Anna", "bob": "Bob"}
    assert whole.left_out == 1


def test_relations_point_from_one_user_to_another(write: Callable[..., Path]) -> None:
    whole = read_whole(write("follower,followee\nann,bob\nann,ann\n"), "relations")
    assert whole.rows == [{"user": "ann", "other": "bob", "kind": "follows"}]
    assert whole.errors[0].what == "is the user itself"


@pytest.mark.parametrize(
    "text",
    [
        'item,vector\na,"[1, 2.5]"\nb,"3 4"\nc,"[1, 2, 3]"\nd,"[1, nan]"\n',
        "item,x,y\na,1,2.5\nb,3,4\nc,,2\nd,1,nan\n",
        '{"item": "a", "vector": [1, 2.5]}\n{"item": "b", "vector": [3, 4]}\n'
        '{"item": "c", "vector": [1]}\n{"item": "d"}\n',
    ],
    ids=["one column", "many columns", "JSON"],
)
def test_vectors_are_lists_of_one_length(text: str, write: Callable[..., Path]) -> None:
    whole = read_whole(write(text), "vectors")
    assert whole.rows == [{"item": "a", "vector": [1.0, 2.5]}, {"item": "b", "vector": [3.0, 4.0]}]
    assert [error.line for error in whole.errors] in ([4, 5], [3, 4])


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), min_size=1, max_size=20)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12), delimiter=st.sampled_from([",", ";", "\t"]))
def test_whatever_was_written_as_csv_comes_back_with_its_lines(
    rows: list[tuple[str, str]], delimiter: str, tmp_path: Path
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    lines = []
    for row in [("user", "item"), *rows]:
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    path = tmp_path / "data"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    whole = read_whole(path, format={"\t": "tsv", ",": "csv", ";": "csv"}[delimiter])
    assert [(row["user"], row["item"]) for row in whole.rows] == rows
    assert whole.lines == lines[1:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), size=st.integers(1, 20))
def test_no_bytes_whatever_crash_the_reader(content: bytes, size: int, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"user,item,value\nann,film-1,1\n" + content)
    whole = read_whole(path, size=size)
    again = read_whole(path, size=1000)
    assert whole.frame.equals(again.frame)
    assert whole.errors == again.errors


def test_a_second_reading_gives_the_same_keys_and_repeats_have_their_own(write: Callable[..., Path]) -> None:
    path = write("user,item,at\n" + "a,b,2024-05-01\n" * 5 + "a,c,2024-05-01\n")
    first, second = read_whole(path, size=2), read_whole(path)
    assert first.frame["key"].to_list() == second.frame["key"].to_list()
    assert first.frame["key"].n_unique() == 6


def test_the_same_rows_in_another_order_and_format_have_the_same_keys(write: Callable[..., Path]) -> None:
    one = read_whole(write("user,item,value,at\na,b,1,2024-05-01\na,b,1.0,2024-05-01\nc,d,2,2024-05-02\n"))
    other = read_whole(write("at;value;item;user\n1714608000;2;d;c\n1714521600;1;b;a\n1714521600;1;b;a\n"))
    assert set(one.frame["key"]) == set(other.frame["key"])


def test_ids_that_run_together_differently_have_different_keys(write: Callable[..., Path]) -> None:
    whole = read_whole(write('user,item\na,"b 1:c"\n"a 1:b",c\n'))
    assert whole.frame["key"].n_unique() == 2


def test_an_import_goes_on_where_it_was_cut_short(write: Callable[..., Path]) -> None:
    path = write("user,item,at\n" + "".join(f"u{i % 3},b,2024-05-0{1 + i % 2}\n" for i in range(40)))
    source = open_source(path)
    mapping = infer(source, "interactions")
    whole = list(read(source, mapping, "interactions", size=10))
    rest = list(read(source, mapping, "interactions", size=10, skip=20))
    assert [part.rows_read for part in rest] == [10, 10]
    assert rest[0].frame.equals(whole[2].frame)
    assert list(read(source, mapping, "interactions", size=10, skip=40)) == []
