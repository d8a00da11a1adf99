"""The routes that are asked most: plain ASGI, no machinery between the socket and the flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from serendip.domain import Conflict, Interaction, Invalid, Slate
from serendip.flows.recommend import Ask, recommend_many, recommend_session
from serendip.flows.record import record_valid
from serendip.store import Store
from serendip.web import shapes
from serendip.web.asker import current, own
from serendip.web.json import Json, checked_type, parse
from serendip.web.problems import Refused, refusals
from serendip.web.sent import MAX_ROWS, Event, InteractionBody, ItemField, RecommendBody, RecommendQuestion
from serendip.web.services import Services
from serendip.web.together import Asked

MOST_PLACES = 100_000
"""Places of all slates that one request may ask for."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class AsJson:
    """Slates as the API answers them, with further fields of their items."""

    fields: tuple[ItemField, ...]

    def __call__(self, store: Store, slates: Sequence[Slate]) -> Sequence[dict[str, Any]]:
        """One for each of ``slates``."""
        return shapes.slates_json(store, slates, self.fields)


_ROWS = TypeAdapter(list[InteractionBody])


def checked(kind: type[M], content: Any) -> M:
    """``content`` as ``kind``; 422 naming the fields where it is not."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


async def _content(request: Request) -> Any:
    body = await request.body()
    if not body:
        raise Refused(422, "the body is empty; send JSON", errors=[{"field": "body", "reason": "it is missing"}])
    checked_type(request.headers.get("content-type"))
    return parse(body)


def _count(parts: Services, answers: Sequence[dict[str, Any]]) -> None:
    for slate in answers:
        parts.metrics.slates.labels(slate["scenario"], slate["version"], str(slate["known"]).lower()).inc()


async def recommendations(request: Request) -> Response:
    """One address, two questions: GET for a user, POST for many or for a session."""
    if request.method == "POST":
        return await _recommend_posted(request)
    parts: Services = request.app.state.services
    question = checked(RecommendQuestion, dict(request.query_params))
    ask = Ask(question.scenario, question.n, question.filter, question.explain)
    answer = await parts.answers.run(Asked(question.user, ask, AsJson(question.fields), question.time, parts.clock()))
    _count(parts, [answer])
    return Json(answer)


async def _recommend_posted(request: Request) -> Response:
    parts: Services = request.app.state.services
    body = checked(RecommendBody, await _content(request))
    if (body.users is None) == (body.history is None):
        raise Invalid("send either users or history, one of the two", field="users")
    n = body.n or parts.live.page_size(body.scenario)
    if body.users is not None and len(body.users) * n > MOST_PLACES:
        raise Invalid(f"{len(body.users)} users times {n} is over {MOST_PLACES} places; ask in parts", field="n")
    own(current(request), *(body.users or ()))
    ask = Ask(body.scenario, body.n, body.filter, body.explain, None if body.items is None else tuple(body.items))
    now = body.time or parts.clock()

    def work() -> list[dict[str, Any]]:
        if body.users is not None:
            found = recommend_many(parts.store, parts.live, body.users, ask, now)
        else:
            found = [recommend_session(parts.store, parts.live, told(body.history or [], now), ask, now)]
        return shapes.slates_json(parts.store, found, body.fields)

    answers = await parts.pool.run(work)
    _count(parts, answers)
    return Json({"slates": answers} if body.users is not None else answers[0])


def told(events: Sequence[Event], now: datetime) -> list[Interaction]:
    """A session's own history, oldest first; events without a moment come just before ``now``, in the order sent."""
    last = len(events)
    history = [
        Interaction("", event.item, event.at or now - timedelta(microseconds=last - place), event.kind, event.value)
        for place, event in enumerate(events)
    ]
    return sorted((event for event in history if event.at < now), key=lambda event: event.at)


async def record_interactions(request: Request) -> Response:
    """One interaction or a list of them."""
    parts: Services = request.app.state.services
    content, asker = await _content(request), current(request)
    named = request.headers.get("idempotency-key")
    now = parts.clock()
    if isinstance(content, list):
        if named is not None:
            raise Invalid("an Idempotency-Key header goes with one interaction; give each row its key", field="key")
        own(asker, *(row.get("user") if isinstance(row, dict) else None for row in content))
        return await _record_many(parts, content, now, asker.is_member)
    body = checked(InteractionBody, content)
    own(asker, body.user)
    event = body.interaction(now)
    if asker.is_member and (unknown := await parts.pool.run(lambda: _unknown(parts.store, {0: event}))):
        raise unknown[0]
    if named is not None:
        if event.key not in (None, named):
            raise Invalid("the Idempotency-Key header and the field key differ; send one of them", field="key")
        event = replace(event, key=named)
    kept = await parts.recordings.run((event, now))
    if isinstance(kept.outcomes[0], Exception):
        raise kept.outcomes[0]
    _count_rows(parts, kept.recorded, kept.repeated, 0)
    return Json(
        _outcome(kept.recorded, kept.repeated, kept.new_users, kept.new_items, []), 201 if kept.recorded else 200
    )


