"""Known data sets: small files of the official layout, and the real ones where they are at hand."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from serendip.domain import NotFound, micros
from serendip.sources import datasets
from serendip.sources.datasets import LoadedSet

REAL = Path(os.environ.get("SERENDIP_DATASETS", Path(__file__).parents[2] / ".." / "shared" / "datasets"))


def table(loaded: LoadedSet, as_: str) -> pl.DataFrame:
    """The accepted rows of all parts of one sort; every row is accounted for."""
    frames = []
    for part in loaded.parts:
        if part.as_ == as_:
            for checked in part.rows:
                assert checked.frame.height + len(checked.errors) + sum(checked.left_out.values()) == checked.rows_read
                frames.append(checked.frame)
    return pl.concat(frames)


def files(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("latin-1"))
    return folder


def test_movietweetings(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        ratings__dat="1::0068646::10::1365029107\n1::0113277::11::1365029108\n2::0068646::9::1365029109\n",
        movies__dat="0068646::The Godfather (1972)::Crime|Drama\n0113277::Heat (1995)::\n",
    )
    loaded = datasets.load("movietweetings", folder)
    films = table(loaded, "items")
    assert films["id"].to_list() == ["0068646", "0113277"]
    assert films["title"].to_list() == ["The Godfather", "Heat"]
    assert films["tags"].to_list() == [["Crime", "Drama"], []]
    assert json.loads(films["attributes"][0]) == {"year": 1972}
    ratings = table(loaded, "interactions")
    assert ratings["value"].to_list() == [10.0, 9.0]  # 11 lies outside 0 to 10.
    assert loaded.kinds[0].mode == "latest"


def test_movielens_100k(tmp_path: Path) -> None:
    flags = ["0"] * 19
    flags[1], flags[16] = "1", "1"
    folder = files(
        tmp_path / "ml-100k",
        u__data="196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
        u__item="1|Les Misérables (1995)|01-Jan-1995||http://example.org/1|" + "|".join(flags) + "\n",
        u__user="1|24|M|technician|85711\n2|53|F|other|94043\n",
    )
    loaded = datasets.load("movielens-100k", folder.parent)
    [film] = table(loaded, "items").to_dicts()
    assert (film["title"], film["tags"], film["url"]) == (
        "Les Misérables",
        ["Action", "Thriller"],
        "http://example.org/1",
    )
    people = table(loaded, "users")
    assert json.loads(people["attributes"][0]) == {"age": 24, "gender": "M", "occupation": "technician", "zip": 85711}
    assert table(loaded, "interactions")["at"][0] == 881250949_000_000


def test_movielens_1m(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        ratings__dat="1::1193::5::978300760\n",
        movies__dat="1::Toy Story (1995)::Animation|Children's|Comedy\n",
        users__dat="1::F::1::10::48067\n",
    )
    loaded = datasets.load("movielens-1m", folder)
    assert table(loaded, "items")["tags"].to_list() == [["Animation", "Children's", "Comedy"]]
    assert json.loads(table(loaded, "users")["attributes"][0])["occupation"] == "K-12 student"
    assert table(loaded, "interactions").height == 1


def test_movielens_latest_small(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        ratings__csv="userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,3,0.0,964981247\n",
        movies__csv='movieId,title,genres\n1,"American President, The (1995)",Comedy\n2,Nameless,(no genres listed)\n',
    )
    loaded = datasets.load("movielens-latest-small", folder)
    films = table(loaded, "items")
    assert films["title"].to_list() == ["American President, The", "Nameless"]
    assert films["tags"].to_list() == [["Comedy"], []]
    assert table(loaded, "interactions")["value"].to_list() == [4.0]  # 0 lies outside 0.5 to 5.


RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,10A,LAMP,6.0,2011-07-01 08:26:00,2.5,7.0,France
1,10A,LAMP,6.0,2011-07-01 08:26:00,2.5,7.0,France
1,20,CUP,4,2011-07-01 08:26:00,1.5,7.0,France
2,10A,LAMP old,2,2011-07-02 08:00:00,3.5,7.0,France
C3,10A,LAMP,-5,2011-07-03 08:00:00,2.5,7.0,France
C4,20,CUP,-9,2011-07-03 08:00:00,1.5,7.0,France
C5,20,CUP,-1,2011-07-03 08:00:00,1.5,,France
6,10A,LAMP,1,2011-12-01 09:00:00,2.5,,Norway
6,POST,POSTAGE,1,2011-12-01 09:00:00,18,,Norway
7,20,damaged,-3,2011-12-01 09:00:00,0,,United Kingdom
8,20,found,3,2011-12-01 09:00:00,0,,United Kingdom
9,20,CUP,many,2011-12-01 09:00:00,1.5,7.0,France
C10,30,JUG,-1,2011-07-01 07:00:00,1.5,7.0,France
11,30,JUG,1,2011-07-05 07:00:00,1.5,7.0,France
"""


def test_of_online_retail_only_purchases_that_stand_are_left(tmp_path: Path) -> None:
    loaded = datasets.load("online-retail", files(tmp_path, online_retail__csv=RETAIL))
    bought = table(loaded, "interactions").sort("at", "item")
    # Of 6 + 2 lamps the later 2 and 3 of the earlier are cancelled; all 4 cups are; the jug was bought after.
    assert bought.select("user", "item", "value").rows() == [
        ("7", "10A", 3.0),
        ("7", "30", 1.0),
        ("basket:6", "10A", 1.0),
    ]
    assert bought["at"][0] == micros(datetime(2011, 7, 1, 7, 26, tzinfo=UTC))  # British summer time.
    counts = list(loaded.report.values())
    assert counts == [1, 1, 4, 1, 1, 2, 3, 1, 1, 1, 3]
    assert table(loaded, "items")["title"].to_list() == ["LAMP", "JUG"]
    assert dict(table(loaded, "users").select("id", "attributes").iter_rows()) == {
        "7": '{"country": "France"}',
        "basket:6": '{"country": "Norway"}',
    }
    [part] = [part for part in loaded.parts if part.as_ == "interactions"]
    errors = [error for checked in part.rows for error in checked.errors]
    assert [(error.line, error.field, error.value) for error in errors] == [(13, "value", "many")]
    assert not loaded.kinds[0].hides


