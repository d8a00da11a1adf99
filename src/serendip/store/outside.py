"""Tables of other databases that we write: created where they are not there, their rows replaced in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    DateTime,
    Double,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    delete,
    make_url,
)
from sqlalchemy import exc as errors

from serendip.domain import Invalid, NotReady

_TYPES: dict[str, Any] = {"place": Integer, "score": Double, "at": DateTime(timezone=True)}
"""Columns that hold no text."""


def replace_rows(
    url: str,
    columns: Sequence[str],
    which: Mapping[str, str],
    chunks: Iterable[Sequence[Mapping[str, Any]]],
    own: str,
) -> None:
    """Put the rows of ``chunks`` in place of those of ``which``; others see the old ones until all are there.

    ``url`` is any that SQLAlchemy knows, with ``?table=name`` or ``?table=schema.name``; ``own`` is the store's, whose
    SQLite file nobody but the store may write to.
    """
    found, name = _table_of(url)
    shown = found.render_as_string(hide_password=True)
    if found.get_backend_name() == "sqlite" and file_of(found) == file_of(make_url(own)):
        raise Invalid(f"{shown} is the file that serendip keeps its own rows in; name another", field="to")
    schema, _, plain = name.rpartition(".")
    kept: list[Column[Any]] = [Column(one, _TYPES.get(one, Text)) for one in columns]
    table = Table(plain, MetaData(), *kept, schema=schema or None)
    engine = engine_of(found)
    try:
        table.create(engine, checkfirst=True)
        with engine.begin() as c:
            c.execute(delete(table).where(*(table.c[column] == value for column, value in which.items())))
            for rows in chunks:
                if rows:
                    c.execute(table.insert(), rows)
    except errors.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise NotReady(
            f"the table {name} of {shown} could not be written: {cause}; it needs the columns {', '.join(columns)}"
        ) from None
    finally:
        engine.dispose()


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database."""
    return Path(url.database).resolve() if url.database else None


def check_table(url: str) -> None:
    """Refuse a URL that names no database or no table of it."""
    _table_of(url)


def _table_of(url: str) -> tuple[URL, str]:
    try:
        full = make_url(url)
    except (errors.ArgumentError, ValueError):
        raise Invalid("the URL of the table cannot be read; write sqlite:///file.db?table=name", field="to") from None
    name = full.query.get("table")
    if not isinstance(name, str) or not name:
        shown = full.render_as_string(hide_password=True)
        raise Invalid(f"{shown} names no table; add ?table=name", field="to")
    return full.difference_update_query(["table"]), name


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def engine_of(url: URL) -> Engine:
    """What speaks to a database; NotReady says what to install where nothing does."""
    try:
        return create_engine(url)
    except (ImportError, errors.NoSuchModuleError) as error:
        backend = url.get_backend_name()
        extra = {"postgresql": "postgres"}.get(backend, backend)
        raise NotReady(f"{error}; install what speaks to it: pip install 'serendip[{extra}]'") from None
