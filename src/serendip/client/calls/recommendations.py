"""Asking for recommendations, and for what is alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from serendip.client.answers import Neighbours, Slate, Slates
from serendip.client.call import Call, Talk, reads

MOST_ASKERS = 1000
"""The server answers so many users at once; more are asked for in parts."""
MOST_PLACES = 100_000
"""Places of all slates that one request may ask for."""


def recommend(
    user: str,
    n: int | None = None,
    *,
    scenario: str | None = None,
    filter: str | None = None,
    explain: bool = False,
    time: datetime | None = None,
    fields: Sequence[str] = (),
) -> Call[Slate]:
    """The best ``n`` for ``user`` now, or as of ``time``; a user that nobody knows gets the fallback.

    ``filter``: for example ``"drama" in tags and year >= 1990``. ``explain``: each item with the past events that
    put it there. ``fields``: more fields of the items, such as ``tags``.
    """
    query = {
        "user": user,
        "n": n,
        "scenario": scenario,
        "filter": filter,
        "explain": explain or None,
        "time": time,
        "fields": ",".join(fields) or None,
    }
    return Call("recommend", "GET", "/v1/recommendations", reads(Slate), query=query)


def recommend_many(
    users: Iterable[str],
    n: int | None = None,
    *,
    scenario: str | None = None,
    filter: str | None = None,
    explain: bool = False,
    time: datetime | None = None,
    items: Sequence[str] | None = None,
    fields: Sequence[str] = (),
) -> Talk[tuple[Slate, ...]]:
    """One slate a user, in the order given. ``items``: only among these."""
    body = _body(n, scenario, filter, explain, time, items, fields)
    asked = list(users)
    at_once = max(1, min(MOST_ASKERS, MOST_PLACES // max(n or 1, 1)))
    found: list[Slate] = []
    for start in range(0, len(asked), at_once):
        part = {"users": asked[start : start + at_once], **body}
        # Asking leaves nothing behind but a slate in the log, so that it may be sent again.
        answer: Slates = yield Call(
            "recommend_many", "POST", "/v1/recommendations", reads(Slates), body=part, harmless=True
        )
        found.extend(answer.slates)
    return tuple(found)


def recommend_session(
    history: Iterable[str | Mapping[str, Any]],
    n: int | None = None,
    *,
    scenario: str | None = None,
    filter: str | None = None,
    explain: bool = False,
    time: datetime | None = None,
    items: Sequence[str] | None = None,
    fields: Sequence[str] = (),
) -> Call[Slate]:
    """The best ``n`` after a ``history``, oldest first: item ids, or events ``{"item", "kind", "value", "at"}``."""
    events = [{"item": event} if isinstance(event, str) else dict(event) for event in history]
    body = {"history": events, **_body(n, scenario, filter, explain, time, items, fields)}
    return Call("recommend_many", "POST", "/v1/recommendations", reads(Slate), body=body, harmless=True)


def _body(
    n: int | None,
    scenario: str | None,
    filter: str | None,
    explain: bool,
    time: datetime | None,
    items: Sequence[str] | None,
    fields: Sequence[str],
) -> dict[str, Any]:
    body = {
        "n": n,
        "scenario": scenario,
        "filter": filter,
        "explain": explain or None,
        "time": time,
        "items": None if items is None else list(items),
        "fields": list(fields) or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def similar_items(
    item: str, n: int | None = None, *, scenario: str | None = None, filter: str | None = None
) -> Call[Neighbours]:
    """Items alike, best first."""
    return Call(
        "list_neighbours",
        "GET",
        "/v1/items/{item}/neighbours",
        reads(Neighbours),
        {"item": item},
        {"n": n, "scenario": scenario, "filter": filter},
    )