async def _record_many(parts: Services, content: list[Any], now: datetime, by_member: bool) -> Response:
    if not 1 <= len(content) <= MAX_ROWS:
        raise Invalid(f"the list has {len(content)} rows; send 1 to {MAX_ROWS} at a time", field="body")

    def work() -> dict[str, Any]:
        events, refused = _rows(content, now)
        unknown = _unknown(parts.store, events) if by_member else {}
        refused += [_refused(index, wrong) for index, wrong in unknown.items()]
        events = {index: event for index, event in events.items() if index not in unknown} if unknown else events
        places = list(events)
        kept, faults = record_valid(parts.store, list(events.values()), now)
        refused += [_refused(places[place], wrong) for place, wrong in faults.items()]
        if kept is None:
            return _outcome(0, 0, 0, 0, refused)
        valid = [index for place, index in enumerate(places) if place not in faults]
        for index, outcome in zip(valid, kept.outcomes, strict=True):
            if isinstance(outcome, Conflict | Invalid):
                refused.append(_refused(index, outcome))
        return _outcome(kept.recorded, kept.repeated, kept.new_users, kept.new_items, refused)

    answer = await parts.pool.run(work)
    _count_rows(parts, answer["recorded"], answer["repeated"], len(answer["refused"]))
    if len(answer["refused"]) == len(content):
        raise Refused(422, f"none of the {len(content)} rows can be recorded", errors=answer["refused"][:100])
    return Json(answer)


def _unknown(store: Store, events: Mapping[int, Interaction]) -> dict[int, Invalid]:
    """Which ``events`` a member may not record, and why: a new item or kind would be there for everybody."""
    items = store.cards({event.item for event in events.values()})
    kinds = {*store.kinds(), InteractionBody.model_fields["kind"].default}
    found: dict[int, Invalid] = {}
    for index, event in events.items():
        if event.item not in items:
            found[index] = Invalid(f"there is no item {event.item!r}; GET /v1/items lists them", field="item")
        elif event.kind not in kinds:
            found[index] = Invalid(f"there is no kind {event.kind!r}; use one that is declared", field="kind")
    return found


def _rows(content: list[Any], now: datetime) -> tuple[dict[int, Interaction], list[dict[str, Any]]]:
    """The rows that read well, by their place, and the others with their reasons."""
    try:
        return {index: row.interaction(now) for index, row in enumerate(_ROWS.validate_python(content))}, []
    except ValidationError:
        pass
    events, refused = {}, []
    for index, row in enumerate(content):
        try:
            events[index] = InteractionBody.model_validate(row).interaction(now)
        except ValidationError as error:
            refused.append({"index": index, **refusals(error.errors())[0]})
    return events, refused


def _refused(index: int, error: Conflict | Invalid) -> dict[str, Any]:
    return {"index": index, "field": error.field if isinstance(error, Invalid) else "key", "reason": str(error)}


def _outcome(
    recorded: int, repeated: int, new_users: int, new_items: int, refused: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "recorded": recorded,
        "repeated": repeated,
        "new_users": new_users,
        "new_items": new_items,
        "refused": sorted(refused, key=lambda row: int(row["index"])),
    }


def _count_rows(parts: Services, recorded: int, repeated: int, refused: int) -> None:
    for outcome, n in (("recorded", recorded), ("repeated", repeated), ("refused", refused)):
        parts.metrics.interactions.labels(outcome).inc(n)


class HotRoute(Route):
    """A plain route that says its name to the log and the metrics, and takes the methods it lists and no other."""

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: set[str]) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.methods = methods

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As of old, and the route itself."""
        match, more = super().matches(scope)
        return match, more if match == Match.NONE else {**more, "route": self}


ROUTES = (
    HotRoute("/v1/recommendations", recommendations, {"GET", "POST"}),
    HotRoute("/v1/interactions", record_interactions, {"POST"}),
)
"""What they take and give is described in ``described``."""
