"""Who may do what: every role against every route, one's own against another's, and what an operator opens."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from serendip.domain import Invalid
from serendip.flows.accounts import create_account
from serendip.settings import Settings
from serendip.store.matrices import RecommenderRecord
from serendip.web.forms import csrf_token
from serendip.web.guard import new_key
from serendip.web.limits import Attempts, Rate, address_of
from serendip.web.problems import Refused
from serendip.web.wire import WIRES

from .conftest import NOON, Server, make_client
from .test_guard import every_route

GOOD = "correct horse battery"
ROLES = ("member", "operator", "administrator")


def person(server: Server, role: str, name: str = "", user: str = "user-1") -> TestClient:
    create_account(server.store, name or role, role, NOON, GOOD, user=user)
    browser = make_client(server.app)
    assert browser.post("/sign-in", data={"name": name or role, "password": GOOD}).status_code == 303
    browser.headers["X-CSRF-Token"] = csrf_token(browser.cookies["serendip_session"])
    return browser


def least(method: str, path: str) -> str:
    """The least role that gets beyond the guard, as the manual states it."""
    reads = method in ("GET", "HEAD")
    if path.startswith(("/v1/accounts", "/v1/keys", "/v1/audit", "/v1/erasures")):
        return "administrator"
    if path.startswith(("/v1/models", "/v1/scenarios")) and not reads:
        return "administrator"
    if path in ("/wire-reviews/reload_data", "/wire-reviews/reload_model"):
        return "administrator"
    catalogue = ("/v1/items", "/v1/items/film-1", "/v1/items/film-1/neighbours", "/posters/film-1.svg")
    own = ("/v1/me", "/v1/me/password", "/account", "/account/password", "/sign-out", "/", "/somebody")
    if path in own or (method == "POST" and path in ("/v1/recommendations", "/v1/interactions")):
        return "member"
    if reads and (path in catalogue or path.startswith(("/docs", "/openapi.json"))):
        return "member"
    return "operator"


def test_every_role_reaches_what_the_manual_says_and_no_more(make_server: Callable[..., Server]) -> None:
    # All wire formats at once, each under a prefix of its own.
    server = make_server(wire=tuple(f"{name}=/wire-{name}" for name in WIRES))
    people = {role: person(server, role) for role in ROLES}
    routes = [one for one in every_route(server) if not one[1].startswith(("/healthz", "/readyz", "/sign-in"))]
    assert len(routes) > 60
    # Signing out, and deleting what the others need, comes after the looking.
    for method, path in sorted(routes, key=lambda one: (one[1] == "/sign-out", one[0] == "DELETE", one)):
        wanted = ROLES.index(least(method, path))
        for rank, role in enumerate(ROLES):
            answer = people[role].request(method, path, headers={"accept": "application/json"})
            told = str(answer.json()) if answer.status_code == 403 else ""
            refused = "this needs the" in told or "own user only" in told
            assert refused == (rank < wanted), (method, path, role, answer.status_code, told)
            assert answer.status_code != 401, (method, path, role)
            assert answer.status_code < 500 or answer.status_code == 503, (method, path, role)


OWN, OTHERS = "user-1", "user-2"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/recommendations?user={user}"),
        ("GET", "/v1/recommendations?user=user-1&user={user}"),
        ("GET", "/v1/interactions?user={user}"),
        ("GET", "/v1/slates?user={user}"),
        ("GET", "/v1/relations?user={user}"),
        ("GET", "/v1/users/{user}"),
        ("GET", "/v1/users/{user}/export"),
        ("GET", "/people/{user}"),
        ("GET", "/people/{user}/items/film-1"),
        ("GET", "/people/{user}/lists"),
        ("GET", "/v1/recommenders/SVD/recommendations?user={user}"),
        ("POST", "/people/{user}/did"),
    ],
)
def test_a_member_touches_its_own_and_nobody_elses(server: Server, method: str, path: str) -> None:
    browser = person(server, "member")
    server.store.add_recommender(RecommenderRecord("SVD"))
    for user, mine in ((OWN, True), (OTHERS, False), ("user%2D2", False), (OWN + " ", False)):
        answer = browser.request(method, path.format(user=quote(user, safe="%")), data={"item": "film-1"})
        if mine:
            assert answer.status_code in (200, 303), answer.text
        else:
            assert answer.status_code == 403
            assert "own user only" in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/interactions", {"user": OTHERS, "item": "film-1", "kind": "view"}),
        ("/v1/interactions", [{"user": OWN, "item": "film-1", "kind": "view"}, {"user": OTHERS, "item": "film-1"}]),
        ("/v1/interactions", [{"item": "film-1"}]),
        ("/v1/recommendations", {"users": [OWN, OTHERS]}),
    ],
)
def test_users_named_in_bodies_are_looked_at_too(server: Server, path: str, body: object) -> None:
    before = server.store.counts().interactions
    assert person(server, "member").post(path, json=body).status_code == 403
    assert server.store.counts().interactions == before


def test_a_member_records_and_is_answered(server: Server) -> None:
    browser = person(server, "member")
    event = {"user": OWN, "item": "film-1", "kind": "view"}
    assert browser.post("/v1/interactions", json=event).status_code == 201
    assert browser.post("/v1/interactions", json=[event]).status_code == 200
    assert browser.post("/v1/recommendations", json={"users": [OWN]}).status_code == 200
    assert browser.post("/v1/recommendations", json={"history": [{"item": "film-1"}]}).status_code == 200
    assert browser.get("/").headers["location"] == "/people/user-1"


def test_a_member_brings_no_new_items_and_kinds_before_everybody(server: Server) -> None:
    browser = person(server, "member")
    for event, why in (
        ({"user": OWN, "item": "my-own-film", "kind": "view"}, "no item 'my-own-film'"),
        ({"user": OWN, "item": "film-1", "kind": "my-own-kind"}, "no kind 'my-own-kind'"),
    ):
        alone = browser.post("/v1/interactions", json=event)
        assert (alone.status_code, why in alone.json()["detail"]) == (422, True)
        rows = browser.post("/v1/interactions", json=[event, {"user": OWN, "item": "film-1"}]).json()
        assert rows["recorded"] == 1
        assert [(row["index"], why in row["reason"]) for row in rows["refused"]] == [(0, True)]
        assert browser.post("/v1/interactions", json=[event]).status_code == 422
    assert server.store.item("my-own-film") is None
    assert "my-own-kind" not in server.store.kinds()
    assert server.client.post("/v1/interactions", json={"user": OWN, "item": "my-own-film"}).status_code == 201


def test_a_member_without_a_user_touches_nobodys(server: Server) -> None:
    browser = person(server, "member")
    account = browser.get("/v1/me").json()["account"]
    server.store.change_account(account, user=None)
    assert browser.get("/v1/recommendations?user=").status_code == 403
    assert browser.get("/v1/recommendations").status_code == 403
    assert browser.get("/v1/users/None").status_code == 403
    assert browser.post("/v1/interactions", json={"user": "None", "item": "film-1"}).status_code == 403
    assert browser.get("/").headers["location"] == "/account"


def test_a_change_in_a_session_needs_the_pages_token_whatever_the_role(server: Server) -> None:
    browser = person(server, "administrator")
    del browser.headers["X-CSRF-Token"]
    assert browser.post("/v1/keys", json={"name": "x"}).status_code == 403
    assert browser.put("/v1/me/password", json={"old": GOOD, "new": "another good one"}).status_code == 403
    foreign = {"Origin": "https://evil.example"}
    signing = make_client(server.app).post(
        "/sign-in", data={"name": "administrator", "password": GOOD}, headers=foreign
    )
    assert signing.status_code == 403
    assert "set-cookie" not in signing.headers


def test_a_route_is_opened_by_the_settings_and_knows_who_asks_all_the_same(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(open_routes=("GET /v1/items/{item}", "GET /v1/me"))
    assert server.stranger.get("/v1/items/film-1").status_code == 200
    assert server.stranger.get("/v1/me").json()["rights"] == []
    assert server.client.get("/v1/me").json()["rights"] == ["read", "write", "admin"]
    wrong = server.stranger.get("/v1/items/film-1", headers={"X-API-Key": "sd_wrong"})
    assert wrong.status_code == 401
    for method, path in (
        ("GET", "/v1/items"),
        ("DELETE", "/v1/items/film-1"),
        ("GET", "/v1/items/film-1/neighbours"),
        ("HEAD", "/v1/items/film-1"),
    ):
        assert server.stranger.request(method, path).status_code == 401, path


@pytest.mark.parametrize(
    ("entry", "why"),
    [("GET /v1/itmes", "no such route"), ("GET /v1/keys", "needs an administrator"), ("DELETE /healthz", "no such")],
)
def test_a_slip_in_the_open_routes_is_refused_at_the_start(
    make_server: Callable[..., Server], entry: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        make_server(open_routes=(entry,))


def test_open_routes_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERENDIP_OPEN_ROUTES", "GET /events_recommendations, GET /match_all_users")
    assert Settings().open_routes == ("GET /events_recommendations", "GET /match_all_users")


def test_each_key_and_each_address_has_its_own_measure_of_requests(make_server: Callable[..., Server]) -> None:
    server = make_server(requests_per_second=0.01)
    first = make_client(server.app, new_key(server.store, "one", ("read",), NOON))
    second = make_client(server.app, new_key(server.store, "two", ("read",), NOON))
    assert first.get("/v1/items").status_code == second.get("/v1/items").status_code == 200
    refused = first.get("/v1/items")
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert [server.stranger.get("/v1/items").status_code for _ in range(2)] == [401, 429]
    assert first.get("/healthz").status_code == 200


def test_a_bucket_fills_with_time_and_holds_a_seconds_worth() -> None:
    now = [0.0]
    rate = Rate(2.0, lambda: now[0])

    def taken(asker: str) -> bool:
        try:
            rate.take(asker)
        except Refused:
            return False
        return True

    assert [taken("a") for _ in range(3)] == [True, True, False]
    assert taken("b")
    now[0] = 0.5
    assert [taken("a"), taken("a")] == [True, False]
    now[0] = 100.0
    assert [taken("a") for _ in range(3)] == [True, True, False]


def test_a_success_takes_its_try_back_and_networks_count_as_one() -> None:
    tries = Attempts(lambda: 0.0)
    for _ in range(100):
        tries.begin("here", "ann")
        tries.succeeded("here", "ann")
    first = address_of({"client": ("2001:db8::1", 1)})
    assert first == address_of({"client": ("2001:db8::ffff", 1)}) == "2001:db8::/64"
    assert address_of({"client": ("203.0.113.7", 1)}) == "203.0.113.7"
