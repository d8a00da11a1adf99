"""Tables of SQL databases, by key where there is one and as a stream where there is none."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from serendip.domain import Invalid, NotFound, NotReady
from serendip.sources.source import BATCH_ROWS, Batch, Source, digest_of

if TYPE_CHECKING:
    from sqlalchemy import Engine, Row, Select, Table

SCHEMES = ("postgresql", "sqlite", "mysql")


def is_sql_url(text: str) -> bool:
    """Whether this names a database and not a file."""
    return text.split("://", 1)[0].split("+", 1)[0] in SCHEMES and "://" in text


class SqlTable(Source):
    """A table or view named by a URL with ``?table=name`` (or ``?table=schema.name``); rows are numbered from 1.

    A table with a primary key of one column is read by that key, a batch a
    query, and always in its order. Others are read as one streamed query,
    whose order the database may choose.
    """

    format = "sql"

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        try:
            full = sa.make_url(url)
        except sa.exc.ArgumentError:
            raise Invalid(f"{url!r} is not a database URL; write postgresql://user@host/database?table=name") from None
        table = full.query.get("table")
        if not isinstance(table, str) or not table:
            raise Invalid(f"{full} names no table; add ?table=name")
        self._url = full.difference_update_query(["table"])
        self.name = str(full)
        self.notes = []
        if self._url.get_backend_name() == "sqlite" and not Path(self._url.database or "").is_file():
            raise NotFound(f"there is no database file {self._url.database!r}; check the path (sqlite:///relative.db)")
        engine = self._engine()
        try:
            self._table = self._reflect(engine, table)
            with engine.connect() as connection:
                self.n_rows = connection.execute(sa.select(sa.func.count()).select_from(self._table)).scalar_one()
        except sa.exc.SQLAlchemyError as error:
            raise NotReady(f"{self.name} cannot be read: {_cause(error)}") from None
        finally:
            engine.dispose()
        self.columns = [column.name for column in self._table.columns]
        keys = list(self._table.primary_key.columns)
        self._key = keys[0] if len(keys) == 1 else None
        self.ordered = self._key is not None
        self.digest = digest_of(self.name, ",".join(self.columns), str(self.n_rows))

    def _engine(self) -> Engine:
        import sqlalchemy as sa

        try:
            return sa.create_engine(self._url)
        except (ImportError, sa.exc.NoSuchModuleError) as error:
            backend = self._url.get_backend_name()
            extra = {"postgresql": "postgres"}.get(backend, backend)
            raise NotReady(f"{error}; install what speaks to it: pip install 'serendip[{extra}]'") from None

    def _reflect(self, engine: Engine, table: str) -> Table:
        import sqlalchemy as sa

        schema, _, name = table.rpartition(".")
        try:
            return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=engine)
        except sa.exc.NoSuchTableError:
            there = sa.inspect(engine)
            names = sorted([*there.get_table_names(schema or None), *there.get_view_names(schema or None)])
            shown = ", ".join(names[:20]) or "no table at all"
            raise NotFound(f"{self.name}: there is no table {table!r}; there is {shown}") from None

    def read(self) -> Iterator[Batch]:
        """All rows of the table."""
        import sqlalchemy as sa

        engine = self._engine()
        try:
            first = 1
            for rows in self._by_key(engine) if self._key is not None else self._streamed(engine):
                lines = np.arange(first, first + len(rows), dtype=np.int64)
                first += len(rows)
                done = min(1.0, (first - 1) / self.n_rows) if self.n_rows else None
                yield Batch(_frame(rows, self.columns), lines, done=done)
        except sa.exc.SQLAlchemyError as error:
            raise NotReady(f"{self.name} stopped answering: {_cause(error)}") from None
        finally:
            engine.dispose()

    def _by_key(self, engine: Engine) -> Iterator[Sequence[Row[Any]]]:
        assert self._key is not None
        place = self.columns.index(self._key.name)
        query = self._table.select().order_by(self._key).limit(BATCH_ROWS)
        step: Select[Any] = query
        while True:
            with engine.connect() as connection:
                rows = connection.execute(step).fetchall()
            if rows:
                yield rows
            if len(rows) < BATCH_ROWS:
                return
            step = query.where(self._key > rows[-1][place])

    def _streamed(self, engine: Engine) -> Iterator[Sequence[Row[Any]]]:
        with engine.connect().execution_options(stream_results=True, yield_per=BATCH_ROWS) as connection:
            yield from connection.execute(self._table.select()).partitions()


def _frame(rows: Sequence[Row[Any]], columns: list[str]) -> pl.DataFrame:
    cells = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            name: pl.Series([_text(v) for v in column], dtype=pl.String)
            for name, column in zip(columns, cells, strict=True)
        }
    )


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _cause(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).splitlines() or [type(cause).__name__])[0]
