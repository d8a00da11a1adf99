"""What the server answers, typed; a field that a newer server adds is kept and harms nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field


class Shown(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Reason(Shown):
    """A past event and its share of the score, in the score's own unit."""

    item: str
    share: float
    title: str | None = None
    kind: str | None = None
    at: datetime | None = None


class Place(Shown):
    """One place of a slate; fields of the item that were asked for are attributes too."""

    item: str
    score: float
    source: str
    """The model that put it here."""
    reasons: tuple[Reason, ...] = ()
    parts: dict[str, float] | None = None
    values: dict[str, float | None] | None = None
    """Of an explained ranker: what the features named in ``parts`` were; None where nothing was known."""
    title: str | None = None
    image: str | None = None


class Slate(Shown):
    """One answer: items in order. Interactions that follow from it name its ``slate``."""

    slate: str
    scenario: str
    version: str
    at: datetime
    user: str | None
    known: bool
    exhausted: bool
    note: str | None = None
    relaxed: tuple[str, ...] = ()
    """Rules of the scenario that were given up so that it is not short."""
    items: tuple[Place, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The items' ids, best first."""
        return tuple(place.item for place in self.items)


class Slates(Shown):
    """One slate a user, in the order asked."""

    slates: tuple[Slate, ...]


class Likeness(Shown):
    """One that is alike."""

    likeness: float
    item: str | None = None
    user: str | None = None
    title: str | None = None
    name: str | None = None
    image: str | None = None


class Neighbours(Shown):
    """Those alike, best first, by the model ``source``."""

    source: str
    items: tuple[Likeness, ...] = ()
    users: tuple[Likeness, ...] = ()


class RefusedRow(Shown):
    """A row of a batch that was not kept."""

    index: int
    """Its place in what was given, from 0."""
    field: str | None = None
    reason: str


class Recorded(Shown):
    """What became of interactions."""

    recorded: int
    repeated: int
    """Rows that had been recorded before under the same key."""
    new_users: int = 0
    new_items: int = 0
    refused: tuple[RefusedRow, ...] = ()


class RefusedChange(RefusedRow):
    """A row of ``put`` or ``delete`` that was not taken."""

    list: str


class Changed(Shown):
    """What became of many records that were sent together."""

    created: int
    replaced: int
    deleted: int
    refused: tuple[RefusedChange, ...] = ()


class Tagged(Shown):
    """A record with the tag that ``if_match`` takes."""

    etag: str | None = Field(None, exclude=True)


class Interaction(Tagged):
    """An interaction as it is kept."""

    id: int
    user: str
    item: str
    kind: str
    value: float | None = None
    at: datetime
    context: dict[str, Any] | None = None
    slate: str | None = None


class User(Tagged):
    """A user as it is kept."""

    id: str
    name: str | None = None
    attributes: dict[str, Any] = {}


class Item(Tagged):
    """An item as it is kept; ``image`` is an address that a browser can load."""

    id: str
    catalogue: str = "items"
    title: str | None = None
    text: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    url: str | None = None
    attributes: dict[str, Any] = {}
    available_from: datetime | None = None
    available_until: datetime | None = None
    hidden: bool = False


class Relation(Shown):
    """That a user points at another."""

    user: str
    other: str
    kind: str


class Interval(Shown):
    """A mean and its 95% interval."""

    mean: float
    low: float
    high: float


class Version(Shown):
    """A frozen model version; ``metrics`` by protocol and name."""

    id: str
    name: str
    created_at: datetime
    live: tuple[str, ...] = ()
    """The scenarios in which it is live."""
    personal: bool = False
    gate: str | None = None
    metrics: dict[str, dict[str, Interval]] = {}
    manifest: dict[str, Any] | None = None
    """Only where one version is asked for."""


class Versions(Shown):
    """All versions kept, newest first."""

    versions: tuple[Version, ...]


class Promotion(Shown):
    """Which version went live, and why."""

    scenario: str
    version: str
    at: datetime
    reason: str | None = None
    override: bool = False
    previous: str | None = None


class Scenario(Shown):
    """A place where recommendations appear, and what answers there."""

    scenario: str
    origin: str | None = None
    """start, file (changed in ``serendip.toml`` only) or api."""
    config: dict[str, Any] = {}
    serving: str | None = None
    personal: bool | None = None
    note: str | None = None
    promotion: Promotion | None = None


class Scenarios(Shown):
    """All scenarios, and what is wrong with them."""

    scenarios: tuple[Scenario, ...]
    problems: tuple[str, ...] = ()


class Health(Shown):
    """How the server is."""

    status: str
    version: str
    problems: tuple[str, ...] = ()


class UserFields(TypedDict, total=False):
    """What is kept of a user beside the id."""

    name: str | None
    attributes: dict[str, Any]


class ItemFields(TypedDict, total=False):
    """What is kept of an item beside the id."""

    catalogue: str
    title: str | None
    text: str | None
    tags: list[str]
    image: str | None
    """An address, or the text of an SVG drawing."""
    url: str | None
    attributes: dict[str, Any]
    available_from: datetime | None
    available_until: datetime | None
    """Exclusive."""
    hidden: bool
