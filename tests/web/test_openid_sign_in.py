"""Signing in by OpenID Connect, with a provider on the loopback that can be told to lie in fifteen ways."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from serendip.domain import Invalid
from serendip.flows.accounts import create_account
from serendip.settings import read_settings

from .conftest import NOON, Server, make_client

ID, SECRET = "serendip", "the provider's and our secret"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "two"})


@dataclass
class Provider:
    """A small provider, honest unless a test says otherwise."""

    address: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """What was asked for each code that may still be exchanged."""
    claims: dict[str, Any] = field(default_factory=dict)
    """These replace what it would say; None leaves a claim out."""
    sign: Callable[[dict[str, Any]], str] | None = None
    down: bool = False
    calls: list[str] = field(default_factory=list)

    def authorize(self, address: str) -> str:
        """What a browser does there: the query it brings back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{len(self.codes)}-{asked['nonce'][:8]}"
        self.codes[code] = asked
        return f"code={code}&state={asked['state']}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        expected = "Basic " + base64.b64encode(f"{ID}:{SECRET}".encode()).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or authorization != expected or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked["code_challenge_method"] != "S256" or asked["code_challenge"] != challenge.rstrip("="):
            return 400, {"error": "invalid_grant"}
        now = int(NOON.timestamp())
        told = {
            "iss": self.address,
            "sub": "17",
            "aud": ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": "ann@example.org",
            "email_verified": True,
            **self.claims,
        }
        told = {name: value for name, value in told.items() if value is not None}
        token = self.sign(told) if self.sign else jwt.encode({"alg": "RS256", "kid": "one"}, told, KEY)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


def listener(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                places = {name: f"{provider.address}/{place}" for name, place in names.items()}
                self.say(200, {"issuer": provider.address, **places})
            else:
                self.say(200, {"keys": [KEY.as_dict(private=False, use="sig", alg="RS256")]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.say(*provider.token(form, self.headers.get("authorization", "")))

        def say(self, status: int, content: dict[str, Any]) -> None:
            provider.calls.append(self.path)
            body = json.dumps(content).encode()
            self.send_response(500 if provider.down else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Answers


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), listener(made))
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ours(provider: Provider, make_server: Callable[..., Server]) -> Server:
    return make_server(oidc_providers=(settings_of(provider),))


def settings_of(provider: Provider, **more: Any) -> dict[str, Any]:
    return {"name": "home", "issuer": provider.address, "client_id": ID, "client_secret": SECRET, **more}


def leave(browser: TestClient, target: str = "/") -> str:
    """To the provider; its address as the browser is told."""
    answer = browser.get("/sign-in/with/home", params={"next": target})
    assert answer.status_code == 303, answer.text
    found: str = answer.headers["location"]
    return found


def come_back(browser: TestClient, query: str) -> Any:
    return browser.get(f"/sign-in/with/home/callback?{query}")


def signed_in(browser: TestClient) -> bool:
    return browser.get("/v1/me").status_code == 200


def test_somebody_new_gets_a_members_account_and_is_known_the_next_time(ours: Server, provider: Provider) -> None:
    browser = make_client(ours.app)
    assert "Sign in with home" in browser.get("/sign-in").text
    address = leave(browser, "/people/ann%40example.org")
    asked = dict(parse_qsl(urlsplit(address).query))
    assert asked["redirect_uri"] == "http://testserver/sign-in/with/home/callback"
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "openid email profile")
    answer = come_back(browser, provider.authorize(address))
    assert (answer.status_code, answer.headers["location"]) == (303, "/people/ann%40example.org")
    me = browser.get("/v1/me").json()
    assert (me["role"], me["name"], me["user"]) == ("member", "ann@example.org", "ann@example.org")
    provider.claims = {"email": None, "email_verified": None}
    again = make_client(ours.app)
    come_back(again, provider.authorize(leave(again)))
    assert again.get("/v1/me").json()["account"] == me["account"]
    made = ours.client.get("/v1/audit", params={"action": "sign_in"}).json()["acts"]
    assert [act["detail"]["by"] for act in made] == ["openid:home", "openid:home"]
    # Discovery and keys are asked for once, not at every sign-in.
    assert sorted(provider.calls).count("/keys") == 1


def test_a_verified_address_signs_in_to_the_account_that_has_it(ours: Server, provider: Provider) -> None:
    account = create_account(ours.store, "ann", "operator", NOON, email="ANN@example.org")
    browser = make_client(ours.app)
    come_back(browser, provider.authorize(leave(browser)))
    assert browser.get("/v1/me").json()["account"] == account.id


def compact(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)
    )


