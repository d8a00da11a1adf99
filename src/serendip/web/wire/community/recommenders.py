"""Recommenders on the wire."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound
from serendip.store import RecommenderRecord
from serendip.web.json import Json
from serendip.web.services import Parts
from serendip.web.wire.community.shared import (
    READING,
    WRITING,
    Asked,
    Envelope,
    InPath,
    MatrixNumber,
    Number,
    Routes,
    Sent,
    matching,
    page,
    refusals,
)

router = Routes()


class RecommenderPatch(Sent):
    """Some fields of a recommender; matrices by their numbers or addresses."""

    id: Number | None = None
    name: str | None = Field(None, min_length=1, max_length=100)
    description: str | None = Field(None, max_length=10_000)
    user_similarity_matrix: MatrixNumber | None = None
    item_similarity_matrix: MatrixNumber | None = None


class RecommenderSent(RecommenderPatch):
    """A recommender."""

    name: str = Field(min_length=1, max_length=100)


class RecommenderTold(BaseModel):
    """A recommender."""

    id: int
    name: str
    description: str
    user_similarity_matrix: int | None
    item_similarity_matrix: int | None


class RecommendersTold(Envelope):
    """A stretch of the recommenders."""

    results: list[RecommenderTold]


class RecommendersAsked(Asked):
    """A stretch of the recommenders."""

    id: Number | None = None
    name: str | None = None
    user_similarity_matrix: MatrixNumber | None = None
    item_similarity_matrix: MatrixNumber | None = None


RECOMMENDER = {
    "name": "name",
    "description": "description",
    "user_similarity_matrix": "user_matrix",
    "item_similarity_matrix": "item_matrix",
}
"""What the wire calls our fields."""


def recommender_json(record: RecommenderRecord) -> dict[str, Any]:
    """A recommender as the wire has it."""
    shown = {theirs: getattr(record, ours) for theirs, ours in RECOMMENDER.items()}
    return {"id": record.id, **shown, "description": record.description or ""}


def _recommender(sent: RecommenderPatch) -> dict[str, Any]:
    return {ours: getattr(sent, theirs) for theirs, ours in RECOMMENDER.items() if theirs in sent.model_fields_set}


@router.get(
    "/recommenders",
    operation_id="community_list_recommenders",
    response_model=RecommendersTold,
    responses=refusals(*READING),
)
def list_recommenders(request: Request, parts: Parts, asked: Annotated[RecommendersAsked, Query()]) -> Response:
    """Recommenders in the order in which they came."""
    limit = asked.limit or parts.settings.page_size
    rows = [recommender_json(one) for one in parts.store.recommenders()]
    found = matching(asked, ("id", "name", "user_similarity_matrix", "item_similarity_matrix"), rows)
    return page(request, asked, limit, found[asked.offset : asked.offset + limit], len(found))


@router.post(
    "/recommenders",
    operation_id="community_create_recommender",
    status_code=201,
    response_model=RecommenderTold,
    responses=refusals(*WRITING, 409),
)
def create_recommender(parts: Parts, sent: RecommenderSent) -> Response:
    """A new recommender; 409 when the name is taken."""
    made = parts.store.add_recommender(RecommenderRecord(**_recommender(sent)))
    return Json(recommender_json(made), 201)


@router.get(
    "/recommenders/{number}",
    operation_id="community_read_recommender",
    response_model=RecommenderTold,
    responses=refusals(*READING, 404),
)
def read_recommender(parts: Parts, number: InPath) -> Response:
    """One recommender."""
    found = next((one for one in parts.store.recommenders() if one.id == number), None)
    if found is None:
        raise NotFound(f"no recommender {number}; list the recommenders")
    return Json(recommender_json(found))


@router.put(
    "/recommenders/{number}",
    operation_id="community_replace_recommender",
    response_model=RecommenderTold,
    responses=refusals(*WRITING, 404, 409),
)
def replace_recommender(parts: Parts, number: InPath, sent: RecommenderSent) -> Response:
    """The recommender from now on."""
    whole = {ours: getattr(sent, theirs) for theirs, ours in RECOMMENDER.items()}
    return Json(recommender_json(parts.store.change_recommender(number, **whole)))


@router.patch(
    "/recommenders/{number}",
    operation_id="community_update_recommender",
    response_model=RecommenderTold,
    responses=refusals(*WRITING, 404, 409),
)
def update_recommender(parts: Parts, number: InPath, sent: RecommenderPatch) -> Response:
    """Change what is named; null takes a matrix away."""
    changes = _recommender(sent)
    if changes.get("name", "") is None:
        del changes["name"]
    return Json(recommender_json(parts.store.change_recommender(number, **changes)))


@router.delete(
    "/recommenders/{number}",
    operation_id="community_delete_recommender",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_recommender(parts: Parts, number: InPath) -> Response:
    """Forget a recommender, not its matrices."""
    if not parts.store.drop_recommender(number):
        raise NotFound(f"no recommender {number}; list the recommenders")
    return Response(status_code=204)
