"""The wire format ``social``: events and people for everybody at once, as parallel lists under each user's id.

It answers from the scenarios ``events`` and ``people``. ``?update_AWS_DB=yes`` also saves the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from serendip.domain import Item, NotFound, Slate, User
from serendip.flows.recommend import Ask, recommend_many
from serendip.flows.saving import save
from serendip.store import SavedTable
from serendip.store.saved import EVENTS, PEOPLE
from serendip.web.api import READING, refusals
from serendip.web.json import Json
from serendip.web.problems import Refused
from serendip.web.sent import Moment
from serendip.web.services import Parts, Services

router = APIRouter()

EVENTS_SCENARIO, PEOPLE_SCENARIO = "events", "people"
MOST_EVENTS, MOST_PEOPLE = 3, 4


class EventsShown(BaseModel):
    """One user's events, best first, as lists of equal length."""

    id: list[str] = Field(alias="_id")
    time: list[str] = Field(description="Dates as MM-DD-YYYY; empty where an event has none.")
    eventTags: list[list[str]]  # noqa: N815
    event_name: list[str]
    description: list[str]
    place: list[str]


class PeopleShown(BaseModel):
    """One user's people, the most alike first, as lists of equal length."""

    id: list[str] = Field(alias="_id")
    degree: list[str]
    userType: list[str]  # noqa: N815
    username: list[str]


Saving = Annotated[
    str | None,
    Query(alias="update_AWS_DB", max_length=100, description="`yes`, and only that, saves the answer; needs `write`."),
]
AsOf = Annotated[Moment | None, Query(description="Answer as of this moment instead of now.")]


@router.get(
    "/events_recommendations",
    operation_id="social_events",
    tags=["social"],
    response_model=dict[str, EventsShown],
    responses=refusals(*READING, 404),
)
def events_recommendations(parts: Parts, request: Request, saving: Saving = None, time: AsOf = None) -> Response:
    """Up to three coming events for every user."""
    slates = _everybody(parts, request, EVENTS_SCENARIO, MOST_EVENTS, EVENTS, saving, time)
    items = parts.store.items_by_id({place.item for slate in slates for place in slate.items})
    return Json({slate.user: _columns(EVENT, slate, items, Item) for slate in slates})


@router.get(
    "/match_all_users",
    operation_id="social_people",
    tags=["social"],
    response_model=dict[str, PeopleShown],
    responses=refusals(*READING, 404),
)
def match_all_users(parts: Parts, request: Request, saving: Saving = None, time: AsOf = None) -> Response:
    """Up to four people for every user, never oneself and nobody already followed."""
    slates = _everybody(parts, request, PEOPLE_SCENARIO, MOST_PEOPLE, PEOPLE, saving, time)
    users = parts.store.users_by_id({place.item for slate in slates for place in slate.items})
    return Json({slate.user: _columns(PERSON, slate, users, User) for slate in slates})


def _everybody(
    parts: Services,
    request: Request,
    scenario: str,
    n: int,
    table: SavedTable,
    saving: str | None,
    time: datetime | None,
) -> list[Slate]:
    """One slate for each user there is, saved where that was asked for."""
    if saving == "yes":
        _check_may_save(request)
    if scenario not in parts.live.scenarios:
        raise NotFound(
            f"this format answers from a scenario called {scenario!r}, and none is live; declare it in serendip.toml, "
            "then run `serendip train --promote`"
        )
    _, users = parts.store.user_ids()
    slates = recommend_many(parts.store, parts.live, users, Ask(scenario, n), time or parts.clock(), shown=False)
    if saving == "yes":
        save(parts.store, parts.settings.save_url, table, slates)
    return slates


def _check_may_save(request: Request) -> None:
    """Refuse to save for whom a key does not let: a link in another site's page could send a session's cookie."""
    asker = request.scope.get("state", {}).get("asker")
    if asker is None or asker.key is None or "write" not in asker.rights:
        raise Refused(403, "saving needs a key with the scope write; send it, or leave update_AWS_DB out")


def _attribute(name: str) -> Callable[[Any], str]:
    return lambda record: str(record.attributes.get(name) or "")


Columns = dict[str, Callable[[Any], Any]]

EVENT: Columns = {
    "time": lambda item: f"{item.available_until:%m-%d-%Y}" if item.available_until else "",
    "eventTags": lambda item: list(item.tags),
    "event_name": lambda item: item.title or "",
    "description": lambda item: item.text or "",
    "place": _attribute("place"),
}
"""Of each list, what an event gives."""

PERSON: Columns = {
    "degree": _attribute("degree"),
    "userType": _attribute("userType"),
    "username": lambda user: user.name or "",
}
"""Of each list, what a person gives."""


def _columns(columns: Columns, slate: Slate, records: dict[str, Any], bare: type[Item] | type[User]) -> dict[str, Any]:
    """A slate as parallel lists."""
    ids: Sequence[str] = [place.item for place in slate.items]
    found = [records.get(one) or bare(one) for one in ids]
    return {"_id": ids, **{name: [value(record) for record in found] for name, value in columns.items()}}
