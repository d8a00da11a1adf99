"""Bad input is refused in one shape, and nothing that is sent makes a 5xx."""

from __future__ import annotations

import json
import logging

import pytest

from serendip.domain import NotReady
from serendip.web.middleware import MAX_BODY_BYTES

from .conftest import Server

DEEP = '{"a":' * 400 + "1" + "}" * 400


def refused(answer: object, status: int) -> dict:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    body: dict = answer.json()  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "request_id"} <= set(body)
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]
    return body


def post(server: Server, path: str, body: str | bytes, content_type: str = "application/json") -> object:
    return server.client.post(path, content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize("path", ["/v1/interactions", "/v1/recommendations", "/v1/items"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"user": "a", "item": "b", "value": NaN}', 400),
        ('{"user": "a", "item": "b", "value": 1e999}', 400),
        ('{"user": "a", "item": "b", "value": ' + "9" * 100_000 + "}", 400),
        ('{"user": "\\ud800", "item": "b"}', 400),
        (b'{"user": "\xff"}', 400),
        ("{", 400),
        ("[" * 100_000, 400),
        ('{"user": "a\\u0000", "item": "b", "id": "c"}', 422),
        ('{"user": "", "item": "b"}', 422),
        ("null", 422),
        ("7", 422),
        ("[]", 422),
        ("", 422),
        ('{"user": 7, "item": "b"}', 422),
        ('{"user": "a", "item": "b", "id": "c", "colour": "red"}', 422),
    ],
)
def test_what_is_not_good_json_is_refused(server: Server, path: str, body: str | bytes, status: int) -> None:
    refused(post(server, path, body), status)


def test_an_unknown_field_is_named(server: Server) -> None:
    body = refused(server.client.post("/v1/items", json={"id": "x", "tytle": "X"}), 422)
    assert body["errors"][0]["field"] == "tytle"
    body = refused(server.client.get("/v1/items", params={"limt": 3}), 422)
    assert body["errors"][0]["field"] == "limt"
    body = refused(server.client.get("/v1/recommendations", params={"user": "a", "nn": 3}), 422)
    assert body["errors"][0]["field"] == "nn"


@pytest.mark.parametrize("n", ["0", "1001", "-1", "x", "1.5", "9" * 5000, "NaN"])
def test_n_is_from_1_to_1000(server: Server, n: str) -> None:
    body = refused(server.client.get("/v1/recommendations", params={"user": "user-1", "n": n}), 422)
    assert body["errors"][0]["field"] == "n"


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2026-13-01", "0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-12:00", "1" * 50, "1700000000"],
)
def test_a_moment_that_is_none_is_refused(server: Server, time: str) -> None:
    refused(server.client.get("/v1/recommendations", params={"user": "user-1", "time": time}), 422)
    refused(server.client.post("/v1/interactions", json={"user": "a", "item": "b", "at": time}), 422)


def test_an_id_that_cannot_be_kept_is_refused_wherever_it_comes(server: Server) -> None:
    long = "x" * 513
    for path in ("/v1/items/%00", f"/v1/items/{long}", "/v1/users/a%00b"):
        refused(server.client.get(path), 422)
    refused(server.client.get("/v1/items/%ff"), 400)
    refused(server.client.get("/v1/recommendations?user=%ff"), 400)
    refused(server.client.get("/v1/recommendations?user=%00"), 422)


def test_attributes_that_are_nested_too_deep_are_refused(server: Server) -> None:
    refused(post(server, "/v1/items", '{"id": "x", "attributes": ' + DEEP + "}"), 422)
    refused(post(server, "/v1/interactions", '{"user": "x", "item": "y", "context": ' + DEEP + "}"), 422)


def test_a_body_of_more_than_10_mb_is_refused(server: Server) -> None:
    refused(post(server, "/v1/interactions", b"[" + b" " * MAX_BODY_BYTES + b"]"), 413)

    def trickle() -> object:
        for _ in range(11):
            yield b" " * 1024 * 1024

    answer = server.client.post("/v1/items", content=trickle(), headers={"Content-Type": "application/json"})
    refused(answer, 413)


def test_a_compressed_body_and_a_plain_form_are_refused(server: Server) -> None:
    answer = server.client.post(
        "/v1/interactions", content=b"x", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )
    refused(answer, 415)
    refused(post(server, "/v1/interactions", '{"user":"a","item":"b"}', "text/plain"), 415)
    refused(post(server, "/v1/items", '{"id":"a"}', "application/x-www-form-urlencoded"), 415)


def test_what_is_not_there_and_what_cannot_be_done_are_refused_in_the_same_shape(server: Server) -> None:
    refused(server.client.get("/v1/nothing"), 404)
    refused(server.client.get("/v1/items/"), 404)
    body = refused(server.client.delete("/v1/recommendations"), 405)
    assert "DELETE" in body["detail"]
    refused(server.client.request("PURGE", "/v1/items"), 405)
    refused(server.client.get("/v1/recommendations", params={"user": "a", "scenario": "attic"}), 404)


def test_a_value_outside_the_scale_of_its_kind_is_refused_with_the_field(server: Server) -> None:
    body = refused(
        server.client.post("/v1/interactions", json={"user": "a", "item": "b", "kind": "rating", "value": 6}), 422
    )
    assert body["errors"][0]["field"] == "value"
    assert "1 to 5" in body["detail"]


def test_users_and_history_at_once_or_neither_are_refused(server: Server) -> None:
    refused(server.client.post("/v1/recommendations", json={"users": ["a"], "history": []}), 422)
    refused(server.client.post("/v1/recommendations", json={"n": 3}), 422)
    refused(server.client.post("/v1/recommendations", json={"users": ["a"] * 1000, "n": 1000}), 422)


def test_a_busy_server_says_when_to_come_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise NotReady("the database is away; ask again")

    monkeypatch.setattr(type(server.store), "history_columns", away)
    answer = server.client.get("/v1/recommendations", params={"user": "user-1"})
    refused(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


def test_work_that_takes_too_long_is_refused(make_server: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    server: Server = make_server(deadline_seconds=0.2)  # type: ignore[operator]
    monkeypatch.setattr(type(server.store), "history_columns", lambda *_, **__: time.sleep(0.6) or [])
    refused(server.client.get("/v1/recommendations", params={"user": "user-1"}), 503)


def test_what_nobody_foresaw_tells_nothing_of_the_inside(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(type(server.store), "history_columns", broken)
    with caplog.at_level(logging.ERROR):
        body = refused(server.client.get("/v1/recommendations", params={"user": "user-1"}), 500)
    assert "secret" not in json.dumps(body)
    assert any("secret" in (record.exc_text or str(record.exc_info)) for record in caplog.records)


def test_a_request_keeps_the_id_it_came_with(server: Server) -> None:
    assert server.client.get("/v1/items", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert server.client.get("/v1/items", headers={"X-Request-ID": "a b\t"}).headers["x-request-id"] != "a b\t"


def test_a_refused_page_is_a_page(server: Server) -> None:
    answer = server.client.get("/people/x/items/no-such", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "no-such" in answer.text
