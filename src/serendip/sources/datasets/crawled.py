"""Amazon Sneakers as a crawler left them: ``items.jsonl`` and ``ratings.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from serendip.sources.datasets.amazon import said
from serendip.sources.datasets.films import rating
from serendip.sources.datasets.known import LoadedSet, file_in, rows
from serendip.sources.datasets.wording import mid_price, plain_text
from serendip.sources.json_lines import JsonLines
from serendip.sources.source import Batch, Reshaped, RowError, with_frame

ITEM = ["id", "title", "text", "tags", "image", "url", "price"]
RATING = ["user", "item", "rating", "at", "summary", "text"]


def amazon_sneakers(folder: Path) -> LoadedSet:
    """Items with the middle of their price, and ratings from 1 to 5 with what they say."""
    items = Reshaped(JsonLines(file_in(folder, "items.jsonl"), "utf-8", ITEM), ITEM, _item, "shoes")
    columns = ["user", "item", "value", "at", "context"]
    rated = Reshaped(JsonLines(file_in(folder, "ratings.jsonl"), "utf-8", RATING), columns, _rating, "ratings")
    parts = [
        rows(items, "items", "id title text tags image url", attributes=["price"], defaults={"catalogue": "sneakers"}),
        rows(rated, "interactions", " ".join(columns), scale=(1, 5), defaults={"kind": "rating"}),
    ]
    return LoadedSet("amazon-sneakers", parts, [rating(1, 5)])


def _item(batch: Batch) -> Batch:
    """Words without HTML; a price that is none is an error of its line."""
    frame = batch.frame
    prices = [_price(cell) for cell in frame["price"]]
    wrong = [cell is not None and price is None for cell, price in zip(frame["price"], prices, strict=True)]
    errors = [
        RowError(
            int(line), "price", 'is no price; write "$59.99", "$59.99 - $89.99", 59.99 or [59.99, 89.99]', cell[:80]
        )
        for line, cell, bad in zip(batch.lines, frame["price"], wrong, strict=True)
        if bad
    ]
    plain = [
        pl.Series(name, [None if cell is None else plain_text(cell) or None for cell in frame[name]], dtype=pl.String)
        for name in ("title", "text")
    ]
    right = ~pl.Series(wrong, dtype=pl.Boolean)
    told = frame.with_columns(*plain, pl.Series("price", prices, dtype=pl.String)).filter(right)
    merged = sorted([*batch.errors, *errors], key=lambda error: error.line)
    return Batch(told, batch.lines[right.to_numpy()], merged, batch.left_out, batch.done)


def _price(cell: str | None) -> str | None:
    """A price, or the middle of the two that a shoe's sizes lie between."""
    if cell is not None and cell.startswith("["):
        try:
            return mid_price(" - ".join(str(one) for one in json.loads(cell)))
        except ValueError:
            return None
    return mid_price(cell)


def _rating(batch: Batch) -> Batch:
    words = zip(batch.frame["summary"], batch.frame["text"], strict=True)
    context = pl.Series("context", [said(summary, text) for summary, text in words], dtype=pl.String)
    return with_frame(batch, batch.frame.select("user", "item", pl.col("rating").alias("value"), "at", context))
