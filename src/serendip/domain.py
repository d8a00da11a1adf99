"""What we talk about: users, items, interactions, slates, and the errors everybody raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

HISTORY_LIMIT = 500
"""A model is told this many of an asker's latest events; hiding uses all of them."""

ORDER_ONLY = 365 * 86_400_000_000
"""Microseconds since 1970: data whose latest moment is before this has an order, but no moments."""

MAX_ID_BYTES = 512
"""The longest id of a user or an item, in bytes of UTF-8."""


class SerendipError(Exception):
    """Something a person can mend; the message says what, which one, and what to do next."""


class NotFound(SerendipError):
    """What was asked for does not exist."""


class Invalid(SerendipError):
    """What was sent cannot be accepted as it is."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Conflict(SerendipError):
    """What was sent contradicts what is kept: another body under the same key, an id that is taken."""


class NotReady(SerendipError):
    """It would work later or after a step the message names: no model yet, disk full, database away."""


def checked_id(text: object, what: str) -> str:
    """``text`` if it can be the id of a ``what`` (user, item, ...); ids are kept byte for byte."""
    if isinstance(text, str) and text.isascii() and 0 < len(text) <= MAX_ID_BYTES and "\0" not in text:
        return text
    if not isinstance(text, str):
        raise Invalid(f"the {what} id {text!r} is not text; send it as a string", field=what)
    if not text:
        raise Invalid(f"the {what} id is empty", field=what)
    if "\0" in text:
        raise Invalid(f"the {what} id {text!r} holds a NUL character; remove it", field=what)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Invalid(f"the {what} id {text!r} holds half a surrogate pair; send valid Unicode", field=what) from None
    if size > MAX_ID_BYTES:
        raise Invalid(f"the {what} id {text[:20]!r}... has {size} bytes; at most {MAX_ID_BYTES} are kept", field=what)
    return text


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware moment; this is how moments are kept and put into arrays."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(us: int) -> datetime:
    """The aware moment of ``us`` microseconds since 1970."""
    seconds, rest = divmod(int(us), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


@dataclass(frozen=True, slots=True)
class InteractionKind:
    """How one kind of interaction is to be read: a view, a purchase, a rating."""

    name: str
    mode: Literal["accumulate", "latest"] = "accumulate"
    """accumulate: each one counts. latest: a rating; the newest of a user and an item counts."""
    weight: float = 1.0
    """What one event counts for implicit models."""
    scale: tuple[float, float] | None = None
    """Lowest and highest value, both included; none: the kind carries no value that must be checked."""
    negative: bool = False
    """A dislike: never a reason to recommend, and its item is hidden."""
    hides: bool = True
    """Items with an event of this kind are not shown again to their user; False where repeats are wanted."""


def kinds_from(records: list[dict[str, object]]) -> tuple[InteractionKind, ...]:
    """Kinds as a manifest holds them."""
    return tuple(
        InteractionKind(**{**one, "scale": tuple(one["scale"]) if one.get("scale") else None})  # type: ignore[arg-type]
        for one in records
    )


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is recommended to, or a program's stand-in for one."""

    id: str
    name: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be recommended; it belongs to a catalogue (films, products, people)."""

    id: str
    catalogue: str = "items"
    title: str | None = None
    text: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    url: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    available_from: datetime | None = None
    available_until: datetime | None = None
    """Exclusive."""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Interaction:
    """A user did something with an item at a moment."""

    user: str
    item: str
    at: datetime
    kind: str = "interaction"
    value: float | None = None
    context: Mapping[str, Any] | None = None
    key: str | None = None
    """Idempotency key: the same key with the same body is recorded once."""
    slate: str | None = None
    """The slate this followed from."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A user follows, blocks, or otherwise points at another user."""

    user: str
    other: str
    kind: str = "follows"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item stands where it does: one past event and its share of the score."""

    item: str
    """The item of the past event."""
    share: float
    """Part of the item's score that this event gave, in the score's own unit; may be negative."""
    kind: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SlateItem:
    """One place of a slate."""

    item: str
    score: float
    source: str
    """What put it here: a candidate of the pipeline, one of its fallbacks, or ``pin`` or ``new``."""
    reasons: tuple[Reason, ...] = ()
    parts: Mapping[str, float] | None = None
    """Where several candidates were merged: each one's part of the score; what a rule added is called ``boost``."""
    values: Mapping[str, float | None] | None = None
    """Of a ranker's score: what the features named in ``parts`` were, None where nothing was known. Not kept."""


@dataclass(frozen=True, slots=True)
class Interest:
    """One of the few things that an asker's history is counted by, such as a cluster of tags."""

    name: str
    count: float
    """How many of it the history holds."""
    expected: float
    """How many the model expects."""


@dataclass(frozen=True, slots=True)
class Slate:
    """One answer: items in order, where they came from, and whether there were enough."""

    id: str
    scenario: str
    version: str
    at: datetime
    user: str | None
    known: bool
    """The user was known to the store before this question."""
    exhausted: bool
    """Fewer items qualify than were asked for."""
    items: tuple[SlateItem, ...]
    note: str | None = None
    """A sentence about this answer that its reader should know, for example why it is short."""
    relaxed: tuple[str, ...] = ()
    """Rules of the scenario that this answer does not keep, because it would have been short, in the order given up."""
    recommends: Literal["items", "users"] = "items"
    """What its places hold; kept with the scenario and not with the slate."""
    interests: tuple[Interest, ...] = ()
    """Where it was explained by a model that counts a history: the most expected first. Not kept."""