def test_otto_sessions_become_events(tmp_path: Path) -> None:
    event = '{"aid":1517085,"ts":1659304800025,"type":"clicks"}'
    lines = f'{{"session":0,"events":[{event},{event}]}}\n{{"session":1,"events":"none"}}\n'
    loaded = datasets.load("otto", files(tmp_path, train__jsonl=lines))
    events = table(loaded, "interactions")
    assert events.select("user", "item", "at", "kind").rows() == [("0", "1517085", 1659304800025_000, "clicks")] * 2
    assert events["key"].n_unique() == 2
    assert {kind.name: kind.weight for kind in loaded.kinds} == {"clicks": 1.0, "carts": 3.0, "orders": 6.0}


POSTS = """<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" CreationDate="2014-01-21T20:26:05.383" Score="18" \
Body="&lt;p&gt;What&lt;/p&gt;&lt;p&gt;now?" OwnerUserId="7" Title="Hops &amp; co" Tags="&lt;hops&gt;&lt;taste&gt;" />
  <row Id="2" PostTypeId="2" ParentId="1" CreationDate="2014-01-22T00:00:00.000" Body="" OwnerUserId="8" />
  <row Id="3" PostTypeId="2" ParentId="1" CreationDate="2014-01-22T00:00:00.000" Body="" />
  <row Id="4" PostTypeId="5" CreationDate="2014-01-22T00:00:00.000" Body="" OwnerUserId="8" />
  <row Id="5" PostTypeId="2" Paren
</posts>
"""


def test_stack_exchange_questions_and_who_asked_and_answered(tmp_path: Path) -> None:
    for site in ("beer", "coffee"):
        files(tmp_path / site, Posts__xml=POSTS)
    files(tmp_path / "beer", Users__xml='<users>\n<row Id="7" DisplayName="Ann" Reputation="5" />\n</users>\n')
    loaded = datasets.load("stackexchange", tmp_path)
    questions = table(loaded, "items")
    assert questions["id"].to_list() == ["beer/1", "coffee/1"]
    assert questions.select("title", "text", "tags").row(0) == ("Hops & co", "What now?", ["hops", "taste"])
    deeds = table(loaded, "interactions").filter(pl.col("item") == "beer/1")
    assert deeds.select("user", "kind").rows() == [("beer/7", "asks"), ("beer/8", "answers")]
    assert table(loaded, "users")["name"].to_list() == ["Ann"]
    single = datasets.load("stackexchange", tmp_path / "beer")
    assert table(single, "items")["id"].to_list() == ["1"]


def test_goodbooks_are_items_only(tmp_path: Path) -> None:
    names = "book_id,isbn,authors,original_publication_year,title,language_code,average_rating,ratings_count,image_url"
    row = '1,0439023483,Suzanne Collins,2008.0,"The Hunger Games, #1",eng,4.34,4780653,https://example.org/1.jpg'
    loaded = datasets.load("goodbooks", files(tmp_path, books__csv=f"{names}\n{row}\n"))
    [book] = table(loaded, "items").to_dicts()
    assert (book["title"], book["image"]) == ("The Hunger Games, #1", "https://example.org/1.jpg")
    assert json.loads(book["attributes"])["year"] == 2008
    assert json.loads(book["attributes"])["isbn"] == "0439023483"
    assert [part.as_ for part in loaded.parts] == ["items"]


def test_an_unknown_set_and_a_folder_without_its_files_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="movietweetings, online-retail"):
        datasets.load("netflix", tmp_path)
    with pytest.raises(NotFound, match=r"no movies\.dat"):
        datasets.load("movietweetings", tmp_path)
    with pytest.raises(NotFound, match="is read from a folder with"):
        datasets.load("movietweetings", tmp_path / "nothing")


def test_every_known_set_says_where_it_comes_from() -> None:
    for known in datasets.NAMES.values():
        assert known.licence
        assert known.page
        assert known.fetchable == (known.sha256 is not None)
        assert known.name in datasets.LOADERS


REAL_COUNTS: list[tuple[str, str, dict[str, int]]] = [
    ("movietweetings", "movietweetings", {"items": 10_506, "interactions": 100_000}),
    ("online-retail", "online-retail", {"users": 5_695, "items": 3_908, "interactions": 519_803}),
    ("otto", "otto-sample", {"interactions": 862}),
    ("stackexchange", "stackexchange", {"items": 1_285, "interactions": 4_673}),
    ("goodbooks", "goodbooks", {"items": 10_000}),
    ("sequences", "gowalla", {"interactions": 810_128}),
    ("sequences", "amazon-beauty", {"interactions": 198_502}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "folder", "counts"), REAL_COUNTS)
def test_the_real_sets_give_what_their_publishers_count(name: str, folder: str, counts: dict[str, int]) -> None:
    path = REAL / folder
    if not path.is_dir():
        pytest.skip(f"the real data are not at {path}; name their folder in SERENDIP_DATASETS")
    loaded = datasets.load(name, path)
    assert {as_: table(loaded, as_).height for as_ in counts} == counts
