"""What the API is sent: bodies and questions, as its OpenAPI document shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from serendip.domain import MAX_ID_BYTES, Interaction, Invalid, Item, User, checked_id
from serendip.flows.recommend import MOST

MAX_ROWS = 10_000
"""Rows of one recorded batch."""
MAX_ASKERS = 1000
MAX_EVENTS = 1000
DEEPEST = 20
"""Levels of nesting in attributes and contexts."""


def _id(text: str) -> str:
    try:
        return checked_id(text, "given")
    except Invalid as error:
        raise ValueError(str(error)) from None


def utc(text: object) -> datetime:
    """The moment that ISO 8601 ``text`` means; without an offset it is UTC."""
    if isinstance(text, datetime):
        moment = text
    else:
        if not isinstance(text, str) or len(text) > 40:
            raise ValueError("send a moment as text in ISO 8601, such as 2026-03-01T12:00:00Z")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no moment in ISO 8601; write for example 2026-03-01T12:00:00Z") from None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the years that can be kept") from None


def _shallow(content: dict[str, Any]) -> dict[str, Any]:
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        level = [
            part
            for value in level
            if isinstance(value, dict | list)
            for part in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return content
    raise ValueError(f"it is nested deeper than {DEEPEST} levels; flatten it")


OWN_TEXT = "Your own text, byte for byte."
Id = Annotated[
    str,
    AfterValidator(_id),
    Field(description=OWN_TEXT),
    # Only told here: ``_id`` looks at the length, and a second look at every id of a batch would be felt.
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "description": OWN_TEXT}),
]
Moment = Annotated[
    datetime, BeforeValidator(utc), WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation")
]
Free = Annotated[dict[str, JsonValue], AfterValidator(_shallow), WithJsonSchema({"type": "object"})]
Count = Annotated[int, Field(ge=1, le=MOST)]
ItemField = Literal[
    "catalogue", "text", "tags", "url", "attributes", "available_from", "available_until", "hidden", "title", "image"
]
ITEM_FIELDS = frozenset(get_args(ItemField))


class Body(BaseModel):
    """What is sent: nothing is guessed, nothing unknown is swallowed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Question(BaseModel):
    """What stands behind the ``?``: everything is text there, so numbers are read from it."""

    model_config = ConfigDict(extra="forbid")


def _fields(text: object) -> object:
    return text.split(",") if isinstance(text, str) else text


class RecommendQuestion(Question):
    """Recommendations for one user."""

    user: Id
    scenario: str = Field("home", max_length=100)
    n: Count | None = Field(None, description="How many; as many as the scenario's page holds where it is not said.")
    filter: str | None = Field(None, max_length=10_000, description='For example `"drama" in tags and year >= 1990`.')
    explain: bool = False
    time: Moment | None = Field(None, description="Answer as of this moment instead of now.")
    fields: Annotated[tuple[ItemField, ...], BeforeValidator(_fields), WithJsonSchema({"type": "string"})] = Field(
        (), description="More fields of the items, separated by commas: " + ", ".join(sorted(ITEM_FIELDS))
    )


class Event(Body):
    """Something the asker of a session did."""

    item: Id
    kind: Id = "interaction"
    value: float | None = Field(None, allow_inf_nan=False)
    at: Moment | None = Field(None, description="Events without a moment are taken as just now, in the order sent.")


class RecommendBody(Body):
    """Recommendations for several users, or for a session that tells its own history: one of the two."""

    users: list[Id] | None = Field(None, min_length=1, max_length=MAX_ASKERS)
    history: list[Event] | None = Field(None, max_length=MAX_EVENTS)
    scenario: str = Field("home", max_length=100)
    n: Count | None = Field(None, description="How many; as many as the scenario's page holds where it is not said.")
    filter: str | None = Field(None, max_length=10_000)
    explain: bool = False
    time: Moment | None = None
    items: list[Id] | None = Field(None, max_length=10_000, description="Only among these.")
    fields: list[ItemField] = Field(default_factory=list)


class InteractionBody(Body):
    """A user did something with an item."""

    user: Id
    item: Id
    kind: Id = "interaction"
    value: float | None = Field(None, allow_inf_nan=False)
    at: Moment | None = Field(None, description="Default: now. Without an offset it is UTC.")
    context: Free | None = None
    key: Id | None = Field(None, description="Idempotency key: the same key with the same body is recorded once.")
    slate: Id | None = Field(None, description="The slate that this followed from.")

    def interaction(self, now: datetime) -> Interaction:
        """The domain's word for it."""
        return Interaction(
            self.user, self.item, self.at or now, self.kind, self.value, self.context, self.key, self.slate
        )


class UserPatch(Body):
    """Some fields of a user; in ``attributes`` only those named change, and null removes one."""

    name: str | None = Field(None, max_length=1000)
    attributes: Free = Field(default_factory=dict)


class UserFields(UserPatch):
    """Everything kept of a user but the id."""

    def user(self, id: str) -> User:
        """The domain's word for it."""
        return User(id, self.name, self.attributes)


class UserBody(UserFields):
    """A user."""

    id: Id


class ItemPatch(Body):
    """Some fields of an item; in ``attributes`` only those named change, and null removes one."""

    catalogue: Id = "items"
    title: str | None = Field(None, max_length=1000)
    text: str | None = Field(None, max_length=1_000_000)
    tags: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list, max_length=1000)
    image: str | None = Field(None, max_length=200_000, description="An address, or the text of an SVG drawing.")
    url: str | None = Field(None, max_length=10_000)
    attributes: Free = Field(default_factory=dict)
    available_from: Moment | None = None
    available_until: Moment | None = Field(None, description="Exclusive.")
    hidden: bool = Field(False, description="Never recommended while true.")


class ItemFields(ItemPatch):
    """Everything kept of an item but the id."""

    def item(self, id: str) -> Item:
        """The domain's word for it."""
        return Item(**{**dict(self), "id": id, "tags": tuple(self.tags)})


class ItemBody(ItemFields):
    """An item."""

    id: Id


class PromoteBody(Body):
    """Which version goes live."""

    version: Id
    override: str | None = Field(None, max_length=1000, description="Why it goes live although the gate refuses it.")


class RollbackBody(Body):
    """Back to the version before."""

    reason: str | None = Field(None, max_length=1000)
