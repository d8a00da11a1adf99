"""The wire format ``reviews`` over a small shop whose answers can be told beforehand, on both databases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from databases import database, empty_url
from serendip.domain import Interaction, Invalid, Item, User
from serendip.flows.promote import publish
from serendip.flows.scenarios import put_scenario, scenarios_of
from serendip.flows.train import train
from serendip.settings import Settings
from serendip.sources.datasets.reviews import OTHER, PRAISE
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key
from serendip.web.wire import reviews

__all__ = ["database", "empty_url"]

GOLDEN = Path(__file__).parent / "golden" / "reviews"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GETS = ("GET /random_users", "GET /check_users", "GET /recommendations")
PEOPLE = [
    *(User(f"u-{n}", f"Person {n}") for n in range(12)),
    User("u-comma", "Moss, Ada"),
    User("twin-1", "Sam Stone"),
    User("twin-2", "Sam Stone"),
    User("anonymous:1f", "Amazon Customer", {"anonymous": True}),
    User("anonymous:2e", "amazon customer", {"anonymous": True}),
]
NAMED = {*(f"Person {n}" for n in range(12)), "Moss, Ada", "twin-1", "twin-2"}


def shop(store: Store) -> None:
    """Even people praise even products, odd ones odd products; lately product 9 has most praise, and 8 most scorn."""
    store.declare_kinds([PRAISE, OTHER])
    store.put_users(PEOPLE)
    store.put_items([Item(f"p-{n}", "products", f"Product No. {n}") for n in range(12)])
    rows: list[tuple[str, int, int, float]] = []
    for n in range(12):
        own = [p for p in range(8) if p % 2 == n % 2]
        rows += [(f"u-{n}", own[(n // 2 + step) % 4], 5, 200 - n) for step in range(3)]
        rows.append((f"u-{n}", 8, 1, 20 - n))
        if n < 6:
            rows.append((f"u-{n}", 9, 5, 10 - n))
        if n in (6, 7, 8):
            rows.append((f"u-{n}", 10, 5, 12 - n))
    rows += [
        ("u-comma", 0, 5, 90.0),
        ("twin-1", 1, 5, 80.0),
        ("anonymous:1f", 11, 5, 3.0),
        ("anonymous:2e", 11, 5, 2.0),
    ]
    kind = {5: PRAISE.name}
    store.add_interactions(
        [
            Interaction(user, f"p-{p}", NOON - timedelta(days=ago), kind.get(stars, OTHER.name), float(stars))
            for user, p, stars, ago in rows
        ]
    )
    home = {"candidates": ["item-knn"], "fallback": ["popular-30-days", "popular"], "page_size": 3, "gate": "open"}
    newcomers = {"candidates": ["popular-30-days"], "fallback": ["popular"], "page_size": 3, "gate": "open"}
    put_scenario(store, "home", home, NOON)
    put_scenario(store, "newcomers", newcomers, NOON)


@dataclass(frozen=True)
class Shop:
    client: TestClient
    keys: dict[str, str]
    store: Store
    artifacts: Artifacts

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def refused(self, path: str) -> tuple[int, str]:
        answer = self.client.get(path)
        assert list(answer.json()) == ["error"], answer.text
        return answer.status_code, answer.json()["error"]

    def post(self, path: str, key: str = "admin", **options: Any) -> Any:
        return self.client.post(path, headers={"X-API-Key": self.keys[key]}, **options)


@pytest.fixture
def asked(empty_url: str, tmp_path: Path) -> Iterator[Shop]:
    """The trained shop behind the wire routes, the reading ones open."""
    store, artifacts = Store.open(empty_url, migrate=True), Artifacts(tmp_path / "artifacts")
    shop(store)
    configs = [config for name in ("home", "newcomers") if (config := scenarios_of(store)[name].config.pipeline)]
    publish(store, train(store, artifacts, configs, NOON).versions, NOON)
    app = create_app(store, artifacts, Settings(wire=("reviews",), open_routes=GETS), lambda: NOON)
    scopes: dict[str, tuple[str, ...]] = {"write": ("read", "write"), "admin": ("read", "write", "admin")}
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Shop(client, {name: new_key(store, name, own, NOON) for name, own in scopes.items()}, store, artifacts)
    store.close()


def test_answers_are_those_that_older_clients_read(asked: Shop):
    questions = {
        "check_users": "/check_users?users=Person%200, nobody ,Amazon%20Customer",
        "recommendations": "/recommendations?users=Person%200,Person%201,nobody",
        "recommendations_as_id": "/recommendations?users=Person%200,nobody&as=id",
    }
    for name, question in questions.items():
        assert asked.get(question) == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")), name
    assert asked.refused("/recommendations") == (400, "No users provided")
    assert asked.refused("/recommendations?users=%20,%20") == (400, "No users provided")
    assert asked.refused("/check_users") == (400, "No user IDs provided")


def test_nothing_that_somebody_reviewed_is_recommended_again_and_strangers_see_what_is_praised_lately(asked: Shop):
    names = [f"Person {n}" for n in range(12)]
    answer = asked.get("/recommendations", users=",".join(names), **{"as": "id"})
    assert list(answer) == names
    for n, name in enumerate(names):
        done = {one.item for one in asked.store.history(f"u-{n}", until=NOON, limit=50)}
        assert len(done) >= 4
        assert not done & set(answer[name]), name
        # The one product of the own taste that is left comes first.
        assert int(answer[name][0].removeprefix("p-")) % 2 == n % 2, name
    # Within 30 days six praised 9, three praised 10, two without a name praised 11; 8 got one star from everybody.
    assert asked.get("/recommendations", users="nobody", **{"as": "id"}) == {"nobody": ["p-9", "p-10", "p-11"]}


def test_a_click_is_in_the_next_answer_and_the_past_is_answered_as_it_was(asked: Shop):
    first = asked.get("/recommendations", users="Person 0", **{"as": "id"})["Person 0"][0]
    at = (NOON - timedelta(minutes=1)).isoformat()
    event = {"user": "u-0", "item": first, "kind": "review", "value": 2, "at": at}
    assert asked.post("/v1/interactions", key="write", json=event).status_code == 201
    assert first not in asked.get("/recommendations", users="Person 0", **{"as": "id"})["Person 0"]
    before = asked.get("/recommendations", users="Person 0", time="2026-03-01T11:00:00", **{"as": "id"})
    assert first in before["Person 0"]
    assert asked.refused("/recommendations?users=a&time=tomorrow")[0] == 422


def test_names_are_trimmed_repeated_and_may_hold_commas(asked: Shop):
    assert asked.get("/check_users?users=Moss, Ada") == {"Moss, Ada": True}
    both = asked.get("/check_users?users= Moss, Ada &users=Person 1&users=Moss, Bob&users=Person 1")
    assert both == {"Moss, Ada": True, "Person 1": True, "Moss, Bob": False}
    # Two are called Sam Stone: the name alone means neither, their ids do.
    assert asked.get("/check_users?users=Sam Stone,twin-1,person 1") == {
        "Sam Stone": False, "twin-1": True, "person 1": False,
    }  # fmt: skip
    assert asked.get("/check_users?users=anonymous:1f,%00,AMAZON CUSTOMER") == {
        "anonymous:1f": False, "\0": False, "AMAZON CUSTOMER": False,
    }  # fmt: skip
    assert asked.refused("/check_users?users=" + ",".join(map(str, range(1001))))[0] == 400


def test_random_users_are_different_people_with_names(asked: Shop):
    assert set(asked.get("/random_users?n=15")) == NAMED
    assert len(asked.get("/random_users")) == len(asked.get("/random_users?n=many")) == 1
    assert asked.get("/random_users?n=0") == []
    assert len({asked.get("/random_users")[0] for _ in range(40)}) > 3
    assert len(asked.get("/random_users?n=1_0")) == len(asked.get("/random_users?n=2.0")) == 1
    assert len(asked.get("/random_users?n=%2B2")) == 2
    for n in (-1, 16, 10**9, "9" * 5000, "-" + "9" * 5000):
        status, error = asked.refused(f"/random_users?n={n}")
        assert (status, "from 0 to 15" in error) == (400, True)
    assert all(asked.get("/check_users", users=asked.get("/random_users?n=15")).values())


def test_only_administrators_reload_and_one_at_a_time(asked: Shop):
    for path, status in (
        ("/reload_data", "Data reloaded successfully."),
        ("/reload_model", "Model reloaded successfully."),
    ):
        assert asked.client.post(path).status_code == 401
        refused = asked.post(path, key="write")
        assert (refused.status_code, list(refused.json())) == (403, ["error"])
        assert asked.post(path).json() == {"status": status}
        assert asked.post(path, json={"retrain": "yes"}).status_code == 422
        with reviews._reloading:
            busy = asked.post(path)
            assert (busy.status_code, list(busy.json())) == (409, ["error"])
    acts = [act.action for act in asked.store.acts(limit=20).records]
    assert {"reviews_reload_data", "reviews_reload_model"} <= set(acts)


def test_a_training_is_queued_when_it_is_asked_for_and_only_once(asked: Shop):
    answer = asked.post("/reload_model", json={"retrain": True}).json()
    job = asked.store.job(answer["job"])
    assert (answer["status"], job and job.kind, job and job.state) == (
        "Model reloaded successfully.",
        "train",
        "queued",
    )
    again = asked.post("/reload_data", json={"retrain": True})
    assert (again.status_code, list(again.json())) == (409, ["error"])


def test_the_old_model_goes_on_where_the_new_one_cannot_be_loaded(asked: Shop, tmp_path: Path):
    before = asked.get("/recommendations", users="Person 0,nobody")
    away = tmp_path / "away"
    shutil.move(tmp_path / "artifacts", away)
    broken = asked.post("/reload_model")
    assert broken.status_code == 503
    assert "could not be loaded" in broken.json()["error"]
    assert asked.get("/recommendations", users="Person 0,nobody") == before
    shutil.rmtree(tmp_path / "artifacts", ignore_errors=True)
    shutil.move(away, tmp_path / "artifacts")
    assert asked.post("/reload_model").json() == {"status": "Model reloaded successfully."}
    assert asked.get("/recommendations", users="Person 0,nobody") == before


def test_reloading_cannot_be_opened_to_everybody_and_a_prefix_moves_everything(
    asked: Shop, make_other: Callable[..., TestClient]
):
    with pytest.raises(Invalid, match="administrator"):
        make_other(asked, wire=("reviews",), open_routes=("POST /reload_data",)).get("/healthz")
    client = make_other(asked, wire=("reviews=/shop",), open_routes=tuple(one.replace(" /", " /shop/") for one in GETS))
    assert client.get("/shop/check_users?users=Person 1").json() == {"Person 1": True}
    assert client.get("/shop/check_users").json() == {"error": "No user IDs provided"}
    assert client.post("/shop/reload_data", headers={"X-API-Key": asked.keys["write"]}).status_code == 403
    assert client.get("/check_users").status_code == 401
    assert "detail" in client.get("/v1/recommendations").json()


@pytest.fixture
def make_other() -> Iterator[Callable[..., TestClient]]:
    made: list[TestClient] = []

    def make(shop: Shop, **settings: Any) -> TestClient:
        app = create_app(shop.store, shop.artifacts, Settings(**settings), lambda: NOON)
        client = TestClient(app, raise_server_exceptions=False)
        made.append(client.__enter__())
        return client

    yield make
    for client in made:
        client.__exit__(None, None, None)
