"""JSON on the wire, strict in both directions: no NaN, no half surrogates, no NUL, no bottomless nesting."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response


class Json(Response):
    """An answer in JSON; moments are written in ISO 8601 with their offset."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of ``content``."""
        return orjson.dumps(content)


def parse(body: bytes) -> Any:
    """What a request's body says; 400 where it is not JSON, 422 where it holds what no store could keep."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from None
    # Only an escape can bring a NUL into a parsed text; the walk is needed only where there may be one.
    if b"\\u0000" in body and _holds_nul(content):
        raise HTTPException(422, "a text in the body holds a NUL character; remove it")
    return content


def _holds_nul(content: Any) -> bool:
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                return True
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
    return False


def checked_type(content_type: str | None) -> None:
    """Refuse what does not call itself JSON, so that no other page's plain form can pass for a request."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(415, f"the body's Content-Type is {kind or 'missing'}; send application/json")


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse(await self.body())

    async def body(self) -> bytes:
        content = await super().body()
        if content:
            checked_type(self.headers.get("content-type"))
        return content


class StrictRoute(APIRoute):
    """A route whose body is read by ``parse``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given the strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
