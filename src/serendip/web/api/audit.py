"""The audit log, for administrators to read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from serendip.web.api import READING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Count, Moment, Question
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["audit"])


class AuditQuestion(Question):
    """A stretch of the log."""

    actor: str | None = Field(None, max_length=600, description="Such as `account:ann`, `key:sd_1a2b3c4d`, `terminal`.")
    action: str | None = Field(None, max_length=200, description="An operation's id, such as `promote_model`.")
    since: Moment | None = None
    until: Moment | None = Field(None, description="Exclusive.")
    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None


class ActShown(BaseModel):
    """Something that was done."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str | None
    detail: dict[str, Any] | None
    request_id: str | None


class ActsPage(BaseModel):
    """A stretch of the log, newest first."""

    acts: list[ActShown]
    next: str | None


@router.get("/v1/audit", operation_id="list_acts", response_model=ActsPage, responses=refusals(*READING))
def list_acts(parts: Parts, question: Annotated[AuditQuestion, Query()]) -> Response:
    """Who did what, newest first: administrative acts, and every way in."""
    page = parts.store.acts(
        question.actor,
        question.action,
        question.since,
        question.until,
        question.after,
        question.limit or parts.settings.page_size,
    )
    shown = [
        {
            "id": act.id,
            "at": act.at,
            "actor": act.actor,
            "action": act.action,
            "target": act.target,
            "detail": None if act.detail is None else dict(act.detail),
            "request_id": act.request_id,
        }
        for act in page.records
    ]
    return Json({"acts": shown, "next": page.next})