def unsigned(claims: dict[str, Any]) -> str:
    return compact({"alg": "none", "kid": "one"}, claims) + "."


def with_shared_words(secret: bytes) -> Callable[[dict[str, Any]], str]:
    """Signed by HS256 with something that is not the provider's alone."""

    def sign(claims: dict[str, Any]) -> str:
        text = compact({"alg": "HS256", "kid": "one"}, claims)
        made = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"

    return sign


def by_a_stranger(kid: str) -> Callable[[dict[str, Any]], str]:
    return lambda claims: jwt.encode({"alg": "RS256", "kid": kid}, claims, OTHER)


LONG_AGO, SOON = int(NOON.timestamp()) - 3600, int(NOON.timestamp()) + 3600


@pytest.mark.parametrize(
    ("claims", "sign", "why"),
    [
        ({"nonce": "another"}, None, "another question"),
        ({"iss": "https://evil.example"}, None, "another issuer"),
        ({"aud": "somebody-else"}, None, "somebody else"),
        ({"aud": [ID, "other"]}, None, "somebody else"),
        ({"exp": LONG_AGO}, None, "expired"),
        ({"exp": None}, None, "until when"),
        ({"iat": SOON, "exp": SOON + 300}, None, "future"),
        ({"nbf": SOON}, None, "future"),
        ({"sub": None}, None, "who you are"),
        ({}, unsigned, "signature"),
        ({}, with_shared_words(SECRET.encode()), "signature"),
        ({}, with_shared_words(KEY.as_pem(private=False)), "signature"),
        ({}, by_a_stranger("two"), "no key of the provider"),
        ({}, by_a_stranger("one"), "signature"),
        ({}, lambda _: "no token at all", "signature"),
    ],
)
def test_a_token_that_proves_nothing_lets_nobody_in(
    ours: Server, provider: Provider, claims: dict[str, Any], sign: Callable[[dict[str, Any]], str] | None, why: str
) -> None:
    provider.claims, provider.sign = claims, sign
    browser = make_client(ours.app)
    answer = come_back(browser, provider.authorize(leave(browser)))
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert why in answer.json()["detail"]
    assert not signed_in(browser)
    assert ours.client.get("/v1/accounts").json()["total"] == 0


def test_a_state_is_good_once_in_the_browser_that_was_given_it(ours: Server, provider: Provider) -> None:
    browser, thief = make_client(ours.app), make_client(ours.app)
    query = provider.authorize(leave(browser))
    code, _, state = query.partition("&")
    forged = [f"{code}&state=forged", code, f"{code}&state=", f"{code}&{state}x"]
    for wrong in forged:
        answer = come_back(browser, wrong)
        assert (answer.status_code, "begin anew" in answer.json()["detail"]) == (400, True)
    # Somebody else's browser, with and without a sign-in of its own under way.
    assert come_back(thief, query).status_code == 400
    leave(thief)
    assert come_back(thief, query).status_code == 400
    kept = browser.cookies["serendip_openid"]
    assert come_back(browser, query).status_code == 303
    browser.cookies["serendip_openid"] = kept
    assert come_back(browser, query).status_code == 400
    assert not signed_in(thief)


def test_a_state_is_no_sign_in_link_and_grows_old(ours: Server, provider: Provider) -> None:
    browser = make_client(ours.app)
    query = provider.authorize(leave(browser))
    secret, state = browser.cookies["serendip_openid"], query.partition("state=")[2]
    other = make_client(ours.app)
    query = provider.authorize(leave(other))
    assert browser.get("/sign-in", params={"link": f"{secret} {state}"}).status_code == 403
    ours.clock.now += timedelta(minutes=11)
    assert come_back(other, query).status_code == 400


def test_a_code_that_was_used_lets_nobody_in(ours: Server, provider: Provider) -> None:
    first, second = make_client(ours.app), make_client(ours.app)
    query = provider.authorize(leave(first))
    code = query.partition("&")[0]
    assert come_back(first, query).status_code == 303
    state = dict(parse_qsl(urlsplit(leave(second)).query))["state"]
    answer = come_back(second, f"{code}&state={state}")
    assert (answer.status_code, "invalid_grant" in answer.json()["detail"]) == (403, True)
    assert not signed_in(second)


