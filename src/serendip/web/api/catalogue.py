"""Users and items: create, read, replace, update, delete, list and search; and what is alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from serendip.domain import Conflict, Item, NotFound, User, checked_id
from serendip.flows.recommend import similar
from serendip.web import shapes
from serendip.web.answered import ItemShown, ItemsPage, NeighboursShown, UserShown, UsersPage
from serendip.web.api import READING, WRITING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Count, Id, ItemBody, ItemFields, ItemPatch, Question, UserBody, UserFields, UserPatch
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute)


class ListQuestion(Question):
    """A stretch of a list."""

    search: str | None = Field(None, max_length=1000, description="Found anywhere in ids and texts, whatever its case.")
    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None


class ItemsQuestion(ListQuestion):
    """A stretch of the items."""

    catalogue: Id | None = None
    tag: str | None = Field(None, max_length=200)


class NeighboursQuestion(Question):
    """What is alike."""

    n: Count = 10
    scenario: str = Field("for-you", max_length=100)
    filter: str | None = Field(None, max_length=10_000)


def found_user(parts: Services, user: str) -> User:
    """The record of ``user``."""
    record = parts.store.user(checked_id(user, "user"))
    if record is None:
        raise NotFound(f"no user {user!r}; GET /v1/users lists them")
    return record


def found_item(parts: Services, item: str) -> Item:
    """The record of ``item``."""
    record = parts.store.item(checked_id(item, "item"))
    if record is None:
        raise NotFound(f"no item {item!r}; GET /v1/items lists them")
    return record


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Attributes after a patch: those named change, null removes one."""
    return {name: value for name, value in {**old, **new}.items() if value is not None}


@router.get(
    "/v1/users", operation_id="list_users", tags=["users"], response_model=UsersPage, responses=refusals(*READING)
)
def list_users(parts: Parts, question: Annotated[ListQuestion, Query()]) -> Response:
    """Users by id."""
    page = parts.store.list_users(question.search, question.after, question.limit or parts.settings.page_size)
    return Json(
        {"users": [shapes.user_json(record) for record in page.records], "next": page.next, "total": page.total}
    )


@router.post(
    "/v1/users",
    operation_id="create_user",
    tags=["users"],
    status_code=201,
    response_model=UserShown,
    responses=refusals(*WRITING, 409),
)
def create_user(parts: Parts, body: UserBody) -> Response:
    """A new user; 409 when the id is taken."""
    if parts.store.user(body.id) is not None:
        raise Conflict(f"the user {body.id!r} exists; PUT /v1/users/{{user}} replaces it")
    record = body.user(body.id)
    parts.store.put_users([record])
    return Json(shapes.user_json(record), 201)


@router.get(
    "/v1/users/{user:id}",
    operation_id="read_user",
    tags=["users"],
    response_model=UserShown,
    responses=refusals(*READING, 404),
)
def read_user(parts: Parts, user: str) -> Response:
    """One user."""
    return Json(shapes.user_json(found_user(parts, user)))


@router.put(
    "/v1/users/{user:id}",
    operation_id="replace_user",
    tags=["users"],
    response_model=UserShown,
    responses={201: {"model": UserShown, "description": "It is new."}, **refusals(*WRITING)},
)
def replace_user(parts: Parts, user: str, body: UserFields) -> Response:
    """Keep exactly this under the id, whether or not it existed."""
    record = body.user(checked_id(user, "user"))
    return Json(shapes.user_json(record), 201 if parts.store.put_users([record]) else 200)


@router.patch(
    "/v1/users/{user:id}",
    operation_id="update_user",
    tags=["users"],
    response_model=UserShown,
    responses=refusals(*WRITING, 404),
)
def update_user(parts: Parts, user: str, body: UserPatch) -> Response:
    """Change what is named, keep the rest."""
    old = found_user(parts, user)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    if "attributes" in sent:
        sent["attributes"] = merged(dict(old.attributes), sent["attributes"])
    record = replace(old, **sent)
    parts.store.put_users([record])
    return Json(shapes.user_json(record))


