"""Items: create, read, replace, update, delete, many at once, list and search; and what is alike."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import checked_id
from serendip.flows.recommend import similar
from serendip.web import shapes
from serendip.web.answered import ChangedShown, ItemShown, ItemsPage, NeighboursShown
from serendip.web.api import READING, WRITING, refusals
from serendip.web.api.by_id import ITEMS
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
from serendip.web.sent import Body, Count, Id, ItemBody, ItemFields, ItemPatch, Question
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["items"])

Tag = Annotated[str, Field(max_length=200)]


class ItemsQuestion(ListQuestion):
    """A stretch of the items."""

    search: str | None = Field(None, max_length=1000, description="Found anywhere in ids and texts, whatever its case.")
    catalogue: Id | None = None
    tag: list[Tag] = Field([], max_length=20, description="Items that have this tag; repeat it for several.")
    without_tag: list[Tag] = Field([], max_length=20, alias="-tag", description="Items that do not have this tag.")
    hidden: bool | None = None
    attribute: list[AttributeAsked] = Field([], max_length=20, description="`name:value`; repeat it for several.")
    sort: Literal["id", "-id", "title", "-title", "created", "-created"] = "id"


class ItemsChange(Body):
    """Items to keep, each whole, and items to forget with everything done to them."""

    put: list[Annotated[ItemBody, Tried]] = MANY
    delete: list[Annotated[Id, Tried]] = MANY


class NeighboursQuestion(Question):
    """What is alike."""

    n: Count = 10
    scenario: str = Field("for-you", max_length=100)
    filter: str | None = Field(None, max_length=10_000)


@router.get("/v1/items", operation_id="list_items", response_model=ItemsPage, responses=refusals(*READING))
def list_items(parts: Parts, question: Annotated[ItemsQuestion, Query()]) -> Response:
    """Items by id, title or the order in which they came."""
    page = parts.store.list_items(
        question.search,
        question.catalogue,
        question.tag,
        question.after,
        question.limit or parts.settings.page_size,
        without=question.without_tag,
        hidden=question.hidden,
        attributes=attributes_asked(question.attribute),
        sort=question.sort,
        count=question.count,
    )
    return Json(
        {"items": [shapes.item_json(record) for record in page.records], "next": page.next, "total": page.total}
    )


@router.post(
    "/v1/items",
    operation_id="create_item",
    status_code=201,
    response_model=ItemShown,
    responses={200: {"model": ItemShown, "description": "It was there already."}, **refusals(*WRITING, 409)},
)
def create_item(parts: Parts, body: ItemBody, idempotency_key: IdempotencyKey = None) -> Response:
    """A new item; 409 when the id is taken."""
    return ITEMS.create(parts.store, body.id, body.item(body.id), idempotency_key)


@router.post("/v1/items/bulk", operation_id="change_items", response_model=ChangedShown, responses=refusals(*WRITING))
def change_items(request: Request, parts: Parts, body: ItemsChange) -> Response:
    """Keep and forget many. Valid rows are taken in one transaction and the rest are named; sent again, it changes
    nothing more. A body of which no row can be taken is refused with 422."""
    if body.delete:
        noted(request, deleted=len(body.delete))
    return change_many(
        body.put,
        body.delete,
        lambda row: row.id,
        lambda put, drop: parts.store.change_items([row.item(row.id) for row in put], drop),
    )


@router.get(
    "/v1/items/{item:id}",
    operation_id="read_item",
    response_model=ItemShown,
    responses={**NOT_MODIFIED, **refusals(*READING, 404)},
)
def read_item(parts: Parts, item: str, known: IfNoneMatch) -> Response:
    """One item."""
    return ITEMS.read(parts.store, item, known)


@router.put(
    "/v1/items/{item:id}",
    operation_id="replace_item",
    response_model=ItemShown,
    responses={201: {"model": ItemShown, "description": "It is new."}, **refusals(*WRITING, 412)},
)
def replace_item(parts: Parts, item: str, body: ItemFields, same: IfMatch, other: IfNoneMatch) -> Response:
    """Keep exactly this under the id, whether or not it existed."""
    return ITEMS.replace(parts.store, item, body.item(item), same, other)


@router.patch(
    "/v1/items/{item:id}",
    operation_id="update_item",
    response_model=ItemShown,
    responses=refusals(*WRITING, 404, 412),
)
def update_item(parts: Parts, item: str, body: ItemPatch, same: IfMatch) -> Response:
    """Change what is named, keep the rest."""
    return ITEMS.update(parts.store, item, body, same)


@router.delete(
    "/v1/items/{item:id}",
    operation_id="delete_item",
    status_code=204,
    responses=refusals(*READING, 404, 412),
)
def delete_item(parts: Parts, item: str, same: IfMatch) -> Response:
    """Forget an item with everything done to it; it is not recommended again."""
    return ITEMS.delete(parts.store, item, same)


@router.get(
    "/v1/items/{item:id}/neighbours",
    operation_id="list_neighbours",
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
