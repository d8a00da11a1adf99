"""What happens around every request, as plain ASGI: an id, a log line, a count, limits on what is sent."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from time import perf_counter
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serendip.web.metrics import Metrics
from serendip.web.problems import Refused

log = logging.getLogger("serendip.web")

MAX_BODY_BYTES = 10 * 1024 * 1024
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

Respond = Callable[[BaseException, Request], Response]


class Watch:
    """Outermost: names the request, times it, logs it, and turns whatever was raised into an answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, respond: Respond) -> None:
        self.app, self.metrics, self.respond = app, metrics, respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status, start = 0, perf_counter()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception as error:
            answer = self.respond(error, Request(scope))
            if answer.status_code == 500:
                log.exception("request failed", extra={"request_id": request_id})
            if not status:
                await answer(scope, receive, named)
        finally:
            seconds, route = perf_counter() - start, template(scope)
            self.metrics.observe(scope["method"], route, status, seconds)
            log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 2),
                    "key": scope["state"].get("key"),
                },
            )


def template(scope: Scope) -> str:
    """The template of the route that answered, such as ``/v1/items/{item}``."""
    if scope["path"].startswith("/static/"):
        return "/static"
    path = getattr(scope.get("route"), "path", None)
    return re.sub(r":\w+\}", "}", path) if path else "unmatched"


class Limits:
    """Refuses what no route should have to think about: bad escapes, too many bytes, too slow a sender."""

    def __init__(self, app: ASGIApp, receive_seconds: float) -> None:
        self.app, self.receive_seconds = app, receive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for part in (scope["raw_path"], scope["query_string"]):
            if b"%" in part:
                try:
                    unquote_to_bytes(part).decode()
                except UnicodeDecodeError:
                    raise Refused(400, "the address holds bytes that are not UTF-8; escape it as UTF-8") from None
        # Routes match the escaped path, so that an id may hold a slash; ids are unescaped by their convertor.
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        headers = Headers(scope=scope)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "compressed bodies are not read; send the body as it is, without Content-Encoding")
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared[:12]) > MAX_BODY_BYTES:
            raise _too_large()
        deadline = asyncio.get_running_loop().time() + self.receive_seconds
        received, whole = 0, False

        async def limited() -> Message:
            nonlocal received, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Refused(
                    408,
                    f"the body did not arrive within {self.receive_seconds:g} s; send it faster",
                    {"Connection": "close"},
                ) from None
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise _too_large()
            whole = not message.get("more_body", False)
            return message

        await self.app(scope, limited, send)


def _too_large() -> Refused:
    return Refused(
        413, f"the body is larger than {MAX_BODY_BYTES // 1024 // 1024} MB; send it in parts", {"Connection": "close"}
    )
