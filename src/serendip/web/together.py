"""Questions for one user each, which come one by one: those that wait at the same time are answered by one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from serendip.domain import Invalid, Slate
from serendip.flows.live import Live
from serendip.flows.recommend import Ask, recommend_many
from serendip.store import Store

Told = Callable[[Store, Sequence[Slate]], Sequence[Any]]
"""What is made of slates, one thing each; it can be hashed, and equal ones make the same."""


class Asked(NamedTuple):
    """One request for one user."""

    user: str
    ask: Ask
    told: Told
    time: datetime | None
    """Answer as of this moment; None: as of ``now``."""
    now: datetime
    check: Callable[[], None] | None = None
    """Raises what keeps this user from an answer."""


def answer_each(store: Store, live: Live, asked: Sequence[Asked]) -> list[Any]:
    """An answer or what is wrong each; who asks alike is answered by one batch, with all that is recorded by now."""
    alike: dict[tuple[Ask, Told, datetime | None], list[int]] = {}
    found: dict[int, Any] = {}
    for place, one in enumerate(asked):
        try:
            if one.check is not None:
                one.check()
        except Exception as error:
            found[place] = error
        else:
            alike.setdefault((one.ask, one.told, one.time), []).append(place)
    for (ask, told, time), places in alike.items():
        now = time or max(asked[place].now for place in places)
        users = [asked[place].user for place in places]
        found |= zip(places, _batch(store, live, users, ask, told, now), strict=True)
    return [found[place] for place in range(len(asked))]


def _batch(store: Store, live: Live, users: Sequence[str], ask: Ask, told: Told, now: datetime) -> Sequence[Any]:
    try:
        return told(store, recommend_many(store, live, users, ask, now))
    except Invalid as error:
        if len(users) == 1:
            return [error]
        # What is wrong with one question is not the others' business.
        return [answer for user in users for answer in _batch(store, live, [user], ask, told, now)]
    except Exception as error:
        return [error] * len(users)
