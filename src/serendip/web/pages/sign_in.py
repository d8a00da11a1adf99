"""Coming in by name and password, a one-time link or a pasted key; and going out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serendip.flows.access import BY_ACCOUNT, RIGHTS, digest, new_session, role_of
from serendip.flows.accounts import change_own_password, folded, sign_in
from serendip.store import AccountRecord, Act
from serendip.web.asker import current
from serendip.web.guard import COOKIE, cookie_name, session_of
from serendip.web.limits import address_of
from serendip.web.pages.paper import page
from serendip.web.problems import Refused
from serendip.web.services import Parts, Services

router = APIRouter(include_in_schema=False)


def own_path(target: str) -> str:
    """``target`` if it is an address of ours, else the first page; nobody is sent elsewhere from here."""
    fine = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if fine else "/"


def sign_in_form(
    request: Request, parts: Services, target: str, status: int = 200, wrong: str | None = None
) -> Response:
    """The form, and what was wrong with the last try."""
    providers = list(parts.openid.providers.values())
    return page(request, "sign_in.html", status, next=own_path(target), wrong=wrong, providers=providers)


@router.get("/sign-in")
def sign_in_page(request: Request, parts: Parts, link: str = "", next: str = "/") -> Response:
    """The form; with a link that is fresh, straight in."""
    if not link:
        return sign_in_form(request, parts, next)
    address = address_of(request.scope)
    parts.attempts.begin(address)
    role = parts.store.use_link(digest(link), parts.clock())
    account = parts.store.account(role.removeprefix(BY_ACCOUNT)) if role and role.startswith(BY_ACCOUNT) else None
    if role not in RIGHTS and (account is None or account.disabled):
        note_failure(request, parts, "link")
        wrong = "This link was used or has expired. Ask for a fresh one, or sign in another way."
        return sign_in_form(request, parts, next, 403, wrong)
    parts.attempts.succeeded(address)
    return let_in(request, parts, account or str(role), "link", own_path(next))


@router.post("/sign-in")
async def sign_in_posted(
    request: Request,
    parts: Parts,
    name: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=10_000)] = "",
    key: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """In with name and password, or with a pasted key; then the session may do what the key may."""
    address, target = address_of(request.scope), own_path(next)
    if name:
        kept = folded(name)[:100]
        parts.attempts.begin(address, kept)
        account = await parts.passwords.run(lambda: sign_in(parts.store, name, password))
        if account is None:
            await parts.pool.run(lambda: note_failure(request, parts, "password", kept))
            return sign_in_form(request, parts, next, 403, "Name and password do not belong together.")
        parts.attempts.succeeded(address, kept)
        return await parts.pool.run(lambda: let_in(request, parts, account, "password", target))
    parts.attempts.begin(address)
    record = await parts.pool.run(lambda: parts.store.key(digest(key.strip())))
    if record is None or (record.expires_at is not None and record.expires_at <= parts.clock()):
        await parts.pool.run(lambda: note_failure(request, parts, "key"))
        return sign_in_form(request, parts, next, 403, "This key is not known here, or it has expired.")
    parts.attempts.succeeded(address)
    return await parts.pool.run(lambda: let_in(request, parts, role_of(record), f"key:{record.prefix}", target))


def note_failure(request: Request, parts: Services, by: str, name: str | None = None) -> None:
    """Keep that somebody could not come in; a name only where there is such an account, since it may be a password
    in the wrong field."""
    known = name is not None and "\0" not in name and parts.store.account_named(name) is not None
    detail = {"by": by, "address": address_of(request.scope)}
    parts.store.note(Act(parts.clock(), "nobody", "sign_in_failed", name if known else None, detail, _id(request)))


def _id(request: Request) -> str | None:
    found: str | None = request.scope["state"].get("request_id")
    return found


def let_in(request: Request, parts: Services, who: AccountRecord | str, by: str, target: str) -> Response:
    """A new session for an account, or for a role that a link or a key gave; the browser's old one ends."""
    now, hours = parts.clock(), parts.settings.session_hours
    old = session_of(request.scope)
    if old:
        parts.store.end_session(digest(old))
    until = now + timedelta(hours=hours)
    if isinstance(who, AccountRecord):
        token = new_session(parts.store, who.role, until, who.id)
        parts.store.note_sign_in(who.id, now)
        actor = f"account:{who.name}"
    else:
        token = new_session(parts.store, who, until)
        actor = by if by.startswith("key:") else f"link:{who}"
    detail = {"by": by.partition(":")[0] if by.startswith("key:") else by, "address": address_of(request.scope)}
    parts.store.note(Act(now, actor, "sign_in", None, detail, _id(request)))
    answer = RedirectResponse(target, 303)
    set_cookie(request, answer, COOKIE, token, int(hours * 3600))
    return answer


def set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    """A cookie that no script reads and no other site sends along with a change; 0 seconds take it away."""
    scheme = request.url.scheme
    answer.set_cookie(
        cookie_name(scheme, name),
        value,
        max_age=seconds,
        path="/",
        secure=scheme == "https",
        httponly=True,
        samesite="lax",
    )


@router.post("/sign-out")
def sign_out(request: Request, parts: Parts) -> Response:
    """End the session here and in the browser."""
    asker = current(request)
    if asker.session:
        parts.store.end_session(digest(asker.session))
        parts.store.note(Act(parts.clock(), asker.actor, "sign_out", request_id=_id(request)))
    answer = RedirectResponse("/sign-in", 303)
    for name in (COOKIE, f"__Host-{COOKIE}"):
        answer.delete_cookie(name, path="/", secure=name != COOKIE, httponly=True, samesite="lax")
    return answer


@router.get("/account")
def account_page(request: Request, parts: Parts) -> Response:
    """Who one is here, and a new password."""
    return _account_page(request, parts)


def _account_page(request: Request, parts: Services, status: int = 200, wrong: str | None = None) -> Response:
    asker = current(request)
    account = parts.store.account(asker.account) if asker.account else None
    return page(request, "account.html", status, account=account, wrong=wrong)


@router.post("/account/password")
async def new_password(
    request: Request,
    parts: Parts,
    new: Annotated[str, Form(max_length=10_000)],
    old: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """A new password; every other browser is signed out."""
    account = await changed_password(request, parts, old, new)
    return await parts.pool.run(lambda: let_in(request, parts, account, "password", "/account"))


async def changed_password(request: Request, parts: Services, old: str, new: str) -> AccountRecord:
    """The asker's account with its new password, and a line in the audit log."""
    asker = current(request)
    if asker.account is None or asker.name is None:
        raise Refused(403, "only who signed in to an account has a password to change")
    account, name, address = asker.account, asker.name, address_of(request.scope)
    parts.attempts.begin(address, name)
    changed = await parts.passwords.run(lambda: change_own_password(parts.store, account, old, new))
    parts.attempts.succeeded(address, name)
    act = Act(parts.clock(), asker.actor, "set_own_password", asker.name, request_id=_id(request))
    await parts.pool.run(lambda: parts.store.note(act))
    return changed
