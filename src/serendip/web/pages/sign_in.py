"""Coming in by a one-time link or a pasted key, and going out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serendip.web.guard import COOKIE, current, digest, new_session, role_of
from serendip.web.pages.paper import page
from serendip.web.services import Parts, Services

router = APIRouter(include_in_schema=False)


def own_path(target: str) -> str:
    """``target`` if it is an address of ours, else the first page; nobody is sent elsewhere from here."""
    fine = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if fine else "/"


@router.get("/sign-in")
def sign_in_page(request: Request, parts: Parts, link: str = "", next: str = "/") -> Response:
    """The form; with a link that is fresh, straight in."""
    if not link:
        return page(request, "sign_in.html", next=own_path(next), wrong=None)
    role = parts.store.use_link(digest(link), parts.clock())
    if role is None:
        wrong = "This link was used or has expired. The server prints a fresh one when it starts; or paste a key."
        return page(request, "sign_in.html", 403, next=own_path(next), wrong=wrong)
    return _let_in(request, parts, role, own_path(next))


@router.post("/sign-in")
def sign_in(
    request: Request, parts: Parts, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    """In with a pasted key; the session may do what the key may."""
    record = parts.store.key(digest(key.strip()))
    if record is None or (record.expires_at is not None and record.expires_at <= parts.clock()):
        return page(
            request, "sign_in.html", 403, next=own_path(next), wrong="This key is not known here, or it has expired."
        )
    return _let_in(request, parts, role_of(record), own_path(next))


def _let_in(request: Request, parts: Services, role: str, target: str) -> Response:
    hours = parts.settings.session_hours
    token = new_session(parts.store, role, parts.clock() + timedelta(hours=hours))
    answer = RedirectResponse(target, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        f"__Host-{COOKIE}" if secure else COOKIE,
        token,
        max_age=int(hours * 3600),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, parts: Parts) -> Response:
    """End the session here and in the browser."""
    session = current(request).session
    if session:
        parts.store.end_session(digest(session))
    answer = RedirectResponse("/sign-in", 303)
    for name in (COOKIE, f"__Host-{COOKIE}"):
        answer.delete_cookie(name, path="/", secure=name != COOKIE, httponly=True, samesite="lax")
    return answer
