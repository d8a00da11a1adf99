"""Amazon Books as Ni et al. published it in 2018: reviews and what the shop says of the books, JSON lines."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.domain import Invalid, NotFound
from serendip.sources.datasets.films import rating
from serendip.sources.datasets.known import LoadedSet, rows
from serendip.sources.datasets.wording import mid_price, plain_text
from serendip.sources.json_lines import JsonLines
from serendip.sources.source import Batch, Reshaped

REVIEWS = (500, 1500)
"""Only people with this many reviews, both included, unless told otherwise."""

REVIEW = ["reviewerID", "asin", "overall", "unixReviewTime", "summary", "reviewText"]
BOOK = ["asin", "title", "description", "category", "imageURL", "image", "price"]
SEED = 7


def amazon_books(folder: Path, reviews: tuple[int, int] = REVIEWS) -> LoadedSet:
    """Reviews of people with ``reviews`` many, lowest and highest, and the books that these are of."""
    least, most = reviews
    if not 1 <= least <= most:
        raise Invalid(f"no one has from {least} to {most} reviews; give the lower number first, for example 500:1500")
    path, described = _files(folder)
    source = JsonLines(path, "utf-8", REVIEW)
    people, books = _chosen(JsonLines(path, "utf-8", REVIEW[:2]), least, most)
    if not len(people):
        raise Invalid(f"nobody in {path} has from {least} to {most} reviews; say others with --reviews LOW:HIGH")
    what = f"people with {least} to {most} reviews"
    kept = Reshaped(
        source, ["user", "item", "value", "at", "context"], partial(_review, people=people, what=what), what
    )
    raw = JsonLines(described, "utf-8", BOOK)
    items = Reshaped(raw, ["id", "title", "text", "tags", "image", "price"], partial(_book, books=books), what)
    parts = [
        rows(items, "items", "id title text tags image", attributes=["price"], defaults={"catalogue": "books"}),
        rows(kept, "interactions", "user item value at context", scale=(1, 5), defaults={"kind": "rating"}),
    ]
    return LoadedSet("amazon-books", parts, [rating(1, 5)], notes=[f"only {what}: {len(people):,}"])


def _files(folder: Path) -> tuple[Path, Path]:
    """The reviews and the metadata: ``meta_NAME.json`` beside ``NAME.json``, either gzipped or not."""
    if not folder.is_dir():
        raise Invalid(f"{folder} is one file; name the folder with the reviews and the metadata of the books")
    found = sorted(path for end in ("*.json", "*.json.gz") for path in folder.glob(end))
    meta = [path for path in found if path.name.startswith("meta_")]
    reviews = [path for path in found if not path.name.startswith("meta_")]
    if len(meta) != 1 or len(reviews) != 1:
        names = ", ".join(path.name for path in found) or "neither"
        raise NotFound(
            f"{folder} must hold one file of reviews, as Books.json.gz, and one meta_Books.json.gz; it holds {names}"
        )
    return reviews[0], meta[0]


def _chosen(source: JsonLines, least: int, most: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of the people whose reviews are counted in, and of the books that they reviewed; both sorted."""
    pairs = [(_hash(batch.frame["reviewerID"]), _hash(batch.frame["asin"])) for batch in source.batches()]
    if not pairs:
        return np.array([], np.uint64), np.array([], np.uint64)
    user, item = (np.concatenate(side) for side in zip(*pairs, strict=True))
    found, place, count = np.unique(user, return_inverse=True, return_counts=True)
    good = (count >= least) & (count <= most)
    return found[good], np.unique(item[good[place]])


def _hash(ids: pl.Series) -> NDArray[np.uint64]:
    return ids.hash(seed=SEED).to_numpy()


def _among(ids: pl.Series, chosen: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of ``ids`` are chosen; one that is missing is let through, to be refused with its line."""
    among: NDArray[np.bool_] = np.isin(_hash(ids), chosen)
    among |= ids.is_null().to_numpy()
    return among


def _review(batch: Batch, people: NDArray[np.uint64], what: str) -> Batch:
    theirs = _among(batch.frame["reviewerID"], people)
    frame = batch.frame.filter(pl.Series(theirs))
    words = zip(frame["summary"], frame["reviewText"], strict=True)
    told = frame.select(
        pl.col("reviewerID").alias("user"),
        pl.col("asin").alias("item"),
        pl.col("overall").alias("value"),
        pl.col("unixReviewTime").alias("at"),
        pl.Series("context", [said(summary, text) for summary, text in words], dtype=pl.String),
    )
    return _without(batch, told, theirs, f"reviews by others than {what}")


def said(summary: str | None, text: str | None) -> str | None:
    """What a review says, as the context of the rating; None where it says nothing."""
    words = {"summary": plain_text(summary or ""), "text": plain_text(text or "")}
    there = {name: value for name, value in words.items() if value}
    return json.dumps(there, ensure_ascii=False) if there else None


def _book(batch: Batch, books: NDArray[np.uint64]) -> Batch:
    reviewed = _among(batch.frame["asin"], books)
    frame = batch.frame.filter(pl.Series(reviewed))
    lists = {name: [_list(cell) for cell in frame[name]] for name in ("description", "category", "imageURL", "image")}
    images = zip(lists["imageURL"], lists["image"], strict=True)
    told = frame.select(
        pl.col("asin").alias("id"),
        pl.Series("title", [plain_text(cell or "") or None for cell in frame["title"]], dtype=pl.String),
        pl.Series("text", [plain_text("<p>".join(cell)) or None for cell in lists["description"]], dtype=pl.String),
        pl.Series("tags", [_plain(cell) for cell in lists["category"]], dtype=pl.List(pl.String)),
        pl.Series("image", [next(iter([*one, *other]), None) for one, other in images], dtype=pl.String),
        pl.Series("price", [mid_price(cell) for cell in frame["price"]], dtype=pl.String),
    )
    return _without(batch, told, reviewed, "books without a review that is kept")


def _plain(words: list[str]) -> list[str]:
    return [plain for word in words if (plain := plain_text(word))]


def _list(cell: str | None) -> list[str]:
    """A JSON list of texts; a single text is a list of one."""
    if not cell:
        return []
    if cell.startswith("["):
        try:
            return [str(one) for one in json.loads(cell) if one]
        except ValueError:
            pass
    return [cell]


def _without(batch: Batch, frame: pl.DataFrame, keep: NDArray[np.bool_], reason: str) -> Batch:
    others = int((~keep).sum())
    return Batch(frame, batch.lines[keep], batch.errors, {reason: others} if others else {}, batch.done)
