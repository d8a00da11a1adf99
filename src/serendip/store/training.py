"""Columns for training: millions of rows without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from serendip.domain import micros
from serendip.store.engine import Part
from serendip.store.schema import interactions, items, users, vectors

BLOCK_ROWS = 200_000
"""So many rows at a time pass from SQLite as one text,"""
BLOCK_BYTES = 32 << 20
"""and from PostgreSQL about so many bytes."""

_ALWAYS = np.iinfo(np.int64)

_COLUMNS = {"user_key": pl.Int64, "item_key": pl.Int64, "kind": pl.Int16, "value": pl.Float64, "at": pl.Int64}
_WITH_ID = {"id": pl.Int64, **_COLUMNS}
_ITEM_COLUMNS = {
    "key": pl.Int64,
    "id": pl.String,
    "catalogue": pl.String,
    "tags": pl.String,
    "attributes": pl.String,
    "available_from": pl.Int64,
    "available_until": pl.Int64,
    "hidden": pl.Boolean,
}


class Training(Part):
    """The data as arrays, by integer keys that are never given to another user or item."""

    def user_ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """Keys and ids of all users, by key."""
        return self._ids(users)

    def item_ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """Keys and ids of all items, by key."""
        return self._ids(items)

    def interaction_columns(
        self, since: datetime | None = None, until: datetime | None = None, numbered: bool = False
    ) -> pl.DataFrame:
        """user_key, item_key, kind, value and at of all interactions in [since, until), in order of time.

        ``numbered``: and before these the row number of each, ``id``.

        Equal moments keep the order in which they were recorded. ``kind_names`` tells what a kind's code means.
        """
        with self._db.snapshot() as c:
            read = _copied if c.dialect.name == "postgresql" else _joined
            frames = [pl.DataFrame(schema=_WITH_ID), *read(c, since, until)]
        whole = pl.concat(frames)
        ordered = whole.sort("at", "id")
        return ordered if numbered else ordered.drop("id")

    def item_columns(self) -> pl.DataFrame:
        """What filters and availability look at, a row for each item, by key; attributes are JSON text."""
        query = select(*(items.c[name] for name in _ITEM_COLUMNS)).order_by(items.c.key)
        with self._db.read() as c:
            rows = [tuple(row) for row in c.execute(query)]
        frame = pl.DataFrame(rows, schema=_ITEM_COLUMNS, orient="row")
        return frame.with_columns(pl.col("tags").fill_null("[]").str.json_decode(pl.List(pl.String)))

    def item_spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Keys of the items that are not always available, by key, and from when until when each is; (n,), (n, 2)."""
        opens, closes = (items.c.available_from, items.c.available_until)
        span = (func.coalesce(opens, int(_ALWAYS.min)), func.coalesce(closes, int(_ALWAYS.max)))
        query = select(items.c.key, *span).where(opens.is_not(None) | closes.is_not(None)).order_by(items.c.key)
        with self._db.read() as c:
            rows = np.array([tuple(row) for row in c.execute(query)], np.int64).reshape(-1, 3)
        return rows[:, 0], rows[:, 1:]

    def item_attributes(self) -> pl.DataFrame:
        """id, title, text, tags and attributes (JSON text) of every item, by key."""
        names = ("id", "title", "text", "tags", "attributes")
        with self._db.read() as c:
            rows = [tuple(row) for row in c.execute(select(*(items.c[name] for name in names)).order_by(items.c.key))]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        return frame.with_columns(pl.col("tags").fill_null("[]").str.json_decode(pl.List(pl.String)))

    def user_attributes(self) -> pl.DataFrame:
        """id and attributes (JSON text) of every user who has some, by key."""
        query = select(users.c.id, users.c.attributes).where(users.c.attributes.is_not(None)).order_by(users.c.key)
        with self._db.read() as c:
            rows = [tuple(row) for row in c.execute(query)]
        return pl.DataFrame(rows, schema={"id": pl.String, "attributes": pl.String}, orient="row")

    def vectors(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keys of the items that have a vector of this name, by key, and the vectors, of shape (n, n_numbers)."""
        query = select(vectors.c.item_key, vectors.c.vector).where(vectors.c.name == name)
        with self._db.read() as c:
            rows = c.execute(query.order_by(vectors.c.item_key)).all()
        keys = np.array([row[0] for row in rows], dtype=np.int64)
        numbers = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4")
        return keys, numbers.reshape(len(rows), -1) if rows else np.zeros((0, 0), dtype=np.float32)

    def _ids(self, table: Table) -> tuple[NDArray[np.int64], list[str]]:
        with self._db.read() as c:
            rows = c.execute(select(table.c.key, table.c.id).order_by(table.c.key)).all()
        return np.array([row[0] for row in rows], dtype=np.int64), [row[1] for row in rows]


def _joined(c: Connection, since: datetime | None, until: datetime | None) -> Iterator[pl.DataFrame]:
    """Blocks of rows, put together as CSV inside SQLite.

    17 digits give a double back unchanged, and the ! lets SQLite write that many; where it writes them inexactly,
    far from 1, the values are fetched one by one. A block is one step of the statement, and other threads run
    meanwhile.
    """
    t = interactions.c
    value = case((t.value.is_(None), ""), else_=func.printf("%!.17g", t.value))
    line = func.printf("%d,%d,%d,%d,%s,%d", t.id, t.user_key, t.item_key, t.kind, value, t.at)
    far = (t.value != 0) & ((func.abs(t.value) >= 1e15) | (func.abs(t.value) < 1e-9))
    first, last = c.execute(select(func.min(t.id), func.max(t.id))).one()
    if first is None:
        return
    for start in range(first, last + 1, BLOCK_ROWS):
        wanted = [t.id >= start, t.id < start + BLOCK_ROWS, *_between(since, until)]
        text, any_far = c.execute(select(func.group_concat(line, "\n"), func.max(far)).where(*wanted)).one()
        if text:
            block = _parsed(text.encode())
            if any_far:
                exact = c.execute(select(t.id, t.value).where(far, *wanted)).all()
                values = pl.DataFrame([tuple(row) for row in exact], schema=["id", "value"], orient="row")
                block = block.update(values, on="id")
            yield block


def _copied(c: Connection, since: datetime | None, until: datetime | None) -> Iterator[pl.DataFrame]:
    """Blocks of rows as PostgreSQL copies them out."""
    t = interactions.c
    query = select(t.id, t.user_key, t.item_key, t.kind, t.value, t.at).where(*_between(since, until))
    sql = query.compile(dialect=c.dialect, compile_kwargs={"literal_binds": True})
    driver: Any = c.connection.driver_connection
    text = bytearray()
    with driver.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT CSV)") as copy:
        for part in copy:
            text += part
            if len(text) > BLOCK_BYTES:
                end = text.rfind(b"\n") + 1
                yield _parsed(bytes(text[:end]))
                del text[:end]
    if text:
        yield _parsed(bytes(text))


def _between(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    wanted = [interactions.c.at >= micros(since)] if since is not None else []
    return [*wanted, interactions.c.at < micros(until)] if until is not None else wanted


def _parsed(text: bytes) -> pl.DataFrame:
    return pl.read_csv(text, has_header=False, schema=_WITH_ID)
