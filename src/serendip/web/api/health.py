"""How the server is: for people, for orchestrators, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from serendip import __version__
from serendip.domain import SerendipError
from serendip.web.answered import Health
from serendip.web.api import refusals
from serendip.web.json import Json
from serendip.web.services import Parts

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="healthz", response_model=Health, responses=refusals(500))
def healthz() -> Response:
    """The process lives."""
    return Json({"status": "ok", "version": __version__, "problems": []})


@router.get(
    "/readyz",
    operation_id="readyz",
    response_model=Health,
    responses={503: {"model": Health, "description": "Not yet; `problems` says why."}, **refusals(500)},
)
def readyz(parts: Parts) -> Response:
    """The database answers and every scenario has a version that could be loaded."""
    problems = list(parts.live.problems)
    try:
        parts.store.changes()
    except SerendipError as error:
        problems.append(str(error))
    if not parts.live.scenarios:
        problems.append("nothing is live yet; import interactions, then run `serendip train`")
    # A version that could not be loaded while another one serves is worth a word, not an outage.
    ready = bool(parts.live.scenarios) and len(problems) == len(parts.live.problems)
    body = {"status": "ok" if ready else "not ready", "version": __version__, "problems": problems}
    return Json(body, 200 if ready else 503)


@router.get(
    "/metrics", operation_id="metrics", response_class=PlainTextResponse, responses=refusals(401, 403, 429, 500)
)
def metrics(parts: Parts) -> Response:
    """Counters in Prometheus' text format."""
    return Response(parts.metrics.text(), media_type=CONTENT_TYPE_LATEST)
