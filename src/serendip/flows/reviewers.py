"""People who are asked for by the names they write under, those without a name set apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from serendip.domain import Invalid, Slate, checked_id
from serendip.flows.live import HOME, Live
from serendip.flows.recommend import Ask, recommend_many, recommend_session
from serendip.sources.datasets.reviews import ANONYMOUS, ANONYMOUS_ID, is_anonymous
from serendip.store import Store

NEWCOMERS = "newcomers"
"""The scenario that answers who is not known; where there is none, ``home`` does."""


def random_names(store: Store, n: int) -> list[str]:
    """``n`` different people by the names they write under, by their ids where somebody else has the name too."""
    population = store.count_users(ANONYMOUS, ANONYMOUS_ID)
    if not 0 <= n <= population:
        raise Invalid(f"n must be from 0 to {population}, the number of users; it is {n}", field="n")
    found = store.some_users(n, ANONYMOUS, ANONYMOUS_ID) if n else []
    called = [user.name or user.id for user in found]
    known = users_called(store, called)
    return [name if known[name] == user.id else user.id for name, user in zip(called, found, strict=True)]


def users_called(store: Store, names: Sequence[str]) -> dict[str, str | None]:
    """The user whom each name means: the one with this id, else the only one who bears it; None: nobody we know.

    A name that stands for those who told none means nobody.
    """
    possible = [name for name in names if not is_anonymous(name) and _can_be_id(name)]
    by_id = store.users_by_id([name for name in possible if not name.startswith(ANONYMOUS_ID)])
    bearing = store.users_named({name for name in possible if name not in by_id})
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in possible:
        if name in by_id:
            record = by_id[name]
            found[name] = None if is_anonymous(record.name or record.id) else name
        elif len(ids := bearing.get(name, [])) == 1:
            found[name] = ids[0]
    return found


def _can_be_id(name: str) -> bool:
    try:
        checked_id(name, "user")
    except Invalid:
        return False
    return True


def recommend_named(store: Store, live: Live, names: Sequence[str], now: datetime) -> dict[str, Slate]:
    """A slate for each name, in one batch; for who is not known the newcomers' list."""
    users = users_called(store, names)
    known = [name for name in names if users[name] is not None]
    ids = [user for name in known if (user := users[name]) is not None]
    slates: Mapping[str, Slate] = {}
    if ids:
        slates = dict(zip(known, recommend_many(store, live, ids, Ask(HOME), now), strict=True))
    if len(known) == len(names):
        return dict(slates)
    scenario = NEWCOMERS if NEWCOMERS in live.scenarios else HOME
    newcomers = recommend_session(store, live, [], Ask(scenario, live.page_size(HOME)), now)
    return {name: slates.get(name, newcomers) for name in names}
