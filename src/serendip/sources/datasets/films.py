"""MovieTweetings and MovieLens: people who rate films."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from serendip.domain import InteractionKind
from serendip.sources.datasets.known import LoadedSet, file_in, rows, split_title, table
from serendip.sources.source import Batch, Reshaped, Source, with_frame

GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
"""The flags at the end of a line of u.item, in their order."""

OCCUPATIONS = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
]
"""What the codes 0 to 20 of MovieLens 1M stand for."""

RATINGS = "user item value at"


def rating(low: float, high: float) -> InteractionKind:
    """Of a person and a film the newest counts."""
    return InteractionKind("rating", mode="latest", scale=(low, high))


def _titled(source: Source) -> Source:
    """Films with their year taken out of the title."""
    return Reshaped(source, [*source.columns, "year"], _split, "year from title")


def _split(batch: Batch) -> Batch:
    return with_frame(batch, split_title(batch.frame))


def movietweetings(folder: Path) -> LoadedSet:
    """``ratings.dat`` and ``movies.dat``; ratings from 0 to 10."""
    films = _titled(table(file_in(folder, "movies.dat"), "::", "id title tags"))
    ratings = table(file_in(folder, "ratings.dat"), "::", RATINGS)
    parts = [
        rows(films, "items", "id title tags", attributes=["year"], defaults={"catalogue": "films"}),
        rows(ratings, "interactions", RATINGS, scale=(0, 10), defaults={"kind": "rating"}),
    ]
    return LoadedSet("movietweetings", parts, [rating(0, 10)])


def movielens_100k(folder: Path) -> LoadedSet:
    """``u.data``, ``u.item`` and ``u.user``; ratings from 1 to 5."""
    people = table(file_in(folder, "u.user"), "|", "id age gender occupation zip", "latin-1")
    flags = [f"genre_{i}" for i in range(len(GENRES))]
    columns = " ".join(["id title released video url", *flags])
    raw = table(file_in(folder, "u.item"), "|", columns, "latin-1")
    films = Reshaped(raw, ["id", "title", "year", "url", "tags"], _u_item, "u.item")
    ratings = table(file_in(folder, "u.data"), "\t", RATINGS)
    parts = [
        rows(people, "users", "id", attributes=["age", "gender", "occupation", "zip"]),
        rows(films, "items", "id title url tags", attributes=["year"], defaults={"catalogue": "films"}),
        rows(ratings, "interactions", RATINGS, scale=(1, 5), defaults={"kind": "rating"}),
    ]
    return LoadedSet("movielens-100k", parts, [rating(1, 5)])


def _u_item(batch: Batch) -> Batch:
    flagged = [
        pl.when(pl.col(f"genre_{i}") == "1").then(pl.lit(genre)) for i, genre in enumerate(GENRES) if genre != "unknown"
    ]
    tags = pl.concat_list(flagged).list.drop_nulls().alias("tags")
    return with_frame(batch, split_title(batch.frame.with_columns(tags)).select("id", "title", "year", "url", "tags"))


def movielens_1m(folder: Path) -> LoadedSet:
    """``ratings.dat``, ``movies.dat`` and ``users.dat``; ratings from 1 to 5."""
    people = table(file_in(folder, "users.dat"), "::", "id gender age occupation zip")
    named = Reshaped(people, people.columns, _occupation, "occupation")
    films = _titled(table(file_in(folder, "movies.dat"), "::", "id title tags", "latin-1"))
    ratings = table(file_in(folder, "ratings.dat"), "::", RATINGS)
    parts = [
        rows(named, "users", "id", attributes=["gender", "age", "occupation", "zip"]),
        rows(films, "items", "id title tags", attributes=["year"], defaults={"catalogue": "films"}),
        rows(ratings, "interactions", RATINGS, scale=(1, 5), defaults={"kind": "rating"}),
    ]
    return LoadedSet("movielens-1m", parts, [rating(1, 5)])


def _occupation(batch: Batch) -> Batch:
    codes = dict(enumerate(OCCUPATIONS))
    named = pl.col("occupation").replace({str(code): name for code, name in codes.items()})
    return with_frame(batch, batch.frame.with_columns(named))
