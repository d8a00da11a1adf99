"""Answers saved: here or elsewhere, into our tables or those of an older system, all or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from serendip.domain import Invalid, NotReady, Slate, SlateItem, User
from serendip.flows.forget import forget
from serendip.flows.saving import save
from serendip.store import Artifacts, Store
from serendip.store.saved import EVENTS, PEOPLE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def slate(user: str, *places: tuple[str, float]) -> Slate:
    items = tuple(SlateItem(item, score, "tag-svd") for item, score in places)
    return Slate("s", "events", "v1", NOON, user, True, False, items)


ANSWER = [slate("7", ("12", 2.5), ("13", 1.25)), slate("8", ("12", 0.5)), slate("9")]
ROWS = [("7", "12", 2.5), ("7", "13", 1.25), ("8", "12", 0.5)]


def rows_at(url: str, sql: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as c:
            return [tuple(row) for row in c.execute(text(sql))]
    finally:
        engine.dispose()


@pytest.fixture
def fresh(empty_url: str) -> Iterator[tuple[Store, str]]:
    opened = Store.open(empty_url, migrate=True)
    yield opened, empty_url
    opened.close()


def test_saved_rows_are_the_answer_with_its_scores_and_its_moment_and_saving_again_adds(fresh: tuple[Store, str]):
    store, url = fresh
    assert save(store, "", EVENTS, ANSWER) == 3
    sql = "SELECT id_user, id_event, score, date FROM events_recommendations ORDER BY score DESC"
    found = rows_at(url, sql)
    assert [row[:3] for row in found] == ROWS
    assert {str(row[3])[:19] for row in found} == {"2026-03-01 12:00:00"}
    save(store, url, EVENTS, ANSWER)
    assert len(rows_at(url, sql)) == 6
    Store.open(url).close()


def test_a_forgotten_user_is_forgotten_where_answers_were_saved_too(fresh: tuple[Store, str]):
    store, url = fresh
    store.put_users([User("7"), User("8")])
    save(store, "", EVENTS, ANSWER)
    save(store, "", PEOPLE, [slate("8", ("7", 0.5), ("9", 0.25))])
    store.delete_user("7")
    assert rows_at(url, "SELECT id_user FROM events_recommendations") == [("8",)]
    assert rows_at(url, "SELECT id_match FROM users_matching") == [("9",)]


def test_an_erased_user_is_taken_out_of_the_other_database_or_nothing_is_deleted(store: Store, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    store.put_users([User("7")])
    save(store, url, PEOPLE, [slate("8", ("7", 0.5), ("9", 0.25)), slate("7", ("8", 0.5))])
    artifacts = Artifacts(tmp_path / "artifacts")
    with pytest.raises(NotReady):
        forget(store, artifacts, "7", NOON, "sqlite:////nowhere/at/all.db")
    assert store.user("7") is not None
    forget(store, artifacts, "7", NOON, url)
    assert rows_at(url, "SELECT id_user, id_match FROM users_matching") == [("8", "9")]
    assert store.user("7") is None


def test_answers_go_to_another_database_in_the_types_of_the_table_that_is_there(store: Store, tmp_path: Path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE users_matching (id INTEGER PRIMARY KEY, id_user INTEGER, id_match INTEGER,"
                    " score REAL, date DATE)")  # fmt: skip
    save(store, f"sqlite:///{path}", PEOPLE, ANSWER)
    found = rows_at(f"sqlite:///{path}", "SELECT id_user, id_match, score, date FROM users_matching ORDER BY id")
    assert found == [(int(user), int(other), score, "2026-03-01") for user, other, score in ROWS]


def test_an_answer_that_cannot_be_kept_whole_is_not_kept_at_all(store: Store, tmp_path: Path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE events_recommendations (id_user INTEGER, id_event INTEGER, score REAL, date TEXT)")
        old.execute("CREATE TABLE users_matching (id_user INTEGER, score REAL)")
    url = f"sqlite:///{path}"
    with pytest.raises(Invalid, match="id_user of events_recommendations at save_url holds whole numbers, and the id"):
        save(store, url, EVENTS, [*ANSWER, slate("ana", ("12", 1.0))])
    assert rows_at(url, "SELECT * FROM events_recommendations") == []
    with pytest.raises(Invalid, match="no column id_match and no date"):
        save(store, url, PEOPLE, ANSWER)


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("not a url", Invalid, "save_url cannot be read"),
        ("oracle+nothing://ana:s3cret@db/x", Invalid, "save_url is .*not installed"),
        ("sqlite:////nowhere/at/all.db", NotReady, "nothing was saved: save_url"),
        ("postgresql://ana:s3cret@127.0.0.1:1/x", NotReady, "nothing was saved: save_url"),
    ],
)
def test_what_is_wrong_with_the_place_is_said_without_its_password(store: Store, url: str, error: Any, said: str):
    with pytest.raises(error, match=said) as raised:
        save(store, url, EVENTS, ANSWER)
    assert "s3cret" not in str(raised.value)
