"""Similarity matrices: what there is, who is alike, versions; and recommenders, with their rows of recommendations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.rows import By, recommend_by_matrices
from serendip.store import Matrix, RecommenderRecord
from serendip.web import shapes
from serendip.web.answered import SlateShown
from serendip.web.api import READING, WRITING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Count, Id, Moment, Question
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute, tags=["matrices"])

MOST_VERSIONS = 2**31 - 1
Version = Annotated[int, Field(ge=0, le=MOST_VERSIONS)]


class MatrixShown(BaseModel):
    """A similarity matrix."""

    name: str
    of: Literal["users", "items"]
    description: str | None
    version: int = Field(description="The one that readers see; 0 before there is any.")


class MatricesShown(BaseModel):
    """All of them."""

    matrices: list[MatrixShown]


class MatrixPatch(Body):
    """Some fields of a matrix; another version is read from now on."""

    name: Id | None = None
    description: str | None = Field(None, max_length=10_000)
    version: Version | None = None


class MatrixBody(Body):
    """A matrix without rows."""

    name: Id
    of: Literal["users", "items"]
    description: str | None = Field(None, max_length=10_000)


class VersionShown(BaseModel):
    """A version that has rows."""

    version: int
    read: bool = Field(description="Whether it is the one that readers see.")


class MatrixVersionsShown(BaseModel):
    """Versions of a matrix, rising."""

    matrix: str
    versions: list[VersionShown]


class VersionDeleted(BaseModel):
    """A version that is gone."""

    matrix: str
    version: int
    deleted: int = Field(description="Cells that it had.")


class RowQuestion(Question):
    """Which version."""

    version: Version | None = Field(None, description="Default: the one that readers see.")
    n: Count = 50


class NeighbourShown(BaseModel):
    """Somebody, or something, alike."""

    id: str
    likeness: float


class RowShown(BaseModel):
    """Who is alike, best first."""

    matrix: str
    version: int
    row: str
    neighbours: list[NeighbourShown]


def _shown(matrix: Matrix) -> dict[str, Any]:
    return {"name": matrix.name, "of": matrix.of, "description": matrix.description, "version": matrix.version}


def _found(parts: Services, name: str) -> Matrix:
    checked_id(name, "matrix")
    found = next((one for one in parts.store.matrices() if one.name == name), None)
    if found is None:
        raise NotFound(f"no matrix {name!r}; GET /v1/matrices lists them")
    return found


@router.get("/v1/matrices", operation_id="list_matrices", response_model=MatricesShown, responses=refusals(*READING))
def list_matrices(parts: Parts) -> Response:
    """Every similarity matrix, oldest first."""
    return Json({"matrices": [_shown(one) for one in parts.store.matrices()]})


@router.post(
    "/v1/matrices",
    operation_id="create_matrix",
    status_code=201,
    response_model=MatrixShown,
    responses=refusals(*WRITING, 409),
)
def create_matrix(parts: Parts, body: MatrixBody) -> Response:
    """A new matrix without rows; 409 when the name is taken."""
    return Json(_shown(parts.store.add_matrix(body.name, body.of, body.description)), 201)


@router.get(
    "/v1/matrices/{matrix:id}",
    operation_id="read_matrix",
    response_model=MatrixShown,
    responses=refusals(*READING, 404),
)
def read_matrix(parts: Parts, matrix: str) -> Response:
    """One matrix."""
    return Json(_shown(_found(parts, matrix)))


@router.patch(
    "/v1/matrices/{matrix:id}",
    operation_id="update_matrix",
    response_model=MatrixShown,
    responses=refusals(*WRITING, 404, 409),
)
def update_matrix(parts: Parts, matrix: str, body: MatrixPatch) -> Response:
    """Change what is named. Going back to an older version is naming it; 409 for one without rows."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    kept = {name: value for name, value in changes.items() if value is not None or name == "description"}
    return Json(_shown(parts.store.change_matrix(_found(parts, matrix).id, **kept)))


