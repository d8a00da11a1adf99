"""Who may do what: every route is closed unless it is on the open list."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serendip.domain import Invalid
from serendip.store import KeyRecord, Store
from serendip.web.pool import Pool
from serendip.web.problems import Refused

Right = Literal["read", "write", "admin"]

OPEN = frozenset({"/healthz", "/readyz", "/sign-in"})
OPEN_FOLDER = "/static/"
"""These answer everybody; the guard's test walks all other routes and finds them closed."""

RIGHTS: dict[str, tuple[Right, ...]] = {
    "member": ("read",),
    "operator": ("read", "write"),
    "administrator": ("read", "write", "admin"),
}
"""What a browser's session may do, by its role."""

KEY_PREFIX = "sd"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "serendip_session"
FORM = "application/x-www-form-urlencoded"
REMEMBERED_SECONDS = 0.5
"""A key that was found is not looked up again for so long; a revoked one may still pass within it."""


def digest(secret: str) -> str:
    """What is kept of a key, a link or a session; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(store: Store, name: str, rights: Sequence[str], now: datetime, expires_at: datetime | None = None) -> str:
    """A new API key, kept only as its digest: this is the one time that it can be read."""
    unknown = set(rights) - set(RIGHTS["administrator"])
    if not name.strip():
        raise Invalid("a key needs a name, to be told apart from others", field="name")
    if unknown or not rights:
        raise Invalid(
            f"a key may have the scopes read, write and admin, not {sorted(unknown) or 'none'}", field="scopes"
        )
    name_part = secrets.token_hex(4)
    plain = f"{KEY_PREFIX}_{name_part}_{secrets.token_urlsafe(32)}"
    store.add_key(
        KeyRecord(
            id=name_part,
            prefix=f"{KEY_PREFIX}_{name_part}",
            digest=digest(plain),
            scopes=tuple(rights),
            name=name,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return plain


def new_link(store: Store, role: str, now: datetime, minutes: float = 60) -> str:
    """The path of a sign-in link that works once, within ``minutes``; put the server's address before it."""
    if role not in RIGHTS:
        raise Invalid(f"there is no role {role!r}; the roles are {', '.join(RIGHTS)}", field="role")
    token = secrets.token_urlsafe(32)
    store.add_link(digest(token), role, now + timedelta(minutes=minutes))
    return f"/sign-in?link={token}"


def new_session(store: Store, role: str, until: datetime) -> str:
    """The secret of a new browser session."""
    token = secrets.token_urlsafe(32)
    store.add_session(digest(token), role, until)
    return token


BY_KEY = "key:"
"""Begins the role of a session that came in with a key; the key's digest follows."""


def role_of(key: KeyRecord) -> str:
    """The role of a session that may do what ``key`` may, for as long as the key lives."""
    return BY_KEY + key.digest


def csrf_token(session: str) -> str:
    """What a page's forms must send back; only who knows the session's secret can make it."""
    return hmac.new(session.encode(), b"serendip csrf", hashlib.sha256).hexdigest()


def needed(method: str, path: str) -> Right | None:
    """The right that a request needs; None: everybody may."""
    if path in OPEN or path.startswith(OPEN_FOLDER):
        return None
    if path.startswith("/v1/erasures"):
        return "admin"
    if path.startswith(("/v1/models", "/v1/scenarios", "/v1/keys")) and method not in SAFE:
        return "admin"
    if method in SAFE or path in ("/v1/recommendations", "/sign-out"):
        return "read"
    return "write"


@dataclass(frozen=True)
class Asker:
    """Who sends a request, by key or by session."""

    rights: tuple[str, ...]
    key: str | None = None
    """The key's public prefix."""
    session: str | None = None
    """The secret of the browser's session."""
    role: str | None = None


