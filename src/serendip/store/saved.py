"""Answers saved for other programs: one table a question, in our own database or in any that SQLAlchemy reaches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    cast,
    create_engine,
    delete,
    inspect,
    make_url,
    or_,
)
from sqlalchemy import exc as errors
from sqlalchemy.pool import NullPool

from serendip.domain import MAX_ID_BYTES, Invalid, NotReady
from serendip.store.engine import Part, tried_again

SETTING = "save_url"
"""What names the database; every refusal here says so."""


AT_ONCE = 500
"""Users of one question; a database takes only so many."""


@dataclass(frozen=True)
class SavedTable:
    """A table of answers: who was answered, with what, its score, and when."""

    name: str
    answer: str
    """The column that holds what was recommended."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order."""
        return ("id_user", self.answer, "score", "date")

    def made(self) -> Table:
        """The table as we make it where there is none."""
        ids = (Column(name, String(MAX_ID_BYTES), nullable=False) for name in self.columns[:2])
        score, date = Column("score", Double, nullable=False), Column("date", DateTime, nullable=False)
        return Table(self.name, MetaData(), *ids, score, date)


EVENTS = SavedTable("events_recommendations", "id_event")
PEOPLE = SavedTable("users_matching", "id_match")

Answer = tuple[str, str, float, datetime]
"""Who was answered, with what, its score, and the moment."""


class Saved(Part):
    """Saved answers in our own database."""

    @tried_again
    def save_answers(self, table: SavedTable, answers: Sequence[Answer]) -> None:
        """Append ``answers``, all or none; the table is made if there is none yet."""
        with self._db.write() as c:
            write_answers(c, table, answers)

    def is_at(self, url: str) -> bool:
        """Whether ``url`` is our own database."""
        there, here = parsed(url), self._db.url
        if there.get_backend_name() != here.get_backend_name():
            return False
        if self._db.is_sqlite:
            return Path(str(there.database)).absolute() == self._db.path.absolute()
        return (there.host, there.port, there.database, there.query) == (
            here.host,
            here.port,
            here.database,
            here.query,
        )


def forget_answers(c: Connection, users: Collection[str]) -> None:
    """Remove what was saved for ``users`` and where others were told of them, inside a writing transaction."""
    there, names = set(inspect(c).get_table_names()), sorted(users)
    for table, columns in ((EVENTS, ("id_user",)), (PEOPLE, ("id_user", "id_match"))):
        if table.name not in there:
            continue
        made = table.made()
        for start in range(0, len(names), AT_ONCE):
            # Others may have made the column one of whole numbers.
            about = (cast(made.c[name], String(MAX_ID_BYTES)).in_(names[start : start + AT_ONCE]) for name in columns)
            c.execute(delete(made).where(or_(*about)))


def save_elsewhere(url: str, table: SavedTable, answers: Sequence[Answer]) -> None:
    """Append ``answers`` to the table of another database, all or none; the table is made if there is none yet."""
    with _elsewhere(url) as c:
        write_answers(c, table, answers)


def forget_elsewhere(url: str, users: Collection[str]) -> None:
    """Remove what another database was told of ``users``."""
    with _elsewhere(url) as c:
        forget_answers(c, users)


@contextmanager
def _elsewhere(url: str) -> Iterator[Connection]:
    """One transaction in another database; what it refuses is said in words, without its password."""
    found = parsed(url)
    shown = found.render_as_string(hide_password=True)
    try:
        waits = found.get_backend_name() in ("postgresql", "mysql", "mariadb")
        engine = create_engine(found, poolclass=NullPool, connect_args={"connect_timeout": 5} if waits else {})
    except (errors.NoSuchModuleError, ModuleNotFoundError) as error:
        raise Invalid(
            f"{SETTING} is {shown}, and what speaks to such a database is not installed: {error}; install its driver",
            field=SETTING,
        ) from None
    try:
        with engine.begin() as c:
            yield c
    except errors.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().replace(str(found.password or "\0"), "***")
        raise NotReady(
            f"nothing was saved: {SETTING}, {shown}, refused it: {cause}; see that it runs and that its user may write"
        ) from None
    finally:
        engine.dispose()


def parsed(url: str) -> URL:
    """The URL of any database that SQLAlchemy knows."""
    try:
        found = make_url(url)
    except (errors.ArgumentError, ValueError):
        raise Invalid(
            f"the setting {SETTING} cannot be read; write for example postgresql://user:password@host/name",
            field=SETTING,
        ) from None
    return found.set(drivername="postgresql+psycopg") if found.drivername in ("postgres", "postgresql") else found


def write_answers(c: Connection, table: SavedTable, answers: Sequence[Answer]) -> None:
    """Append ``answers`` inside a transaction; a table that others made is written in the types of its columns."""
    if inspect(c).has_table(table.name):
        target = Table(table.name, MetaData(), autoload_with=c)
        if missing := [name for name in table.columns if name not in target.c]:
            raise Invalid(
                f"the table {table.name} at {SETTING} has no column {' and no '.join(missing)}; "
                f"it needs {', '.join(table.columns)}, or another name for what is there",
                field=SETTING,
            )
    else:
        target = table.made()
        target.create(c)
    writers = [_writer(table.name, target.c[name]) for name in table.columns]
    rows = [
        {name: write(value) for name, write, value in zip(table.columns, writers, one, strict=True)} for one in answers
    ]
    if rows:
        c.execute(target.insert(), rows)


def _writer(table: str, column: Column[Any]) -> Callable[[Any], Any]:
    """How a value is written into ``column``."""
    if column.name == "score":
        return float
    if column.name == "date":
        if isinstance(column.type, DateTime):
            return _aware if column.type.timezone else _naive
        return _day if isinstance(column.type, Date) else datetime.isoformat
    return _whole_number(table, column.name) if isinstance(column.type, Integer) else str


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _aware(at: datetime) -> datetime:
    return at


def _day(at: datetime) -> Any:
    return at.astimezone(UTC).date()


def _whole_number(table: str, column: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal():
            raise Invalid(
                f"the column {column} of {table} at {SETTING} holds whole numbers, and the id {text!r} is none; "
                "make it a column of text",
                field=SETTING,
            )
        return int(text)

    return number
