"""Items on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import Item, NotFound, checked_id
from serendip.store import Store
from serendip.store.votes import Vote
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


def _tags(value: object) -> object:
    """A list of tags, also as text with commas between them."""
    return [tag.strip() for tag in value.split(",") if tag.strip()] if isinstance(value, str) else value


Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    BeforeValidator(_tags),
    Field(max_length=1000),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]


class ItemPatch(Sent):
    """Some fields of an item; popularity, rating and votes are counted by us and not looked at."""

    id: WireId | None = None
    name: str | None = Field(None, min_length=1, max_length=1000)
    description: str | None = Field(None, max_length=1_000_000)
    tags: Tags | None = None
    popularity: float | None = None
    rating: float | None = None
    votes: int | None = None


class ItemSent(ItemPatch):
    """An item; without an id it gets the next free number."""

    name: str = Field(min_length=1, max_length=1000)


class ItemTold(BaseModel):
    """An item, and what its votes come to."""

    id: ShownId
    name: str
    description: str
    popularity: float = Field(description="minmax(mean rating x minmax(votes)) over all rated items.")
    rating: float | None = Field(description="Their mean; none without votes.")
    votes: int = Field(description="Users who rated it.")
    tags: list[str]


class ItemsTold(Envelope):
    """A stretch of the items."""

    results: list[ItemTold]


class ItemsAsked(Asked):
    """A stretch of the items."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    tag: list[str] = Field(default_factory=list, max_length=50, description="May be repeated; items have all of them.")


def items_json(store: Store, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Items as the wire has them."""
    votes = store.votes_of([item.id for item in items])
    return [_item_json(item, votes.get(item.id, Vote())) for item in items]


def _item_json(item: Item, vote: Vote) -> dict[str, Any]:
    return {
        "id": told(item.id),
        "name": item.id if item.title is None else item.title,
        "description": item.text or "",
        "popularity": vote.popularity,
        "rating": vote.rating,
        "votes": vote.votes,
        "tags": list(item.tags),
    }


def _item(old: Item | None, id: str, sent: ItemPatch) -> Item:
    record, named = old or Item(id), sent.model_fields_set
    if "name" in named and sent.name is not None:
        record = replace(record, title=sent.name)
    if "description" in named:
        record = replace(record, text=sent.description)
    if "tags" in named:
        record = replace(record, tags=tuple(sent.tags or ()))
    return record


@router.get("/items", operation_id="community_list_items", response_model=ItemsTold, responses=refusals(*READING))
def list_items(request: Request, parts: Parts, asked: Annotated[ItemsAsked, Query()]) -> Response:
    """Items in the order in which they came."""
    limit = asked.limit or parts.settings.page_size
    tags = [tag for tag in asked.tag if tag]
    found, count = parts.store.items_from(asked.offset, limit, asked.id, asked.name, asked.description, tags)
    return page(request, asked, limit, items_json(parts.store, found), count)


@router.post(
    "/items",
    operation_id="community_create_item",
    status_code=201,
    response_model=ItemTold,
    responses=refusals(*WRITING, 409),
)
def create_item(parts: Parts, sent: ItemSent) -> Response:
    """A new item; 409 when the id is taken."""
    new = made(parts.store, "items", sent.id, parts.store.change_item, lambda id: _item(None, id, sent))
    return Json(items_json(parts.store, [new])[0], 201)


@router.get(
    "/items/{item:id}", operation_id="community_read_item", response_model=ItemTold, responses=refusals(*READING, 404)
)
def read_item(parts: Parts, item: str) -> Response:
    """One item."""
    record = parts.store.item(checked_id(item, "item"))
    if record is None:
        raise NotFound(f"no item {item!r}; list the items")
    return Json(items_json(parts.store, [record])[0])


def _changed_item(parts: Parts, item: str, sent: ItemPatch) -> Response:
    same(item, sent.id)

    def change(old: Item | None) -> Item:
        if old is None:
            raise NotFound(f"no item {item!r}; list the items")
        return _item(old, item, sent)

    return Json(items_json(parts.store, [parts.store.change_item(checked_id(item, "item"), change)[1]])[0])


@router.put(
    "/items/{item:id}",
    operation_id="community_replace_item",
    response_model=ItemTold,
    responses=refusals(*WRITING, 404),
)
def replace_item(parts: Parts, item: str, sent: ItemSent) -> Response:
    """All that the wire has of an item; what else is known of it stays."""
    return _changed_item(parts, item, sent)


@router.patch(
    "/items/{item:id}",
    operation_id="community_update_item",
    response_model=ItemTold,
    responses=refusals(*WRITING, 404),
)
def update_item(parts: Parts, item: str, sent: ItemPatch) -> Response:
    """Change what is named."""
    return _changed_item(parts, item, sent)


@router.delete(
    "/items/{item:id}", operation_id="community_delete_item", status_code=204, responses=refusals(*READING, 404)
)
def delete_item(parts: Parts, item: str) -> Response:
    """Forget an item with everything done to it."""
    if not parts.store.delete_item(checked_id(item, "item")):
        raise NotFound(f"no item {item!r}; list the items")
    return Response(status_code=204)
