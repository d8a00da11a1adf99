"""Users who asked to be forgotten: only a digest of each id is kept, by which it is known when it comes again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

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
