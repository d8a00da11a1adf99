"""Accounts of people: made, listed, changed, removed by an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.access import new_account_link
from serendip.flows.accounts import change_account, create_account, set_password
from serendip.flows.passwords import SHORTEST
from serendip.store import AccountRecord
from serendip.web.api import READING, WRITING, refusals
from serendip.web.asker import noted
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Count, Id, Question
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute, tags=["accounts"])

Role = Literal["member", "operator", "administrator"]
Email = Annotated[str, Field(max_length=320, description="Only an address that you know to be theirs.")]
Password = Annotated[str, Field(max_length=1024, description=f"{SHORTEST} characters or more, and not the name.")]


class AccountsQuestion(Question):
    """A stretch of the accounts."""

    search: str | None = Field(None, max_length=100, description="Found anywhere in names, whatever its case.")
    role: Role | None = None
    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None


class AccountBody(Body):
    """A new account; without a password, a link or a provider lets its person in."""

    name: str = Field(max_length=100, description="What the person signs in with; kept in lower case.")
    role: Role = "member"
    password: Password | None = None
    email: Email | None = None
    user: Id | None = Field(None, description="Whose history it reads and writes; by default a user of its name.")


class AccountPatch(Body):
    """Some fields of an account. A new role and disabling end its sessions at once."""

    role: Role = "member"
    email: Email | None = None
    user: Id | None = None
    disabled: bool = False


class PasswordBody(Body):
    """A new password."""

    password: Password


class AccountShown(BaseModel):
    """An account, without its password."""

    id: str
    name: str
    role: Role
    email: str | None
    user: str | None
    disabled: bool
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None


class AccountsPage(BaseModel):
    """A stretch of the accounts."""

    accounts: list[AccountShown]
    next: str | None
    total: int


class LinkShown(BaseModel):
    """A way in that works once, within the hour."""

    link: str
    """Put the server's address before it."""


def account_json(record: AccountRecord) -> dict[str, Any]:
    """An account as the API shows it."""
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "email": record.email,
        "user": record.user,
        "disabled": record.disabled,
        "has_password": record.password is not None,
        "created_at": record.created_at,
        "signed_in_at": record.signed_in_at,
    }


def told(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log says of a change: which fields, and the values of those that are about rights."""
    return {"fields": sorted(changes), **{name: changes[name] for name in ("role", "disabled") if name in changes}}


def found_account(parts: Services, account: str) -> AccountRecord:
    """The account of this id."""
    record = parts.store.account(checked_id(account, "account"))
    if record is None:
        raise NotFound(f"no account {account!r}; GET /v1/accounts lists them with their ids")
    return record


@router.get("/v1/accounts", operation_id="list_accounts", response_model=AccountsPage, responses=refusals(*READING))
def list_accounts(parts: Parts, question: Annotated[AccountsQuestion, Query()]) -> Response:
    """Accounts by name."""
    page = parts.store.accounts(
        question.search, question.role, question.after, question.limit or parts.settings.page_size
    )
    return Json({"accounts": [account_json(record) for record in page.records], "next": page.next, "total": page.total})


@router.post(
    "/v1/accounts",
    operation_id="create_account",
    status_code=201,
    response_model=AccountShown,
    responses=refusals(*WRITING, 409),
)
async def create(request: Request, parts: Parts, body: AccountBody) -> Response:
    """A new account; 409 when the name is taken."""
    now = parts.clock()
    record = await parts.passwords.run(
        lambda: create_account(parts.store, body.name, body.role, now, body.password, body.email, body.user)
    )
    noted(request, account=record.id, name=record.name, role=record.role)
    return Json(account_json(record), 201)


@router.get(
    "/v1/accounts/{account:id}",
    operation_id="read_account",
    response_model=AccountShown,
    responses=refusals(*READING, 404),
)
def read(parts: Parts, account: str) -> Response:
    """One account."""
    return Json(account_json(found_account(parts, account)))


@router.patch(
    "/v1/accounts/{account:id}",
    operation_id="update_account",
    response_model=AccountShown,
    responses=refusals(*WRITING, 404, 409),
)
def update(request: Request, parts: Parts, account: str, body: AccountPatch) -> Response:
    """Change the fields that are sent. The last administrator stays one: 409."""
    changes = body.model_dump(exclude_unset=True)
    record = change_account(parts.store, checked_id(account, "account"), **changes)
    noted(request, name=record.name, **told(changes))
    return Json(account_json(record))


@router.put(
    "/v1/accounts/{account:id}/password",
    operation_id="set_account_password",
    response_model=AccountShown,
    responses=refusals(*WRITING, 404),
)
async def put_password(request: Request, parts: Parts, account: str, body: PasswordBody) -> Response:
    """A new password; the account is signed out everywhere."""
    wanted = checked_id(account, "account")
    record = await parts.passwords.run(lambda: set_password(parts.store, wanted, body.password))
    noted(request, name=record.name)
    return Json(account_json(record))


@router.post(
    "/v1/accounts/{account:id}/link",
    operation_id="create_account_link",
    status_code=201,
    response_model=LinkShown,
    responses=refusals(*WRITING, 404),
)
def create_link(request: Request, parts: Parts, account: str) -> Response:
    """A link that signs in as this account, once, within an hour; for a person without a password yet."""
    record = found_account(parts, account)
    noted(request, name=record.name)
    return Json({"link": new_account_link(parts.store, record, parts.clock())}, 201)


@router.delete(
    "/v1/accounts/{account:id}",
    operation_id="delete_account",
    status_code=204,
    responses=refusals(*READING, 404, 409),
)
def remove(request: Request, parts: Parts, account: str) -> Response:
    """Remove an account and sign it out; its user's history stays. The last administrator stays: 409."""
    record = parts.store.delete_account(checked_id(account, "account"))
    noted(request, name=record.name)
    return Response(status_code=204)
