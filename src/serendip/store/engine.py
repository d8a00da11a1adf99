"""The database itself: opening it, one writer's right, plain errors, and what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    make_url,
    select,
    text,
)
from sqlalchemy import exc as errors
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.selectable import Select

from serendip.domain import Invalid, NotReady
from serendip.store.lock import WriteLock

log = logging.getLogger(__name__)

CHECKPOINT_COMMITS = 500
"""After this many commits the write-ahead log is carried over into the database file,"""
CHECKPOINT_BYTES = 4 << 20
"""or as soon as it has grown by this much."""

_PRAGMAS = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # SQLite before 3.51.3 can corrupt a database when two connections write and checkpoint at once, so a
    # checkpoint is made by nobody but the holder of the write lock.
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
)


class Database:
    """Where everything is kept: an engine that reads, one that writes, and the lock before the latter."""

    def __init__(self, url: str) -> None:
        self.url = parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.shown = self.url.render_as_string(hide_password=True)
        self._commits = 0
        self._logged_bytes = 0
        if self.is_sqlite:
            self.path = Path(str(self.url.database))
            self._lock = WriteLock(self.path)
            self._reader = create_engine(
                self.url, isolation_level="AUTOCOMMIT", pool_size=16, pool_timeout=10, pool_reset_on_return=None
            )
            self._writer = create_engine(self.url, pool_size=1, max_overflow=0, pool_timeout=10)
            for engine in (self._reader, self._writer):
                event.listen(engine, "connect", _prepare_sqlite)
            event.listen(self._writer, "begin", _begin_immediate)
        else:
            options: dict[str, Any] = {
                "pool_pre_ping": True,
                "pool_timeout": 10,
                "connect_args": {"connect_timeout": 5},
            }
            self._reader = create_engine(self.url, isolation_level="AUTOCOMMIT", pool_size=16, **options)
            self._writer = create_engine(self.url, pool_size=8, **options)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for single statements, each of which sees the latest that was committed."""
        with plain_errors(self.shown), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose statements all see the same moment of the database; nothing may be written."""
        with plain_errors(self.shown), self._reader.connect() as connection:
            begin = "BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.exec_driver_sql(begin)
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, all or nothing; on return from the block it is on disk."""
        with plain_errors(self.shown):
            if not self.is_sqlite:
                with self._writer.begin() as connection:
                    yield connection
                return
            with self._lock.held():
                with self._writer.begin() as connection:
                    yield connection
                self._checkpoint_when_due()

    def close(self) -> None:
        """Close every connection; the last one of a SQLite file carries its log over."""
        self._writer.dispose()
        if not self.is_sqlite:
            self._reader.dispose()
            return
        try:
            with self._lock.held():
                self._reader.dispose()
        finally:
            self._lock.close()

    def keep_write_ahead_log(self) -> None:
        """Switch a SQLite file to write-ahead logging, which stays with the file."""
        with plain_errors(self.shown), self._lock.held(), self._reader.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    def _checkpoint_when_due(self) -> None:
        self._commits += 1
        wal = self.path.with_name(self.path.name + "-wal")
        try:
            logged_bytes = wal.stat().st_size
        except OSError:
            return
        if self._commits < CHECKPOINT_COMMITS and logged_bytes < self._logged_bytes + CHECKPOINT_BYTES:
            return
        self._commits, self._logged_bytes = 0, logged_bytes
        try:
            connection = self._writer.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").close()
            finally:
                connection.close()
        except (sqlite3.Error, errors.SQLAlchemyError) as error:
            # What was committed is safe in the log; only the log stays long until a later checkpoint succeeds.
            log.warning("the write-ahead log of %s could not be carried over: %s", self.shown, error)


def parsed(url: str) -> URL:
    """``url`` as SQLAlchemy wants it, if it names a database that can be used."""
    try:
        found = make_url(url)
    except (errors.ArgumentError, ValueError):
        raise Invalid(
            "the database URL cannot be read; write sqlite:///path.db or postgresql://user:password@host/name"
        ) from None
    if found.drivername in ("postgres", "postgresql"):
        found = found.set(drivername="postgresql+psycopg")
    if found.get_backend_name() == "sqlite":
        if not found.database or found.database == ":memory:":
            raise Invalid("a SQLite database needs a file that outlives the process; write sqlite:///path.db")
    elif found.drivername != "postgresql+psycopg":
        raise Invalid(f"no database of kind {found.drivername!r}; the kinds are sqlite and postgresql")
    return found


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The module would begin transactions by itself, and late; we begin them, and at once.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_PASSING_SQLITE = (
    ("full", "the disk is full; make room"),
    ("locked", "another program holds it locked; close that program"),
    ("readonly", "it may not be written to; check the rights of the file and its folder"),
    ("unable to open", "it cannot be opened; check that the folder exists and its rights"),
    ("i/o error", "the disk reports an error; check it for room and health"),
    ("malformed", "the file is damaged; restore a copy"),
    ("not a database", "the file is not an SQLite database; name another"),
)


