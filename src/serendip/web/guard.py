"""Who may do what: every route is closed unless it is on the open list."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serendip.domain import Invalid, SerendipError
from serendip.flows.access import BY_KEY, RIGHTS, Right, digest, new_key, new_link, new_session, role_of
from serendip.store import Act, KeyRecord, Store
from serendip.web.asker import Asker, check_member, current, own
from serendip.web.forms import checked_form, csrf_token, same_site
from serendip.web.limits import Rate, address_of
from serendip.web.pool import Pool
from serendip.web.problems import Refused

__all__ = [
    "COOKIE",
    "OPEN",
    "RIGHTS",
    "Asker",
    "Guard",
    "csrf_token",
    "current",
    "digest",
    "is_open",
    "new_key",
    "new_link",
    "new_session",
    "own",
    "role_of",
]

log = logging.getLogger("serendip.web")

OPEN = frozenset({"/healthz", "/readyz", "/sign-in"})
OPEN_FOLDERS = ("/static/", "/sign-in/")
"""These answer everybody; the guard's test walks all other routes and finds them closed."""

ADMIN = ("/v1/accounts", "/v1/keys", "/v1/audit", "/v1/erasures")
"""Only administrators see what lies here."""
ADMIN_TO_CHANGE = ("/v1/models", "/v1/scenarios")
AUDITED = ("/v1/jobs", "/v1/timetable", "/v1/matrices", "/v1/recommenders")
"""Operators may change what lies here; who did so is kept."""
BULK = "/bulk"
"""Ends where rows may be deleted among others; the route says whether any were."""
READS_BY_POST = frozenset({"/v1/recommendations", "/sign-out", "/v1/me/password", "/account/password"})

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "serendip_session"
REMEMBERED_SECONDS = 0.5
"""A key that was found is not looked up again for so long; a revoked one may still pass within it."""
TOUCHED_EVERY = timedelta(minutes=1)
"""When a key was last used is kept to this precision."""


def is_open(path: str) -> bool:
    """Whether everybody may come here in every installation."""
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def _below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)


def needed(method: str, path: str, admin: Iterable[str] = ()) -> Right | None:
    """The right that a request needs; None: everybody may. ``admin``: more places that administrators change."""
    if is_open(path):
        return None
    if _below(path, ADMIN) or (method not in SAFE and _below(path, (*ADMIN_TO_CHANGE, *admin))):
        return "admin"
    return "read" if method in SAFE or path in READS_BY_POST else "write"


def is_act(method: str, path: str, audited: Iterable[str] = AUDITED) -> bool:
    """Whether the audit log keeps that this was done."""
    if method in SAFE:
        return False
    return needed(method, path) == "admin" or method == "DELETE" or _below(path, audited)


class OpenRoutes:
    """The routes that an operator opened, each ``METHOD /address/{with}/{places}``, with and without a last slash."""

    def __init__(self, listed: Iterable[str], admin: Sequence[str] = ()) -> None:
        self._open: list[tuple[str, re.Pattern[str]]] = []
        for entry in listed:
            method, _, path = entry.partition(" ")
            if needed(method, path, admin) == "admin":
                raise Invalid(
                    f"{entry!r} needs an administrator and cannot be opened to everybody", field="open_routes"
                )
            parts = re.split(r"\{[^{}/]+\}", path.rstrip("/"))
            self._open.append((method, re.compile("[^/]+".join(map(re.escape, parts)) + "/?")))

    def __contains__(self, asked: tuple[str, str]) -> bool:
        """Whether (method, path) is open."""
        method, path = asked
        return any(method == one and pattern.fullmatch(path) for one, pattern in self._open)


