"""Requests that change something and come from a browser: from our own pages only, with the page's token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from serendip.web.problems import Refused

FORM = "application/x-www-form-urlencoded"


def csrf_token(session: str) -> str:
    """What a page's forms must send back; only who knows the session's secret can make it."""
    return hmac.new(session.encode(), b"serendip csrf", hashlib.sha256).hexdigest()


def same_site(headers: Headers) -> None:
    """Refuse what another site's page sent: the browser says where a request was born."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        foreign = True
    if foreign:
        raise Refused(403, "this came from another site's page; open the page itself and try again")


async def checked_form(headers: Headers, receive: Receive, token: str) -> Callable[[], Awaitable[Message]]:
    """Refuse a change that does not carry the page's token; the body that was read to find it is handed on."""
    same_site(headers)
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
