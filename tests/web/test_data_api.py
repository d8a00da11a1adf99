"""The API for data: conditions, many at once, lists, corrections, a person's own data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from serendip.flows.live import FOR_YOU
from serendip.flows.promote import promote
from serendip.flows.train import train
from serendip.pipeline import PipelineConfig
from serendip.store.forgotten import digest_of
from serendip.web.guard import new_key

from .conftest import NOON, Server, make_client
from .test_refusals import refused


def pages(client: TestClient, path: str, rows: str, **question: object) -> list[dict]:
    found, after = [], {}
    while True:
        answer = client.get(path, params={**question, **after})
        assert answer.status_code == 200, answer.text
        found += answer.json()[rows]
        if answer.json()["next"] is None:
            return found
        after = {"after": answer.json()["next"]}


@pytest.mark.parametrize(("path", "field"), [("/v1/users/user-1", "name"), ("/v1/items/film-1", "title")])
def test_a_record_is_changed_only_as_its_sender_knows_it(server: Server, path: str, field: str) -> None:
    client = server.client
    first = client.get(path)
    tag = first.headers["etag"]
    assert client.get(path, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"x"'}).json() == first.json()
    changed = client.patch(path, json={field: "New"}, headers={"If-Match": tag})
    assert changed.headers["etag"] == client.get(path).headers["etag"] != tag
    for stale in (
        client.patch(path, json={field: "Newer"}, headers={"If-Match": tag}),
        client.put(path, json={}, headers={"If-Match": f"W/{changed.headers['etag']}"}),
        client.delete(path, headers={"If-Match": tag}),
        client.put(path, json={}, headers={"If-None-Match": "*"}),
        client.put(path + "-none", json={}, headers={"If-Match": "*"}),
    ):
        refused(stale, 412)
    assert client.get(path).json()[field] == "New"
    refused(client.patch(path, json={}, headers={"If-Match": "no quotes"}), 422)
    assert client.put(path + "-none", json={}, headers={"If-None-Match": "*"}).status_code == 201
    assert client.delete(path, headers={"If-Match": changed.headers["etag"]}).status_code == 204
    refused(client.delete(path, headers={"If-Match": "*"}), 404)


def test_a_creation_that_says_it_may_be_a_repetition_is_answered_again(server: Server) -> None:
    body, again = {"id": "bo", "attributes": {"age": 3}}, {"Idempotency-Key": "a"}
    assert server.client.post("/v1/users", json=body, headers=again).status_code == 201
    assert server.client.post("/v1/users", json=body, headers=again).status_code == 200
    refused(server.client.post("/v1/users", json={**body, "name": "B"}, headers=again), 409)
    refused(server.client.post("/v1/users", json=body), 409)


def test_of_many_records_the_valid_are_taken_and_the_rest_are_named(server: Server) -> None:
    rows = [{"id": "a", "title": "A"}, {"id": ""}, {"id": "b", "colour": "red"}, {"id": "film-1"}, {"id": "a"}, 7]
    body = {"put": rows, "delete": ["film-2", "film-1", "never", "x" * 600]}
    told = server.client.post("/v1/items/bulk", json=body)
    assert told.status_code == 200, told.text
    answer = told.json()
    assert (answer["created"], answer["replaced"], answer["deleted"]) == (1, 1, 1)
    assert [(row["list"], row["index"], row["field"]) for row in answer["refused"]] == [
        ("put", 1, "id"),
        ("put", 2, "colour"),
        ("put", 4, None),
        ("put", 5, "body"),
        ("delete", 1, None),
        ("delete", 3, "body"),
    ]
    assert server.client.get("/v1/items/film-1").json()["title"] is None
    assert server.client.get("/v1/items/film-2").status_code == 404
    refused(server.client.post("/v1/items/bulk", json={"put": [7]}), 422)
    refused(server.client.post("/v1/items/bulk", json={}), 422)
    refused(server.client.post("/v1/users/bulk", json={"delete": ["a"] * 10_001}), 422)


def test_users_and_relations_are_taken_many_at_once(server: Server) -> None:
    put = {"put": [{"id": f"p-{n}", "name": "P"} for n in range(1000)], "delete": ["user-1"]}
    assert server.client.post("/v1/users/bulk", json=put).json()["created"] == 1000
    assert server.client.get("/v1/interactions", params={"user": "user-1"}).json()["interactions"] == []
    rows = [{"user": "p-1", "other": f"p-{n}"} for n in range(2, 9)]
    told = server.client.post("/v1/relations/bulk", json={"put": [*rows, {"user": "p-1"}]}).json()
    assert (told["created"], [row["field"] for row in told["refused"]]) == (7, ["other"])
    told = server.client.post("/v1/relations/bulk", json={"put": rows[:2], "delete": rows[5:]}).json()
    assert (told["created"], told["replaced"], told["deleted"]) == (0, 2, 2)
    assert len(pages(server.client, "/v1/relations", "relations", user="p-1", limit=2)) == 5


def test_lists_are_filtered_and_sorted(server: Server) -> None:
    client = server.client
    client.post("/v1/items", json={"id": "z", "title": "A first", "tags": ["drama", "war"], "hidden": True})
    dramas = pages(client, "/v1/items", "items", tag="drama", limit=4, **{"-tag": "war"})
    assert [one["tags"] for one in dramas] == [["drama"]] * 15
    assert [one["id"] for one in pages(client, "/v1/items", "items", tag=["drama", "war"])] == ["z"]
    assert [one["id"] for one in pages(client, "/v1/items", "items", hidden="true")] == ["z"]
    assert client.get("/v1/items", params={"sort": "title", "limit": 1}).json()["items"][0]["id"] == "z"
    found = client.get("/v1/items", params={"attribute": "year:1995", "count": "true"}).json()
    assert ([one["id"] for one in found["items"]], found["total"]) == (["film-5"], 1)
    assert [one["id"] for one in pages(client, "/v1/users", "users", name="Person 3")] == ["user-3"]
    client.post("/v1/users", json={"id": "a-newcomer"})
    assert client.get("/v1/users", params={"sort": "-created", "limit": 1}).json()["users"][0]["id"] == "a-newcomer"
    for question in (
        {"sort": "age"},
        {"attribute": "year"},
        {"hidden": "maybe"},
        {"attribute": 'a"b:1'},
        {"after": "x"},
    ):
        refused(client.get("/v1/items", params=question), 422)


def test_interactions_are_listed_by_time_and_value_and_put_right(server: Server) -> None:
    client = server.client
    strong = pages(client, "/v1/interactions", "interactions", kind="rating", at_least=5, limit=7)
    assert {one["value"] for one in strong} == {5.0}
    early = pages(client, "/v1/interactions", "interactions", until="2026-01-10", sort="at", user="user-1")
    assert [one["at"] for one in early] == sorted(one["at"] for one in early)
    path = f"/v1/interactions/{strong[0]['id']}"
    got = client.get(path)
    tag = got.headers["etag"]
    assert got.json() == strong[0]
    assert client.patch(path, json={"value": 2.0}, headers={"If-Match": tag}).json()["value"] == 2.0
    refused(client.patch(path, json={"value": 2.5}, headers={"If-Match": tag}), 412)
    assert refused(client.patch(path, json={"value": 9}), 422)["errors"][0]["field"] == "value"
    assert refused(client.patch(path, json={"at": None}), 422)["errors"][0]["field"] == "at"
    whole = {"user": "ann", "item": "film-4", "kind": "view", "at": "2026-02-01T00:00:00Z"}
    assert client.put(path, json=whole).json()["user"] == "ann"
    assert client.delete(path).status_code == 204
    for gone in (client.get(path), client.delete(path), client.patch(path, json={}), client.put(path, json=whole)):
        refused(gone, 404)
    refused(client.get("/v1/interactions/x"), 422)


def test_a_user_takes_ratings_back(server: Server) -> None:
    client, mine = server.client, {"user": "user-2"}
    before = pages(client, "/v1/interactions", "interactions", **mine)
    ratings = [one for one in before if one["kind"] == "rating"]
    assert client.delete("/v1/interactions", params={**mine, "kind": "rating"}).json() == {"deleted": len(ratings)}
    assert len(pages(client, "/v1/interactions", "interactions", **mine)) == len(before) - len(ratings)
    refused(client.delete("/v1/interactions"), 422)


def test_what_followed_from_a_slate_is_found_by_it(server: Server) -> None:
    client = server.client
    slate = client.get("/v1/recommendations", params={"user": "user-5", "n": 3}).json()
    for n in range(2):
        client.post("/v1/interactions", json={"user": "user-5", "item": f"film-{n}", "slate": slate["slate"]})
    assert client.get(f"/v1/slates/{slate['slate']}").json()["items"] == slate["items"]
    (listed,) = pages(client, "/v1/slates", "slates", user="user-5", scenario="home")
    assert listed == slate
    assert pages(client, "/v1/slates", "slates", until=slate["at"]) == []
    followed = pages(client, f"/v1/slates/{slate['slate']}/interactions", "interactions", limit=1)
    assert [one["item"] for one in followed] == ["film-0", "film-1"]
    refused(client.get("/v1/slates/none"), 404)
    refused(client.get("/v1/slates/none/interactions"), 404)


def test_a_relation_has_an_address(server: Server) -> None:
    client, path = server.client, "/v1/relations/user-1/follows/a%2Fb"
    refused(client.get(path), 404)
    assert client.put(path).status_code == 201
    assert client.post("/v1/relations", json={"user": "user-1", "other": "a/b"}).status_code == 200
    assert client.get(path).json() == {"user": "user-1", "other": "a/b", "kind": "follows"}
    assert [one["user"] for one in pages(client, "/v1/relations", "relations", other="a/b")] == ["user-1"]
    assert client.delete(path).status_code == 204
    refused(client.delete(path), 404)


def test_a_user_is_given_everything_and_then_forgotten_for_good(server: Server) -> None:
    client = server.client
    client.put("/v1/relations/user-7/follows/user-8").raise_for_status()
    slate = client.get("/v1/recommendations", params={"user": "user-7"}).json()["slate"]
    (number,) = (
        row["id"]
        for row in client.get("/v1/interactions", params={"user": "user-7", "limit": 1}).json()["interactions"]
    )
    client.patch(f"/v1/interactions/{number}", json={"context": {"text": "well made"}}).raise_for_status()
    (said,) = server.store.event_contexts()
    server.store.load_event_vectors("said", "a test", [said], np.array([[1, 2]], np.float32))
    mine = client.get("/v1/users/user-7/export").json()
    assert mine["vectors"] == [{"interaction": number, "name": "said", "vector": [1.0, 2.0]}]
    assert mine["user"]["name"] == "Person 7"
    assert len(mine["interactions"]) == 8
    assert mine["relations"] == [{"user": "user-7", "other": "user-8", "kind": "follows"}]
    assert [one["slate"] for one in mine["slates"]] == [slate]
    told = client.post("/v1/erasures", json={"user": "user-7"})
    assert told.status_code == 201
    counts = {name: told.json()[name] for name in ("users", "interactions", "relations", "slates")}
    assert counts == {"users": 1, "interactions": 8, "relations": 1, "slates": 1}
    assert told.json()["versions_to_retrain"] == []
    assert len(server.store.event_vectors("said")[0]) == 0
    refused(client.get("/v1/users/user-7/export"), 404)
    for again in (
        client.post("/v1/interactions", json={"user": "user-7", "item": "film-1", "kind": "view"}),
        client.put("/v1/users/user-7", json={}),
        client.post("/v1/users", json={"id": "user-7"}),
        client.put("/v1/relations/user-8/follows/user-7"),
    ):
        assert "asked to be forgotten" in refused(again, 422)["detail"]
    rows = [{"user": "user-7", "item": "film-1"}, {"user": "user-8", "item": "film-1"}]
    assert [row["index"] for row in client.post("/v1/interactions", json=rows).json()["refused"]] == [0]
    assert client.get("/v1/recommendations", params={"user": "user-7"}).json()["known"] is False
    assert pages(client, "/v1/slates", "slates", user="user-7") == []
    (kept,) = client.get("/v1/erasures").json()["erasures"]
    assert kept["digest"] == digest_of("user-7")
    operator = make_client(server.app, new_key(server.store, "o", ("read", "write"), NOON))
    refused(operator.post("/v1/erasures", json={"user": "user-8"}), 403)
    assert client.delete(f"/v1/erasures/{kept['digest']}").status_code == 204
    refused(client.delete(f"/v1/erasures/{kept['digest']}"), 404)
    assert client.put("/v1/users/user-7", json={}).status_code == 201


def test_people_alike_are_named_and_the_versions_that_hold_an_erased_one_are_told(server: Server) -> None:
    client = server.client
    assert "likeness" in refused(client.get("/v1/users/user-1/neighbours"), 422)["detail"]
    (version,) = train(server.store, server.artifacts, [PipelineConfig.parse("user-knn")], NOON).versions
    promote(server.store, server.artifacts, version, FOR_YOU, NOON, "for the test")
    server.app.state.services.live.refresh()
    found = client.get("/v1/users/user-1/neighbours", params={"n": 3}).json()
    assert found["source"] == "user-knn"
    assert [one["name"] for one in found["users"]] == [f"Person {one['user'][5:]}" for one in found["users"]]
    assert all(int(one["user"][5:]) % 2 for one in found["users"])
    refused(client.get("/v1/users/nobody/neighbours"), 404)
    nearest = found["users"][0]["user"]
    told = client.post("/v1/erasures", json={"user": nearest}).json()
    assert told["versions_to_retrain"] == [version]
    assert client.post("/v1/erasures", json={"user": "never-seen"}).json()["versions_to_retrain"] == []
    again = client.get("/v1/users/user-1/neighbours", params={"n": 3}).json()["users"]
    assert nearest not in [one["user"] for one in again]
    assert len(again) == 3


def test_every_address_of_the_data_is_in_the_manual(server: Server) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    rooms = ("/v1/users", "/v1/items", "/v1/interactions", "/v1/relations", "/v1/slates", "/v1/erasures")
    found = [path for path in server.client.get("/openapi.json").json()["paths"] if path.startswith(rooms)]
    assert len(found) >= 18
    assert [path for path in found if path not in manual] == []