@router.delete(
    "/v1/matrices/{matrix:id}",
    operation_id="delete_matrix",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_matrix(parts: Parts, matrix: str) -> Response:
    """Forget a matrix with all its versions; recommenders that name it do without."""
    parts.store.drop_matrix(_found(parts, matrix).id)
    return Response(status_code=204)


@router.get(
    "/v1/matrices/{matrix:id}/versions",
    operation_id="list_matrix_versions",
    response_model=MatrixVersionsShown,
    responses=refusals(*READING, 404),
)
def list_matrix_versions(parts: Parts, matrix: str) -> Response:
    """The versions that have rows, rising."""
    found = _found(parts, matrix)
    versions = [{"version": one, "read": one == found.version} for one in parts.store.matrix_versions(found.id)]
    return Json({"matrix": matrix, "versions": versions})


@router.delete(
    "/v1/matrices/{matrix:id}/versions/{version}",
    operation_id="delete_matrix_version",
    response_model=VersionDeleted,
    responses=refusals(*READING, 404, 409),
)
def delete_matrix_version(parts: Parts, matrix: str, version: Annotated[int, Path(ge=0, le=MOST_VERSIONS)]) -> Response:
    """Forget a version; 409 for the one that is read."""
    deleted = parts.store.drop_matrix_version(_found(parts, matrix).id, version)
    return Json({"matrix": matrix, "version": version, "deleted": deleted})


@router.get(
    "/v1/matrices/{matrix:id}/rows/{row:id}",
    operation_id="read_matrix_row",
    response_model=RowShown,
    responses=refusals(*READING, 404),
)
def read_matrix_row(parts: Parts, matrix: str, row: str, question: Annotated[RowQuestion, Query()]) -> Response:
    """Who is most alike a user, or what is most alike an item, best first."""
    found = _found(parts, matrix)
    read = parts.store.matrix_neighbours(found.id, found.of, checked_id(row, found.of[:-1]), question.version)
    if read is None:
        raise NotFound(f"no {found.of[:-1]} {row!r}; GET /v1/{found.of} lists them")
    version, cells = read
    neighbours = [{"id": other, "likeness": value} for other, value in cells[: question.n]]
    return Json({"matrix": matrix, "version": version, "row": row, "neighbours": neighbours})


class RecommenderShown(BaseModel):
    """A row of recommendations made from matrices, which stand here by their names."""

    name: str
    description: str | None
    user_matrix: str | None
    item_matrix: str | None


class RecommendersShown(BaseModel):
    """All of them."""

    recommenders: list[RecommenderShown]


class RecommenderFields(Body):
    """A recommender but for its name."""

    description: str | None = Field(None, max_length=10_000)
    user_matrix: Id | None = None
    item_matrix: Id | None = None


class RowsQuestion(Question):
    """Whose row, and by what."""

    user: Id
    n: Count = 10
    by: By = "both"
    explain: bool = False
    time: Moment | None = Field(None, description="Answer as of this moment instead of now, by the matrices of now.")


def _recommenders(parts: Services) -> dict[str, dict[str, Any]]:
    names: dict[int | None, str] = {one.id: one.name for one in parts.store.matrices()}
    return {
        one.name: {
            "name": one.name,
            "description": one.description,
            "user_matrix": names.get(one.user_matrix),
            "item_matrix": names.get(one.item_matrix),
        }
        for one in parts.store.recommenders()
    }


@router.get(
    "/v1/recommenders",
    operation_id="list_recommenders",
    response_model=RecommendersShown,
    responses=refusals(*READING),
)
def list_recommenders(parts: Parts) -> Response:
    """Every recommender, oldest first."""
    return Json({"recommenders": list(_recommenders(parts).values())})


@router.put(
    "/v1/recommenders/{recommender:id}",
    operation_id="replace_recommender",
    response_model=RecommenderShown,
    responses={201: {"model": RecommenderShown, "description": "It is new."}, **refusals(*WRITING, 404)},
)
def replace_recommender(parts: Parts, recommender: str, body: RecommenderFields) -> Response:
    """Keep exactly this under the name, whether or not it existed."""
    user_matrix, item_matrix = (
        None if name is None else _found(parts, name).id for name in (body.user_matrix, body.item_matrix)
    )
    record = RecommenderRecord(checked_id(recommender, "recommender"), body.description, user_matrix, item_matrix)
    new = recommender not in _recommenders(parts)
    parts.store.switch_matrices({}, [record])
    return Json({"name": recommender, **body.model_dump()}, 201 if new else 200)


@router.delete(
    "/v1/recommenders/{recommender:id}",
    operation_id="delete_recommender",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_recommender(parts: Parts, recommender: str) -> Response:
    """Forget a recommender, not its matrices."""
    checked_id(recommender, "recommender")
    found = next((one for one in parts.store.recommenders() if one.name == recommender), None)
    if found is None or not parts.store.drop_recommender(found.id):
        raise NotFound(f"no recommender {recommender!r}; GET /v1/recommenders lists them")
    return Response(status_code=204)


@router.get(
    "/v1/recommenders/{recommender:id}/recommendations",
    operation_id="recommend_by_matrices",
    response_model=SlateShown,
    responses=refusals(*READING, 404),
)
def recommend_by(parts: Parts, recommender: str, question: Annotated[RowsQuestion, Query()]) -> Response:
    """What people alike liked and what is like the liked, best first, without what the user has met."""
    slate = recommend_by_matrices(
        parts.store,
        checked_id(recommender, "recommender"),
        question.user,
        question.n,
        question.time or parts.clock(),
        question.by,
        question.explain,
    )
    return Json(shapes.slates_json(parts.store, [slate])[0])
