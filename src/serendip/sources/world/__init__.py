"""A small world, made from a seed: people with tastes, films with posters, and what happened among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from serendip.domain import InteractionKind, Invalid, micros
from serendip.sources.datasets.known import Part, rows
from serendip.sources.source import FrameSource
from serendip.sources.world.films import GENRES, Film, draw_films
from serendip.sources.world.people import draw_people
from serendip.sources.world.posters import draw_poster
from serendip.sources.world.tastes import DAY, RATING, Events, Tastes, draw_events, draw_tastes

__all__ = ["KINDS", "UNTIL", "Events", "Film", "Tastes", "World", "generate", "generate_events"]

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
"""The moment before which everything in a world happens."""

KINDS = [
    InteractionKind("view", weight=1.0),
    InteractionKind("rating", mode="latest", weight=1.0, scale=(1, 5)),
]


@dataclass(frozen=True)
class World:
    """People, films, and what happened."""

    users: pl.DataFrame
    """Columns id, name, country."""
    items: pl.DataFrame
    """Columns id, title, text, tags, image (SVG text), available_from, and the facts that become attributes."""
    interactions: pl.DataFrame
    """Columns user, item, at (microseconds since 1970), kind, value; in the order of time."""
    kinds: list[InteractionKind]
    tastes: Tastes
    """The hidden truth, by the rows of ``users`` and ``items``."""
    name: str

    @property
    def parts(self) -> list[Part]:
        """The world as a data set's parts, checked like everything that comes from outside."""
        users = FrameSource(f"{self.name}: users", self.users, digest=f"{self.name}: users")
        items = FrameSource(f"{self.name}: items", self.items, digest=f"{self.name}: items")
        events = FrameSource(self.name, self.interactions, digest=self.name)
        facts = ["genre", "mood", "year", "country", "minutes", "director"]
        shown = "id title text tags image available_from"
        return [
            rows(users, "users", "id name", attributes=["country"]),
            rows(items, "items", shown, attributes=facts, defaults={"catalogue": "films"}),
            rows(events, "interactions", "user item at kind value", scale=(1, 5)),
        ]


def generate(
    n_users: int = 600,
    n_items: int = 400,
    n_interactions: int = 30_000,
    *,
    days: float = 180.0,
    seed: int = 7,
    until: datetime = UNTIL,
) -> World:
    """A world of about this size, the same for the same numbers; it ends before ``until``.

    Nobody views a film twice: where ``n_interactions`` is more than people and
    films allow, there are fewer.
    """
    _check_sizes(n_users, n_items, n_interactions, days)
    rng = np.random.default_rng(seed)
    tastes = draw_tastes(n_users, n_items, days, rng, len(GENRES))
    events = draw_events(tastes, n_interactions, days, micros(until), rng)
    people = draw_people(n_users, rng)
    films = draw_films(tastes, until.year, rng)
    items = _items(films, tastes, days, until, rng)
    interactions = pl.DataFrame(
        {
            "user": people["id"].gather(events.user_ix),
            "item": items["id"].gather(events.item_ix),
            "at": events.at,
            "kind": np.where(events.kind == RATING, "rating", "view"),
            "value": pl.Series(events.value, dtype=pl.Float64, nan_to_null=True),
        }
    )
    sizes = f"{n_users}-{n_items}-{n_interactions}-{days:g}-{seed}-{micros(until)}"
    return World(people, items, interactions, KINDS, tastes, f"world-{sizes}")


def generate_events(
    n_users: int, n_items: int, n_interactions: int, *, days: float = 180.0, seed: int = 7, until: datetime = UNTIL
) -> tuple[Events, Tastes]:
    """What happens in a world of any size, as arrays without names, titles or posters: for measuring speed."""
    _check_sizes(n_users, n_items, n_interactions, days)
    rng = np.random.default_rng(seed)
    tastes = draw_tastes(n_users, n_items, days, rng)
    return draw_events(tastes, n_interactions, days, micros(until), rng), tastes


def _check_sizes(n_users: int, n_items: int, n_interactions: int, days: float) -> None:
    if min(n_users, n_items, n_interactions) < 1 or not 1 <= days <= 3650:
        raise Invalid("a world has at least one user, item and interaction, and lasts from 1 to 3650 days")


def _items(films: list[Film], tastes: Tastes, days: float, until: datetime, rng: np.random.Generator) -> pl.DataFrame:
    start = micros(until) - int(days * DAY)
    premieres = [None if day < 0 else start + int(day * DAY) for day in tastes.premiere]
    return pl.DataFrame(
        {
            "id": [film.id for film in films],
            "title": [film.title for film in films],
            "text": [film.text for film in films],
            "tags": [film.tags for film in films],
            "image": [draw_poster(film, rng) for film in films],
            "genre": [film.genre for film in films],
            "mood": [film.mood for film in films],
            "year": [film.year for film in films],
            "country": [film.country for film in films],
            "minutes": [film.minutes for film in films],
            "director": [film.director for film in films],
            "available_from": pl.Series(premieres, dtype=pl.Int64),
        }
    )
