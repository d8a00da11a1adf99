"""Every route is closed unless it is listed as open; keys, links and sessions open them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serendip.domain import Invalid
from serendip.web.guard import csrf_token, digest, is_open, new_key, new_link
from serendip.web.wire import WIRES

from .conftest import NOON, Server, make_client


def every_route(server: Server) -> set[tuple[str, str]]:
    """Method and address of everything that the application answers, ids filled in."""
    found: set[tuple[str, str]] = set()

    def walk(routes: object, before: str = "") -> None:
        for route in routes:  # type: ignore[attr-defined]
            inner = getattr(route, "original_router", None)
            if inner is not None:
                walk(inner.routes, before + route.include_context.prefix)
                continue
            path = before + re.sub(r"\{.*?\}", "film-1", route.path)
            if path == "/static":
                continue
            found.update((method, path) for method in route.methods or ())

    walk(server.app.router.routes)
    return found


def test_the_walk_finds_the_routes(server: Server) -> None:
    found = every_route(server)
    for method, path in (
        ("GET", "/v1/recommendations"),
        ("POST", "/v1/interactions"),
        ("DELETE", "/v1/items/film-1"),
        ("GET", "/people/film-1"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    ):
        assert (method, path) in found
    assert len(found) > 30


def test_every_route_is_closed_without_a_key_unless_it_is_listed_as_open(make_server: Callable[..., Server]) -> None:
    server = make_server(wire=tuple(f"{name}=/wire-{name}" for name in WIRES))
    for method, path in every_route(server):
        answer = server.stranger.request(method, path)
        if is_open(path):
            assert answer.status_code != 401, path
        else:
            assert answer.status_code == 401, (method, path)
            if not path.startswith("/wire-"):
                assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_an_address_that_does_not_exist_is_closed_too(server: Server) -> None:
    assert server.stranger.get("/v1/secrets").status_code == 401
    assert server.client.get("/v1/secrets").status_code == 404


@pytest.mark.parametrize(
    ("right", "allowed"),
    [("read", ["GET"]), ("write", ["POST"]), ("admin", ["PROMOTE"])],
)
def test_a_key_reaches_as_far_as_its_scopes(server: Server, right: str, allowed: list[str]) -> None:
    client = make_client(server.app, new_key(server.store, right, (right,), NOON))
    answers = {
        "GET": client.get("/v1/items"),
        "POST": client.post("/v1/users", json={"id": "ann"}),
        "PROMOTE": client.post("/v1/scenarios/home/promote", json={"version": server.versions["ease"]}),
    }
    for name, answer in answers.items():
        assert (answer.status_code != 403) == (name in allowed), (name, answer.text)


def test_asking_in_a_body_needs_no_right_to_write(server: Server) -> None:
    client = make_client(server.app, new_key(server.store, "reader", ("read",), NOON))
    assert client.post("/v1/recommendations", json={"users": ["user-1"]}).status_code == 200


def test_a_key_may_come_as_bearer_and_a_wrong_one_may_not(server: Server) -> None:
    key = new_key(server.store, "bearer", ("read",), NOON)
    assert server.stranger.get("/v1/items", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert server.stranger.get("/v1/items", headers={"Authorization": f"Bearer {key}x"}).status_code == 401
    assert server.stranger.get("/v1/items", headers={"X-API-Key": b"sd_\xe9\xff"}).status_code == 401


def test_only_the_digest_of_a_key_is_kept(server: Server) -> None:
    key = new_key(server.store, "hidden", ("read",), NOON)
    kept = server.store.key(digest(key))
    assert kept is not None
    assert key.startswith(kept.prefix)
    file = Path(server.store.url.removeprefix("sqlite:///"))
    files = [one.read_bytes() for one in file.parent.glob(f"{file.name}*")]
    assert any(kept.digest.encode() in content for content in files)
    assert not any(key[-43:].encode() in content for content in files)


def test_an_expired_and_a_revoked_key_are_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key(server.store, "short", ("read",), NOON, NOON + timedelta(hours=1))
    client = make_client(server.app, key)
    assert client.get("/v1/items").status_code == 200
    server.clock.now += timedelta(hours=1)
    assert client.get("/v1/items").status_code == 401
    other = new_key(server.store, "gone", ("read",), NOON)
    kept = server.store.key(digest(other))
    assert kept is not None
    server.store.revoke_key(kept.id)
    assert make_client(server.app, other).get("/v1/items").status_code == 401


def test_a_key_with_unknown_scopes_is_not_made(server: Server) -> None:
    with pytest.raises(Invalid, match="read, write and admin"):
        new_key(server.store, "odd", ("root",), NOON)
    with pytest.raises(Invalid, match="administrator"):
        new_link(server.store, "root", NOON)


def signed_in(server: Server, role: str = "administrator") -> TestClient:
    browser = make_client(server.app)
    browser.headers["accept"] = "text/html"
    answer = browser.get(new_link(server.store, role, server.clock()))
    assert answer.status_code == 303
    return browser


def test_a_link_signs_in_once(server: Server) -> None:
    link = new_link(server.store, "operator", NOON)
    first, second = server.stranger.get(link), make_client(server.app).get(link)
    assert first.headers["location"] == "/"
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert second.status_code == 403
    assert "set-cookie" not in second.headers


def test_a_link_expires(server: Server) -> None:
    link = new_link(server.store, "operator", NOON, minutes=5)
    server.clock.now += timedelta(minutes=6)
    assert server.stranger.get(link).status_code == 403


def test_a_page_without_a_session_leads_to_the_sign_in_page_and_back(server: Server) -> None:
    browser = make_client(server.app)
    answer = browser.get("/models?x=1", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/models%3Fx%3D1"
    key = new_key(server.store, "paste", ("read",), NOON)
    entered = browser.post("/sign-in", data={"key": key, "next": "/models"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/models")
    assert browser.get("/models", headers={"accept": "text/html"}).status_code == 200
    wrong = make_client(server.app).post("/sign-in", data={"key": "sd_no", "next": "/models"})
    assert wrong.status_code == 403


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(server: Server, target: str) -> None:
    key = new_key(server.store, "paste", ("read",), NOON)
    assert server.stranger.post("/sign-in", data={"key": key, "next": target}).headers["location"] == "/"


def test_a_change_from_a_page_needs_the_pages_token_and_the_same_site(server: Server) -> None:
    browser = signed_in(server)
    token = csrf_token(browser.cookies["serendip_session"])
    assert browser.post("/newcomers").status_code == 403
    assert browser.post("/newcomers", data={"csrf": "0" * 64}).status_code == 403
    assert browser.post("/newcomers", data={"csrf": token}).status_code == 303
    assert browser.post("/newcomers", headers={"X-CSRF-Token": token}).status_code == 303
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert browser.post("/newcomers", data={"csrf": token}, headers=foreign).status_code == 403
    assert browser.post("/v1/users", json={"id": "x"}).status_code == 403
    assert browser.post("/v1/users", json={"id": "x"}, headers={"X-CSRF-Token": token}).status_code == 201


def test_a_session_does_what_its_role_may_and_ends_when_it_is_told_to(server: Server) -> None:
    browser = signed_in(server, "member")
    token = csrf_token(browser.cookies["serendip_session"])
    assert browser.get("/").headers["location"] == "/account"
    assert browser.get("/account").status_code == 200
    assert browser.post("/newcomers", data={"csrf": token}).status_code == 403
    old = browser.cookies["serendip_session"]
    assert browser.post("/sign-out", data={"csrf": token}).status_code == 303
    late = make_client(server.app)
    late.cookies["serendip_session"] = old
    assert late.get("/v1/items").status_code == 401


def test_a_page_that_asks_by_script_after_its_session_ended_is_sent_to_sign_in(server: Server) -> None:
    answer = server.stranger.get("/?search=x", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_a_session_ends_by_itself(server: Server) -> None:
    browser = signed_in(server)
    assert browser.get("/").status_code == 200
    server.clock.now += timedelta(hours=13)
    assert browser.get("/").status_code == 303


def test_a_session_that_came_with_a_key_may_what_the_key_may_and_ends_with_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serendip.web.guard.REMEMBERED_SECONDS", -1.0)
    key = new_key(server.store, "writer", ("write",), NOON)
    browser = make_client(server.app)
    assert browser.post("/sign-in", data={"key": key, "next": "/"}).status_code == 303
    assert browser.get("/v1/users").status_code == 403
    kept = server.store.key(digest(key))
    assert kept is not None
    assert server.store.revoke_key(kept.id)
    assert browser.get("/v1/users").status_code == 401
