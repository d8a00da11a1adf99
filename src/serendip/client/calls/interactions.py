"""Recording what users do, each event once however often it is sent; reading it again, putting it right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict, Field

from serendip.client.answers import Interaction, Recorded, RefusedRow, Shown
from serendip.client.batches import faults_of, new_key, no_row_taken, parts_of
from serendip.client.call import Call, Listing, Talk, nothing, reads, reads_rows
from serendip.client.errors import Invalid

ONE = "/v1/interactions/{interaction}"

Order = Literal["-at", "at", "recorded", "-recorded"]


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


class TakenBack(Shown):
    """How many interactions were taken back."""

    deleted: int


class InteractionFields(TypedDict, total=False):
    """What can be put right of an interaction."""

    user: str
    item: str
    kind: str
    value: float | None
    at: datetime
    context: dict[str, Any] | None
    slate: str | None


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
            if not no_row_taken(error):
                raise
            last = error
            refused = [
                RefusedRow(index=index, field=fault.field, reason=fault.reason)
                for index, fault in enumerate(faults_of(error, len(part)))
            ]
            answer = Recorded(recorded=0, repeated=0, refused=tuple(refused))
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


def interactions(
    *,
    user: str | None = None,
    item: str | None = None,
    kind: str | None = None,
    slate: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    sort: Order | None = None,
    limit: int | None = None,
) -> Listing[Interaction]:
    """What was recorded, the latest first. ``until``: exclusive. ``limit``: rows of a page."""
    query = {
        "user": user,
        "item": item,
        "kind": kind,
        "slate": slate,
        "since": since,
        "until": until,
        "at_least": at_least,
        "at_most": at_most,
        "sort": sort,
        "limit": limit,
    }
    read = reads_rows(Interaction, "interactions")
    return Listing(Call("list_interactions", "GET", "/v1/interactions", read, query=query))


def interaction(interaction: int) -> Call[Interaction]:
    """One interaction; its ``etag`` is what ``if_match`` takes."""
    return Call("read_interaction", "GET", ONE, reads(Interaction), {"interaction": str(interaction)})


def replace_interaction(
    interaction: int,
    user: str,
    item: str,
    at: datetime,
    kind: str = "interaction",
    value: float | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    slate: str | None = None,
    if_match: str | None = None,
) -> Call[Interaction]:
    """Put an interaction right, whole; its idempotency key stays with it."""
    body = {"user": user, "item": item, "at": at, "kind": kind, "value": value, "context": context, "slate": slate}
    return Call(
        "replace_interaction",
        "PUT",
        ONE,
        reads(Interaction),
        {"interaction": str(interaction)},
        body=body,
        headers={"If-Match": if_match},
    )


def update_interaction(
    interaction: int, *, if_match: str | None = None, **fields: Unpack[InteractionFields]
) -> Call[Interaction]:
    """Change what is named, keep the rest."""
    return Call(
        "update_interaction",
        "PATCH",
        ONE,
        reads(Interaction),
        {"interaction": str(interaction)},
        body=dict(fields),
        headers={"If-Match": if_match},
    )


def delete_interaction(interaction: int, *, if_match: str | None = None) -> Call[None]:
    """Take one interaction back."""
    named = {"interaction": str(interaction)}
    return Call("delete_interaction", "DELETE", ONE, nothing, named, headers={"If-Match": if_match})


def delete_interactions(user: str, *, item: str | None = None, kind: str | None = None) -> Call[TakenBack]:
    """Take back what ``user`` did: everything, or what was done with one item, or of one kind."""
    query = {"user": user, "item": item, "kind": kind}
    return Call("delete_interactions", "DELETE", "/v1/interactions", reads(TakenBack), query=query)
