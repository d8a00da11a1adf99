"""Matrices and recommenders over ``/v1``: made by a job, read by name, gone back a version."""

from __future__ import annotations

from serendip.flows.similarity import refresh_similarity

from .conftest import Server


def test_rows_of_a_matrix_and_of_a_recommender_are_read_by_name(server: Server) -> None:
    report = refresh_similarity(server.store, "nmf", n_users=4, n_items=4)
    assert report.versions == {"NMF users": 1, "NMF items": 1}
    get = server.client.get
    assert get("/v1/matrices").json()["matrices"][0] == {
        "name": "NMF users",
        "of": "users",
        "description": "The nearest users by nmf",
        "version": 1,
    }
    row = get("/v1/matrices/NMF%20users/rows/user-1", params={"n": 3}).json()
    likeness = [one["likeness"] for one in row["neighbours"]]
    assert row["version"] == 1
    assert 0 < len(likeness) <= 3
    assert likeness == sorted(likeness, reverse=True)
    assert "user-1" not in [one["id"] for one in row["neighbours"]]
    assert get("/v1/matrices/NMF%20users/rows/nobody").status_code == 404
    assert get("/v1/recommenders").json()["recommenders"] == [
        {
            "name": "NMF",
            "description": "What users and items alike by nmf say",
            "user_matrix": "NMF users",
            "item_matrix": "NMF items",
        }
    ]
    asked = {"user": "user-1", "n": 3, "explain": True}
    slate = get("/v1/recommenders/NMF/recommendations", params=asked).json()
    assert (slate["scenario"], slate["version"]) == ("NMF", "users 1, items 1")
    scores = [one["score"] for one in slate["items"]]
    assert scores == sorted(scores, reverse=True)
    rated = {one["item"] for one in get("/v1/interactions", params={"user": "user-1"}).json()["interactions"]}
    hiding = {
        one["item"]
        for one in get("/v1/interactions", params={"user": "user-1", "kind": "rating"}).json()["interactions"]
    }
    assert rated
    assert not hiding & {one["item"] for one in slate["items"]}
    server.store.flush_slates()
    assert get(f"/v1/slates/{slate['slate']}").json()["user"] == "user-1"


def test_going_back_is_naming_the_version_before(server: Server) -> None:
    for _ in range(2):
        refresh_similarity(server.store, "nmf", n_users=4, n_items=4, measure=False)
    client, path = server.client, "/v1/matrices/NMF%20items"
    assert client.get(f"{path}/versions").json()["versions"] == [
        {"version": 1, "read": False},
        {"version": 2, "read": True},
    ]
    assert client.delete(f"{path}/versions/2").status_code == 409
    assert client.patch(path, json={"version": 1}).json()["version"] == 1
    assert client.delete(f"{path}/versions/2").json()["deleted"] > 0
    assert client.patch(path, json={"version": 2}).status_code == 409
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get("/v1/recommenders").json()["recommenders"][0]["item_matrix"] is None


def test_matrices_and_recommenders_are_made_by_hand_too(server: Server) -> None:
    client = server.client
    assert client.post("/v1/matrices", json={"name": "mine", "of": "users"}).status_code == 201
    assert client.post("/v1/matrices", json={"name": "mine", "of": "users"}).status_code == 409
    made = client.put("/v1/recommenders/Mine", json={"user_matrix": "mine"})
    assert made.status_code == 201
    assert client.put("/v1/recommenders/Mine", json={"item_matrix": "mine"}).status_code == 422
    assert client.put("/v1/recommenders/Mine", json={"item_matrix": "other"}).status_code == 404
    short = client.get("/v1/recommenders/Mine/recommendations", params={"user": "user-1"}).json()
    assert (short["items"], short["exhausted"]) == ([], True)
    assert client.delete("/v1/recommenders/Mine").status_code == 204
    assert client.get("/v1/recommenders/Mine/recommendations", params={"user": "user-1"}).status_code == 404