@contextmanager
def plain_errors(shown: str) -> Iterator[None]:
    """Failures of the database that an operator can mend, as NotReady; our own mistakes pass through."""
    try:
        yield
    except UnicodeEncodeError:
        raise Invalid("a text holds half a surrogate pair; send valid Unicode") from None
    except errors.TimeoutError:
        raise NotReady(f"every connection to {shown} is in use; try again in a moment") from None
    except errors.DBAPIError as error:
        plain = explained(error, shown)
        if plain is None:
            raise
        raise plain from error


def explained(error: errors.DBAPIError, shown: str) -> Invalid | NotReady | None:
    """What a driver's error means to the person who reads it; none if it is a mistake of ours."""
    cause = str(error.orig).strip()
    if isinstance(error.orig, sqlite3.DatabaseError):
        for part, meaning in _PASSING_SQLITE:
            if part in cause.lower():
                return NotReady(f"the database {shown} is not ready: {meaning} ({cause})")
        return None
    if isinstance(error, errors.DataError):
        return Invalid(f"the database cannot keep a value: {cause}")
    state = getattr(error.orig, "sqlstate", None) or ""
    if isinstance(error, errors.OperationalError | errors.InterfaceError) and state[:2] not in ("42", "40"):
        return NotReady(f"the database {shown} is not ready: {cause}; see that it runs, has room, and try again")
    if error.connection_invalidated:
        return NotReady(f"the database {shown} went away: {cause}; see that it runs and try again")
    return None


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

TRIES = 8
"""Two writers on PostgreSQL that want the same new rows stop each other at most this often."""


def tried_again(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A writing method, done anew when another writer came between.

    On PostgreSQL two transactions may insert the same id or key, or wait for each other; one is told so and rolled
    back, and finds the other's rows when it looks again. SQLite has one writer at a time and never comes here.
    """

    @wraps(method)
    def again(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return method(self, *args, **kwargs)
            except errors.DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None) or ""
                if state not in ("40P01", "40001", "23505", "23503"):
                    raise
        return method(self, *args, **kwargs)

    return again


class Part:
    """A part of the store: methods that each answer one question of a flow."""

    _db: Database


class Prepared:
    """A Core statement that is compiled once, for requests that cannot wait for it every time.

    Values go in and come out as the driver has them: text, integers, floats, bytes.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}

    def rows(self, connection: Connection, **values: object) -> list[Any]:
        """What the statement gives for ``values``, as the driver's own tuples."""
        sql, fixed, order = self._for(connection)
        named = {**fixed, **values} if fixed else values
        given: Any = named if order is None else tuple(named[name] for name in order)
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            try:
                # The driver's own cursor takes a third of the time of SQLAlchemy's result.
                return list(driver.execute(sql, given).fetchall())
            except sqlite3.Error:
                pass  # asked again below, so that the failure comes as everywhere else
        result = connection.exec_driver_sql(sql, given)
        cursor: Any = result.cursor
        rows: list[Any] = cursor.fetchall()
        result.close()
        return rows

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Carry the statement out for each of ``rows``, which name every value."""
        sql, _, order = self._for(connection)
        given = rows if order is None else [tuple(row[name] for name in order) for row in rows]
        connection.exec_driver_sql(sql, given)

    def _for(self, connection: Connection) -> tuple[str, dict[str, Any], tuple[str, ...] | None]:
        made = self._compiled.get(connection.dialect.name)
        if made is None:
            made = self._compiled[connection.dialect.name] = _compiled(self._statement, connection.dialect)
        return made


def _compiled(statement: Executable, dialect: Dialect) -> tuple[str, dict[str, Any], tuple[str, ...] | None]:
    made: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    return str(made), dict(made.params), tuple(made.positiontup) if made.positional else None


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the words of this database."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


class each_text(GenericFunction[str]):  # noqa: N801
    """Rows of one text column, ``value``, from a JSON list: any number of ids in one parameter."""

    type = Text()
    name = "json_each"
    inherit_cache = True


@compiles(each_text, "postgresql")
def _each_text_postgresql(element: each_text, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses.clauses[0], **options)} AS JSON))"


class place_of(GenericFunction[int]):  # noqa: N801
    """Where a text first holds another, counted from 1; 0 if nowhere."""

    name = "instr"
    inherit_cache = True


@compiles(place_of, "postgresql")
def _place_of_postgresql(element: place_of, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def given(name: str) -> Select[Any]:
    """The texts of the parameter ``name``, which is made by ``listed``."""
    return select(each_text(bindparam(name, type_=Text())).table_valued("value").c.value)


def listed(texts: Sequence[str]) -> str:
    """Texts as one parameter for ``given``."""
    return json.dumps(texts, ensure_ascii=False)


def reserved_ids(connection: Connection, table: Table, n: int) -> list[int]:
    """``n`` row numbers of ``table`` that nobody else will get, rising."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = connection.execute(query, {"name": table.name}).scalar() or 0
        return list(range(last + 1, last + n + 1))
    column = next(iter(table.primary_key)).name
    query = text("SELECT nextval(pg_get_serial_sequence(:name, :column)) FROM generate_series(1, :n)")
    return sorted(connection.execute(query, {"name": table.name, "column": column, "n": n}).scalars())


def has(text_column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Whether a column's text holds ``part``."""
    return place_of(text_column, part) > 0
