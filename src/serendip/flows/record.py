"""What happened, checked and kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from serendip.domain import Interaction, InteractionKind, Invalid, checked_id
from serendip.store import Recorded, Store

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=10)
"""A moment that is so little ahead of our clock is taken for now; what is further ahead is refused."""
MAX_KEY = 200
"""The longest idempotency key, in characters."""


def record(store: Store, interactions: Sequence[Interaction], now: datetime) -> Recorded:
    """Keep interactions in one transaction; those with a key that was used before add nothing.

    A moment equal to ``now`` was given by us, not by the sender; a repeated key is then not held against it.

    Raises Invalid naming the field of the first that cannot be kept.
    """
    kinds = store.kinds()
    for interaction in interactions:
        wrong = fault(interaction, kinds, now)
        if wrong is not None:
            raise wrong
    return store.add_interactions(_not_ahead(interactions, now), now)


def record_valid(
    store: Store, interactions: Sequence[Interaction], now: datetime
) -> tuple[Recorded | None, dict[int, Invalid]]:
    """``record`` of those that can be kept, in one transaction; and what is wrong with the others, by their places."""
    kinds = store.kinds()
    faults = {place: wrong for place, event in enumerate(interactions) if (wrong := fault(event, kinds, now))}
    valid = [event for place, event in enumerate(interactions) if place not in faults] if faults else interactions
    return store.add_interactions(_not_ahead(valid, now), now) if valid else None, faults


def _not_ahead(interactions: Sequence[Interaction], now: datetime) -> list[Interaction]:
    return [replace(one, at=now) if one.at > now else one for one in interactions]


def record_each(store: Store, calls: Sequence[tuple[Interaction, datetime]]) -> list[Recorded | Exception]:
    """``record`` of one interaction each, with their moments of receipt: one commit, and each one's own answer."""
    kinds = store.kinds()
    faults = [fault(event, kinds, now) for event, now in calls]
    kept = [
        (replace(event, at=min(event.at, now)), now)
        for (event, now), wrong in zip(calls, faults, strict=True)
        if not wrong
    ]
    told = iter(store.add_each(kept) if kept else ())
    return [wrong or next(told) for wrong in faults]


def correct(
    store: Store, number: int, change: Callable[[Interaction | None], Interaction], now: datetime
) -> Interaction:
    """Put a recorded interaction right; what it becomes is held to the same rules as what is recorded."""
    kinds = store.kinds()

    def checked(old: Interaction | None) -> Interaction:
        new = change(old)
        wrong = fault(new, kinds, now)
        if wrong is not None:
            raise wrong
        return replace(new, at=min(new.at, now))

    return store.change_interaction(number, checked)


def fault(event: Interaction, kinds: dict[str, InteractionKind], now: datetime) -> Invalid | None:
    """Why an interaction cannot be kept at ``now``; None when it can."""
    try:
        checked_id(event.user, "user")
        checked_id(event.item, "item")
        checked_id(event.kind, "kind")
        if event.key is not None:
            checked_id(event.key, "key")
    except Invalid as error:
        return error
    if event.key is not None and len(event.key) > MAX_KEY:
        return Invalid(f"the key has {len(event.key)} characters; at most {MAX_KEY} are kept", field="key")
    if event.at.tzinfo is None or event.at < EARLIEST:
        return Invalid(f"the moment {event.at} is before {EARLIEST:%Y}, or has no time zone", field="at")
    if event.at > now + SKEW:
        return Invalid(f"the moment {event.at} lies in the future; it is {now:%Y-%m-%d %H:%M} UTC here", field="at")
    return _value_fault(event, kinds.get(event.kind))


def _value_fault(event: Interaction, kind: InteractionKind | None) -> Invalid | None:
    if event.value is not None and not math.isfinite(event.value):
        return Invalid(f"the value {event.value} is not a finite number", field="value")
    if kind is None:
        return None
    if kind.scale is None:
        missing = kind.mode == "latest" and event.value is None
        return Invalid(f"a {event.kind} needs a value", field="value") if missing else None
    low, high = kind.scale
    if event.value is None:
        return Invalid(f"a {event.kind} needs a value from {low:g} to {high:g}", field="value")
    if not low <= event.value <= high:
        return Invalid(f"the value {event.value:g} of a {event.kind} is outside {low:g} to {high:g}", field="value")
    return None
