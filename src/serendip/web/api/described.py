"""What the hot routes take and give, for the OpenAPI document; a test holds the routes to it. Never called."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query

from serendip.web.answered import RecordedShown, SlateShown, SlatesShown
from serendip.web.api import READING, WRITING, refusals
from serendip.web.sent import InteractionBody, RecommendBody, RecommendQuestion

described = APIRouter()


@described.get(
    "/v1/recommendations",
    operation_id="recommend",
    tags=["recommendations"],
    response_model=SlateShown,
    responses=refusals(*READING, 404),
    summary="Recommend items to a user",
)
async def recommend(question: Annotated[RecommendQuestion, Query()]) -> None:
    """What was recorded a moment ago counts. A user that nobody knows gets the fallback, and `known` is false."""


@described.post(
    "/v1/recommendations",
    operation_id="recommend_many",
    tags=["recommendations"],
    response_model=SlatesShown | SlateShown,
    responses=refusals(*WRITING, 404),
    summary="Recommend items to many users, or to a session",
)
async def recommend_many(body: RecommendBody) -> None:
    """With `users`: one slate each, in `slates`. With `history`: one slate for the events sent."""


@described.post(
    "/v1/interactions",
    operation_id="record_interactions",
    tags=["interactions"],
    status_code=201,
    response_model=RecordedShown,
    responses={
        200: {"model": RecordedShown, "description": "A list was taken, or the one interaction had been recorded."},
        **refusals(*WRITING, 409),
    },
    summary="Record one interaction or a list",
)
async def record_interactions(
    body: Annotated[InteractionBody | list[InteractionBody], Body()],
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="For a single interaction; rows of a list have their own `key`.")
    ] = None,
) -> None:
    """What is acknowledged is on disk. Of a list, the valid rows are kept in one transaction and the rest are named in
    `refused`; a list of which no row can be kept is refused with 422. Unknown users and items are made,
    but not for members of the place."""
