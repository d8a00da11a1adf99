"""Known data sets: small files of the official layout, and the real ones where they are at hand."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from serendip.domain import Invalid, NotFound, micros
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


RATINGS_CSV = "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,1,half,964981247\n2,2,0.5,964981247\n"
MOVIES_CSV = "movieId,title,genres\n1,Heat (1995),Action|Crime\n2,Nameless,(no genres listed)\n3,Old (1901),Drama\n"
LINKS_CSV = "movieId,imdbId,tmdbId\n1,0113277,949\n2,114709,\n"
TAGS_CSV = "userId,movieId,tag,timestamp\n" + "".join(
    f"{person},1,{word},1139045764\n"
    for word, people in (("heist", "12345"), ("Al Pacino", "123"), ("crime", "1234"), ("dull", "12"))
    for person in people + people[0]
)


def test_movielens_of_any_size_takes_links_and_what_enough_people_said(tmp_path: Path) -> None:
    folder = files(tmp_path, ratings__csv=RATINGS_CSV, movies__csv=MOVIES_CSV, links__csv=LINKS_CSV, tags__csv=TAGS_CSV)
    loaded = datasets.load("movielens", folder)
    heat, nameless, old = table(loaded, "items").to_dicts()
    # Two people are too few for a tag, and crime is a genre of the film already.
    assert heat["tags"] == ["Action", "Crime", "heist", "al pacino"]
    assert (heat["title"], json.loads(heat["attributes"])) == ("Heat", {"year": 1995})
    assert heat["url"] == "https://www.themoviedb.org/movie/949"
    assert nameless["url"] == "https://www.imdb.com/title/tt0114709/"
    assert (nameless["tags"], old["url"]) == ([], None)
    [part] = [part for part in loaded.parts if part.as_ == "interactions"]
    assert [(error.line, error.field) for checked in part.rows for error in checked.errors] == [(3, "value")]


def test_movielens_knows_the_older_files_by_what_lies_there(tmp_path: Path) -> None:
    ten = files(
        tmp_path / "ten",
        ratings__dat="1::1::0.5::978300760\n",
        movies__dat="1::Toy Story (1995)::Animation|Comedy\n",
        tags__dat="1::1::pixar::1\n2::1::Pixar::1\n3::1::pixar ::1\n",
    )
    loaded = datasets.load("movielens", ten)
    assert table(loaded, "items")["tags"].to_list() == [["Animation", "Comedy", "pixar"]]
    assert loaded.kinds[0].scale == (0.5, 5)
    one = files(
        tmp_path / "one",
        ratings__dat="1::1::0.5::978300760\n",
        movies__dat="1::A::B\n",
        users__dat="1::F::1::10::48067\n",
    )
    assert datasets.load("movielens", one).kinds[0].scale == (1, 5)
    with pytest.raises(NotFound, match=r"no movies\.csv, movies\.dat or u\.data"):
        datasets.load("movielens", files(tmp_path / "none", other__csv="a\n"))


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("links__csv", "movieId,imdb\n1,2\n", r"links\.csv, line 1: there is no column imdbId or tmdbId"),
        ("links__csv", LINKS_CSV + "3,4\n", r"links\.csv, line 4: "),
        ("movies__csv", "movieId,genres\n1,Drama\n", r"movies\.csv, line 1: there is no column title"),
    ],
)
def test_a_movielens_file_that_is_no_such_file_says_which_line(
    tmp_path: Path, file: str, content: str, told: str
) -> None:
    folder = files(tmp_path, ratings__csv=RATINGS_CSV, movies__csv=MOVIES_CSV)
    files(folder, **{file: content})
    with pytest.raises(Invalid, match=told):
        datasets.load("movielens", folder)


def review(user: str, item: str, at: int, **more: object) -> str:
    return json.dumps({"overall": 5.0, "reviewerID": user, "asin": item, "unixReviewTime": at, **more}) + "\n"


BOOKS = [
    {
        "asin": "0001",
        "title": "Tom &amp; Huck",
        "description": ["<p>Two <i>boys</i></p><p>and a river", "", "<script>var a = 1;</script>"],
        "category": ["Books", "Children&#39;s"],
        "imageURL": ["https://example.org/1.jpg", "https://example.org/2.jpg"],
        "price": "$1,010.00 - $1,020.00",
    },
    {"asin": "0002", "title": "Plain", "description": [], "category": [], "imageURL": [], "price": ".a-box-inner{}"},
    {"asin": "0003", "title": "Nobody who counts read it"},
]


def test_amazon_books_are_cleaned_and_only_of_people_with_enough_reviews(tmp_path: Path) -> None:
    lines = "".join(review("often", f"000{1 + n % 2}", 1_400_000_000 + n) for n in range(3))
    lines += review("often", "0001", 1_500_000_000, summary="Good&nbsp;", reviewText="I <b>liked</b> it<br/>a lot")
    lines += "not JSON\n" + review("once", "0003", 1_400_000_000) + '{"overall": 5.0, "asin": "0001"}\n'
    lines += "".join(review("machine", "0003", 1_400_000_000 + n) for n in range(6))
    (tmp_path / "Books.json.gz").write_bytes(gzip.compress(lines.encode()))
    files(tmp_path, meta_Books__json="".join(json.dumps(book) + "\n" for book in BOOKS))

    loaded = datasets.load("amazon-books", tmp_path, reviews=(2, 5))
    reviews = table(loaded, "interactions")
    assert reviews["user"].unique().to_list() == ["often"]
    assert json.loads(reviews["context"][3]) == {"summary": "Good", "text": "I liked it a lot"}
    assert reviews["at"][0] == 1_400_000_000_000_000
    tom, plain = table(loaded, "items").to_dicts()
    assert (tom["id"], tom["title"], tom["text"]) == ("0001", "Tom & Huck", "Two boys and a river")
    assert (tom["tags"], tom["image"]) == (["Books", "Children's"], "https://example.org/1.jpg")
    assert (json.loads(tom["attributes"]), json.loads(plain["attributes"] or "{}")) == ({"price": 1015}, {})
    [items, rated] = [list(part.rows) for part in loaded.parts]
    assert [checked.left_out for checked in items] == [{"books without a review that is kept": 1}]
    assert [checked.left_out for checked in rated] == [{"reviews by others than people with 2 to 5 reviews": 7}]
    assert [(error.line, error.field) for checked in rated for error in checked.errors] == [(5, None), (7, "user")]

    with pytest.raises(Invalid, match="has from 500 to 1500 reviews; say others with --reviews"):
        datasets.load("amazon-books", tmp_path)
    with pytest.raises(Invalid, match="of amazon-books only"):
        datasets.load("goodbooks", tmp_path, reviews=(2, 5))
    with pytest.raises(NotFound, match=r"it holds neither"):
        datasets.load("amazon-books", files(tmp_path / "empty", readme__txt="") / ".")


def test_of_amazon_sneakers_the_price_is_the_middle_of_its_range(tmp_path: Path) -> None:
    prices = ["$59.99 - $89.99", 59.5, [60, 80], None, "sold out"]
    shoes = [{"id": f"B{n}", "title": "Shoe <b>one</b>", "price": price} for n, price in enumerate(prices)]
    rated = [
        {"user": "u1", "item": "B0", "rating": 4, "at": "2023-05-01T10:00:00Z", "text": "fits<br>well"},
        {"user": "u1", "item": "B1", "rating": 6, "at": "2023-05-01T10:00:00Z"},
    ]
    folder = files(
        tmp_path,
        items__jsonl="".join(json.dumps(shoe) + "\n" for shoe in shoes),
        ratings__jsonl="".join(json.dumps(one) + "\n" for one in rated),
    )
    loaded = datasets.load("amazon-sneakers", folder)
    items = table(loaded, "items")
    assert [json.loads(cell or "{}").get("price") for cell in items["attributes"]] == [74.99, 59.5, 70, None]
    assert items["title"][0] == "Shoe one"
    ratings = table(loaded, "interactions")
    assert ratings.select("item", "value", "context").rows() == [("B0", 4.0, '{"text": "fits well"}')]
    errors = [(error.line, error.field) for part in loaded.parts for checked in part.rows for error in checked.errors]
    assert errors == [(5, "price"), (2, "value")]


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
