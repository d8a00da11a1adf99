"""Versions, and what was measured of them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.promote import delete_version
from serendip.web import shapes
from serendip.web.answered import VersionsShown, VersionWhole
from serendip.web.api import READING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/models",
    operation_id="list_models",
    tags=["models"],
    response_model=VersionsShown,
    responses=refusals(*READING),
)
def list_models(parts: Parts) -> Response:
    """Every version kept, newest first, with its metrics."""
    live = parts.store.live()
    return Json({"versions": [shapes.version_json(record, live) for record in parts.store.versions()]})


@router.get(
    "/v1/models/{version:id}",
    operation_id="read_model",
    tags=["models"],
    response_model=VersionWhole,
    responses=refusals(*READING, 404),
)
def read_model(parts: Parts, version: str) -> Response:
    """One version with its whole manifest."""
    record = parts.store.version(checked_id(version, "version"))
    if record is None:
        raise NotFound(f"no version {version!r}; GET /v1/models lists them")
    return Json({**shapes.version_json(record, parts.store.live()), "manifest": dict(record.manifest)})


@router.delete(
    "/v1/models/{version:id}",
    operation_id="delete_model",
    tags=["models"],
    status_code=204,
    responses=refusals(*READING, 404, 409),
)
def delete_model(parts: Parts, version: str) -> Response:
    """Forget a version and its arrays, once and for all; one that is live is refused."""
    delete_version(parts.store, parts.artifacts, checked_id(version, "version"))
    return Response(status_code=204)
