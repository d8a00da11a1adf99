"""People sign in, are told what they may do, and whatever is done to the installation is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serendip.flows.access import new_account_link
from serendip.flows.accounts import create_account, sign_in
from serendip.flows.passwords import hashed, matches
from serendip.settings import Settings
from serendip.store import Store
from serendip.web.app import create_app
from serendip.web.forms import csrf_token

from .conftest import NOON, Server, make_client

GOOD = "correct horse battery"


def person(server: Server, name: str, role: str = "member", user: str | None = None) -> TestClient:
    """Somebody with an account, signed in by name and password."""
    create_account(server.store, name, role, NOON, GOOD, user=user)
    return entered(server, name)


def entered(server: Server, name: str, password: str = GOOD) -> TestClient:
    browser = make_client(server.app)
    answer = browser.post("/sign-in", data={"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    browser.headers["X-CSRF-Token"] = csrf_token(browser.cookies["serendip_session"])
    return browser


def acts(server: Server, **asked: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.client.get("/v1/audit", params=asked).json()["acts"]
    return found


def test_name_and_password_sign_in_whatever_the_case_of_the_name(server: Server) -> None:
    browser = person(server, "Ann", "operator")
    me = browser.get("/v1/me").json()
    assert (me["name"], me["role"], me["user"], me["rights"]) == ("ann", "operator", "ann", ["read", "write"])
    assert entered(server, "ANN").get("/v1/me").json()["name"] == "ann"
    account = server.store.account_named("ann")
    assert account is not None
    assert account.signed_in_at is not None
    wrong = make_client(server.app).post("/sign-in", data={"name": "ann", "password": "wrong horse battery"})
    nobody = make_client(server.app).post("/sign-in", data={"name": "nobody", "password": GOOD})
    assert wrong.status_code == nobody.status_code == 403
    assert "do not belong together" in wrong.text
    assert "set-cookie" not in wrong.headers


def test_a_password_is_kept_as_argon2id_of_19_mib_and_one_form_of_letters() -> None:
    kept = hashed("passé composé", "ann")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert matches(kept, "passe\u0301 compose\u0301")
    assert not matches(kept, "passe compose")
    assert not matches(None, "passé composé")


@pytest.mark.parametrize(("password", "why"), [("short", "10 to"), ("administrator", "not be the name")])
def test_a_weak_password_is_refused_before_anything_is_kept(server: Server, password: str, why: str) -> None:
    body = {"name": "Administrator", "password": password}
    answer = server.client.post("/v1/accounts", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "password")
    assert why in answer.json()["detail"]
    assert server.client.get("/v1/accounts").json()["total"] == 0


def test_an_unknown_name_takes_as_long_as_a_wrong_password(server: Server) -> None:
    create_account(server.store, "ann", "member", NOON, GOOD)

    def seconds(name: str) -> float:
        def once() -> float:
            start = time.thread_time()
            assert sign_in(server.store, name, "a wrong password") is None
            return time.thread_time() - start

        return min(once() for _ in range(5))

    assert seconds("nobody") > seconds("ann") / 2


def test_signing_in_gives_a_new_session_and_ends_the_browsers_old_one(server: Server) -> None:
    browser = person(server, "ann", "operator")
    old = browser.cookies["serendip_session"]
    browser.post("/sign-in", data={"name": "ann", "password": GOOD})
    assert browser.cookies["serendip_session"] != old
    late = make_client(server.app)
    late.cookies["serendip_session"] = old
    assert late.get("/v1/me").status_code == 401


def test_over_https_the_cookie_is_bound_to_the_host(server: Server) -> None:
    create_account(server.store, "ann", "operator", NOON, GOOD)
    browser = TestClient(server.app, base_url="https://testserver", follow_redirects=False)
    cookie = browser.post("/sign-in", data={"name": "ann", "password": GOOD}).headers["set-cookie"]
    assert cookie.startswith("__Host-serendip_session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert browser.get("/v1/me").status_code == 200
    # A cookie that another host of the domain could have set is not looked at.
    tossed = TestClient(server.app, base_url="https://testserver", follow_redirects=False)
    tossed.cookies.set("serendip_session", browser.cookies["__Host-serendip_session"])
    assert tossed.get("/v1/me").status_code == 401


def test_guessing_is_stopped_by_name_and_by_address_and_time_heals_it(server: Server) -> None:
    create_account(server.store, "ann", "operator", NOON, GOOD)
    clock = [0.0]
    server.app.state.services.attempts.ticks = lambda: clock[0]
    browser = make_client(server.app)

    def try_in(name: str, password: str = "not the password") -> int:
        return browser.post("/sign-in", data={"name": name, "password": password}).status_code

    assert [try_in("ann") for _ in range(11)] == [403] * 10 + [429]
    refused = browser.post("/sign-in", data={"name": "ANN ", "password": GOOD})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    assert [try_in(f"person-{n}") for n in range(21)] == [403] * 20 + [429]
    assert browser.get("/sign-in", params={"link": "guess"}).status_code == 429
    clock[0] = 901.0
    assert try_in("ann", GOOD) == 303
    failed = acts(server, action="sign_in_failed", limit="100")
    assert len(failed) == 30
    # A password typed into the field of the name must not be kept.
    assert {act["target"] for act in failed} == {"ann", None}


def test_an_administrator_makes_changes_and_removes_accounts(server: Server) -> None:
    made = server.client.post("/v1/accounts", json={"name": "Ann", "password": GOOD, "user": "user-1"})
    assert made.status_code == 201
    shown = made.json()
    assert (shown["name"], shown["role"], shown["user"], shown["has_password"]) == ("ann", "member", "user-1", True)
    assert "password" not in shown
    path = f"/v1/accounts/{shown['id']}"
    assert server.client.post("/v1/accounts", json={"name": "aNN"}).status_code == 409
    assert server.client.get(path).json() == shown
    assert [one["name"] for one in server.client.get("/v1/accounts?role=member").json()["accounts"]] == ["ann"]
    assert server.client.patch(path, json={"role": "operator"}).json()["role"] == "operator"
    assert server.client.put(f"{path}/password", json={"password": "another good one"}).status_code == 200
    assert entered(server, "ann", "another good one").get("/v1/me").json()["role"] == "operator"
    assert server.client.delete(path).status_code == 204
    assert server.client.get(path).status_code == server.client.delete(path).status_code == 404


@pytest.mark.parametrize("body", [{"name": "x", "admin": True}, {"name": "x", "role": "root"}, {"name": " "}, {}])
def test_a_wrong_account_is_refused(server: Server, body: dict[str, object]) -> None:
    assert server.client.post("/v1/accounts", json=body).status_code == 422


def test_the_last_administrator_stays(server: Server) -> None:
    ann = create_account(server.store, "ann", "administrator", NOON, GOOD)
    for answer in (
        server.client.patch(f"/v1/accounts/{ann.id}", json={"role": "member"}),
        server.client.patch(f"/v1/accounts/{ann.id}", json={"disabled": True}),
        server.client.delete(f"/v1/accounts/{ann.id}"),
    ):
        assert answer.status_code == 409
        assert "last administrator" in answer.json()["detail"]


def test_nobody_lifts_oneself(server: Server) -> None:
    for role in ("member", "operator"):
        browser = person(server, f"some-{role}", role)
        account = browser.get("/v1/me").json()["account"]
        assert browser.patch(f"/v1/accounts/{account}", json={"role": "administrator"}).status_code == 403
        assert browser.post("/v1/keys", json={"name": "mine", "scopes": ["admin"]}).status_code == 403
        assert browser.put("/v1/me/password", json={"old": GOOD, "new": GOOD, "role": "x"}).status_code == 422
        assert browser.get("/v1/me").json()["role"] == role


def test_disabling_and_a_new_role_count_at_once(server: Server) -> None:
    browser = person(server, "ann", "operator")
    account = browser.get("/v1/me").json()["account"]
    assert server.client.patch(f"/v1/accounts/{account}", json={"role": "member"}).status_code == 200
    assert browser.get("/v1/users").status_code == 401
    again = entered(server, "ann")
    assert again.get("/v1/users").status_code == 403
    assert server.client.patch(f"/v1/accounts/{account}", json={"disabled": True}).status_code == 200
    assert again.get("/v1/me").status_code == 401
    assert make_client(server.app).post("/sign-in", data={"name": "ann", "password": GOOD}).status_code == 403


def test_one_changes_ones_own_password_and_is_signed_out_elsewhere(server: Server) -> None:
    here, elsewhere = person(server, "ann", "operator"), entered(server, "ann")
    wrong = here.post("/account/password", data={"old": "not the old one", "new": "a fine new one"})
    assert wrong.status_code == 422
    done = here.post("/account/password", data={"old": GOOD, "new": "a fine new one"})
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert here.get("/v1/me").status_code == 200
    assert elsewhere.get("/v1/me").status_code == 401
    assert entered(server, "ann", "a fine new one").get("/account").status_code == 200
    assert server.client.put("/v1/me/password", json={"new": "a fine new one"}).status_code == 403


def test_a_link_for_an_account_signs_in_once_and_its_person_chooses_a_password(server: Server) -> None:
    made = server.client.post("/v1/accounts", json={"name": "bob", "role": "operator"}).json()
    link = server.client.post(f"/v1/accounts/{made['id']}/link").json()["link"]
    browser = make_client(server.app)
    assert browser.get(link).status_code == 303
    assert browser.get("/v1/me").json()["name"] == "bob"
    browser.headers["X-CSRF-Token"] = csrf_token(browser.cookies["serendip_session"])
    assert browser.put("/v1/me/password", json={"new": GOOD}).status_code == 204
    assert entered(server, "bob").get("/v1/me").json()["name"] == "bob"
    assert make_client(server.app).get(link).status_code == 403
    late = new_account_link(server.store, server.store.account(made["id"]), server.clock())  # type: ignore[arg-type]
    server.client.patch(f"/v1/accounts/{made['id']}", json={"disabled": True})
    assert make_client(server.app).get(late).status_code == 403


def test_a_key_is_shown_once_lists_its_last_use_and_ends_within_a_second_everywhere(
    server: Server, make_server: Callable[..., Server]
) -> None:
    body = {"name": "shop", "scopes": ["read"], "expires_at": "2026-03-02"}
    made = server.client.post("/v1/keys", json=body).json()
    second = Store.open(server.store.url)
    other_app = create_app(second, server.artifacts, Settings(), server.clock)
    with TestClient(other_app, headers={"Authorization": f"Token {made['key']}"}) as other:
        assert other.get("/v1/items").status_code == 200
        until = time.monotonic() + 5
        while (shown := server.client.get(f"/v1/keys/{made['id']}").json())["used_at"] is None:
            assert time.monotonic() < until
        assert "key" not in shown
        assert shown["expires_at"] == "2026-03-02T00:00:00+00:00"
        assert made["key"] not in server.client.get("/v1/keys").text
        assert server.client.delete(f"/v1/keys/{made['id']}").status_code == 204
        start = time.monotonic()
        while other.get("/v1/items").status_code != 401:
            assert time.monotonic() - start < 1.0
    second.close()
    assert server.client.delete(f"/v1/keys/{made['id']}").status_code == 404


def test_a_key_that_has_expired_already_is_not_made(server: Server) -> None:
    body = {"name": "late", "expires_at": "2026-02-01"}
    assert server.client.post("/v1/keys", json=body).json()["errors"][0]["field"] == "expires_at"


def test_what_was_done_is_kept_with_who_did_it_and_without_secrets(server: Server) -> None:
    browser = person(server, "root", "administrator")
    made = browser.post("/v1/keys", json={"name": "shop"}).json()
    account = browser.post("/v1/accounts", json={"name": "ann", "password": "a secret of ann"}).json()
    version = server.versions["ease"]
    browser.post("/v1/scenarios/for-you/promote", json={"version": version, "override": "a test"})
    assert browser.post("/v1/scenarios/for-you/promote", json={"version": "no-such"}).status_code == 404
    browser.delete("/v1/items/film-29")
    browser.get("/v1/accounts")
    found = acts(server)
    assert [(act["actor"], act["action"], act["target"]) for act in found] == [
        ("account:root", "delete_item", "/v1/items/film-29"),
        ("account:root", "promote_model", "/v1/scenarios/for-you/promote"),
        ("account:root", "create_account", "/v1/accounts"),
        ("account:root", "create_key", "/v1/keys"),
        ("account:root", "sign_in", None),
    ]
    assert found[2]["detail"] == {"account": account["id"], "name": "ann", "role": "member"}
    assert all(act["request_id"] for act in found)
    everything = Path(server.store.url.removeprefix("sqlite:///"))
    content = b"".join(one.read_bytes() for one in everything.parent.glob(f"{everything.name}*"))
    for secret in (made["key"], GOOD, "a secret of ann", browser.cookies["serendip_session"]):
        assert secret.encode() not in content
    assert [act["action"] for act in acts(server, action="create_key", actor="account:root")] == ["create_key"]


def test_a_session_expires(server: Server) -> None:
    browser = person(server, "ann", "operator")
    server.clock.now += timedelta(hours=13)
    answer = browser.get("/v1/me")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_who_changes_matrices_recommenders_or_what_is_live_is_in_the_audit_log(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(wire=("community=/old",))
    old, ease = "/old/api/similarity-matrix", server.versions["ease"]
    done = (
        ("post", "/v1/matrices", {"name": "m", "of": "users"}),
        ("put", "/v1/recommenders/r", {"user_matrix": "m"}),
        ("post", old, {"name": "n", "type": 1}),
        ("post", "/v1/users/bulk", {"put": [{"id": "bulk"}], "delete": ["user-1", "user-2"]}),
        ("delete", "/v1/users/bulk", None),
        ("post", "/v1/scenarios/home/promote", {"version": ease, "override": "for the test"}),
        ("post", "/v1/scenarios/home/rollback", {"reason": "it was a test"}),
    )
    for method, path, body in done:
        answer = server.client.request(method, path, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
    # What deletes nothing is no act.
    server.client.post("/v1/users/bulk", json={"put": [{"id": "new"}]}).raise_for_status()
    kept = acts(server)[::-1]
    assert [act["target"] for act in kept] == [path for _, path, _ in done]
    assert kept[3]["detail"] == {"deleted": 2}
    assert kept[5]["detail"] == {"version": ease, "override": "for the test"}
    assert kept[6]["detail"] == {"version": server.versions["popular-7-days"], "reason": "it was a test"}
