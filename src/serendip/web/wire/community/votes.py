"""Votes on the wire: interactions of the kind ``rating``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import Interaction, InteractionKind, Invalid, NotFound
from serendip.flows.record import fault, record
from serendip.web.json import Json
from serendip.web.sent import MAX_ROWS, Moment
from serendip.web.services import Parts
from serendip.web.wire.community.shared import (
    READING,
    WRITING,
    Asked,
    Envelope,
    InPath,
    Routes,
    Sent,
    ShownId,
    WireId,
    one_or_many,
    page,
    refusals,
    told,
)

router = Routes()

KIND = "rating"
"""The kind of interaction that a vote is."""


class VoteSent(Sent):
    """A vote; without a rating there is none."""

    user: WireId
    item: WireId
    rating: float = Field(allow_inf_nan=False, description="On the scale that the kind `rating` was declared with.")
    created_at: Moment | None = Field(None, description="Default: now.")

    def interaction(self, now: datetime) -> Interaction:
        """The domain's word for it."""
        return Interaction(self.user, self.item, self.created_at or now, KIND, self.rating)


class VotePatch(Sent):
    """Some fields of a vote."""

    user: WireId | None = None
    item: WireId | None = None
    rating: float | None = Field(None, allow_inf_nan=False)
    created_at: Moment | None = None


class VoteTold(BaseModel):
    """A vote."""

    user: ShownId
    item: ShownId
    rating: float
    created_at: datetime


class VotesTold(Envelope):
    """A stretch of the votes."""

    results: list[VoteTold]


class VotesAsked(Asked):
    """A stretch of the votes."""

    user: str | None = None
    item: str | None = None
    rating: float | None = Field(None, allow_inf_nan=False)


def vote_json(event: Interaction) -> dict[str, Any]:
    """A vote as the wire has it."""
    return {"user": told(event.user), "item": told(event.item), "rating": event.value, "created_at": event.at}


@router.get(
    "/interactions",
    operation_id="community_list_interactions",
    response_model=VotesTold,
    responses=refusals(*READING),
)
def list_interactions(request: Request, parts: Parts, asked: Annotated[VotesAsked, Query()]) -> Response:
    """Votes in the order in which they came."""
    limit = asked.limit or parts.settings.page_size
    found, count = parts.store.interactions_from(asked.offset, limit, KIND, asked.user, asked.item, asked.rating)
    return page(request, asked, limit, [vote_json(one.interaction) for one in found], count)


@router.post(
    "/interactions",
    operation_id="community_create_interactions",
    status_code=201,
    response_model=VoteTold | list[VoteTold],
    responses=refusals(*WRITING, 409),
)
def create_interactions(
    request: Request, parts: Parts, sent: VoteSent | Annotated[list[VoteSent], Field(min_length=1, max_length=MAX_ROWS)]
) -> Response:
    """A vote, or a list of them: all are kept, or none where one cannot be. A single one says where it is found."""
    now = parts.clock()
    if KIND not in parts.store.kinds():
        parts.store.declare_kinds([InteractionKind(KIND, "latest")])
    votes = [one.interaction(now) for one in (sent if isinstance(sent, list) else [sent])]
    kinds = parts.store.kinds()
    for place, vote in enumerate(votes):
        wrong = fault(vote, kinds, now)
        if wrong is not None:
            where = f"interaction {place}: " if len(votes) > 1 else ""
            raise Invalid(f"{where}{wrong}", field=wrong.field)
    done = record(parts.store, votes, now)
    refused = next((one for one in done.outcomes if isinstance(one, Exception)), None)
    if refused is not None:
        raise refused
    location = None if isinstance(sent, list) else f"{str(request.url.path).rstrip('/')}/{done.ids[0]}/"
    return one_or_many([vote_json(vote) for vote in votes], isinstance(sent, list), location)


def _vote(found: Interaction | None, number: int) -> Interaction:
    if found is None or found.kind != KIND or found.value is None:
        raise NotFound(f"no interaction {number}; list the interactions")
    return found


@router.get(
    "/interactions/{number}",
    operation_id="community_read_interaction",
    response_model=VoteTold,
    responses=refusals(*READING, 404),
)
def read_interaction(parts: Parts, number: InPath) -> Response:
    """One vote."""
    return Json(vote_json(_vote(parts.store.interaction(number), number)))


def _changed(parts: Parts, number: int, **changes: Any) -> Response:
    now, kinds = parts.clock(), parts.store.kinds()

    def change(old: Interaction | None) -> Interaction:
        new = replace(_vote(old, number), **changes)
        wrong = fault(new, kinds, now)
        if wrong is not None:
            raise wrong
        return new

    return Json(vote_json(parts.store.change_interaction(number, change)))


@router.put(
    "/interactions/{number}",
    operation_id="community_replace_interaction",
    response_model=VoteTold,
    responses=refusals(*WRITING, 404),
)
def replace_interaction(parts: Parts, number: InPath, sent: VoteSent) -> Response:
    """Another vote in its place."""
    changes = {"at": sent.created_at} if sent.created_at is not None else {}
    return _changed(parts, number, user=sent.user, item=sent.item, value=sent.rating, **changes)


@router.patch(
    "/interactions/{number}",
    operation_id="community_update_interaction",
    response_model=VoteTold,
    responses=refusals(*WRITING, 404),
)
def update_interaction(parts: Parts, number: InPath, sent: VotePatch) -> Response:
    """Change what is named."""
    names = {"user": "user", "item": "item", "rating": "value", "created_at": "at"}
    named = {names[field]: getattr(sent, field) for field in sent.model_fields_set}
    if missing := [field for field in sent.model_fields_set if getattr(sent, field) is None]:
        raise Invalid(f"{missing[0]} is null; a vote has all of its fields", field=missing[0])
    return _changed(parts, number, **named)


@router.delete(
    "/interactions/{number}",
    operation_id="community_delete_interaction",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_interaction(parts: Parts, number: InPath) -> Response:
    """Take a vote back."""
    if not parts.store.delete_interaction(number, lambda found: _vote(found, number)):
        raise NotFound(f"no interaction {number}; list the interactions")
    return Response(status_code=204)
