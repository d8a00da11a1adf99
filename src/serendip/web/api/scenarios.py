"""Scenarios: what was declared of them, and which version answers there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from serendip.flows.promote import promote, rollback
from serendip.flows.scenarios import Scenario, delete_scenario, patch_scenario, put_scenario, scenario_of, scenarios_of
from serendip.pipeline import ScenarioConfig
from serendip.web import shapes
from serendip.web.answered import PromotionShown
from serendip.web.api import READING, WRITING, refusals
from serendip.web.asker import noted
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import PromoteBody, RollbackBody
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute)


class ScenarioShown(BaseModel):
    """A place where recommendations appear: what was declared of it, what answers there, and who put it there."""

    scenario: str
    origin: Literal["start", "file", "api"]
    """start: there from the start; file: declared in serendip.toml, and changed there only; api: made here."""
    config: dict[str, Any]
    serving: str | None
    personal: bool | None
    note: str | None
    promotion: PromotionShown | None


class ScenariosShown(BaseModel):
    """All scenarios, and what is wrong with them."""

    scenarios: list[ScenarioShown]
    problems: list[str]


@router.get(
    "/v1/scenarios",
    operation_id="list_scenarios",
    tags=["scenarios"],
    response_model=ScenariosShown,
    responses=refusals(*READING),
)
def list_scenarios(parts: Parts) -> Response:
    """Where recommendations appear, and which version answers there."""
    found = scenarios_of(parts.store).values()
    return Json({"scenarios": [_shown(parts, one) for one in found], "problems": parts.live.problems})


@router.get(
    "/v1/scenarios/{scenario:id}",
    operation_id="read_scenario",
    tags=["scenarios"],
    response_model=ScenarioShown,
    responses=refusals(*READING, 404),
)
def read_scenario(parts: Parts, scenario: str) -> Response:
    """One scenario."""
    return Json(_shown(parts, scenario_of(parts.store, scenario)))


@router.put(
    "/v1/scenarios/{scenario:id}",
    operation_id="put_scenario",
    tags=["scenarios"],
    response_model=ScenarioShown,
    responses=refusals(*WRITING, 409),
)
def put_scenario_(parts: Parts, scenario: str, body: ScenarioConfig) -> Response:
    """Declare a scenario, or declare it anew. Rules, page size and fallback act at once; candidates once trained."""
    done = put_scenario(parts.store, scenario, body.model_dump(mode="json"), parts.clock())
    parts.live.refresh()
    return Json(_shown(parts, done))


@router.patch(
    "/v1/scenarios/{scenario:id}",
    operation_id="patch_scenario",
    tags=["scenarios"],
    response_model=ScenarioShown,
    responses=refusals(*WRITING, 404, 409),
)
def patch_scenario_(
    parts: Parts,
    scenario: str,
    body: Annotated[dict[str, JsonValue], Body(description="Some fields of a scenario; each replaces what was there.")],
) -> Response:
    """Change some fields of a scenario."""
    done = patch_scenario(parts.store, scenario, body, parts.clock())
    parts.live.refresh()
    return Json(_shown(parts, done))


@router.delete(
    "/v1/scenarios/{scenario:id}",
    operation_id="delete_scenario",
    tags=["scenarios"],
    status_code=204,
    responses=refusals(*READING, 404, 409),
)
def delete_scenario_(parts: Parts, scenario: str) -> Response:
    """Forget a scenario; `home` and `for-you` are then again as they were from the start."""
    delete_scenario(parts.store, scenario, parts.clock())
    parts.live.refresh()
    return Response(status_code=204)


@router.post(
    "/v1/scenarios/{scenario:id}/promote",
    operation_id="promote_model",
    tags=["scenarios"],
    response_model=PromotionShown,
    responses=refusals(*WRITING, 404, 409),
)
def promote_model(request: Request, parts: Parts, scenario: str, body: PromoteBody) -> Response:
    """Make a version live. The gate refuses one that is not better beyond noise, unless `override` says why."""
    done = promote(parts.store, parts.artifacts, body.version, scenario, parts.clock(), body.override)
    noted(request, version=done.version, override=body.override)
    parts.live.refresh()
    return Json(shapes.promotion_json(done))


@router.post(
    "/v1/scenarios/{scenario:id}/rollback",
    operation_id="rollback_model",
    tags=["scenarios"],
    response_model=PromotionShown,
    responses=refusals(*WRITING, 404, 409),
)
def rollback_model(request: Request, parts: Parts, scenario: str, body: RollbackBody) -> Response:
    """Back to the version that was live before; nothing is computed."""
    done = rollback(parts.store, parts.artifacts, scenario, parts.clock(), body.reason)
    noted(request, version=done.version, reason=body.reason)
    parts.live.refresh()
    return Json(shapes.promotion_json(done))


def _shown(parts: Services, scenario: Scenario) -> dict[str, Any]:
    served = parts.live.scenarios.get(scenario.name)
    promotion = parts.store.live().get(scenario.name)
    return {
        "scenario": scenario.name,
        "origin": scenario.origin,
        "config": scenario.config.model_dump(mode="json"),
        "serving": served.version if served else None,
        "personal": served.personal if served else None,
        "note": served.note if served else None,
        "promotion": shapes.promotion_json(promotion) if promotion else None,
    }
