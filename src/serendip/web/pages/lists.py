"""Everything that a person is recommended, as plain lists: one of each scenario, one of each recommender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import SerendipError, Slate, User, checked_id
from serendip.flows.recommend import Ask, recommend
from serendip.flows.rows import recommend_by_matrices
from serendip.web.pages.paper import named, page
from serendip.web.pages.rows import N_CARDS, Because, cards_of, noted
from serendip.web.services import Parts, Services

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Place:
    """One line of a list."""

    id: str
    name: str
    score: float
    source: str
    because: Because | None = None


@dataclass(frozen=True)
class Listed:
    """What one scenario or recommender answers, best first, or the sentence why it does not."""

    name: str
    about: str
    of: str
    """items or users."""
    places: tuple[Place, ...]
    note: str | None
    doubt: str | None = None


@router.get("/people/{user:id}/lists")
def lists(request: Request, parts: Parts, user: str) -> Response:
    """A person's recommendations by scenario and by recommender."""
    checked_id(user, "user")
    now = parts.clock()
    return page(
        request,
        "lists.html",
        person=parts.store.user(user) or User(user),
        lists=[*_by_scenario(parts, user, now), *_by_recommender(parts, user, now)],
    )


def _by_scenario(parts: Services, user: str, now: datetime) -> list[Listed]:
    found = []
    for name, scenario in sorted(parts.live.scenarios.items()):

        def ask(name: str = name) -> Slate:
            return recommend(parts.store, parts.live, user, Ask(name, explain=True), now)

        found.append(_listed(parts, name, "scenario", scenario.config.recommend, ask))
    return found


def _by_recommender(parts: Services, user: str, now: datetime) -> list[Listed]:
    found = []
    for one in parts.store.recommenders():

        def ask(name: str = one.name) -> Slate:
            return recommend_by_matrices(parts.store, name, user, N_CARDS, now)

        found.append(_listed(parts, one.name, "recommender", "items", ask))
    return found


def _listed(parts: Services, name: str, what: str, of: str, ask: Callable[[], Slate]) -> Listed:
    try:
        slate = ask()
    except SerendipError as error:
        return Listed(name, what, of, (), str(error))
    note, doubt = noted(parts, slate)
    places = _people(parts, slate) if of == "users" else _items(parts, slate)
    return Listed(name, f"{what}, {slate.version}", of, places, note, doubt)


def _people(parts: Services, slate: Slate) -> tuple[Place, ...]:
    found = parts.store.users_by_id({one.item for one in slate.items})
    names = {id: one.name for id, one in found.items()}
    return tuple(Place(one.item, names.get(one.item) or one.item, one.score, one.source) for one in slate.items)


def _items(parts: Services, slate: Slate) -> tuple[Place, ...]:
    cards = cards_of(parts, slate)
    pairs = zip(slate.items, cards, strict=True)
    return tuple(Place(one.item, named(card.item), one.score, one.source, card.because) for one, card in pairs)
