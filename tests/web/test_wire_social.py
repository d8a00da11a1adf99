"""The wire format ``social`` over a small network whose answers can be told beforehand, on both databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from databases import database, empty_url
from serendip.domain import Interaction, InteractionKind, Item, Relation, User
from serendip.flows.promote import publish
from serendip.flows.scenarios import put_scenario, scenarios_of
from serendip.flows.train import train
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.store.saved import EVENTS, PEOPLE, save_elsewhere
from serendip.web.app import create_app
from serendip.web.guard import new_key

__all__ = ["database", "empty_url"]

GOLDEN = Path(__file__).parent / "golden" / "social"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLUSTERS = {"Blockchain": "Innovación", "Tecnología": "Innovación", "Música": "Arte", "Cultura": "Arte"}
STUDIES = ("Informática", "Bellas Artes")
TAGS = (["Tecnología", "Blockchain"], ["Cultura", "Música"])
NEWCOMERS = ("nuevo-1", "nuevo-2")


def coming(n: int) -> datetime:
    """Events 0 to 19 lie before noon, a day apart; 20 to 29 after it."""
    return NOON + timedelta(days=n - 19.5)


def event(n: int) -> Item:
    place = {"place": f"Aula {n}"} if n != 27 else {}
    text, tags = f"Un encuentro, el número {n}.", tuple(TAGS[n % 2]) if n != 29 else ("Idiomas",)
    return Item(f"{100 + n}", "events", f"Encuentro {n}", text, tags, attributes=place, available_until=coming(n))


def person(n: int) -> User:
    """People 0 to 15: even ones study computers and like them, odd ones the arts."""
    kind = "Estudiante" if n % 3 else "Profesor"
    told = {"age": 20 + n % 4, "gender": "mujer" if n % 4 < 2 else "hombre", "degree": STUDIES[n % 2], "userType": kind}
    return User(f"{n}", f"Persona {n}", {**told, "hobbies": ["ajedrez"] if n % 2 else ["música", "cine"]})


def network(store: Store) -> None:
    """Everybody joins five past events, four of them of the own taste, and one to come; 3 intends to go to 121."""
    store.declare_kinds([InteractionKind("join"), InteractionKind("intend", weight=0.0)])
    store.put_users([*(person(n) for n in range(16)), *(User(one) for one in NEWCOMERS)])
    store.put_items([event(n) for n in range(30)])
    store.put_relations([Relation("0", "2"), Relation("0", "4"), Relation("1", "3"), Relation("5", "3")])
    rows = []
    for n in range(16):
        own = [e for e in range(20) if e % 2 == n % 2]
        joined = [own[(n + step * 3) % 10] for step in range(4)] + [(n + 1 + 2 * (n // 2)) % 20, 20 + n % 2]
        rows += [(n, e, "join", min(coming(e), NOON) - timedelta(hours=5 + n)) for e in joined]
    rows.append((3, 21 + 2, "intend", NOON - timedelta(hours=2)))
    store.add_interactions([Interaction(f"{user}", f"{100 + e}", at, kind) for user, e, kind, at in rows])
    interests = {"kind": "tag-svd", "clusters": CLUSTERS, "n_factors": 4}
    events = {"candidates": ["interests"], "models": {"interests": interests}, "catalogue": "events", "page_size": 3}
    put_scenario(store, "events", {**events, "gate": "open", "fallback": ["popular"]}, NOON)
    put_scenario(store, "people", {"recommend": "users", "candidates": ["profile-knn"], "page_size": 4}, NOON)


@dataclass(frozen=True)
class Network:
    client: TestClient
    """Without a key, on open routes."""
    keys: dict[str, str]
    store: Store

    def get(self, path: str, key: str = "read", **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters, headers={"X-API-Key": self.keys[key]})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()


@pytest.fixture
def serve(empty_url: str, tmp_path: Path) -> Iterator[Callable[..., Network]]:
    """The trained network behind the wire routes, with the settings given."""
    store, artifacts = Store.open(empty_url, migrate=True), Artifacts(tmp_path / "artifacts")
    network(store)
    configs = [config for name in ("events", "people") if (config := scenarios_of(store)[name].config.pipeline)]
    publish(store, train(store, artifacts, configs, NOON).versions, NOON)
    clients: list[TestClient] = []

    def serving(**settings: Any) -> Network:
        app = create_app(store, artifacts, Settings(wire=("social",), **settings), lambda: NOON)
        clients.append(TestClient(app, raise_server_exceptions=False))
        clients[-1].__enter__()
        rights: dict[str, tuple[str, ...]] = {"read": ("read",), "write": ("read", "write")}
        keys = {name: new_key(store, name, scopes, NOON) for name, scopes in rights.items()}
        return Network(clients[-1], keys, store)

    yield serving
    for client in clients:
        client.__exit__(None, None, None)
    store.close()


def test_both_answers_are_those_that_older_clients_read(serve: Callable[..., Network]):
    asked = serve()
    for path in ("events_recommendations", "match_all_users"):
        assert asked.get(f"/{path}") == json.loads((GOLDEN / f"{path}.json").read_text(encoding="utf-8"))


def test_everybody_has_coming_events_and_other_people_and_newcomers_alike_too(serve: Callable[..., Network]):
    asked = serve()
    events, people = asked.get("/events_recommendations"), asked.get("/match_all_users")
    everybody = {*(str(n) for n in range(16)), *NEWCOMERS}
    assert set(events) == set(people) == everybody
    assert {len(lists[name]) for lists in events.values() for name in lists} == {3}
    assert {len(lists[name]) for lists in people.values() for name in lists} == {4}
    past = {f"{100 + n}" for n in range(20)}
    assert not any(past & set(lists["_id"]) for lists in events.values())
    met = {str(n): {f"{120 + n % 2}"} | ({"123"} if n == 3 else set()) for n in range(16)}
    assert not any(met.get(user, set()) & set(lists["_id"]) for user, lists in events.items())
    followed = {"0": {"2", "4"}, "1": {"3"}, "5": {"3"}}
    assert not any({user, *followed.get(user, ())} & set(lists["_id"]) for user, lists in people.items())
    assert events["nuevo-1"]["_id"]
    assert people["nuevo-1"]["_id"][0] == "3", "whom most follow"
    # Everybody who studies the same likes the same: the tags of what was joined decide, and the profile.
    assert all(lists["eventTags"][0] == TAGS[int(user) % 2] for user, lists in events.items() if user.isdigit())
    assert all(lists["degree"][0] == STUDIES[int(user) % 2] for user, lists in people.items() if user.isdigit())


def test_each_answer_is_the_one_that_the_user_gets_alone_with_reasons_and_interests(serve: Callable[..., Network]):
    asked = serve()
    events, people = asked.get("/events_recommendations"), asked.get("/match_all_users")
    for user in ("0", "3", "nuevo-1"):
        alone = asked.get("/v1/recommendations", user=user, scenario="events", n=3, explain="true")
        assert [one["item"] for one in alone["items"]] == events[user]["_id"]
        same = asked.get("/v1/recommendations", user=user, scenario="people", n=4)
        assert [one["item"] for one in same["items"]] == people[user]["_id"]
    told = asked.get("/v1/recommendations", user="0", scenario="events", explain="true")["interests"]
    # User 0 joined four past events of computers, two tags each, and one to come; and one of the arts.
    assert {one["name"]: one["count"] for one in told} == {"Innovación": 10, "Arte": 2}
    assert [one["name"] for one in told] == ["Innovación", "Arte"]
    assert asked.get("/v1/recommendations", user="0", scenario="events")["interests"] == []


def test_the_past_is_answered_as_it_was(serve: Callable[..., Network]):
    asked = serve()
    then = asked.get("/events_recommendations", time="2026-02-21T12:00:00")
    dates = {date for lists in then.values() for date in lists["time"]}
    assert min(dates) >= "02-21-2026"
    assert any(date < "03-01-2026" for date in dates)


def test_saved_rows_are_the_answer_and_only_yes_saves(serve: Callable[..., Network], tmp_path: Path):
    path = tmp_path / "saved.db"
    asked = serve(save_url=f"sqlite:///{path}")
    save_elsewhere(f"sqlite:///{path}", EVENTS, [])
    save_elsewhere(f"sqlite:///{path}", PEOPLE, [])

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as there:
            return there.execute(sql).fetchall()

    for other in ("no", "YES", "1", ""):
        asked.get("/events_recommendations", key="write", update_AWS_DB=other)
    assert rows("SELECT * FROM events_recommendations") == []
    events = asked.get("/events_recommendations", key="write", update_AWS_DB="yes")
    people = asked.get("/match_all_users", key="write", update_AWS_DB="yes", time="2026-03-02")
    for table, column, answer, date in (
        ("events_recommendations", "id_event", events, "2026-03-01 12"),
        ("users_matching", "id_match", people, "2026-03-02 00"),
    ):
        found = rows(f"SELECT id_user, {column}, score, date FROM {table} ORDER BY rowid")
        assert [row[:2] for row in found] == [(user, one) for user, lists in answer.items() for one in lists["_id"]]
        assert {row[3][:13] for row in found} == {date}
    first = asked.get("/v1/recommendations", user="0", scenario="events")["items"][0]
    kept = rows("SELECT score FROM events_recommendations WHERE id_user = '0' ORDER BY rowid LIMIT 1")
    assert kept == [(pytest.approx(first["score"]),)]


def test_saving_needs_a_key_that_may_write_and_a_place_that_takes_it(serve: Callable[..., Network]):
    asked = serve(save_url="postgresql://ana:s3cret@127.0.0.1:1/x")
    for path in ("/events_recommendations", "/match_all_users"):
        refused = asked.client.get(f"{path}?update_AWS_DB=yes", headers={"X-API-Key": asked.keys["read"]})
        assert (refused.status_code, refused.json()["title"]) == (403, "Forbidden")
    broken = asked.client.get("/match_all_users?update_AWS_DB=yes", headers={"X-API-Key": asked.keys["write"]})
    assert broken.status_code == 503
    assert "save_url" in broken.json()["detail"]
    assert "s3cret" not in broken.text
    bad = asked.client.get("/match_all_users?time=tomorrow", headers={"X-API-Key": asked.keys["read"]})
    assert bad.status_code == 422
