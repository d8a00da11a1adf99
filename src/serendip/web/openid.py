"""The conversation with an OpenID provider: where to send the browser, and whom it says came back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from serendip.domain import NotFound, NotReady
from serendip.flows.access import digest
from serendip.flows.accounts import Introduced
from serendip.flows.providers import Provider, safe_address
from serendip.store import Store
from serendip.web.problems import Refused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""Signatures that only the provider can make: none where we hold what signs, and not none."""
ANSWER_SECONDS = 5.0
KEPT_SECONDS = 3600.0
"""What discovery told is asked for again after this long,"""
AGAIN_SECONDS = 30.0
"""and the keys, when a token names one that is not known, at most this often."""
LEEWAY_SECONDS = 60
"""Clocks may differ by so much."""
FLOW_MINUTES = 10.0
BY_STATE = "openid:"
"""Begins what is kept of a sign-in under way, so that it can never pass for a link of another kind."""


@dataclass(frozen=True)
class Underway:
    """A sign-in that began here and is to come back from the provider."""

    provider: str
    nonce: str
    verifier: str
    redirect: str
    next: str


def untrusted(provider: Provider, why: str) -> Refused:
    """What the provider sent proves nothing."""
    return Refused(403, f"the answer of {provider.label or provider.name} cannot be trusted: {why}; sign in again")


