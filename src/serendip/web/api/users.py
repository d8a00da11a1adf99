"""Users: create, read, replace, update, delete, many at once, list and search; and who is alike."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import checked_id
from serendip.flows.people import similar_users
from serendip.web import shapes
from serendip.web.answered import AlikeShown, ChangedShown, UserShown, UsersPage
from serendip.web.api import READING, WRITING, refusals
from serendip.web.api.by_id import USERS
from serendip.web.api.records import (
    MANY,
    NOT_MODIFIED,
    AttributeAsked,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    ListQuestion,
    Tried,
    attributes_asked,
    change_many,
)
from serendip.web.asker import noted
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Count, Id, Question, UserBody, UserFields, UserPatch
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["users"])


class UsersQuestion(ListQuestion):
    """A stretch of the users."""

    search: str | None = Field(None, max_length=1000, description="Found anywhere in id or name, whatever its case.")
    name: str | None = Field(None, max_length=1000, description="Exactly this name.")
    attribute: list[AttributeAsked] = Field([], max_length=20, description="`name:value`; repeat it for several.")
    sort: Literal["id", "-id", "name", "-name", "created", "-created"] = "id"


class UsersChange(Body):
    """Users to keep, each whole, and users to forget with everything they did."""

    put: list[Annotated[UserBody, Tried]] = MANY
    delete: list[Annotated[Id, Tried]] = MANY


class AlikeQuestion(Question):
    """Who is alike."""

    n: Count = 10
    scenario: Id | None = Field(None, description="Whose model is asked; default: the first that recommends users.")


@router.get("/v1/users", operation_id="list_users", response_model=UsersPage, responses=refusals(*READING))
def list_users(parts: Parts, question: Annotated[UsersQuestion, Query()]) -> Response:
    """Users by id, name or the order in which they came."""
    page = parts.store.list_users(
        question.search,
        question.after,
        question.limit or parts.settings.page_size,
        name=question.name,
        attributes=attributes_asked(question.attribute),
        sort=question.sort,
        count=question.count,
    )
    return Json(
        {"users": [shapes.user_json(record) for record in page.records], "next": page.next, "total": page.total}
    )


@router.post(
    "/v1/users",
    operation_id="create_user",
    status_code=201,
    response_model=UserShown,
    responses={200: {"model": UserShown, "description": "It was there already."}, **refusals(*WRITING, 409)},
)
def create_user(parts: Parts, body: UserBody, idempotency_key: IdempotencyKey = None) -> Response:
    """A new user; 409 when the id is taken."""
    return USERS.create(parts.store, body.id, body.user(body.id), idempotency_key)


@router.post("/v1/users/bulk", operation_id="change_users", response_model=ChangedShown, responses=refusals(*WRITING))
def change_users(request: Request, parts: Parts, body: UsersChange) -> Response:
    """Keep and forget many. Valid rows are taken in one transaction and the rest are named; sent again, it changes
    nothing more. A body of which no row can be taken is refused with 422."""
    if body.delete:
        noted(request, deleted=len(body.delete))
    return change_many(
        body.put,
        body.delete,
        lambda row: row.id,
        lambda put, drop: parts.store.change_users([row.user(row.id) for row in put], drop),
    )


@router.get(
    "/v1/users/{user:id}",
    operation_id="read_user",
    response_model=UserShown,
    responses={**NOT_MODIFIED, **refusals(*READING, 404)},
)
def read_user(parts: Parts, user: str, known: IfNoneMatch) -> Response:
    """One user."""
    return USERS.read(parts.store, user, known)


@router.put(
    "/v1/users/{user:id}",
    operation_id="replace_user",
    response_model=UserShown,
    responses={201: {"model": UserShown, "description": "It is new."}, **refusals(*WRITING, 412)},
)
def replace_user(parts: Parts, user: str, body: UserFields, same: IfMatch, other: IfNoneMatch) -> Response:
    """Keep exactly this under the id, whether or not it existed."""
    return USERS.replace(parts.store, user, body.user(user), same, other)


@router.patch(
    "/v1/users/{user:id}",
    operation_id="update_user",
    response_model=UserShown,
    responses=refusals(*WRITING, 404, 412),
)
def update_user(parts: Parts, user: str, body: UserPatch, same: IfMatch) -> Response:
    """Change what is named, keep the rest."""
    return USERS.update(parts.store, user, body, same)


@router.delete(
    "/v1/users/{user:id}",
    operation_id="delete_user",
    status_code=204,
    responses=refusals(*READING, 404, 412),
)
def delete_user(parts: Parts, user: str, same: IfMatch) -> Response:
    """Forget a user with everything the user did. The id may come back; `POST /v1/erasures` sees that it does not."""
    return USERS.delete(parts.store, user, same)


@router.get(
    "/v1/users/{user:id}/neighbours",
    operation_id="list_user_neighbours",
    response_model=AlikeShown,
    responses=refusals(*READING, 404),
)
def list_user_neighbours(parts: Parts, user: str, question: Annotated[AlikeQuestion, Query()]) -> Response:
    """Users alike, best first, by the models of the scenario that know likeness of people."""
    asked = parts.store, parts.live, checked_id(user, "user"), question.n, parts.clock(), question.scenario
    source, found = similar_users(*asked)
    people = parts.store.users_by_id([other for other, _ in found])
    return Json(shapes.alike_json(user, source, [pair for pair in found if pair[0] in people], people))
