"""A person's own data: all of it handed over, all of it forgotten for good, and that lifted again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from serendip.domain import NotFound
from serendip.flows.forget import everything_of, forget
from serendip.web import shapes
from serendip.web.answered import InteractionShown, RelationShown, SlateShown, UserShown
from serendip.web.api import READING, WRITING, refusals
from serendip.web.api.records import ListQuestion, stretch_of
from serendip.web.api.slates import as_answered
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Id
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute)

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Its `digest`.")]


class ErasureBody(Body):
    """Who is to be forgotten."""

    user: Id


class ErasuresQuestion(ListQuestion):
    """A stretch of the erasures."""

    sort: Literal["-at", "at"] = "-at"


class ErasureShown(BaseModel):
    """That somebody was erased; of whom only a digest is kept."""

    digest: str
    at: datetime


class ErasuresPage(BaseModel):
    """Erasures, newest first."""

    erasures: list[ErasureShown]
    next: str | None
    total: int | None


class ErasedShown(ErasureShown):
    """What was deleted; ``accounts`` stood for the user: those of members are gone, the others signed out.

    ``versions_to_retrain`` hold what the user took, under a hash of the id: train again, and drop them.
    """

    users: int
    interactions: int
    relations: int
    slates: int
    matrix_rows: int
    accounts: list[str]
    versions_to_retrain: list[str]


class AccountOfUser(BaseModel):
    """An account that stands for a user, without its secrets."""

    id: str
    name: str
    email: str | None
    role: str
    created_at: datetime


class VectorOfWords(BaseModel):
    """What an interaction said, as a model sees it."""

    interaction: int
    name: str
    vector: list[float]


class EverythingShown(BaseModel):
    """All that is kept of one user."""

    at: datetime
    user: UserShown
    interactions: list[InteractionShown]
    relations: list[RelationShown]
    slates: list[SlateShown]
    accounts: list[AccountOfUser]
    vectors: list[VectorOfWords]


@router.get(
    "/v1/users/{user:id}/export",
    operation_id="export_user",
    tags=["users"],
    response_model=EverythingShown,
    responses=refusals(*READING, 404),
)
def export_user(parts: Parts, user: str) -> Response:
    """Everything that is kept of a user, in one document."""
    found = everything_of(parts.store, user, parts.clock())
    return Json(
        {
            "at": found.at,
            "user": shapes.user_json(found.user),
            "interactions": [{"id": number, **shapes.interaction_json(one)} for number, one in found.interactions],
            "relations": [shapes.relation_json(one) for one in found.relations],
            "slates": shapes.slates_json(parts.store, [as_answered(parts.live, one) for one in found.slates]),
            "accounts": found.accounts,
            "vectors": [
                {"interaction": number, "name": name, "vector": vector} for number, name, vector in found.vectors
            ],
        }
    )


@router.post(
    "/v1/erasures",
    operation_id="erase_user",
    tags=["erasures"],
    status_code=201,
    response_model=ErasedShown,
    responses=refusals(*WRITING),
)
def erase_user(parts: Parts, body: ErasureBody) -> Response:
    """Delete everything of a user, known or not, and take in nothing of theirs again, by whatever way it comes."""
    done = forget(parts.store, parts.artifacts, body.user, parts.clock(), parts.settings.save_url)
    gone = done.gone
    return Json(
        {
            "digest": done.erasure.digest,
            "at": done.erasure.at,
            "users": gone.users,
            "interactions": gone.interactions,
            "relations": gone.relations,
            "slates": gone.slates,
            "matrix_rows": gone.matrix_rows,
            "accounts": done.accounts,
            "versions_to_retrain": done.versions_to_retrain,
        },
        201,
    )


@router.get(
    "/v1/erasures",
    operation_id="list_erasures",
    tags=["erasures"],
    response_model=ErasuresPage,
    responses=refusals(*READING),
)
def list_erasures(parts: Parts, question: Annotated[ErasuresQuestion, Query()]) -> Response:
    """Who was erased, by digest: the SHA-256 of `serendip user ` and the id."""
    page = parts.store.list_erasures(stretch_of(parts, question, question.sort))
    shown = [{"digest": one.digest, "at": one.at} for one in page.records]
    return Json({"erasures": shown, "next": page.next, "total": page.total})


@router.delete(
    "/v1/erasures/{digest}",
    operation_id="lift_erasure",
    tags=["erasures"],
    status_code=204,
    responses=refusals(*READING, 404),
)
def lift_erasure(parts: Parts, digest: Digest) -> Response:
    """Let the user be recorded again; what was deleted does not come back."""
    if not parts.store.lift_erasure(digest):
        raise NotFound(f"no erasure {digest}; GET /v1/erasures lists them")
    return Response(status_code=204)
