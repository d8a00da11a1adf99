"""goodbooks-10k: a catalogue of books; its interactions, where one has them, are a table of their own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from serendip.sources.datasets.known import LoadedSet, file_in, rows
from serendip.sources.opening import open_source
from serendip.sources.source import Batch, Reshaped, with_frame

COLUMNS = {
    "book_id": "id",
    "title": "title",
    "image_url": "image",
    "authors": "authors",
    "original_publication_year": "year",
    "language_code": "language",
    "average_rating": "average_rating",
    "ratings_count": "ratings_count",
    "isbn": "isbn",
}
"""The columns that are kept, and what we call them."""


def goodbooks(folder: Path) -> LoadedSet:
    """``books.csv``: items only."""
    books = Reshaped(open_source(file_in(folder, "books.csv")), list(COLUMNS.values()), _book, "books")
    attributes = ["authors", "year", "language", "average_rating", "ratings_count", "isbn"]
    part = rows(books, "items", "id title image", attributes=attributes, defaults={"catalogue": "books"})
    return LoadedSet("goodbooks", [part], [], notes=["goodbooks has no interactions; its books are items without any"])


def _book(batch: Batch) -> Batch:
    kept = batch.frame.select(pl.col(theirs).alias(ours) for theirs, ours in COLUMNS.items())
    return with_frame(batch, kept.with_columns(pl.col("year").str.strip_suffix(".0")))
