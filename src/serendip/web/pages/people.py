"""Choose or become a person, see what they would be shown, do something, see it change."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serendip.domain import Interaction, Invalid, Item, NotFound, User, checked_id
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.recommend import similar
from serendip.flows.record import record
from serendip.web.addresses import segment
from serendip.web.asker import Asker, current
from serendip.web.pages.paper import named, page
from serendip.web.pages.rows import N_CARDS, STARS, Card, Doing, Look, Row, history_of, rows_for
from serendip.web.services import Parts, Services

router = APIRouter(include_in_schema=False)

N_PEOPLE = 24
N_LATELY = 12
LOOKED_AT = 400
"""Latest interactions among which lively people are looked for."""


@router.get("/")
def choose(request: Request, parts: Parts, search: str = "") -> Response:
    """Somebody to be: the lively ones, or those that a search finds; a member is oneself."""
    if (asker := current(request)).is_member:
        return _self(asker)
    wanted = search.strip()[:200]
    people: list[tuple[User, str | None]]
    if wanted:
        found = parts.store.list_users(wanted, None, N_PEOPLE)
        people, total = [(user, None) for user in found.records], found.total
    else:
        people, total = _lively(parts), parts.store.counts().users
    return page(request, "choose.html", search=wanted, people=people, total=total, counts=parts.store.counts())


def _self(asker: Asker) -> Response:
    """A member's own page, or the one that says that there is none yet."""
    return RedirectResponse("/account" if asker.user is None else f"/people/{segment(asker.user)}", 303)


def _lively(parts: Services) -> list[tuple[User, str | None]]:
    """People who did something lately, with what it was."""
    latest: dict[str, str] = {}
    for one in parts.store.recent_interactions(LOOKED_AT).records:
        latest.setdefault(one.interaction.user, one.interaction.item)
        if len(latest) == N_PEOPLE:
            break
    items = parts.store.items_by_id(list(latest.values()))
    return [
        (parts.store.user(user) or User(user), named(items.get(item) or Item(item))) for user, item in latest.items()
    ]


@router.get("/somebody")
def somebody(request: Request, parts: Parts) -> Response:
    """Anybody among those who did something lately."""
    if (asker := current(request)).is_member:
        return _self(asker)
    names = sorted({one.interaction.user for one in parts.store.recent_interactions(LOOKED_AT).records})
    if not names:
        raise NotFound("nobody has done anything yet; be somebody new, or import interactions")
    return RedirectResponse(f"/people/{segment(random.choice(names))}", 303)


@router.post("/newcomers")
def be_new(parts: Parts) -> Response:
    """A person without a past."""
    user = f"guest-{secrets.token_hex(3)}"
    parts.store.put_users([User(user, "Somebody new")])
    return RedirectResponse(f"/people/{user}", 303)


@router.get("/people/{user:id}")
def person(request: Request, parts: Parts, user: str, since: str = "", did: str = "", stars: int = 0) -> Response:
    """A person's rows; ``since`` names the slates seen before, so that what changed can be marked."""
    checked_id(user, "user")
    now = parts.clock()
    doing = Doing.among(parts.store.kinds())
    history = history_of(parts, user, now)
    done = parts.store.item(did) if did and "\0" not in did else None
    look = Look.of(parts, user, since.split(".")[:4] if since else (), done.id if done else None, now)
    rows = rows_for(parts, look, history)
    return page(
        request,
        "person.html",
        person=parts.store.user(user) or User(user),
        known=parts.store.known_user(user),
        lately=_lately(parts, history, doing),
        n_events=len(history),
        rows=rows,
        slates=".".join(row.slate for row in rows if row.slate and row.id in (FOR_YOU, HOME)),
        done=done,
        stars=stars if 0 < stars <= STARS else 0,
        doing=doing,
    )


def _lately(parts: Services, history: list[Interaction], doing: Doing) -> list[tuple[Item, str, Interaction]]:
    """The latest events, newest first: the item, what was done, the event."""
    latest = history[: -N_LATELY - 1 : -1]
    items = parts.store.items_by_id([event.item for event in latest])
    return [(items.get(event.item) or Item(event.item), said(event, doing), event) for event in latest]


def said(event: Interaction, doing: Doing) -> str:
    """What was done, in a word or in stars."""
    if doing.rate is not None and event.kind == doing.rate.name and event.value is not None:
        n = doing.stars(event.value)
        return "★" * n + "☆" * (STARS - n)
    return event.kind if event.value is None else f"{event.kind} {event.value:g}"


@router.get("/people/{user:id}/items/{item:id}")
def item_page(request: Request, parts: Parts, user: str, item: str, slates: str = "", looked: bool = False) -> Response:
    """One item as a person sees it, with what is alike."""
    checked_id(user, "user")
    found = parts.store.item(checked_id(item, "item"))
    if found is None:
        raise NotFound(f"there is no item {item!r}")
    now = parts.clock()
    doing = Doing.among(parts.store.kinds())
    mine = [event for event in history_of(parts, user, now) if event.item == item]
    return page(
        request,
        "item.html",
        person=parts.store.user(user) or User(user),
        item=found,
        row=_alike(parts, item),
        mine=[(said(event, doing), event) for event in mine[::-1][:5]],
        slates=slates,
        looked=looked,
        doing=doing,
    )


def _alike(parts: Services, item: str) -> Row:
    try:
        source, found = similar(parts.store, parts.live, item, N_CARDS, parts.clock())
    except (Invalid, NotFound) as error:
        return Row("alike", "More like this", "", (), note=str(error))
    items = parts.store.items_by_id([other for other, _ in found])
    cards = tuple(Card(items.get(other) or Item(other), None, "alike", None) for other, _ in found)
    note = None if cards else "Nothing like it is known yet; it came after the model was trained."
    return Row("alike", "More like this", f"says {source}", cards, note=note)


@router.post("/people/{user:id}/did")
def do(
    parts: Parts,
    user: str,
    item: Annotated[str, Form()],
    slates: Annotated[str, Form()] = "",
    slate: Annotated[str, Form()] = "",
    stars: Annotated[int | None, Form(ge=1, le=STARS)] = None,
) -> Response:
    """Record a look or a rating, and show what it changed."""
    if parts.store.item(checked_id(item, "item")) is None:
        raise NotFound(f"there is no item {item!r}")
    now = parts.clock()
    doing = Doing.among(parts.store.kinds())
    rated = stars is not None and doing.rate is not None
    kind = doing.rate.name if stars is not None and doing.rate is not None else doing.look
    value = doing.value(stars) if stars is not None and rated else None
    record(parts.store, [Interaction(user, item, now, kind, value, slate=slate or None)], now)
    if not rated:
        return RedirectResponse(
            f"/people/{segment(user)}/items/{segment(item)}?{urlencode({'slates': slates, 'looked': 1})}", 303
        )
    words: Mapping[str, object] = {"since": slates, "did": item, "stars": stars}
    return RedirectResponse(f"/people/{segment(user)}?{urlencode(words)}", 303)