class Guard:
    """Lets a request in when its key or session has the right it needs."""

    def __init__(self, app: ASGIApp, store: Store, pool: Pool, clock: Callable[[], datetime]) -> None:
        self.app, self.store, self.pool, self.clock = app, store, pool, clock
        self._found: dict[str, tuple[float, KeyRecord]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        right = needed(method, path)
        if right is None:
            if method not in SAFE:
                _same_site(headers)
            await self.app(scope, receive, send)
            return
        asker = await self._asker(headers)
        if asker is None:
            # htmx would put the sign-in page where an answer was expected; this header makes it leave the page instead.
            away = {"HX-Redirect": "/sign-in"} if "hx-request" in headers else {}
            if method == "GET" and wants_page(scope) and not away:
                target = path + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
                await RedirectResponse(f"/sign-in?next={quote(target, safe='/')}", 303)(scope, receive, send)
                return
            raise Refused(
                401,
                "this needs a key that is known and has not expired; send it as X-API-Key or Authorization: Bearer",
                {"WWW-Authenticate": "Bearer", **away},
            )
        if right not in asker.rights:
            raise Refused(403, f"this needs the scope {right}; yours are {', '.join(asker.rights)}")
        if asker.session and method not in SAFE:
            receive = await _checked_form(headers, receive, csrf_token(asker.session))
        scope["state"].update(asker=asker, key=asker.key or asker.role)
        await self.app(scope, receive, send)

    async def _asker(self, headers: Headers) -> Asker | None:
        bearer = headers.get("authorization", "")
        plain = headers.get("x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == "bearer " else "")
        if plain:
            key = await self._key(digest(plain))
            return Asker(tuple(key.scopes), key=key.prefix) if key else None
        session = session_of(headers)
        if not session:
            return None
        role = await self.pool.run(lambda: self.store.session(digest(session), self.clock()))
        if role is not None and role.startswith(BY_KEY):
            key = await self._key(role.removeprefix(BY_KEY))
            return Asker(tuple(key.scopes), session=session, role=key.prefix) if key else None
        return Asker(RIGHTS[role], session=session, role=role) if role in RIGHTS else None

    async def _key(self, wanted: str) -> KeyRecord | None:
        now = monotonic()
        at, key = self._found.get(wanted, (-1.0, None))
        if key is None or now - at > REMEMBERED_SECONDS:
            key = await self.pool.run(lambda: self.store.key(wanted))
            self._found = {known: entry for known, entry in self._found.items() if now - entry[0] < REMEMBERED_SECONDS}
            if key is None:
                return None
            self._found[wanted] = (now, key)
        return None if key.expires_at and key.expires_at <= self.clock() else key


def wants_page(scope: Scope) -> bool:
    """Whether a person is looking: a browser, outside the API."""
    headers = Headers(scope=scope)
    html = "text/html" in headers.get("accept", "") or "hx-request" in headers
    return html and not scope["path"].startswith("/v1")


def session_of(headers: Headers) -> str | None:
    """The session's secret, from the cookie; over HTTPS the cookie has the name that browsers bind to the host."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return None
    found = jar.get(f"__Host-{COOKIE}") or jar.get(COOKIE)
    return found.value if found else None


def current(request: Request) -> Asker:
    """Who the guard let in."""
    asker: Asker = request.scope["state"]["asker"]
    return asker


def _same_site(headers: Headers) -> None:
    """Refuse what another site's page sent: the browser says where a request was born."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        foreign = True
    if foreign:
        raise Refused(403, "this came from another site's page; open the page itself and try again")


async def _checked_form(headers: Headers, receive: Receive, token: str) -> Callable[[], Awaitable[Message]]:
    """Refuse a change that does not carry the page's token; the body that was read to find it is handed on."""
    _same_site(headers)
    sent = headers.get("x-csrf-token", "")
    replay = receive
    if not sent and headers.get("content-type", "").startswith(FORM):
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
        sent = parse_qs(body.decode("utf-8", "replace")).get("csrf", [""])[0]
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        replay = again
    if not hmac.compare_digest(sent.encode(), token.encode()):
        raise Refused(403, "the form has no valid token; reload the page and send it again")
    return replay
