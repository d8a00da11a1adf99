"""What the API answers, as its OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ReasonShown(BaseModel):
    """A past event and its share of the score, in the score's own unit."""

    item: str
    title: str | None
    share: float
    kind: str | None
    at: datetime | None


class Place(BaseModel):
    """One place of a slate; further fields of the item follow where they were asked for."""

    model_config = ConfigDict(extra="allow")

    item: str
    score: float
    source: str
    reasons: list[ReasonShown]
    parts: dict[str, float] | None
    values: dict[str, float | None] | None = Field(
        None, description="With `explain`, of a ranker: what the features named in `parts` were; null: nothing known."
    )
    title: str | None
    image: str | None


class InterestShown(BaseModel):
    """A thing that a history is counted by, such as a cluster of tags: how many it holds, how many are expected."""

    name: str
    count: float
    expected: float


class SlateShown(BaseModel):
    """One answer."""

    slate: str
    scenario: str
    version: str
    at: datetime
    user: str | None
    known: bool
    exhausted: bool
    note: str | None
    relaxed: list[str]
    interests: list[InterestShown] = Field(description="With `explain`, of models that count histories.")
    items: list[Place]


class SlatesPage(BaseModel):
    """Slates as they were answered, newest first."""

    slates: list[SlateShown]
    next: str | None
    total: int | None


class SlatesShown(BaseModel):
    """One slate a user, in the order asked."""

    slates: list[SlateShown]


class Likeness(BaseModel):
    """An item that is alike."""

    item: str
    likeness: float
    title: str | None
    image: str | None


class NeighboursShown(BaseModel):
    """Items alike, best first."""

    item: str
    source: str
    items: list[Likeness]


class AlikeUser(BaseModel):
    """A user who is alike."""

    user: str
    likeness: float
    name: str | None


class AlikeShown(BaseModel):
    """Users alike, best first."""

    user: str
    source: str
    users: list[AlikeUser]


class RefusedRow(BaseModel):
    """A row of a batch that was not recorded."""

    index: int
    field: str | None
    reason: str


class RefusedChange(RefusedRow):
    """A row of one of the lists that was not taken."""

    list: str


class ChangedShown(BaseModel):
    """What became of many records that were sent together."""

    created: int
    replaced: int
    deleted: int
    refused: list[RefusedChange]


class RecordedShown(BaseModel):
    """What became of the rows."""

    recorded: int
    repeated: int
    new_users: int
    new_items: int
    refused: list[RefusedRow]


class InteractionShown(BaseModel):
    """An interaction as it is kept."""

    id: int
    user: str
    item: str
    kind: str
    value: float | None
    at: datetime
    context: dict[str, Any] | None
    slate: str | None


class InteractionsPage(BaseModel):
    """Interactions, newest first."""

    interactions: list[InteractionShown]
    next: str | None
    total: int | None


class TakenBack(BaseModel):
    """How many interactions were taken back."""

    deleted: int


class RelationShown(BaseModel):
    """That a user points at another."""

    user: str
    other: str
    kind: str


class RelationsPage(BaseModel):
    """Relations by user, or by whom they point at."""

    relations: list[RelationShown]
    next: str | None
    total: int | None


class UserShown(BaseModel):
    """A user as it is kept."""

    id: str
    name: str | None
    attributes: dict[str, Any]


class UsersPage(BaseModel):
    """Users by id."""

    users: list[UserShown]
    next: str | None
    total: int | None


class ItemShown(BaseModel):
    """An item as it is kept; ``image`` is an address that a browser can load."""

    id: str
    catalogue: str
    title: str | None
    text: str | None
    tags: list[str]
    image: str | None
    url: str | None
    attributes: dict[str, Any]
    available_from: datetime | None
    available_until: datetime | None
    hidden: bool


class ItemsPage(BaseModel):
    """Items by id."""

    items: list[ItemShown]
    next: str | None
    total: int | None


class Interval(BaseModel):
    """A mean and its 95% interval."""

    mean: float
    low: float
    high: float


class VersionShown(BaseModel):
    """A frozen model version; ``metrics`` by protocol and name."""

    id: str
    name: str
    created_at: datetime
    live: list[str]
    personal: bool
    gate: str | None
    metrics: dict[str, dict[str, Interval]]


class VersionsShown(BaseModel):
    """All versions kept, newest first."""

    versions: list[VersionShown]


class VersionWhole(VersionShown):
    """A version with its manifest: config, data, seed, code, tables."""

    manifest: dict[str, Any]


class PromotionShown(BaseModel):
    """Which version went live, and why."""

    scenario: str
    version: str
    at: datetime
    reason: str | None
    override: bool
    previous: str | None


class Health(BaseModel):
    """Whether the server lives, and whether it can answer."""

    status: str
    version: str
    problems: list[str]


class Refusal(BaseModel):
    """A field and what is wrong with it."""

    model_config = ConfigDict(extra="allow")

    field: str | None
    reason: str


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None
    errors: list[Refusal] = Field(default_factory=list)
