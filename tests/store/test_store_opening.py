from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import serendip.store
from serendip.domain import Invalid, NotReady
from serendip.store import Store
from serendip.store.schema import REVISION, metadata


def run(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as lite:
            for statement in statements:
                lite.execute(statement)
        lite.close()
        return
    with psycopg.connect(url) as post:
        for statement in statements:
            post.execute(statement)


def state(url: str) -> object:
    """Everything a refusal must not change: a file's bytes and neighbours, a server's tables."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with psycopg.connect(url) as post:
        return post.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()


def test_sqlite_makes_itself_and_postgresql_asks_for_the_migration(database: str, empty_url: str) -> None:
    if database == "postgresql":
        with pytest.raises(NotReady, match="serendip migrate"):
            Store.open(empty_url)
    store = Store.open(empty_url, migrate=None if database == "sqlite" else True)
    assert store.counts().users == 0
    store.close()
    Store.open(empty_url, migrate=False).close()


def test_sqlite_can_be_told_not_to_make_itself(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="serendip migrate"):
        Store.open(f"sqlite:///{tmp_path / 'new.db'}", migrate=False)


def test_a_database_of_another_version_is_refused_untouched(empty_url: str) -> None:
    Store.open(empty_url, migrate=True).close()
    run(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    before = state(empty_url)
    for migrate in (None, True, False):
        with pytest.raises(NotReady, match="9999"):
            Store.open(empty_url, migrate=migrate)
    assert state(empty_url) == before


def test_a_database_of_somebody_else_is_refused_untouched(empty_url: str) -> None:
    run(empty_url, "CREATE TABLE customers (name text)")
    before = state(empty_url)
    with pytest.raises(NotReady, match="customers"):
        Store.open(empty_url, migrate=True)
    assert state(empty_url) == before


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear customer, " * 100)
    with pytest.raises(NotReady, match="another"):
        Store.open(f"sqlite:///{path}")
    assert path.read_text() == "Dear customer, " * 100


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x", "oracle://x/y"]
)
def test_a_url_that_names_no_database_of_ours_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        Store.open(url)


def test_a_server_that_is_away_is_not_ready_and_its_password_stays_secret() -> None:
    with pytest.raises(NotReady) as told:
        Store.open("postgresql://ann:secret-word@127.0.0.1:9/none")
    assert "secret-word" not in str(told.value)


def test_a_stores_url_shows_no_password(database_url: str) -> None:
    store = Store.open(database_url)
    assert store.url.startswith(("sqlite:///", "postgresql"))
    store.close()


def test_the_migrations_make_the_tables_that_the_program_uses(database: str, empty_url: str) -> None:
    Store.open(empty_url, migrate=True).close()
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    # On SQLite the check that users and items exist is left out on purpose.
    assert [change for change in difference if change[0] != "remove_fk"] == []


def test_the_newest_migration_is_the_revision_of_the_program() -> None:
    folder = Path(serendip.store.__file__).with_name("migrations")
    assert ScriptDirectory(str(folder)).get_current_head() == REVISION


def test_sqlite_keeps_its_promises_of_durability(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'serendip.db'}")
    with store._db.write() as c:
        told = {
            name: c.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")
        }
    store.close()
    assert told == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "foreign_keys": 1}
