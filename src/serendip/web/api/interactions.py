"""Interactions as they are kept; recording them is a hot route."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from serendip.web import shapes
from serendip.web.answered import InteractionsPage
from serendip.web.api import READING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Count, Id, Question
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute)


class InteractionsQuestion(Question):
    """A stretch of the interactions."""

    user: Id | None = None
    item: Id | None = None
    kind: Id | None = None
    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None


@router.get(
    "/v1/interactions",
    operation_id="list_interactions",
    tags=["interactions"],
    response_model=InteractionsPage,
    responses=refusals(*READING),
)
def list_interactions(parts: Parts, question: Annotated[InteractionsQuestion, Query()]) -> Response:
    """The latest first, of everybody or of one user, item or kind."""
    page = parts.store.recent_interactions(
        question.limit or parts.settings.page_size, question.kind, question.user, question.item, question.after
    )
    return Json(
        {
            "interactions": [{"id": one.id, **shapes.interaction_json(one.interaction)} for one in page.records],
            "next": page.next,
            "total": page.total,
        }
    )
