"""What may be shown now: the store's items beside the rows of one pipeline."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from serendip.data import UNKNOWN, Vocabulary
from serendip.domain import micros
from serendip.ranking import Filter, ItemColumns, Mask, mask, parse
from serendip.store import Store

ALWAYS = np.iinfo(np.int64)


@dataclass(frozen=True)
class Shelf:
    """Items in the order of a vocabulary, with what decides whether they may be shown."""

    ids: Vocabulary
    listed: Mask
    """In the store and not hidden; shape (n_items,)."""
    opens: NDArray[np.int64]
    """Microseconds; available from here on."""
    closes: NDArray[np.int64]
    """Microseconds; available until here, exclusive."""
    columns: ItemColumns

    def allowed(self, now: datetime, expression: str | None = None, among: Collection[str] | None = None) -> Mask:
        """What the rules let pass at ``now``, of shape (n_items,)."""
        at = micros(now)
        passing = self.listed & (self.opens <= at) & (at < self.closes)
        if expression:
            passing &= mask(parsed(expression), self.columns)
        if among is not None:
            named = np.zeros(len(passing), np.bool_)
            rows = self.ids.rows(list(among))
            named[rows[rows != UNKNOWN]] = True
            passing &= named
        return np.asarray(passing)


@dataclass(frozen=True)
class Catalogue:
    """The shelf of a pipeline's own items, and the shelf of items that came after it, newest first."""

    known: Shelf
    newcomers: Shelf


def catalogue_of(store: Store, items: Vocabulary) -> Catalogue:
    """The store's items as the pipeline with the vocabulary ``items`` sees them."""
    frame = store.item_columns()
    row = items.rows(frame["id"].to_list())
    frame = frame.with_columns(pl.Series("row", row, dtype=pl.Int32))
    later = frame.filter(pl.col("row") == UNKNOWN).sort("key", descending=True)
    fresh = Vocabulary(tuple(later["id"].to_list()))
    later = later.with_columns(pl.Series("row", np.arange(len(fresh)), dtype=pl.Int32))
    known = _shelf(frame.filter(pl.col("row") != UNKNOWN), items)
    newcomers = _shelf(later, fresh, known.columns.columns)
    if not set(newcomers.columns.columns) <= set(known.columns.columns):
        known = _shelf(frame.filter(pl.col("row") != UNKNOWN), items, newcomers.columns.columns)
    return Catalogue(known, newcomers)


def _shelf(frame: pl.DataFrame, ids: Vocabulary, names: Iterable[str] = ()) -> Shelf:
    """The rows of ``frame`` put where ``ids`` has them; an id without a row is not listed.

    ``names`` are attributes that a filter may name even if no item here has them.
    """
    row = frame["row"].to_numpy()

    def spread(column: pl.Series, default: int) -> NDArray[np.int64]:
        out = np.full(len(ids), default, np.int64)
        out[row] = column.fill_null(default).to_numpy()
        return out

    listed = np.zeros(len(ids), np.bool_)
    listed[row] = ~frame["hidden"].to_numpy()
    records: list[dict[str, object]] = [{} for _ in range(len(ids))]
    described = frame.select("row", "id", "catalogue", "tags", "attributes")
    for place, text, name, tags, attributes in described.iter_rows():
        records[place] = {**orjson.loads(attributes or "{}"), "id": text, "catalogue": name, "tags": tags or []}
    return Shelf(
        ids,
        listed,
        spread(frame["available_from"], ALWAYS.min),
        spread(frame["available_until"], ALWAYS.max),
        ItemColumns.of(records, names),
    )


@lru_cache(maxsize=512)
def parsed(expression: str) -> Filter:
    """The tree of an expression; the same few are asked again and again."""
    return parse(expression)
