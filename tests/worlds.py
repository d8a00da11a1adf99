"""Small made worlds, legible enough to know every answer beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from serendip.data import Column, Columns, Dataset, Queries, Vocabulary
from serendip.domain import Interaction, InteractionKind, micros

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the worlds are asked: just after everything has happened."""

RATING = InteractionKind("rating", mode="latest", scale=(1, 5))
DISLIKE = InteractionKind("dislike", negative=True)


def took(
    user: int, item: int, hours_ago: float = 1.0, kind: str = "interaction", value: float | None = None
) -> Interaction:
    """User ``user`` did something with item ``item`` that long before NOON."""
    return Interaction(f"u{user}", f"i{item}", NOON - timedelta(hours=hours_ago), kind, value)


def world(
    events: Sequence[Interaction],
    n_items: int | None = None,
    kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),),
) -> Dataset:
    """The events as a dataset cut at NOON, in their order; items i0, i1, ... as many as ``n_items`` or were met."""
    met = [int(event.item[1:]) for event in events]
    items = Vocabulary(tuple(f"i{i}" for i in range(max([*met, -1]) + 1 if n_items is None else n_items)))
    users = Vocabulary.of(event.user for event in events)
    names = [kind.name for kind in kinds]
    data = Dataset.of(
        users.rows([event.user for event in events]),
        items.rows([event.item for event in events]),
        users,
        items,
        kind=np.array([names.index(event.kind) for event in events], np.int16),
        value=np.array([np.nan if event.value is None else event.value for event in events]),
        at=np.array([micros(event.at) for event in events], np.int64),
        kinds=kinds,
    )
    return data.before(micros(NOON))


def checkerboard(n_users: int = 12, n_items: int = 8, untouched: int = 0) -> Dataset:
    """Even users took the even items and odd users the odd ones, each all but one; nobody took the ``untouched``.

    User ``u`` misses the item at place ``u // 2`` (round and round) of its colour: u0 took i2, i4, i6, and not i0; u1
    took i3, i5, i7, and not i1; u2 misses i2, and so on. One event an hour, user after user, the last
    an hour before NOON.
    """
    pairs = []
    for user in range(n_users):
        own = list(range(user % 2, n_items, 2))
        missed = own[(user // 2) % len(own)]
        pairs += [(user, item) for item in own if item != missed]
    events = [took(user, item, hours_ago=len(pairs) - place) for place, (user, item) in enumerate(pairs)]
    return world(events, n_items + untouched)


def worth(user: int, item: int) -> float:
    """The rating of a world in which somebody gives one: 1 to 5, by no taste at all."""
    return 1.0 + (2 * user + 3 * item + user * item) % 5


def rated(data: Dataset) -> Dataset:
    """The same events, each with its worth as a rating."""
    users, items = (np.array([int(one[1:]) for one in names.ids]) for names in (data.users, data.items))
    return replace(data, value=np.float32(worth(users[data.user_ix], items[data.item_ix])))


def described(data: Dataset) -> Dataset:
    """The same events with attributes of every item and user, each by its number.

    Items: a title and tags that an item shares with those of its colour, what some cost, and a vector that points its
    colour's way.
    Events: a vector of what was said.
    Users: an age, a town, and hobbies that all of one colour have.
    """
    items, users = ([int(one[1:]) for one in names.ids] for names in (data.items, data.users))
    of_items = [
        {
            "title": f"{('plain', 'odd')[i % 2]} thing of row {i % 3}",
            "tags": [("even", "odd")[i % 2], f"third-{i % 3}"] + ["every"] * (i % 4 == 0),
            "cost": None if i % 4 == 3 else 2.5 * (1 + i % 6),
            "look": [1.0, i % 2, (i % 5) / 4] if i % 2 else [-1.0, 1.0, (i % 3) / 2],
        }
        for i in items
    ]
    of_users = [
        {
            "age": 20 + 7 * u % 40,
            "town": ("North", "South")[u % 2],
            "member": u % 3 == 0,
            "hobbies": [("chess", "swimming")[u % 2], f"hobby-{u % 4}"],
            "R": 1.0 + u % 7,
            "F": 1.0 + u % 5,
            "M": 10.0 ** (u % 4),
        }
        for u in users
    ]
    # Of every fourth event nothing was said.
    said = np.array(
        [[i % 2, u % 2, (3 * u + i) % 5 / 4 + 0.1] for u, i in zip(data.user_ix, data.item_ix, strict=True)]
    )
    said[::4] = np.nan
    of_events = Columns(len(data), {"said": Column(vectors=said.astype(np.float32))})
    return replace(data, item_columns=Columns.of(of_items), user_columns=Columns.of(of_users), event_columns=of_events)


def ask(data: Dataset, *histories: Sequence[Interaction]) -> Queries:
    """These histories, asked at NOON."""
    return Queries.of(histories, data.items, NOON, data.kinds)


VIEW, BUY = InteractionKind("view", weight=0.5), InteractionKind("buy", weight=2.0)


def market() -> Dataset:
    """Thirty users who view and buy eleven items over sixty days, some of them several times; no two users alike."""
    events = []
    for user in range(30):
        for turn in range(user % 5 + 2):
            days = (user * 7 + turn * 5) % 60
            events.append(took(user, (user * user + 3 * turn) % 11, 24 * days + 1, "view"))
            if (user + turn) % 3 == 0:
                events.append(took(user, (user * user + 3 * turn) % 11, 24 * days + 0.5, "buy"))
    return world(events, 11, (VIEW, BUY))
