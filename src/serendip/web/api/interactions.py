"""Interactions as they are kept: list, read, put right, take back; recording them is a hot route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from serendip.domain import Interaction, Invalid, NotFound
from serendip.flows.record import correct
from serendip.store import Page, RecordedInteraction
from serendip.web import shapes
from serendip.web.answered import InteractionShown, InteractionsPage, TakenBack
from serendip.web.api import READING, WRITING, refusals
from serendip.web.api.records import (
    NOT_MODIFIED,
    IfMatch,
    IfNoneMatch,
    ListQuestion,
    answered,
    must_be,
    read,
)
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Free, Id, Moment, Question
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["interactions"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="Its `id`.")]


class InteractionsQuestion(ListQuestion):
    """A stretch of the interactions."""

    user: Id | None = None
    item: Id | None = None
    kind: Id | None = None
    slate: Id | None = Field(None, description="Those that followed from this slate.")
    since: Moment | None = None
    until: Moment | None = Field(None, description="Exclusive.")
    at_least: float | None = Field(None, allow_inf_nan=False, description="The lowest value, inclusive.")
    at_most: float | None = Field(None, allow_inf_nan=False, description="The highest value, inclusive.")
    sort: Literal["-at", "at", "recorded", "-recorded"] = "-at"


class TakeBackQuestion(Question):
    """Which interactions of a user."""

    user: Id
    item: Id | None = None
    kind: Id | None = None


class InteractionPatch(Body):
    """Some fields of an interaction."""

    user: Id | None = None
    item: Id | None = None
    kind: Id | None = None
    value: float | None = Field(None, allow_inf_nan=False)
    at: Moment | None = None
    context: Free | None = None
    slate: Id | None = None


class InteractionFields(Body):
    """A whole interaction but for its key, which stays."""

    user: Id
    item: Id
    kind: Id = "interaction"
    value: float | None = Field(None, allow_inf_nan=False)
    at: Moment
    context: Free | None = None
    slate: Id | None = None


def page_json(page: Page[RecordedInteraction]) -> dict[str, Any]:
    """A stretch of the interactions."""
    return {
        "interactions": [_json(one.id, one.interaction) for one in page.records],
        "next": page.next,
        "total": page.total,
    }


def _json(number: int, event: Interaction) -> dict[str, Any]:
    return {"id": number, **shapes.interaction_json(event)}


def _found(number: int, event: Interaction | None) -> Interaction:
    if event is None:
        raise NotFound(f"no interaction {number}; GET /v1/interactions lists them with their ids")
    return event


@router.get(
    "/v1/interactions", operation_id="list_interactions", response_model=InteractionsPage, responses=refusals(*READING)
)
def list_interactions(parts: Parts, question: Annotated[InteractionsQuestion, Query()]) -> Response:
    """The latest first, of everybody or of one user, item, kind, slate, time or range of values."""
    page = parts.store.recent_interactions(
        question.limit or parts.settings.page_size,
        question.kind,
        question.user,
        question.item,
        question.after,
        since=question.since,
        until=question.until,
        at_least=question.at_least,
        at_most=question.at_most,
        slate=question.slate,
        sort=question.sort,
        count=question.count,
    )
    return Json(page_json(page))


@router.delete(
    "/v1/interactions", operation_id="delete_interactions", response_model=TakenBack, responses=refusals(*READING)
)
def delete_interactions(parts: Parts, question: Annotated[TakeBackQuestion, Query()]) -> Response:
    """Take back what a user did: everything, or what was done with one item, or of one kind."""
    return Json({"deleted": parts.store.delete_interactions(question.user, question.item, question.kind)})


@router.get(
    "/v1/interactions/{interaction}",
    operation_id="read_interaction",
    response_model=InteractionShown,
    responses={**NOT_MODIFIED, **refusals(*READING, 404)},
)
def read_interaction(parts: Parts, interaction: Number, known: IfNoneMatch) -> Response:
    """One interaction."""
    return read(_json(interaction, _found(interaction, parts.store.interaction(interaction))), known)


@router.put(
    "/v1/interactions/{interaction}",
    operation_id="replace_interaction",
    response_model=InteractionShown,
    responses=refusals(*WRITING, 404, 412),
)
def replace_interaction(parts: Parts, interaction: Number, body: InteractionFields, same: IfMatch) -> Response:
    """Put an interaction right; its idempotency key stays with it."""
    return _corrected(parts, interaction, dict(body), same)


@router.patch(
    "/v1/interactions/{interaction}",
    operation_id="update_interaction",
    response_model=InteractionShown,
    responses=refusals(*WRITING, 404, 412),
)
def update_interaction(parts: Parts, interaction: Number, body: InteractionPatch, same: IfMatch) -> Response:
    """Change what is named, keep the rest."""
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("user", "item", "kind", "at"):
        if sent.get(name, ...) is None:
            raise Invalid(f"an interaction has always its {name}; leave it out to keep it", field=name)
    return _corrected(parts, interaction, sent, same)


def _corrected(parts: Parts, number: int, fields: Mapping[str, Any], same: IfMatch) -> Response:
    def change(old: Interaction | None) -> Interaction:
        known = _found(number, old)
        must_be(same, _json(number, known))
        return replace(known, **fields)

    return answered(_json(number, correct(parts.store, number, change, parts.clock())))


@router.delete(
    "/v1/interactions/{interaction}",
    operation_id="delete_interaction",
    status_code=204,
    responses=refusals(*READING, 404, 412),
)
def delete_interaction(parts: Parts, interaction: Number, same: IfMatch) -> Response:
    """Take one interaction back."""
    if not parts.store.delete_interaction(interaction, lambda old: must_be(same, _json(interaction, old))):
        _found(interaction, None)
    return Response(status_code=204)
