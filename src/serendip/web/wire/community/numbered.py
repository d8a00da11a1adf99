"""Records under an id that was sent, or under the next free number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from serendip.domain import Conflict, Invalid
from serendip.store import Store

T = TypeVar("T")

TRIES = 8
"""Numbers that are tried for a new record while others take them."""


def same(named: str, sent: str | None) -> None:
    """Refuse a body that is about another record than its address."""
    if sent is not None and sent != named:
        raise Invalid(f"the address names {named!r} and the body {sent!r}; an id stays what it is", field="id")


def made(
    store: Store,
    of: str,
    id: str | None,
    change: Callable[[str, Callable[[T | None], T]], tuple[T | None, T]],
    make: Callable[[str], T],
) -> T:
    """A new record under ``id``, or under a free number; somebody may take a number first, and then it is the next."""

    def new(name: str) -> T:
        def fresh(old: T | None) -> T:
            if old is not None:
                raise Conflict(f"the {of[:-1]} {name!r} exists; PUT replaces it")
            return make(name)

        return change(name, fresh)[1]

    if id is not None:
        return new(id)
    for _ in range(TRIES - 1):
        try:
            return new(store.free_number(of))
        except Conflict:
            continue
    return new(store.free_number(of))
