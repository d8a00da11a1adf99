"""Similarity matrices, their cells, and recommenders on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound
from serendip.store import Matrix
from serendip.store.matrices import Of
from serendip.web.json import Json
from serendip.web.services import Parts
from serendip.web.wire.community.shared import (
    READING,
    WRITING,
    Asked,
    Envelope,
    InPath,
    Number,
    Routes,
    Sent,
    matching,
    page,
    refusals,
)

router = Routes()

Type = Literal[1, 2]
OF: dict[int, Of] = {1: "users", 2: "items"}
TYPE = {of: number for number, of in OF.items()}
Version = Annotated[int, Field(ge=0, lt=2**31)]


class MatrixPatch(Sent):
    """Some fields of a matrix; a new version is read from now on."""

    id: Number | None = None
    name: str | None = Field(None, min_length=1, max_length=100)
    type: Type | None = Field(None, description="1: users to users, 2: items to items.")
    description: str | None = Field(None, max_length=10_000)
    version: Version | None = None


class MatrixSent(MatrixPatch):
    """A matrix."""

    name: str = Field(min_length=1, max_length=100)
    type: Type = Field(description="1: users to users, 2: items to items.")


class MatrixTold(BaseModel):
    """A matrix."""

    id: int
    name: str
    type: Type
    description: str
    version: int = Field(description="The version that readers see.")


class MatricesTold(Envelope):
    """A stretch of the matrices."""

    results: list[MatrixTold]


class MatricesAsked(Asked):
    """A stretch of the matrices."""

    id: Number | None = None
    name: str | None = None
    type: int | None = None
    description: str | None = None
    version: int | None = None


def matrix_json(matrix: Matrix) -> dict[str, Any]:
    """A matrix as the wire has it."""
    return {
        "id": matrix.id,
        "name": matrix.name,
        "type": TYPE[matrix.of],
        "description": matrix.description or "",
        "version": matrix.version,
    }


def _changes(sent: MatrixPatch) -> dict[str, Any]:
    given = {name: getattr(sent, name) for name in sent.model_fields_set & {"name", "description", "version"}}
    if "type" in sent.model_fields_set and sent.type is not None:
        given["of"] = OF[sent.type]
    return {name: value for name, value in given.items() if value is not None}


@router.get(
    "/similarity-matrix",
    operation_id="community_list_matrices",
    response_model=MatricesTold,
    responses=refusals(*READING),
)
def list_matrices(request: Request, parts: Parts, asked: Annotated[MatricesAsked, Query()]) -> Response:
    """Matrices in the order in which they came."""
    limit = asked.limit or parts.settings.page_size
    rows = [matrix_json(one) for one in parts.store.matrices()]
    found = matching(asked, ("id", "name", "type", "description", "version"), rows)
    return page(request, asked, limit, found[asked.offset : asked.offset + limit], len(found))


@router.post(
    "/similarity-matrix",
    operation_id="community_create_matrix",
    status_code=201,
    response_model=MatrixTold,
    responses=refusals(*WRITING, 409),
)
def create_matrix(parts: Parts, sent: MatrixSent) -> Response:
    """A new matrix; 409 when the name is taken."""
    made = parts.store.add_matrix(sent.name, OF[sent.type], sent.description, sent.version or 0)
    return Json(matrix_json(made), 201)


@router.get(
    "/similarity-matrix/{number}",
    operation_id="community_read_matrix",
    response_model=MatrixTold,
    responses=refusals(*READING, 404),
)
def read_matrix(parts: Parts, number: InPath) -> Response:
    """One matrix."""
    return Json(matrix_json(_found(parts, number)))


def _found(parts: Parts, number: int) -> Matrix:
    matrix = parts.store.matrix(number)
    if matrix is None:
        raise NotFound(f"no matrix {number}; list the matrices to see which there are")
    return matrix


@router.put(
    "/similarity-matrix/{number}",
    operation_id="community_replace_matrix",
    response_model=MatrixTold,
    responses=refusals(*WRITING, 404, 409),
)
def replace_matrix(parts: Parts, number: InPath, sent: MatrixSent) -> Response:
    """The matrix from now on; readers see the version it names."""
    return Json(matrix_json(parts.store.change_matrix(number, **_changes(sent))))


@router.patch(
    "/similarity-matrix/{number}",
    operation_id="community_update_matrix",
    response_model=MatrixTold,
    responses=refusals(*WRITING, 404, 409),
)
def update_matrix(parts: Parts, number: InPath, sent: MatrixPatch) -> Response:
    """Change what is named; readers see the version it names."""
    return Json(matrix_json(parts.store.change_matrix(number, **_changes(sent))))


@router.delete(
    "/similarity-matrix/{number}",
    operation_id="community_delete_matrix",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_matrix(parts: Parts, number: InPath) -> Response:
    """Forget a matrix with all its versions."""
    if not parts.store.drop_matrix(number):
        raise NotFound(f"no matrix {number}; list the matrices to see which there are")
    return Response(status_code=204)


class VersionTold(BaseModel):
    """A version that has cells."""

    version: int


class Deleted(BaseModel):
    """A version that is gone."""

    matrix: int
    version: int
    deleted: int = Field(description="Cells that it had.")


@router.get(
    "/similarity-matrix/{number}/versions",
    operation_id="community_list_versions",
    response_model=list[VersionTold],
    responses=refusals(*READING, 404),
)
def list_versions(parts: Parts, number: InPath) -> Response:
    """The versions of a matrix that have cells, read or not."""
    matrix = _found(parts, number)
    return Json([{"version": version} for version in parts.store.matrix_versions(matrix.id)])


@router.delete(
    "/similarity-matrix/{number}/versions/{version}",
    operation_id="community_delete_version",
    response_model=Deleted,
    responses=refusals(*READING, 404, 409),
)
def delete_version(parts: Parts, number: InPath, version: InPath) -> Response:
    """Forget a version; 409 for the one that is read."""
    deleted = parts.store.drop_matrix_version(number, version)
    return Json({"matrix": number, "version": version, "deleted": deleted})
