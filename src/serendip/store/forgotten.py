"""Users who asked to be forgotten: only a digest of each id is kept, by which it is known when it comes again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import Connection, select

from serendip.domain import Invalid
from serendip.store.engine import Prepared, given, listed
from serendip.store.schema import erasures

_ANY = Prepared(select(erasures.c.digest).limit(1))
_THESE = Prepared(select(erasures.c.digest).where(erasures.c.digest.in_(given("digests"))))


def digest_of(user: str) -> str:
    """What is kept of an erased id. Who guesses the id can tell that it was erased, and nothing else."""
    return hashlib.sha256(b"serendip user " + user.encode()).hexdigest()


def forgotten_among(c: Connection, ids: Collection[str]) -> set[str]:
    """Those of ``ids`` that were erased; costs one small question where nobody was."""
    if not ids or not _ANY.rows(c):
        return set()
    by_digest = {digest_of(user): user for user in ids}
    return {by_digest[found] for (found,) in _THESE.rows(c, digests=listed(list(by_digest)))}


def forgotten(user: str) -> Invalid:
    """Why nothing of ``user`` is taken in."""
    return Invalid(
        f"the user {user!r} asked to be forgotten, so nothing of theirs is kept; an administrator may lift that",
        field="user",
    )


ACTOR = "account:"
"""Begins what the audit log calls somebody who is signed in; the account's name follows."""


def instead_of(names: Iterable[str]) -> dict[str, str]:
    """The digest of each name, plain and as a part of an address."""
    return {spelled: digest_of(name) for name in names for spelled in (name, quote(name, safe=""))}


def hidden(value: Any, instead: Mapping[str, str]) -> Any:
    """``value`` with digests ``instead`` of names, wherever these are a text, a part of an address or an actor."""
    if isinstance(value, Mapping):
        return {name: hidden(one, instead) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(one, instead) for one in value]
    if not isinstance(value, str) or value in instead:
        return instead.get(value, value) if isinstance(value, str) else value
    begin, text = (ACTOR, value.removeprefix(ACTOR)) if value.startswith(ACTOR) else ("", value)
    return begin + instead.get(text, "/".join(instead.get(part, part) for part in text.split("/")))


def names_in(*values: Any) -> Iterator[str]:
    """Every text in ``values`` that could be somebody's name."""
    for value in values:
        if isinstance(value, Mapping):
            yield from names_in(*value.values())
        elif isinstance(value, list | tuple):
            yield from names_in(*value)
        elif isinstance(value, str):
            yield value.removeprefix(ACTOR)
            yield from map(unquote, value.split("/"))
