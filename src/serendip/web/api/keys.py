"""API keys of programs: made and shown once, listed, revoked by an administrator."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.access import make_key
from serendip.store import KeyRecord
from serendip.web.api import READING, WRITING, refusals
from serendip.web.asker import noted
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Moment
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["keys"])

ScopeName = Literal["read", "write", "admin"]


class KeyBody(Body):
    """A new key."""

    name: str = Field(min_length=1, max_length=200, description="To tell it apart from others.")
    scopes: list[ScopeName] = Field(["read", "write"], min_length=1, max_length=3)
    expires_at: Moment | None = Field(None, description="Exclusive; without it the key lives until it is revoked.")


class KeyShown(BaseModel):
    """A key, without the key itself."""

    id: str
    prefix: str
    """Its first letters."""
    name: str
    scopes: list[ScopeName]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    """To the minute."""


class KeyMade(KeyShown):
    """A key that was just made."""

    key: str
    """Shown this once."""


class KeysShown(BaseModel):
    """All keys."""

    keys: list[KeyShown]


def key_json(record: KeyRecord) -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "id": record.id,
        "prefix": record.prefix,
        "name": record.name,
        "scopes": list(record.scopes),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "used_at": record.used_at,
    }


@router.get("/v1/keys", operation_id="list_keys", response_model=KeysShown, responses=refusals(*READING))
def list_keys(parts: Parts) -> Response:
    """Every key that was not revoked, oldest first."""
    kept = parts.store.keys()
    return Json({"keys": [key_json(record) for record in kept]})


@router.post(
    "/v1/keys", operation_id="create_key", status_code=201, response_model=KeyMade, responses=refusals(*WRITING)
)
def create_key(request: Request, parts: Parts, body: KeyBody) -> Response:
    """A new key; the answer is the one place where it can be read."""
    made = make_key(parts.store, body.name, body.scopes, parts.clock(), body.expires_at)
    noted(request, key=made.record.id, name=body.name, scopes=list(made.record.scopes))
    return Json({**key_json(made.record), "key": made.plain}, 201)


@router.get("/v1/keys/{key:id}", operation_id="read_key", response_model=KeyShown, responses=refusals(*READING, 404))
def read_key(parts: Parts, key: str) -> Response:
    """One key."""
    record = parts.store.key_of_id(checked_id(key, "key"))
    if record is None:
        raise NotFound(f"no key {key!r}; GET /v1/keys lists their ids")
    return Json(key_json(record))


@router.delete("/v1/keys/{key:id}", operation_id="revoke_key", status_code=204, responses=refusals(*READING, 404))
def revoke_key(parts: Parts, key: str) -> Response:
    """End a key; within a second it opens nothing any more, in any process."""
    if not parts.store.revoke_key(checked_id(key, "key")):
        raise NotFound(f"no key {key!r}; GET /v1/keys lists their ids")
    return Response(status_code=204)
