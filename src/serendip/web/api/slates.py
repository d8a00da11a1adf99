"""Slates as they were answered, and what followed from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from serendip.domain import NotFound, Slate, checked_id
from serendip.flows.live import Live
from serendip.web import shapes
from serendip.web.answered import InteractionsPage, SlateShown, SlatesPage
from serendip.web.api import READING, refusals
from serendip.web.api.interactions import page_json
from serendip.web.api.records import ListQuestion, stretch_of
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Id, Moment
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute, tags=["slates"])


class SlatesQuestion(ListQuestion):
    """A stretch of the slates."""

    user: Id | None = None
    scenario: Id | None = None
    since: Moment | None = None
    until: Moment | None = Field(None, description="Exclusive.")
    sort: Literal["-at", "at"] = "-at"


def as_answered(live: Live, slate: Slate) -> Slate:
    """A slate that was read back, which its scenario tells the kind of."""
    scenario = live.known.get(slate.scenario)
    return slate if scenario is None else replace(slate, recommends=scenario.config.recommend)


def _found(parts: Services, slate: str) -> Slate:
    found = parts.store.slate(checked_id(slate, "slate"))
    if found is None:
        raise NotFound(f"no slate {slate!r}; it was never answered, or is so old that it was dropped")
    return as_answered(parts.live, found)


@router.get("/v1/slates", operation_id="list_slates", response_model=SlatesPage, responses=refusals(*READING))
def list_slates(parts: Parts, question: Annotated[SlatesQuestion, Query()]) -> Response:
    """The latest first, of everybody or of one user, scenario or time."""
    asked = stretch_of(parts, question, question.sort)
    page = parts.store.list_slates(asked, question.user, question.scenario, question.since, question.until)
    slates = [as_answered(parts.live, slate) for slate in page.records]
    return Json({"slates": shapes.slates_json(parts.store, slates), "next": page.next, "total": page.total})


@router.get(
    "/v1/slates/{slate:id}",
    operation_id="read_slate",
    response_model=SlateShown,
    responses=refusals(*READING, 404),
)
def read_slate(parts: Parts, slate: str) -> Response:
    """One answer as it was given."""
    return Json(shapes.slates_json(parts.store, [_found(parts, slate)])[0])


@router.get(
    "/v1/slates/{slate:id}/interactions",
    operation_id="list_slate_interactions",
    response_model=InteractionsPage,
    responses=refusals(*READING, 404),
)
def list_slate_interactions(parts: Parts, slate: str, question: Annotated[ListQuestion, Query()]) -> Response:
    """What followed from a slate: the interactions that named it, in order of time."""
    found = _found(parts, slate)
    asked = stretch_of(parts, question, "at")
    return Json(
        page_json(
            parts.store.recent_interactions(
                asked.limit, before=asked.after, slate=found.id, sort=asked.sort, count=asked.count
            )
        )
    )
