"""Versions, what was measured of them, and which of them is live."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from serendip.domain import NotFound, checked_id
from serendip.flows.live import SCENARIOS
from serendip.flows.promote import promote, rollback
from serendip.web import shapes
from serendip.web.answered import PromotionShown, ScenariosShown, VersionsShown, VersionWhole
from serendip.web.api import READING, WRITING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import PromoteBody, RollbackBody
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


@router.get(
    "/v1/scenarios",
    operation_id="list_scenarios",
    tags=["scenarios"],
    response_model=ScenariosShown,
    responses=refusals(*READING),
)
def list_scenarios(parts: Parts) -> Response:
    """Where recommendations appear, and which version answers there."""
    promotions = parts.store.live()
    shown = []
    for name in SCENARIOS:
        served, promotion = parts.live.scenarios.get(name), promotions.get(name)
        shown.append(
            {
                "scenario": name,
                "serving": served.version if served else None,
                "personal": served.personal if served else None,
                "note": served.note if served else None,
                "promotion": shapes.promotion_json(promotion) if promotion else None,
            }
        )
    return Json({"scenarios": shown, "problems": parts.live.problems})


@router.post(
    "/v1/scenarios/{scenario:id}/promote",
    operation_id="promote_model",
    tags=["scenarios"],
    response_model=PromotionShown,
    responses=refusals(*WRITING, 404, 409),
)
def promote_model(parts: Parts, scenario: str, body: PromoteBody) -> Response:
    """Make a version live. The gate refuses one that is not better beyond noise, unless `override` says why."""
    done = promote(parts.store, parts.artifacts, body.version, scenario, parts.clock(), body.override)
    parts.live.refresh()
    return Json(shapes.promotion_json(done))


@router.post(
    "/v1/scenarios/{scenario:id}/rollback",
    operation_id="rollback_model",
    tags=["scenarios"],
    response_model=PromotionShown,
    responses=refusals(*WRITING, 404, 409),
)
def rollback_model(parts: Parts, scenario: str, body: RollbackBody) -> Response:
    """Back to the version that was live before; nothing is computed."""
    done = rollback(parts.store, parts.artifacts, scenario, parts.clock(), body.reason)
    parts.live.refresh()
    return Json(shapes.promotion_json(done))
