"""The older client's names send what the wire format says; the server's side of it is tested with the server."""

from __future__ import annotations

import json

import pytest

from serendip import client
from serendip.client import RecSysApi, SimilarityMatrixType

from .faulty import hang_up, misbehaving, say


def page(results: list[object], following: str | None = None, count: int = 3) -> object:
    return say(json.dumps({"count": count, "next": following, "previous": None, "results": results}).encode())


def test_a_page_is_read_as_before_and_iterated_it_goes_on():
    following = "http://elsewhere.example/api/users/?offset=2&limit=2&username=bob"
    pages = page([{"id": 1}, {"id": 2, "username": "ann"}], following), page([{"id": 3}])
    with misbehaving(*pages) as server, RecSysApi("secret", server.address) as api:
        found = api.users(limit=2, username="ann")
        assert (found.status, found.body.count, found.body.results[1].username) == (200, 3, "ann")
        assert len(server.received) == 1
        assert [user.id for user in found] == [1, 2, 3]
        with pytest.raises(AttributeError, match="no field 'name'; there are id"):
            _ = found.body.results[0].name
    first, second = server.received
    assert first.path == "/api/users/?offset=0&limit=2&username=ann"
    # The place is followed, the address is not: the key stays with the host it was given for.
    assert second.path == "/api/users/?offset=2&limit=2&username=ann"
    assert first.headers["Authorization"] == "Token secret"


CALLS = [
    (lambda api: api.items(tags=["drama", "new"]), "GET", "/api/items/?offset=0&limit=10&tag=drama&tag=new", None),
    (lambda api: api.item("a/b"), "GET", "/api/items/a%2Fb/", None),
    (lambda api: api.add_user({"username": "ann"}), "POST", "/api/users/", {"username": "ann"}),
    (lambda api: api.update_item({"id": 1, "name": "x"}), "PUT", "/api/items/1/", {"id": 1, "name": "x"}),
    (lambda api: api.remove_user(7), "DELETE", "/api/users/7/", None),
    (lambda api: api.interactions(5, 20, user=7), "GET", "/api/interactions/?offset=5&limit=20&user=7", None),
    (
        lambda api: api.similarity_matrix(type=SimilarityMatrixType.ITEM_TO_ITEM),
        "GET",
        "/api/similarity-matrix/?offset=0&limit=10&type=2",
        None,
    ),
    (
        lambda api: api.add_similarity_matrix("svd-items", SimilarityMatrixType.ITEM_TO_ITEM, "by SVD", 1),
        "POST",
        "/api/similarity-matrix/",
        {"name": "svd-items", "type": 2, "description": "by SVD", "version": 1},
    ),
    (
        lambda api: api.update_similarity_matrix({"id": 4, "version": 2}),
        "PUT",
        "/api/similarity-matrix/4/",
        {"id": 4, "version": 2},
    ),
    (lambda api: api.remove_similarity_matrix(4), "DELETE", "/api/similarity-matrix/4/", None),
    (lambda api: api.versions(4), "GET", "/api/similarity-matrix/4/versions/", None),
    (lambda api: api.remove_version(4, 1), "DELETE", "/api/similarity-matrix/4/versions/1/", None),
    (
        lambda api: api.similarity_cells(row=7, matrix=4),
        "GET",
        "/api/similarity-matrix-cells/?offset=0&limit=10&row=7&matrix=4",
        None,
    ),
    (
        lambda api: api.bulk_add_similarity_cells([{"row": 1, "column": 2, "value": 0.5, "matrix": 4, "version": 2}]),
        "POST",
        "/api/similarity-matrix-cells/",
        [{"row": 1, "column": 2, "value": 0.5, "matrix": 4, "version": 2}],
    ),
    (
        lambda api: api.bulk_add_interactions([{"user": 1, "item": 2, "rating": 5}]),
        "POST",
        "/api/interactions/",
        [{"user": 1, "item": 2, "rating": 5}],
    ),
    (lambda api: api.recommenders(name="SVD"), "GET", "/api/recommenders/?offset=0&limit=10&name=SVD", None),
    (lambda api: api.add_recommender({"name": "SVD"}), "POST", "/api/recommenders/", {"name": "SVD"}),
    (
        lambda api: api.update_recommender({"id": 1, "name": "NMF"}),
        "PUT",
        "/api/recommenders/1/",
        {"id": 1, "name": "NMF"},
    ),
    (lambda api: api.remove_recommender(1), "DELETE", "/api/recommenders/1/", None),
]


def test_every_old_name_sends_what_the_wire_format_says():
    for call, method, path, body in CALLS:
        with misbehaving(page([])) as server, RecSysApi("secret", server.address) as api:
            call(api)
        (sent,) = server.received
        assert (sent.method, sent.path, json.loads(sent.body) if sent.body else None) == (method, path, body)


def test_long_lists_go_in_parts_and_only_what_does_no_harm_goes_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serendip.client.community.MOST_ROWS", 2)
    cells = [{"row": 1, "column": n, "value": 0.5, "matrix": 4, "version": 2} for n in range(5)]
    said = [hang_up, *(say(json.dumps(cells[n : n + 2]).encode(), 201) for n in (0, 2, 4))]
    with misbehaving(*said) as server, RecSysApi("secret", server.address, sleep=[].append) as api:
        kept = api.bulk_add_similarity_cells(cells)
    assert (kept.status, [cell.column for cell in kept.body]) == (201, [0, 1, 2, 3, 4])
    assert len(server.received) == 4
    with (
        misbehaving(hang_up) as server,
        RecSysApi("secret", server.address, sleep=[].append) as api,
        pytest.raises(client.Unreachable),
    ):
        api.bulk_add_interactions([{"user": 1, "item": 2, "rating": 5}])
    assert len(server.received) == 1


def test_a_refusal_says_its_detail():
    refused = say(b'{"detail": "Not found."}', 404)
    with (
        misbehaving(refused) as server,
        RecSysApi("secret", server.address) as api,
        pytest.raises(client.NotFound, match="Not found"),
    ):
        api.versions(99)
