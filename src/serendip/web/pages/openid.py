"""Coming in by an OpenID provider: there and back again."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serendip.flows.accounts import account_of
from serendip.web.api import refusals
from serendip.web.guard import cookie
from serendip.web.limits import address_of
from serendip.web.openid import FLOW_MINUTES
from serendip.web.pages.sign_in import let_in, note_failure, own_path, set_cookie
from serendip.web.problems import Refused
from serendip.web.services import Parts

router = APIRouter(tags=["sign-in"])

COOKIE = "serendip_openid"
BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
SAID = re.compile(r"[a-z_]{1,60}")
REFUSED = (400, 403, 404, 409, 422, 429, 500, 503)


@router.get(
    "/sign-in/with/{provider}",
    operation_id="sign_in_with",
    status_code=303,
    response_class=RedirectResponse,
    responses=refusals(*REFUSED),
)
async def leave(
    request: Request, parts: Parts, provider: str, next: Annotated[str, Query(max_length=2000)] = "/"
) -> Response:
    """To the provider; it sends the browser back to the callback."""
    chosen = parts.openid.provider(provider)
    address = address_of(request.scope)
    parts.attempts.begin(address)
    known = cookie(request.scope, COOKIE) or ""
    browser = known if BROWSER.fullmatch(known) else secrets.token_urlsafe(32)
    home = parts.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    redirect = f"{home}/sign-in/with/{chosen.name}/callback"
    target = await parts.outside.run(lambda: parts.openid.begin(chosen, browser, redirect, own_path(next)))
    answer = RedirectResponse(target, 303)
    set_cookie(request, answer, COOKIE, browser, int(FLOW_MINUTES * 60))
    return answer


@router.get(
    "/sign-in/with/{provider}/callback",
    operation_id="sign_in_came_back",
    status_code=303,
    response_class=RedirectResponse,
    responses=refusals(*REFUSED),
)
async def come_back(
    request: Request,
    parts: Parts,
    provider: str,
    state: Annotated[str, Query(max_length=2000)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """From the provider, with a code and the state that this browser was given; forged, missing or used, it is 400."""
    chosen = parts.openid.provider(provider)
    browser = cookie(request.scope, COOKIE)
    flow = await parts.pool.run(lambda: parts.openid.came_back(chosen, browser, state))
    parts.attempts.succeeded(address_of(request.scope))

    def work() -> Response:
        try:
            if error or not code:
                said = error if SAID.fullmatch(error) else "no code came"
                raise Refused(403, f"{chosen.label or chosen.name} did not let you in ({said}); try again")
            who = parts.openid.introduced(chosen, flow, code)
            account = account_of(parts.store, who, chosen.role, chosen.sign_up, parts.clock())
            if account is None:
                raise Refused(403, "there is no account of your address here; ask an administrator for one")
            if account.disabled:
                raise Refused(403, f"the account {account.name} is disabled; ask an administrator")
        except Refused:
            note_failure(request, parts, f"openid:{chosen.name}")
            raise
        return let_in(request, parts, account, f"openid:{chosen.name}", own_path(flow.next))

    answer = await parts.outside.run(work)
    set_cookie(request, answer, COOKIE, "", 0)
    return answer
