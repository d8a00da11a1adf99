"""Recording what users do, each event once however often it is sent; and reading it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from serendip.client.answers import Interaction, Recorded, RefusedRow
from serendip.client.call import Call, Listing, Talk, encoded, reads, reads_rows
from serendip.client.errors import Invalid

MOST_ROWS = 10_000
"""The server takes so many rows at once; longer lists are sent in parts."""
MOST_BYTES = 8_000_000
"""A part is no larger, so that it stays below what the server takes."""


def new_key() -> str:
    """An idempotency key that nobody else has."""
    return uuid4().hex


class Event(BaseModel):
    """Something a user did, to be recorded. It is born with its key, so that it may be sent again and adds nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    item: str
    kind: str = "interaction"
    value: float | None = None
    at: datetime | None = None
    """None: when it reaches the server."""
    context: dict[str, Any] | None = None
    slate: str | None = None
    """The slate that this followed from."""
    key: str = Field(default_factory=new_key)


def record(
    user: str,
    item: str,
    kind: str = "interaction",
    value: float | None = None,
    *,
    at: datetime | None = None,
    context: Mapping[str, Any] | None = None,
    slate: str | None = None,
    key: str | None = None,
) -> Call[Recorded]:
    """Record that ``user`` did something with ``item``; without ``key`` one is made, so that a retry adds nothing."""
    body = {
        "user": user,
        "item": item,
        "kind": kind,
        "value": value,
        "at": at,
        "context": None if context is None else dict(context),
        "slate": slate,
        "key": key or new_key(),
    }
    return _record({name: told for name, told in body.items() if told is not None})


def _record(body: Any) -> Call[Recorded]:
    return Call("record_interactions", "POST", "/v1/interactions", reads(Recorded), body=body, harmless=True)


def record_many(events: Iterable[Event | Mapping[str, Any]]) -> Talk[Recorded]:
    """Record a list, in parts of up to 10,000 rows; rows that cannot be kept are listed in ``refused``.

    A row without a key is given one. Where a list may have to be sent again by you, say after a crash, make the rows
    ``Event`` or give them your own keys: what was recorded already then counts as repeated. Raises Invalid when not
    one row can be kept.
    """
    total = Recorded(recorded=0, repeated=0)
    start, last = 0, None
    for part in parts_of(_keyed(event) for event in events):
        try:
            answer: Recorded = yield _record(part)
        except Invalid as error:
            if not any(fault.index is not None for fault in error.errors):
                raise
            last, answer = error, _all_refused(error, len(part))
        total = Recorded(
            recorded=total.recorded + answer.recorded,
            repeated=total.repeated + answer.repeated,
            new_users=total.new_users + answer.new_users,
            new_items=total.new_items + answer.new_items,
            refused=(
                *total.refused,
                *(row.model_copy(update={"index": row.index + start}) for row in answer.refused),
            ),
        )
        start += len(part)
    if last is not None and len(total.refused) == start:
        raise last
    return total


def _keyed(event: Event | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(event, Event):
        return event.model_dump(mode="json", exclude_none=True)
    return {**event, "key": event.get("key") or new_key()}


def parts_of(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """``rows`` in parts that one request may hold."""
    part: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        n_bytes = len(encoded(row)) + len(", ")
        if part and (len(part) == MOST_ROWS or size + n_bytes > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += n_bytes
    if part:
        yield part


def _all_refused(error: Invalid, n_rows: int) -> Recorded:
    """What a wholly refused part comes to; the server names the first hundred rows."""
    named = {fault.index: fault for fault in error.errors if fault.index is not None}
    rows = [
        RefusedRow(index=index, field=named[index].field, reason=named[index].reason)
        if index in named
        else RefusedRow(index=index, field=None, reason=error.detail)
        for index in range(n_rows)
    ]
    return Recorded(recorded=0, repeated=0, refused=tuple(rows))


def interactions(
    *, user: str | None = None, item: str | None = None, kind: str | None = None, limit: int | None = None
) -> Listing[Interaction]:
    """What was recorded, the latest first. ``limit``: rows of a page."""
    query = {"user": user, "item": item, "kind": kind, "limit": limit}
    return Listing(
        Call("list_interactions", "GET", "/v1/interactions", reads_rows(Interaction, "interactions"), query=query)
    )