@router.delete(
    "/v1/users/{user:id}",
    operation_id="delete_user",
    tags=["users"],
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_user(parts: Parts, user: str) -> Response:
    """Forget a user with everything the user did."""
    if not parts.store.delete_user(checked_id(user, "user")):
        raise NotFound(f"no user {user!r}; GET /v1/users lists them")
    return Response(status_code=204)


@router.get(
    "/v1/items", operation_id="list_items", tags=["items"], response_model=ItemsPage, responses=refusals(*READING)
)
def list_items(parts: Parts, question: Annotated[ItemsQuestion, Query()]) -> Response:
    """Items by id."""
    limit = question.limit or parts.settings.page_size
    page = parts.store.list_items(
        question.search, question.catalogue, (question.tag,) if question.tag else (), question.after, limit
    )
    return Json(
        {"items": [shapes.item_json(record) for record in page.records], "next": page.next, "total": page.total}
    )


@router.post(
    "/v1/items",
    operation_id="create_item",
    tags=["items"],
    status_code=201,
    response_model=ItemShown,
    responses=refusals(*WRITING, 409),
)
def create_item(parts: Parts, body: ItemBody) -> Response:
    """A new item; 409 when the id is taken."""
    if parts.store.item(body.id) is not None:
        raise Conflict(f"the item {body.id!r} exists; PUT /v1/items/{{item}} replaces it")
    record = body.item(body.id)
    parts.store.put_items([record])
    return Json(shapes.item_json(record), 201)


@router.get(
    "/v1/items/{item:id}",
    operation_id="read_item",
    tags=["items"],
    response_model=ItemShown,
    responses=refusals(*READING, 404),
)
def read_item(parts: Parts, item: str) -> Response:
    """One item."""
    return Json(shapes.item_json(found_item(parts, item)))


@router.put(
    "/v1/items/{item:id}",
    operation_id="replace_item",
    tags=["items"],
    response_model=ItemShown,
    responses={201: {"model": ItemShown, "description": "It is new."}, **refusals(*WRITING)},
)
def replace_item(parts: Parts, item: str, body: ItemFields) -> Response:
    """Keep exactly this under the id, whether or not it existed."""
    record = body.item(checked_id(item, "item"))
    return Json(shapes.item_json(record), 201 if parts.store.put_items([record]) else 200)


@router.patch(
    "/v1/items/{item:id}",
    operation_id="update_item",
    tags=["items"],
    response_model=ItemShown,
    responses=refusals(*WRITING, 404),
)
def update_item(parts: Parts, item: str, body: ItemPatch) -> Response:
    """Change what is named, keep the rest."""
    old = found_item(parts, item)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    if "attributes" in sent:
        sent["attributes"] = merged(dict(old.attributes), sent["attributes"])
    if "tags" in sent:
        sent["tags"] = tuple(sent["tags"])
    record = replace(old, **sent)
    parts.store.put_items([record])
    return Json(shapes.item_json(record))


@router.delete(
    "/v1/items/{item:id}",
    operation_id="delete_item",
    tags=["items"],
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_item(parts: Parts, item: str) -> Response:
    """Forget an item with everything done to it; it is not recommended again."""
    if not parts.store.delete_item(checked_id(item, "item")):
        raise NotFound(f"no item {item!r}; GET /v1/items lists them")
    return Response(status_code=204)


@router.get(
    "/v1/items/{item:id}/neighbours",
    operation_id="list_neighbours",
    tags=["items"],
    response_model=NeighboursShown,
    responses=refusals(*READING, 404),
)
def list_neighbours(parts: Parts, item: str, question: Annotated[NeighboursQuestion, Query()]) -> Response:
    """Items alike, best first, by the first model of the scenario that knows."""
    source, found = similar(
        parts.store,
        parts.live,
        checked_id(item, "item"),
        question.n,
        parts.clock(),
        question.scenario,
        question.filter,
    )
    items = parts.store.items_by_id([other for other, _ in found])
    return Json(shapes.neighbours_json(item, source, found, items))
