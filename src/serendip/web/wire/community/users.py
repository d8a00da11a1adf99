"""Users on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound, User, checked_id
from serendip.web.json import Json
from serendip.web.services import Parts
from serendip.web.wire.community.numbered import made, same
from serendip.web.wire.community.shared import (
    READING,
    WRITING,
    Asked,
    Envelope,
    Routes,
    Sent,
    ShownId,
    WireId,
    page,
    refusals,
    told,
)

router = Routes()


class UserSent(Sent):
    """A user; without an id it gets the next free number."""

    id: WireId | None = None
    username: str = Field(min_length=1, max_length=1000)
    email: str | None = Field(None, max_length=1000)


class UserPatch(Sent):
    """Some fields of a user."""

    id: WireId | None = None
    username: str | None = Field(None, min_length=1, max_length=1000)
    email: str | None = Field(None, max_length=1000)


class UserTold(BaseModel):
    """A user; no email is an empty one."""

    id: ShownId
    username: str
    email: str


class UsersTold(Envelope):
    """A stretch of the users."""

    results: list[UserTold]


class UsersAsked(Asked):
    """A stretch of the users."""

    id: str | None = None
    username: str | None = None
    email: str | None = None


def user_json(user: User) -> dict[str, Any]:
    """A user as the wire has it; one without a name is called by the id."""
    email = user.attributes.get("email")
    name = user.id if user.name is None else user.name
    return {"id": told(user.id), "username": name, "email": email if isinstance(email, str) else ""}


def _user(old: User | None, id: str, sent: UserSent | UserPatch) -> User:
    record = old or User(id)
    if "username" in sent.model_fields_set and sent.username is not None:
        record = replace(record, name=sent.username)
    if "email" in sent.model_fields_set:
        rest = {name: value for name, value in record.attributes.items() if name != "email"}
        record = replace(record, attributes={**rest, "email": sent.email} if sent.email else rest)
    return record


@router.get("/users", operation_id="community_list_users", response_model=UsersTold, responses=refusals(*READING))
def list_users(request: Request, parts: Parts, asked: Annotated[UsersAsked, Query()]) -> Response:
    """Users in the order in which they came."""
    limit = asked.limit or parts.settings.page_size
    found, count = parts.store.users_from(asked.offset, limit, asked.id, asked.username, asked.email)
    return page(request, asked, limit, [user_json(user) for user in found], count)


@router.post(
    "/users",
    operation_id="community_create_user",
    status_code=201,
    response_model=UserTold,
    responses=refusals(*WRITING, 409),
)
def create_user(parts: Parts, sent: UserSent) -> Response:
    """A new user; 409 when the id is taken."""
    new = made(parts.store, "users", sent.id, parts.store.change_user, lambda id: _user(None, id, sent))
    return Json(user_json(new), 201)


@router.get(
    "/users/{user:id}", operation_id="community_read_user", response_model=UserTold, responses=refusals(*READING, 404)
)
def read_user(parts: Parts, user: str) -> Response:
    """One user."""
    record = parts.store.user(checked_id(user, "user"))
    if record is None:
        raise NotFound(f"no user {user!r}; list the users")
    return Json(user_json(record))


def _changed_user(parts: Parts, user: str, sent: UserSent | UserPatch) -> Response:
    same(user, sent.id)

    def change(old: User | None) -> User:
        if old is None:
            raise NotFound(f"no user {user!r}; list the users")
        return _user(old, user, sent)

    return Json(user_json(parts.store.change_user(checked_id(user, "user"), change)[1]))


@router.put(
    "/users/{user:id}",
    operation_id="community_replace_user",
    response_model=UserTold,
    responses=refusals(*WRITING, 404),
)
def replace_user(parts: Parts, user: str, sent: UserSent) -> Response:
    """All that the wire has of a user; what else is known of it stays."""
    return _changed_user(parts, user, sent)


@router.patch(
    "/users/{user:id}",
    operation_id="community_update_user",
    response_model=UserTold,
    responses=refusals(*WRITING, 404),
)
def update_user(parts: Parts, user: str, sent: UserPatch) -> Response:
    """Change what is named."""
    return _changed_user(parts, user, sent)


@router.delete(
    "/users/{user:id}", operation_id="community_delete_user", status_code=204, responses=refusals(*READING, 404)
)
def delete_user(parts: Parts, user: str) -> Response:
    """Forget a user with everything the user did."""
    if not parts.store.delete_user(checked_id(user, "user")):
        raise NotFound(f"no user {user!r}; list the users")
    return Response(status_code=204)
