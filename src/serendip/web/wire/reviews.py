"""The wire format ``reviews``: who is there, what to recommend to whom by name, and reading data and models again.

It answers from the scenario ``home``, and from ``newcomers`` for names that nobody bears. Both say how many they show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from serendip.domain import Conflict, Invalid
from serendip.flows.reviewers import random_names, recommend_named, users_called
from serendip.jobs.kinds import told
from serendip.web.api import SAID
from serendip.web.json import Json, StrictRoute
from serendip.web.problems import Refused
from serendip.web.sent import MAX_ASKERS, Body, Moment
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute, tags=["reviews"])

RELOADS = ("/reload_data", "/reload_model")
ADDRESSES = ("/random_users", "/check_users", "/recommendations", *RELOADS)

READING = (400, 401, 403, 422, 429, 500, 503)
CHANGING = (*READING, 408, 409, 413, 415)

MOST_DIGITS = 20
"""Of a number that is sent in an address."""

_reloading = Lock()


class Refusal(BaseModel):
    """Why a request was refused."""

    error: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares that it may refuse with."""
    return {status: {"model": Refusal, "description": SAID[status]} for status in sorted(statuses)}


class ReloadBody(Body):
    """What to do besides."""

    retrain: bool = False
    """Also queue a training, of which the best goes live where the gate lets it."""


class Reloaded(BaseModel):
    """What was done."""

    status: str
    job: int | None = None


Names = Annotated[
    list[str],
    Query(alias="users", description="Names or ids, separated by commas; repeat it where names hold commas."),
]
AsOf = Annotated[Moment | None, Query(description="Answer as of this moment instead of now.")]


@router.get(
    "/random_users", operation_id="reviews_random_users", response_model=list[str], responses=refusals(*READING)
)
def random_users(
    parts: Parts, n: Annotated[str, Query(description="How many; what is no whole number is 1.")] = "1"
) -> Response:
    """Some people who wrote reviews, never one without a name."""
    try:
        return Json(random_names(parts.store, _whole(n)))
    except Invalid as error:
        raise Refused(400, str(error)) from None


@router.get(
    "/check_users", operation_id="reviews_check_users", response_model=dict[str, bool], responses=refusals(*READING)
)
def check_users(parts: Parts, users: Names = []) -> Response:  # noqa: B006
    """Whether each of these is known."""
    names = _names(parts, users, "No user IDs provided")
    return Json({name: user is not None for name, user in users_called(parts.store, names).items()})


@router.get(
    "/recommendations",
    operation_id="reviews_recommendations",
    response_model=dict[str, list[str]],
    responses=refusals(*READING),
)
def recommendations(
    parts: Parts,
    users: Names = [],  # noqa: B006
    as_: Annotated[Literal["title", "id"], Query(alias="as", description="Titles, or ids.")] = "title",
    time: AsOf = None,
) -> Response:
    """The best products for each; who is not known gets what newcomers like. Nothing that somebody reviewed already."""
    names = _names(parts, users, "No users provided")
    slates = recommend_named(parts.store, parts.live, names, time or parts.clock())
    items = parts.store.items_by_id({place.item for slate in slates.values() for place in slate.items})

    def shown(item: str) -> str:
        record = items.get(item)
        return (record and record.title) or item if as_ == "title" else item

    return Json({name: [shown(place.item) for place in slate.items] for name, slate in slates.items()})


@router.post(
    "/reload_data", operation_id="reviews_reload_data", response_model=Reloaded, response_model_exclude_none=True,
    responses=refusals(*CHANGING),
)  # fmt: skip
def reload_data(parts: Parts, request: Request, body: ReloadBody | None = None) -> Response:
    """Read items, histories and trends from the database again; answers go on meanwhile."""
    with _one_at_a_time():
        job = _retrain(parts, request, body)
        parts.live.reload_data(parts.clock())
    return Json({"status": "Data reloaded successfully.", **job})


@router.post(
    "/reload_model", operation_id="reviews_reload_model", response_model=Reloaded, response_model_exclude_none=True,
    responses=refusals(*CHANGING),
)  # fmt: skip
def reload_model(parts: Parts, request: Request, body: ReloadBody | None = None) -> Response:
    """Read what is promoted from its files again; where that cannot be done the old goes on: 503."""
    with _one_at_a_time():
        job = _retrain(parts, request, body)
        parts.live.reload_versions(parts.clock())
    return Json({"status": "Model reloaded successfully.", **job})


def _whole(text: str) -> int:
    text = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return 1
    # More digits than there can be people are as much outside as these.
    return int(text[:MOST_DIGITS])


def _names(parts: Services, sent: list[str], none: str) -> list[str]:
    """The names, trimmed, each once. One value alone is cut at its commas, unless somebody is called so."""
    names = [name.strip() for name in sent]
    if len(names) == 1 and "," in names[0] and users_called(parts.store, names)[names[0]] is None:
        names = [name.strip() for name in names[0].split(",")]
    names = [name for name in dict.fromkeys(names) if name]
    if not names:
        raise Refused(400, none)
    if len(names) > MAX_ASKERS:
        raise Refused(400, f"{len(names)} users were named; name at most {MAX_ASKERS} at a time")
    return names


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _reloading.acquire(blocking=False):
        raise Conflict("something is being reloaded already; ask again when that is done")
    try:
        yield
    finally:
        _reloading.release()


def _retrain(parts: Services, request: Request, body: ReloadBody | None) -> dict[str, int]:
    """Queue a training if that was asked for; its job's number."""
    if body is None or not body.retrain:
        return {}
    job = parts.store.add_job(
        "train", told("train", {}, parts.settings), parts.clock(), created_by=request.scope["state"].get("key")
    )
    return {"job": job.id}
