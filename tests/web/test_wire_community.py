"""The wire format ``community``: shapes as golden files have them, and what earlier sites did wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key

from .conftest import Clock, Server, make_client

GOLDEN = Path(__file__).parent / "golden" / "community"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Any:
    """A site with three people, two books and a film, its client, and a look at its store."""
    store = Store.open(database_url)
    store.declare_kinds([InteractionKind("rating", "latest", scale=(1.0, 5.0)), InteractionKind("view")])
    store.put_users([User("1", "ann", {"email": "ann@example.org"}), User("2"), User("x-9", "Xu")])
    store.put_items(
        [
            Item("10", "books", "Dune", "Sand.", ("fiction", "classic")),
            Item("11", "books", "Emma", None, ("fiction",)),
            Item("tt0078748", "films", "Alien", "Space."),
        ]
    )
    store.add_interactions(
        [
            Interaction("1", "10", NOON, "rating", 2.0),
            Interaction("2", "10", NOON, "rating", 4.0),
            Interaction("x-9", "10", NOON, "rating", 3.0),
            Interaction("1", "11", NOON, "rating", 5.0),
            Interaction("2", "11", NOON, "rating", 5.0),
            Interaction("1", "tt0078748", NOON, "rating", 4.0),
            Interaction("1", "tt0078748", NOON, "view"),
        ]
    )
    artifacts = Artifacts(tmp_path / "artifacts")
    app = create_app(store, artifacts, Settings(wire=("community",), page_size=50), Clock(NOON))
    client = make_client(app, new_key(store, "test", ("read", "write"), NOON))
    with client:
        yield client, store
    store.close()


def agrees(name: str, answer: Any, status: int = 200) -> None:
    """The answer's body is the golden file's, key by key in its order."""
    assert answer.status_code == status, answer.text
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert json.dumps(answer.json(), indent=1) == json.dumps(golden, indent=1)


def test_every_list_has_the_shape_of_its_golden_file(site: tuple[TestClient, Store]):
    client, _ = site
    for name in ("similarity-matrix", "similarity-matrix-cells", "recommenders"):
        agrees("empty", client.get(f"/api/{name}/"))
    agrees("users", client.get("/api/users/"))
    agrees("items", client.get("/api/items/?limit=2"))
    agrees("interactions", client.get("/api/interactions/?offset=2&limit=2"))
    users = client.post("/api/similarity-matrix/", json={"name": "SVD users", "type": 1, "description": "d"})
    agrees("matrix", users, 201)
    items = client.post("/api/similarity-matrix/", json={"name": "SVD items", "type": 2, "version": 1})
    agrees("matrix-of-items", items, 201)
    cells = [
        {"row": 1, "column": "x-9", "value": 0.5, "matrix": 1, "version": 1},
        {"row": "1", "column": 2, "value": 0.75, "matrix": "http://old/api/similarity-matrix/1/", "version": 1},
    ]
    agrees("cells-made", client.post("/api/similarity-matrix-cells/", json=cells), 201)
    agrees("cells", client.get("/api/similarity-matrix-cells/?row=1&column=&matrix=1"))
    made = client.post(
        "/api/recommenders/",
        json={
            "name": "SVD",
            "user_similarity_matrix": 1,
            "item_similarity_matrix": "http://old/api/similarity-matrix/2/",
        },
    )
    agrees("recommender", made, 201)
    agrees("recommenders", client.get("/api/recommenders/?name=SVD"))
    agrees("versions", client.get("/api/similarity-matrix/1/versions/"))
    assert client.put("/api/similarity-matrix/1/", json={"name": "SVD users", "type": 1, "version": 1}).json()[
        "version"
    ]
    assert client.post("/api/similarity-matrix-cells/", json={**cells[0], "version": 2}).status_code == 201
    agrees("version-deleted", client.delete("/api/similarity-matrix/1/versions/2/"))
    agrees("not-found", client.get("/api/users/77/"), 404)


def test_pages_lead_to_each_other_and_hold_everything_once(site: tuple[TestClient, Store]):
    client, _ = site
    found, address = [], "/api/interactions/?limit=4&user=1"
    pages = 0
    while address:
        body = client.get(address).json()
        found += body["results"]
        address, pages = body["next"], pages + 1
    assert (pages, len(found), body["count"]) == (1, 3, 3)
    second = client.get("/api/interactions?limit=4&offset=4").json()
    assert second["next"] is None
    assert second["previous"] == "http://testserver/api/interactions?limit=4&offset=0"
    assert client.get(second["previous"]).json()["next"] == "http://testserver/api/interactions?limit=4&offset=4"


def test_filters_look_at_fields_and_an_empty_one_is_none(site: tuple[TestClient, Store]):
    client, _ = site

    def ids(path: str) -> list[Any]:
        return [one["id"] for one in client.get(path).json()["results"]]

    assert ids("/api/users/?username=&email=ann@example.org") == [1]
    assert ids("/api/users/?username=2") == [2]
    assert ids("/api/items/?tag=fiction&tag=classic") == [10]
    assert ids("/api/items/?name=Alien&description=") == ["tt0078748"]
    assert client.get("/api/interactions/?item=10&rating=4").json()["count"] == 1
    refused = client.get("/api/users/?colour=red")
    assert refused.status_code == 422
    assert list(refused.json()) == ["detail"]
    assert "colour" in refused.json()["detail"]


def test_a_vote_without_a_choice_is_refused_and_nothing_is_kept(site: tuple[TestClient, Store]):
    client, store = site
    before = store.counts().interactions
    vote = {"user": 1, "item": 10}
    for body in (
        vote,
        {**vote, "rating": None},
        {**vote, "rating": ""},
        {**vote, "rating": 0},
        {**vote, "rating": 6},
        {**vote, "rating": 3, "colour": "red"},
        [{**vote, "rating": 3}, {**vote, "rating": 0}],
        [],
    ):
        refused = client.post("/api/interactions/", json=body)
        assert refused.status_code == 422, body
        assert list(refused.json()) == ["detail"]
    assert (
        "interaction 1" in client.post("/api/interactions/", json=[{**vote, "rating": 3}, {**vote, "rating": 0}]).text
    )
    assert store.counts().interactions == before


def test_a_refusal_of_one_or_a_list_speaks_of_what_was_sent(site: tuple[TestClient, Store]):
    client, _ = site
    one = client.post("/api/interactions/", json={"user": 1, "item": 10})
    assert one.json() == {"detail": "rating: it is missing"}
    many = client.post("/api/interactions/", json=[{"user": 1, "item": 10, "rating": 3}, {"user": 1, "item": 10}, 7])
    assert many.json() == {"detail": "1.rating: it is missing; 2: input should be an object with named fields"}
    assert client.post("/api/similarity-matrix-cells/", json=[]).json()["detail"].startswith("body: list should have")
    assert "list[" not in client.post("/api/interactions/", json=7).text


def test_a_route_that_is_opened_is_open_with_and_without_its_last_slash(make_server: Callable[..., Server]):
    opened = ("GET /api/items/", "GET /api/items/{item}/")
    stranger = make_server(wire=("community",), open_routes=opened).stranger
    for path in ("/api/items", "/api/items/", "/api/items/film-1", "/api/items/film-1/"):
        assert stranger.get(path).status_code == 200, path
    for path in ("/api/users", "/api/items/film-1/x", "/v1/items"):
        assert stranger.get(path).status_code == 401, path


def test_a_single_vote_says_where_it_is_and_can_be_read_changed_and_taken_back(site: tuple[TestClient, Store]):
    client, store = site
    made = client.post("/api/interactions/", json={"user": "2", "item": "tt0078748", "rating": 1.0})
    assert made.status_code == 201
    place = made.headers["location"]
    assert client.get(place).json() == made.json()
    assert client.patch(place, json={"rating": 5}).json()["rating"] == 5.0
    assert client.patch(place, json={"rating": None}).status_code == 422
    assert client.put(place, json={"user": 2, "item": 11, "rating": 0}).status_code == 422
    changed = client.put(place, json={"user": 2, "item": 11, "rating": 3}).json()
    assert (changed["item"], changed["rating"]) == (11, 3.0)
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == client.delete(place).status_code == 404
    views = store.recent_interactions(10, kind="view").records
    assert client.delete(f"/api/interactions/{views[0].id}/").status_code == 404


def test_popularity_is_minmax_of_the_mean_times_minmax_of_votes(site: tuple[TestClient, Store]):
    client, _ = site
    by_id = {one["id"]: one for one in client.get("/api/items/").json()["results"]}
    # Votes 3, 2, 1 -> 1, .5, 0; times means 3, 5, 4 -> 3, 2.5, 0; minmax -> 1, 5/6, 0.
    assert by_id[10]["popularity"] == 1.0
    assert by_id[11]["popularity"] == pytest.approx(5 / 6)
    assert by_id["tt0078748"]["popularity"] == 0.0
    client.post("/api/interactions/", json={"user": 1, "item": 10, "rating": 5})
    again = client.get("/api/items/10/").json()
    # ann's newest counts: (5 + 4 + 3) / 3, still three votes.
    assert (again["rating"], again["votes"]) == (4.0, 3)


def test_records_without_an_id_get_a_free_number_and_others_keep_what_the_wire_does_not_have(
    site: tuple[TestClient, Store],
):
    client, store = site
    store.put_items([Item("4"), Item("5", image="http://img/5.png")])
    made = client.post("/api/items/", json={"name": "New", "tags": "drama, old"}).json()
    assert made == {**made, "name": "New", "tags": ["drama", "old"], "rating": None, "votes": 0}
    assert str(made["id"]) not in ("4", "5", "10", "11")
    assert client.post("/api/items/", json={"id": 5, "name": "Taken"}).status_code == 409
    whole = {**client.get("/api/items/5/").json(), "name": "Five"}
    assert client.put("/api/items/5/", json=whole).json()["name"] == "Five"
    assert store.item("5") == Item("5", title="Five", text="", image="http://img/5.png")
    user = client.post("/api/users/", json={"username": "new", "email": "n@example.org"}).json()
    assert client.get(f"/api/users/{user['id']}").json() == user
    assert client.patch(f"/api/users/{user['id']}", json={"email": None}).json()["email"] == ""
    assert client.patch(f"/api/users/{user['id']}", json={"id": 1}).status_code == 422
    assert client.delete(f"/api/users/{user['id']}/").status_code == 204
    assert client.delete("/api/items/tt0078748/").status_code == 204
    assert client.get("/api/items/tt0078748/").status_code == 404


def test_reading_changes_nothing(site: tuple[TestClient, Store]):
    client, store = site
    client.post("/api/similarity-matrix/", json={"name": "m", "type": 1})
    before = (store.fingerprint(), store.changes())
    for path in (
        "/api/users/",
        "/api/items/",
        "/api/interactions/",
        "/api/similarity-matrix/",
        "/api/similarity-matrix/1/",
        "/api/similarity-matrix/1/versions/",
        "/api/similarity-matrix-cells/",
        "/api/recommenders/",
    ):
        assert client.get(path).status_code == 200
    assert client.get("/api/similarity-matrix/1/versions/1/").status_code == 405
    assert (store.fingerprint(), store.changes()) == before


def test_the_format_is_off_unless_switched_on_and_closed_without_a_key(
    server: Server, make_server: Callable[..., Server]
):
    assert server.client.get("/api/users/").status_code == 404
    on = make_server(wire=("community=/old",))
    assert on.client.get("/old/api/users/?limit=1").json()["count"] == 40
    refused = on.stranger.get("/old/api/users/")
    assert refused.status_code == 401
    assert list(refused.json()) == ["detail"]
    assert list(on.client.get("/old/api/nothing/").json()) == ["detail"]
    assert "title" in on.client.get("/v1/nothing").json()
    document = on.client.get("/openapi.json").json()["paths"]
    assert "/old/api/users/" in document
    assert "/old/api/users" not in document
