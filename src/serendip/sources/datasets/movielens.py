"""MovieLens of any size: with a header and commas, or the older files parted by ``::``, told by what lies there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from serendip.domain import Invalid, NotFound
from serendip.sources.datasets import films
from serendip.sources.datasets.known import LoadedSet, file_in, rows, split_title, table
from serendip.sources.opening import open_source
from serendip.sources.source import Batch, Reshaped, Source, digest_of, with_frame

PEOPLE = 3
"""A word that people gave to a film becomes a tag of it when this many did."""

TAGS = 10
"""The most tags by people that a film gets, those of most people first."""

NAMES = {"movieId": "id", "genres": "tags", "userId": "user", "rating": "value", "timestamp": "at", "tag": "tag"}
"""The names in the headers, and what we call them."""

COLUMNS = ["id", "title", "tags", "year", "url"]


def movielens(folder: Path) -> LoadedSet:
    """``movies.csv`` and ``ratings.csv``, or ``movies.dat`` and ``ratings.dat``, or ``u.data``."""
    if _there(folder, "movies.csv"):
        return with_header(folder, "movielens")
    if _there(folder, "movies.dat"):
        return films.movielens_1m(folder) if _there(folder, "users.dat") else without_header(folder)
    if _there(folder, "u.data"):
        return films.movielens_100k(folder)
    raise NotFound(
        f"there is no movies.csv, movies.dat or u.data in {folder}; name the folder that holds it with --from"
    )


def with_header(folder: Path, name: str) -> LoadedSet:
    """``ratings.csv`` and ``movies.csv``, with ``links.csv`` and ``tags.csv`` where they are there; 0.5 to 5."""
    raw = _renamed(open_source(file_in(folder, "movies.csv")), "id title tags")
    ratings = _renamed(open_source(file_in(folder, "ratings.csv")), films.RATINGS, {"movieId": "item"})
    said = _renamed(open_source(path), "user id tag") if (path := _there(folder, "tags.csv")) else None
    links = open_source(path) if (path := _there(folder, "links.csv")) else None
    return _set(name, raw, ratings, said, links)


def without_header(folder: Path) -> LoadedSet:
    """``ratings.dat`` and ``movies.dat``, with ``tags.dat`` where it is there, as MovieLens 10M has them; 0.5 to 5."""
    raw = table(file_in(folder, "movies.dat"), "::", "id title tags")
    ratings = table(file_in(folder, "ratings.dat"), "::", films.RATINGS)
    path = _there(folder, "tags.dat")
    return _set("movielens", raw, ratings, table(path, "::", "user id tag at") if path else None, None)


def _set(name: str, raw: Source, ratings: Source, said: Source | None, links: Source | None) -> LoadedSet:
    url = _urls(links) if links is not None else {}
    words = _words(said) if said is not None else {}
    what = digest_of("films", *(source.digest for source in (said, links) if source is not None))
    described = Reshaped(raw, COLUMNS, partial(_film, url=url, words=words), what)
    fields = "id title tags url" if links is not None else "id title tags"
    parts = [
        rows(described, "items", fields, attributes=["year"], defaults={"catalogue": "films"}),
        rows(ratings, "interactions", films.RATINGS, scale=(0.5, 5), defaults={"kind": "rating"}),
    ]
    return LoadedSet(name, parts, [films.rating(0.5, 5)])


def _film(batch: Batch, url: dict[str, str], words: dict[str, list[str]]) -> Batch:
    frame = split_title(batch.frame)
    genres = [(cell or "").split("|") for cell in frame["tags"]]
    named = [[one for one in cell if one and one != "(no genres listed)"] for cell in genres]
    tags = [_joined(own, words.get(film, [])) for film, own in zip(frame["id"], named, strict=True)]
    return with_frame(
        batch,
        frame.with_columns(
            pl.Series("tags", tags, dtype=pl.List(pl.String)),
            pl.Series("url", [url.get(film) for film in frame["id"]], dtype=pl.String),
        ).select(COLUMNS),
    )


def _joined(genres: list[str], words: list[str]) -> list[str]:
    """Genres, then the words of people that are no genre of the film already."""
    known = {genre.lower() for genre in genres}
    return [*genres, *(word for word in words if word not in known)]


def _urls(links: Source) -> dict[str, str]:
    """Film -> its page, where its poster is: at themoviedb, else at imdb."""
    found = {}
    _check(links, ["movieId", "imdbId", "tmdbId"])
    for frame in _whole(links):
        for film, imdb, tmdb in frame.select("movieId", "imdbId", "tmdbId").iter_rows():
            if tmdb:
                found[film] = f"https://www.themoviedb.org/movie/{tmdb.removesuffix('.0')}"
            elif imdb:
                found[film] = f"https://www.imdb.com/title/tt{imdb:0>7}/"
    return found


def _words(said: Source) -> dict[str, list[str]]:
    """Film -> the words, in small letters, that at least ``PEOPLE`` gave to it."""
    word = pl.col("tag").str.to_lowercase().str.strip_chars()
    frames = [frame.select("id", word, "user") for frame in _whole(said)]
    if not frames:
        return {}
    given = pl.concat(frames).unique().filter(pl.col("tag").str.len_chars() > 0)
    counted = given.group_by("id", "tag").len().filter(pl.col("len") >= PEOPLE)
    best = counted.sort("id", "len", "tag", descending=[False, True, False]).group_by("id").head(TAGS)
    return dict(best.group_by("id", maintain_order=True).agg("tag").iter_rows())


def _whole(source: Source) -> Iterator[pl.DataFrame]:
    """All rows of a file beside the films; a line that cannot be read stops everything, for nothing is stored yet."""
    for batch in source.batches():
        if batch.errors:
            first = batch.errors[0]
            raise Invalid(f"{source.name}, line {first.line}: {first.what}; mend the line, or take the file away")
        yield batch.frame


def _renamed(source: Source, wanted: str, names: dict[str, str] | None = None) -> Source:
    """A file with a header under our names; one that lacks a column is refused."""
    ours = {**NAMES, **(names or {})}
    theirs = {ours.get(name, name): name for name in source.columns}
    back = {ours_: name for name, ours_ in ours.items()}
    _check(source, [back.get(name, name) for name in wanted.split() if name not in theirs])
    chosen = {theirs[name]: name for name in wanted.split()}
    return Reshaped(source, list(chosen.values()), partial(_select, chosen=chosen), "renamed")


def _select(batch: Batch, chosen: dict[str, str]) -> Batch:
    return with_frame(batch, batch.frame.select(pl.col(theirs).alias(ours) for theirs, ours in chosen.items()))


def _check(source: Source, columns: list[str]) -> None:
    """Refuse a file whose first line does not name all of ``columns``."""
    missing = [name for name in columns if name not in source.columns]
    if missing:
        raise Invalid(
            f"{source.name}, line 1: there is no column {' or '.join(missing)}; the columns are "
            f"{', '.join(source.columns)}; MovieLens files begin with a line of names"
        )


def _there(folder: Path, name: str) -> Path | None:
    """The file of this name in ``folder`` or one of its folders, if it is there."""
    try:
        return file_in(folder, name) if folder.is_dir() else None
    except NotFound:
        return None
