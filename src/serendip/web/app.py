"""The server as one ASGI application."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from serendip import __version__
from serendip.domain import Invalid, SerendipError
from serendip.flows.live import Live
from serendip.flows.record import record_each
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.answered import Problem
from serendip.web.api import (
    accounts,
    audit,
    erasures,
    health,
    hot,
    interactions,
    items,
    jobs,
    keys,
    matrices,
    me,
    models,
    relations,
    scenarios,
    slates,
    users,
)
from serendip.web.api.described import described
from serendip.web.guard import Guard, is_open, wants_page
from serendip.web.json import Json
from serendip.web.limits import Attempts, Rate
from serendip.web.metrics import Metrics
from serendip.web.middleware import Limits, Watch
from serendip.web.openid import OpenId
from serendip.web.pages import docs, lists, openid, people, posters, sign_in
from serendip.web.pages import models as pages_of_models
from serendip.web.pages.paper import page
from serendip.web.pool import Pool
from serendip.web.problems import details, problem
from serendip.web.services import Clock, Services, system_clock
from serendip.web.together import answer_each
from serendip.web.wire import administrators_change, audited, reshaped, wires

PASSWORD_THREADS, PASSWORD_SECONDS = 2, 10.0
OUTSIDE_THREADS, OUTSIDE_SECONDS = 4, 20.0
ANSWERED_TOGETHER, RECORDED_TOGETHER = 32, 256
"""Requests that one thread takes at a time where more wait."""

STATIC = Path(__file__).parent / "static"

ABOUT = """Recommendations that know the last click. Send a key as `X-API-Key` or `Authorization: Bearer`.
Refusals are problem details (RFC 9457). Moments are ISO 8601; without an offset they are UTC."""


class Assets(StaticFiles):
    """Our static files; asked for by an address that names their content, they may be kept for good."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, and how long it may be kept."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        kept = "public, max-age=31536000, immutable" if scope["query_string"] else "public, max-age=300"
        answer.headers["Cache-Control"] = kept
        return answer


def services_of(store: Store, artifacts: Artifacts, settings: Settings, clock: Clock) -> Services:
    """What the routes share: what is live, and a pool of threads for each sort of work."""
    live, pool = Live(store, artifacts), Pool(settings.pool_size, settings.deadline_seconds)
    return Services(
        store,
        artifacts,
        live,
        settings,
        clock,
        pool,
        Metrics(),
        pool.grouped(partial(answer_each, store, live), ANSWERED_TOGETHER, at_once=2),
        pool.grouped(partial(record_each, store), RECORDED_TOGETHER, at_once=1),
        Attempts(),
        Pool(PASSWORD_THREADS, PASSWORD_SECONDS),
        Pool(OUTSIDE_THREADS, OUTSIDE_SECONDS),
        OpenId(settings.oidc_providers, store, clock),
    )


def create_app(
    store: Store, artifacts: Artifacts, settings: Settings | None = None, clock: Clock = system_clock
) -> FastAPI:
    """The API and the pages over ``store`` and ``artifacts``; ``clock`` says what time it is."""
    settings = settings or Settings()
    parts = services_of(store, artifacts, settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(parts.live.start, clock)
        try:
            yield
        finally:
            await asyncio.to_thread(parts.live.stop)
            for pool in (parts.pool, parts.passwords, parts.outside):
                await asyncio.to_thread(pool.close)
            await asyncio.to_thread(store.flush_slates)

    app = FastAPI(
        title="serendip",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Watch, metrics=parts.metrics, respond=respond),
            Middleware(Limits, receive_seconds=settings.receive_seconds),
            Middleware(
                Guard,
                store=store,
                pool=parts.pool,
                clock=clock,
                open_routes=settings.open_routes,
                rate=Rate(settings.requests_per_second),
                audited=audited(settings.wire),
                admin=administrators_change(settings.wire),
            ),
        ],
        exception_handlers=dict.fromkeys((SerendipError, HTTPException, RequestValidationError), _handle),
    )
    app.state.services = parts
    app.router.routes.extend(hot.ROUTES)
    data = (interactions, users, items, relations, slates, erasures)
    people_in = (accounts, keys, me, audit, sign_in, openid)
    pages = (people, lists, pages_of_models, posters)
    for part in (*data, models, scenarios, jobs, matrices, *people_in, health, docs, *pages):
        app.include_router(part.router)
    for prefix, router in wires(settings.wire):
        app.include_router(router, prefix=prefix)
    _check_opened(settings.open_routes, app.router.routes)
    app.mount("/static", Assets(directory=STATIC), name="static")
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def respond(error: BaseException, request: Request) -> Response:
    """The answer that ``error`` deserves: a page for who looks with a browser, problem details for a program."""
    app = request.scope.get("app")
    reshape = None if app is None else reshaped(app.state.services.settings.wire, request.scope["path"])
    if reshape is not None:
        body, headers = details(error, request.scope)
        return Json(reshape(body), body["status"], headers)
    if not wants_page(request.scope):
        return problem(error, request.scope)
    body, headers = details(error, request.scope)
    answer = page(request, "error.html", body["status"], problem=body)
    answer.headers.update(headers)
    return answer


async def _handle(request: Request, error: Exception) -> Response:
    return respond(error, request)


def _check_opened(listed: Sequence[str], routes: Sequence[Any]) -> None:
    """Refuse to start where ``open_routes`` names a route that does not exist: a slip there is not seen otherwise."""
    there = {f"{method} {re.sub(r':[a-z]+}', '}', path)}" for method, path in _routes(routes)}
    for entry in listed:
        if entry not in there:
            raise Invalid(
                f"open_routes names {entry!r}, and there is no such route; /docs lists them", field="open_routes"
            )


def _routes(routes: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            prefix = getattr(getattr(route, "include_context", None), "prefix", "")
            yield from ((method, prefix + path) for method, path in _routes(inner.routes))
        else:
            yield from ((method, route.path) for method in getattr(route, "methods", None) or ())


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's routes and the hot ones, keys, and one shape for every refusal."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=[*described.routes, *app.routes]
        )
        problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        made["components"]["schemas"] |= {**problem_schema.pop("$defs"), "Problem": problem_schema}
        made["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        for path, operations in made["paths"].items():
            for operation in operations.values():
                operation["summary"] = operation["summary"].capitalize()
                operation["security"] = [] if is_open(path) else [{"key": []}, {"bearer": []}]
        app.openapi_schema = made
    return app.openapi_schema