class OpenId:
    """The providers that the settings name, and what they told of themselves."""

    def __init__(self, providers: Sequence[Provider], store: Store, clock: Callable[[], datetime]) -> None:
        self.providers = {one.name: one for one in providers}
        self.store, self.clock = store, clock
        self._told: dict[str, tuple[float, dict[str, Any]]] = {}
        self._keys: dict[str, tuple[float, dict[str, Any]]] = {}

    def provider(self, name: str) -> Provider:
        """The provider of this name."""
        if name not in self.providers:
            raise NotFound(f"no provider {name[:40]!r} signs people in here; GET /sign-in shows those that do")
        return self.providers[name]

    def begin(self, provider: Provider, browser: str, redirect: str, target: str) -> str:
        """Where to send the browser that holds the secret ``browser``; ``target`` is where it wants to go at last."""
        from authlib.common.urls import add_params_to_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        told = self._discovered(provider)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Underway(provider.name, nonce, verifier, redirect, target)
        until = self.clock() + timedelta(minutes=FLOW_MINUTES)
        self.store.add_link(_kept_under(browser, state), BY_STATE + json.dumps(asdict(flow)), until)
        words = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        address: str = add_params_to_uri(told["authorization_endpoint"], list(words.items()))
        return address

    def came_back(self, provider: Provider, browser: str | None, state: str) -> Underway:
        """The sign-in that this browser began; once, and with the state that it was given."""
        kept = self.store.use_link(_kept_under(browser, state), self.clock()) if browser and state else None
        flow = Underway(**json.loads(kept.removeprefix(BY_STATE))) if kept and kept.startswith(BY_STATE) else None
        if flow is None or flow.provider != provider.name:
            raise Refused(
                400, "this sign-in was not begun in this browser, or it is over; open /sign-in and begin anew"
            )
        return flow

    def introduced(self, provider: Provider, flow: Underway, code: str) -> Introduced:
        """Whom the provider names for ``code``, once everything it says is checked."""
        token = self._exchanged(provider, flow, code)
        claims = self._claims(provider, token)
        self._check(provider, flow, claims)
        email = claims.get("email")
        verified = isinstance(email, str) and claims.get("email_verified") is True
        if email and not verified and self.store.account_of(provider.issuer, claims["sub"]) is None:
            raise Refused(403, f"{provider.label or provider.name} has not verified your address; do that there first")
        if provider.domains and (
            not verified or str(email).rpartition("@")[2].casefold() not in map(str.casefold, provider.domains)
        ):
            raise Refused(403, f"only addresses of {', '.join(provider.domains)} sign in here")
        name = claims.get("preferred_username") or claims.get("name")
        return Introduced(
            provider.issuer,
            claims["sub"],
            str(email) if verified else None,
            name if isinstance(name, str) else None,
        )

    def _exchanged(self, provider: Provider, flow: Underway, code: str) -> str:
        words = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect,
            "code_verifier": flow.verifier,
        }
        answer = self._ask(provider, self._discovered(provider)["token_endpoint"], words)
        token = answer.get("id_token")
        if not isinstance(token, str):
            said = str(answer.get("error", "no identity token came"))[:100]
            raise untrusted(provider, f"it refused the code ({said})")
        return token

    def _claims(self, provider: Provider, token: str) -> dict[str, Any]:
        from joserfc import jws, jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import import_key

        try:
            key_id = jws.extract_compact(token.encode()).headers().get("kid")
            key = import_key(self._signing_key(provider, key_id))
            found = jwt.decode(token, key, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError) as error:
            raise untrusted(provider, f"its signature does not hold ({type(error).__name__})") from None
        return found.claims

    def _signing_key(self, provider: Provider, key_id: object) -> dict[str, Any]:
        address = self._discovered(provider)["jwks_uri"]
        at, kept = self._keys.get(provider.name, (-KEPT_SECONDS, {}))
        age = monotonic() - at
        named = [key for key in kept.get("keys", ()) if key_id is None or key.get("kid") == key_id]
        if age > KEPT_SECONDS or (not named and age > AGAIN_SECONDS):
            kept = self._ask(provider, address)
            self._keys[provider.name] = (monotonic(), kept)
        found = [
            key
            for key in kept.get("keys", ())
            if isinstance(key, dict) and key.get("kty") != "oct" and (key_id is None or key.get("kid") == key_id)
        ]
        if not found:
            raise untrusted(provider, "no key of the provider signed it")
        if key_id is None and len(found) > 1:
            raise untrusted(provider, "it does not say which key signed")
        signing: dict[str, Any] = found[0]
        return signing

    def _check(self, provider: Provider, flow: Underway, claims: Mapping[str, Any]) -> None:
        now = self.clock().timestamp()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        issued, expires, not_before = claims.get("iat"), claims.get("exp"), claims.get("nbf", 0)
        if claims.get("iss") != provider.issuer:
            raise untrusted(provider, "another issuer made it")
        if provider.client_id not in audiences or (
            (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id
        ):
            raise untrusted(provider, "it was made for somebody else")
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (issued, expires, not_before)):
            raise untrusted(provider, "it does not say when it was made and until when it holds")
        if float(expires or 0) <= now - LEEWAY_SECONDS:
            raise untrusted(provider, "it has expired")
        if max(float(issued or 0), float(not_before)) > now + LEEWAY_SECONDS:
            raise untrusted(provider, "it comes from the future")
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), flow.nonce.encode()):
            raise untrusted(provider, "it answers another question than ours")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise untrusted(provider, "it does not say who you are")

    def _discovered(self, provider: Provider) -> dict[str, Any]:
        at, told = self._told.get(provider.name, (-KEPT_SECONDS, {}))
        if monotonic() - at <= KEPT_SECONDS and told:
            return told
        told = self._ask(provider, provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told.get("issuer") != provider.issuer:
            raise untrusted(provider, f"it calls itself {str(told.get('issuer'))[:100]!r}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(told.get(name), str) or not safe_address(told[name]):
                raise untrusted(provider, f"its {name} is no https:// address")
        self._told[provider.name] = (monotonic(), told)
        return told

    def _ask(self, provider: Provider, address: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The provider's JSON; a form is sent with our name and secret."""
        import httpx2

        try:
            with httpx2.Client(timeout=ANSWER_SECONDS, follow_redirects=False) as client:
                if form is None:
                    answer = client.get(address)
                else:
                    answer = client.post(address, data=dict(form), auth=(provider.client_id, provider.secret()))
            content = answer.json()
        except (httpx2.HTTPError, OSError, ValueError):
            content = None
        # A refused code comes with 400 or 401 and says why; anything else that is not well is not our visitor's fault.
        if not isinstance(content, dict) or (answer.status_code != 200 and (form is None or answer.status_code >= 500)):
            raise NotReady(f"{provider.label or provider.name} does not answer; try again, or sign in another way")
        return content


def _kept_under(browser: str, state: str) -> str:
    return digest(f"{browser} {state}")
