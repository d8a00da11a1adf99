"""Versions, what was measured of them, and which of them is live."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.live import SCENARIOS
from serendip.flows.promote import promote, rollback
from serendip.store import Promotion
from serendip.web import showing
from serendip.web.api import READING, WRITING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.services import Parts, Services
from serendip.web.shapes import (
    PromoteBody,
    RollbackBody,
    ScenarioShown,
    ScenariosShown,
    VersionsShown,
    VersionWhole,
)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/models", operation_id="list_models", tags=["models"], response_model=VersionsShown, responses=refusals(*READING)
)
def list_models(parts: Parts) -> Response:
    """Every version kept, newest first, with its metrics."""
    live = parts.store.live()
    records = parts.store.versions()
    return Json({"models": [showing.version(record, _names(live, record.id)) for record in records]})


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
    return Json(
        {**showing.version(record, _names(parts.store.live(), record.id)), "manifest": dict(record.manifest)}
    )


def _names(live: dict[str, Promotion], version: str) -> list[str]:
    return [scenario for scenario, promotion in live.items() if promotion.version == version]


@router.get(
    "/v1/scenarios",
    operation_id="list_scenarios",
    tags=["scenarios"],
    response_model=ScenariosShown,
    responses=refusals(*READING),
)
def list_scenarios(parts: Parts) -> Response:
    """Where recommendations appear, and which version answers there."""
    live = parts.store.live()
    shown = [scenario(parts, name, live.get(name)) for name in SCENARIOS]
    return Json({"scenarios": shown, "problems": parts.live.problems})


def scenario(parts: Services, name: str, promotion: Promotion | None) -> dict[str, Any]:
    """One scenario."""
    served = parts.live.scenarios.get(name)
    return {
        "scenario": name,
        "version": promotion.version if promotion else None,
        "at": promotion.at if promotion else None,
        "reason": promotion.reason if promotion else None,
        "override": promotion.override if promotion else None,
        "previous": promotion.previous if promotion else None,
        "note": served.note if served else None,
    }


@router.post(
    "/v1/scenarios/{name:id}/promote",
    operation_id="promote_model",
    tags=["scenarios"],
    response_model=ScenarioShown,
    responses=refusals(*WRITING, 404, 409),
)
def promote_model(parts: Parts, name: str, body: PromoteBody) -> Response:
    """Make a version live. The gate refuses one that is not better beyond noise, unless `override` says why."""
    promotion = promote(parts.store, parts.artifacts, body.version, name, parts.clock(), body.override)
    parts.live.refresh()
    return Json(scenario(parts, name, promotion))


@router.post(
    "/v1/scenarios/{name:id}/rollback",
    operation_id="rollback_model",
    tags=["scenarios"],
    response_model=ScenarioShown,
    responses=refusals(*WRITING, 404, 409),
)
def rollback_model(parts: Parts, name: str, body: RollbackBody) -> Response:
    """Back to the version that was live before; nothing is computed."""
    promotion = rollback(parts.store, parts.artifacts, name, parts.clock(), body.reason)
    parts.live.refresh()
    return Json(scenario(parts, name, promotion))
