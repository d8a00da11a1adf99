"""Tables of databases: SQLite here, PostgreSQL where its programs are at hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from databases import postgres_url
from serendip.domain import Invalid, NotFound, NotReady
from serendip.sources import open_source
from sources.whole import read_whole


def database(tmp_path: Path, *statements: str) -> str:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


KEYED = "create table orders (id integer primary key, customer_id text, sku integer, quantity real, created_at text)"
FILLED = """with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
insert into orders select i * 3, 'c' || (i % 70), i % 50, 1.5, '2024-05-01 12:00:00' from n"""


def test_a_keyed_table_is_read_by_its_key_in_batches(tmp_path: Path) -> None:
    source = open_source(f"{database(tmp_path, KEYED, FILLED)}?table=orders")
    assert source.n_rows == 120_000
    assert source.ordered
    whole = read_whole(source.name)
    assert whole.frame.height == 120_000
    assert whole.rows[0] | {"key": None} == {
        "user": "c1",
        "item": "1",
        "at": 1714564800_000_000,
        "kind": "interaction",
        "value": 1.5,
        "context": None,
        "key": None,
    }
    assert whole.lines[-1] == 120_000


def test_a_table_without_a_key_and_a_view_are_streamed(tmp_path: Path) -> None:
    url = database(
        tmp_path,
        "create table likes (user text, item text)",
        "insert into likes values ('a', 'b'), ('a', 'b'), (null, 'c')",
        "create view liked as select * from likes",
    )
    for table in ("likes", "liked"):
        source = open_source(f"{url}?table={table}")
        assert not source.ordered
        whole = read_whole(source.name)
        assert whole.frame["key"].n_unique() == 2
        assert [(error.line, error.field) for error in whole.errors] == [(3, "user")]


def test_a_wrong_table_lists_the_ones_there_are(tmp_path: Path) -> None:
    url = database(tmp_path, KEYED)
    with pytest.raises(NotFound, match="there is orders"):
        open_source(f"{url}?table=nothing")
    with pytest.raises(Invalid, match=r"add \?table=name"):
        open_source(url)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no database file"):
        open_source(f"sqlite:///{tmp_path}/none.db?table=t")
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database, but long enough to be looked at by sqlite" * 50)
    with pytest.raises(NotReady, match="not a database"):
        open_source(f"sqlite:///{tmp_path}/x.db?table=t")


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(NotReady) as caught:
        open_source("postgresql://ann:secret@127.0.0.1:9/shop?table=orders")
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_postgresql_table_is_read_with_its_types() -> None:
    url = postgres_url("postgres")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("create schema if not exists shop")
        connection.execute("drop table if exists shop.orders")
        connection.execute(
            "create table shop.orders (id bigint primary key, customer_id int, sku text, quantity numeric(8, 2),"
            " created_at timestamptz, context jsonb)"
        )
        connection.execute(
            "insert into shop.orders values (5, 1, 'a', 2.50, '2024-05-01 14:00+02', '{\"page\": 1}'),"
            " (6, null, 'b', 1, '2024-05-01 12:00+00', null)"
        )
    source = open_source(f"{url}&table=shop.orders")
    assert source.ordered
    whole = read_whole(source.name)
    [row] = whole.rows
    assert (row["user"], row["item"], row["value"], row["at"]) == ("1", "a", 2.5, 1714564800_000_000)
    assert row["context"] == '{"page": 1}'
    assert [(error.line, error.field) for error in whole.errors] == [(2, "user")]