class Guard:
    """Lets a request in when its key or session has the right it needs."""

    def __init__(
        self,
        app: ASGIApp,
        store: Store,
        pool: Pool,
        clock: Callable[[], datetime],
        open_routes: Iterable[str] = (),
        rate: Rate | None = None,
        audited: Iterable[str] = (),
        admin: Sequence[str] = (),
    ) -> None:
        """Places besides ours: ``audited`` where the log keeps what is done, ``admin`` which administrators change."""
        self.app, self.store, self.pool, self.clock = app, store, pool, clock
        self.opened, self.admin = OpenRoutes(open_routes, admin), admin
        self.rate, self.audited = rate or Rate(0), (*AUDITED, *audited, *admin)
        self._found: dict[str, tuple[float, KeyRecord]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        right = needed(method, path, self.admin)
        if right is None:
            if method not in SAFE:
                same_site(headers)
            await self.app(scope, receive, send)
            return
        asker = await self._asker(scope, headers)
        who = asker and (asker.key or (asker.session and digest(asker.session)))
        self.rate.take(who or address_of(scope))
        opened = (method, path) in self.opened
        if asker is None:
            if not opened or _key_in(headers):
                await self._refuse_stranger(scope, receive, send, headers)
                return
            asker = Asker()
        elif not opened:
            self._check(asker, right, scope)
        if asker.session and method not in SAFE:
            receive = await checked_form(headers, receive, csrf_token(asker.session))
        scope["state"].update(asker=asker, key=asker.key or asker.name or asker.role)
        act = is_act(method, path, self.audited)
        noting = act or path.endswith(BULK)
        await self.app(scope, receive, self._noting(scope, send, asker, act) if noting else send)

    def _check(self, asker: Asker, right: Right, scope: Scope) -> None:
        if asker.is_member:
            check_member(asker, scope["method"], scope["path"], scope["query_string"])
        elif right not in asker.rights:
            raise Refused(403, f"this needs the scope {right}; yours are {', '.join(asker.rights)}")

    async def _refuse_stranger(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        # htmx would put the sign-in page where an answer was expected; this header makes it leave the page instead.
        away = {"HX-Redirect": "/sign-in"} if "hx-request" in headers else {}
        if scope["method"] == "GET" and wants_page(scope) and not away:
            target = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
            await RedirectResponse(f"/sign-in?next={quote(target, safe='/')}", 303)(scope, receive, send)
            return
        raise Refused(
            401,
            "this needs a key that is known and has not expired; send it as X-API-Key or Authorization: Bearer",
            {"WWW-Authenticate": "Bearer", **away},
        )

    def _noting(self, scope: Scope, send: Send, asker: Asker, always: bool) -> Send:
        """Keeps what was done in the audit log before the answer says that it was done; or only if the route tells."""

        async def noting(message: Message) -> None:
            done = message["type"] == "http.response.start" and message["status"] < 400
            if done and (always or "noted" in scope["state"]):
                route = scope.get("route")
                act = Act(
                    self.clock(),
                    asker.actor,
                    getattr(route, "operation_id", None) or f"{scope['method']} {getattr(route, 'path', '')}",
                    scope["path"],
                    scope["state"].get("noted"),
                    scope["state"].get("request_id"),
                )
                try:
                    await self.pool.run(lambda: self.store.note(act))
                except SerendipError:
                    log.exception("an act could not be kept in the audit log: %s", act)
            await send(message)

        return noting

    async def _asker(self, scope: Scope, headers: Headers) -> Asker | None:
        plain = _key_in(headers)
        if plain:
            key = await self._key(digest(plain))
            return Asker(tuple(key.scopes), key=key.prefix) if key else None
        session = session_of(scope)
        if not session:
            return None
        found = await self.pool.run(lambda: self.store.session(digest(session), self.clock()))
        if found is None:
            return None
        if found.role.startswith(BY_KEY):
            key = await self._key(found.role.removeprefix(BY_KEY))
            return Asker(tuple(key.scopes), key=key.prefix, session=session, role=key.prefix) if key else None
        if found.role not in RIGHTS:
            return None
        return Asker(RIGHTS[found.role], None, session, found.role, found.account, found.name, found.user)

    async def _key(self, wanted: str) -> KeyRecord | None:
        now = monotonic()
        at, key = self._found.get(wanted, (-1.0, None))
        if key is None or now - at > REMEMBERED_SECONDS:
            key = await self.pool.run(lambda: self.store.key(wanted))
            self._found = {known: entry for known, entry in self._found.items() if now - entry[0] < REMEMBERED_SECONDS}
            if key is None:
                return None
            key = self._touched(key)
            self._found[wanted] = (now, key)
        return None if key.expires_at and key.expires_at <= self.clock() else key

    def _touched(self, key: KeyRecord) -> KeyRecord:
        """``key``, with a note on its way to the store when it was used; the request does not wait for that."""
        now = self.clock()
        if (key.expires_at and key.expires_at <= now) or (key.used_at and now - key.used_at < TOUCHED_EVERY):
            return key
        self.pool.later(lambda: self.store.touch_key(key.id, now))
        return replace(key, used_at=now)


def _key_in(headers: Headers) -> str:
    """The key that a request shows, as X-API-Key or as Authorization: Bearer, or Token as older clients say."""
    kind, _, rest = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (rest.strip() if kind.lower() in ("bearer", "token") else "")


def wants_page(scope: Scope) -> bool:
    """Whether a person is looking: a browser, outside the API."""
    headers = Headers(scope=scope)
    html = "text/html" in headers.get("accept", "") or "hx-request" in headers
    return html and not scope["path"].startswith("/v1")


def cookie_name(scheme: str, name: str = COOKIE) -> str:
    """A cookie's name; over HTTPS it is one that browsers bind to this very host."""
    return f"__Host-{name}" if scheme == "https" else name


def cookie(scope: Scope, name: str = COOKIE) -> str | None:
    """What our cookie of this name holds."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return None
    found = jar.get(cookie_name(scope["scheme"], name))
    return found.value if found else None


def session_of(scope: Scope) -> str | None:
    """The session's secret."""
    return cookie(scope)