def test_an_unverified_address_links_to_nothing_and_makes_no_account(ours: Server, provider: Provider) -> None:
    create_account(ours.store, "ann", "administrator", NOON, email="ann@example.org")
    for verified in (False, None, "true"):
        provider.claims = {"email_verified": verified}
        browser = make_client(ours.app)
        answer = come_back(browser, provider.authorize(leave(browser)))
        assert (answer.status_code, "not verified" in answer.json()["detail"]) == (403, True)
        assert not signed_in(browser)
    assert ours.client.get("/v1/accounts").json()["total"] == 1


def test_a_provider_that_refuses_or_does_not_answer_is_said(ours: Server, provider: Provider) -> None:
    browser = make_client(ours.app)
    state = provider.authorize(leave(browser)).partition("&")[2]
    answer = come_back(browser, f"error=access_denied&{state}")
    assert (answer.status_code, "access_denied" in answer.json()["detail"]) == (403, True)
    state = provider.authorize(leave(browser)).partition("&")[2]
    answer = come_back(browser, f"error=%3Cscript%3E&{state}")
    assert (answer.status_code, "script" in answer.text) == (403, False)
    query = provider.authorize(leave(browser))
    provider.down = True
    answer = come_back(browser, query)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert not signed_in(browser)
    assert browser.get("/sign-in/with/nobody").status_code == 404


def test_a_provider_that_is_away_or_calls_itself_another_is_refused(
    provider: Provider, make_server: Callable[..., Server]
) -> None:
    liar = make_server(oidc_providers=(settings_of(provider, issuer=provider.address + "/"),))
    assert liar.stranger.get("/sign-in/with/home").status_code == 403
    away = make_server(oidc_providers=(settings_of(provider, issuer="http://127.0.0.1:9"),))
    assert away.stranger.get("/sign-in/with/home").status_code == 503


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
def test_coming_back_leads_nowhere_else(ours: Server, provider: Provider, target: str) -> None:
    browser = make_client(ours.app)
    assert come_back(browser, provider.authorize(leave(browser, target))).headers["location"] == "/"


def test_only_the_domains_that_are_named_and_only_known_people_come_in(
    provider: Provider, make_server: Callable[..., Server]
) -> None:
    closed = make_server(oidc_providers=(settings_of(provider, domains=("Example.com",)),))
    browser = make_client(closed.app)
    answer = come_back(browser, provider.authorize(leave(browser)))
    assert (answer.status_code, "Example.com" in answer.json()["detail"]) == (403, True)
    known = make_server(oidc_providers=(settings_of(provider, sign_up=False),))
    browser = make_client(known.app)
    answer = come_back(browser, provider.authorize(leave(browser)))
    assert (answer.status_code, "no account" in answer.json()["detail"]) == (403, True)
    account = create_account(known.store, "ann", "member", NOON, email="ann@example.org")
    known.store.change_account(account.id, disabled=True)
    answer = come_back(browser, provider.authorize(leave(browser)))
    assert (answer.status_code, "disabled" in answer.json()["detail"]) == (403, True)
    known.store.change_account(account.id, disabled=False)
    assert come_back(browser, provider.authorize(leave(browser))).status_code == 303


def test_behind_a_proxy_the_provider_sends_people_to_the_public_address(
    provider: Provider, make_server: Callable[..., Server]
) -> None:
    server = make_server(oidc_providers=(settings_of(provider),), public_url="https://recommend.example.org")
    asked = dict(parse_qsl(urlsplit(leave(make_client(server.app))).query))
    assert asked["redirect_uri"] == "https://recommend.example.org/sign-in/with/home/callback"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"issuer": "http://provider.example"}, "https"),
        ({"role": "root"}, "no role"),
        ({"name": "a/b"}, "name"),
        ({"client_secret": ""}, "client_secret"),
        ({"scopes": ["email"]}, "openid"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_provider_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, more: dict[str, Any], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fine = {"name": "home", "issuer": "https://provider.example", "client_id": ID, "client_secret": SECRET}
    monkeypatch.setenv("SERENDIP_OIDC_PROVIDERS", json.dumps([fine]))
    assert read_settings().oidc_providers[0].secret() == SECRET
    assert SECRET not in repr(read_settings())
    monkeypatch.setenv("SERENDIP_OIDC_PROVIDERS", json.dumps([{**fine, **more}]))
    with pytest.raises(Invalid, match="oidc_providers") as caught:
        read_settings()
    assert why in str(caught.value)
    # A secret must not stand in what is printed.
    assert SECRET not in str(caught.value)


def test_what_is_no_json_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERENDIP_OIDC_PROVIDERS", f'[{{"client_secret": "{SECRET}"')
    with pytest.raises(Invalid, match="oidc_providers") as caught:
        read_settings()
    assert SECRET not in str(caught.value)
