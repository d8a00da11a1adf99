"""Bringing a database to the revision that this version of the program uses, or refusing to touch it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import inspect

from serendip.domain import NotReady
from serendip.store.engine import Database
from serendip.store.schema import REVISION

_MIGRATIONS = Path(__file__).with_name("migrations")


def prepare(db: Database, migrate: bool | None) -> None:
    """Make the database ready, or say why it is not; one of an unknown revision stays as it is."""
    found = revision(db)
    if found == REVISION:
        return
    if found is not None and found not in _known_revisions():
        raise NotReady(
            f"the database {db.shown} has revision {found!r}, which this version of serendip does not know; "
            "it was not touched: use the version that made it, or a newer one"
        )
    if not (db.is_sqlite if migrate is None else migrate):
        state = "empty" if found is None else f"at revision {found!r}"
        raise NotReady(f"the database {db.shown} is {state}; run `serendip migrate` to bring it to {REVISION!r}")
    upgrade(db)


def revision(db: Database) -> str | None:
    """The revision of the database; none if it is empty. Somebody else's tables are refused."""
    if db.is_sqlite:
        _refuse_foreign_file(db)
        if not db.path.exists():
            return None
    with db.read() as c:
        tables = set(inspect(c).get_table_names())
        if "alembic_version" in tables:
            found = c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            if found is not None:
                return str(found)
        if tables - {"alembic_version"}:
            raise NotReady(
                f"the database {db.shown} holds tables that are not serendip's, such as {sorted(tables)[0]!r}; "
                "it was not touched: name an empty one"
            )
    return None


def upgrade(db: Database) -> None:
    """Run the migrations that are missing, all in one transaction."""
    # Alembic takes a tenth of a second to import, and a database that is ready needs none of it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    if db.is_sqlite:
        db.keep_write_ahead_log()
    with db.write() as c:
        if not db.is_sqlite:
            c.exec_driver_sql("SELECT pg_advisory_xact_lock(7304071)")
        config.attributes["connection"] = c
        command.upgrade(config, REVISION)


def _known_revisions() -> set[str]:
    return {file.name.split("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def _refuse_foreign_file(db: Database) -> None:
    """Look at a file as a reader first: opening it for writing may already change it."""
    if not db.path.exists():
        return
    try:
        with sqlite3.connect(f"{db.path.absolute().as_uri()}?mode=ro", uri=True) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.close()
    except sqlite3.DatabaseError as error:
        raise NotReady(f"the file {db.path} cannot be read as an SQLite database: {error}; name another") from None
