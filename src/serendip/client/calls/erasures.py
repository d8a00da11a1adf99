"""A person's own data: all of it handed over, all of it forgotten for good, and that lifted again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from serendip.client.answers import Interaction, Relation, Shown, Slate, User
from serendip.client.call import Call, Listing, nothing, reads, reads_rows


class Everything(Shown):
    """All that is kept of one user."""

    at: datetime
    user: User
    interactions: tuple[Interaction, ...] = ()
    relations: tuple[Relation, ...] = ()
    slates: tuple[Slate, ...] = ()
    accounts: tuple[dict[str, Any], ...] = ()
    vectors: tuple[dict[str, Any], ...] = ()
    """Of what interactions said: ``interaction``, ``name``, ``vector``."""


class Erasure(Shown):
    """That somebody was erased; of whom only a digest is kept."""

    digest: str
    at: datetime


class Erased(Erasure):
    """What was deleted, and which versions must be trained again before the last trace is gone."""

    users: int
    interactions: int
    relations: int
    slates: int
    matrix_rows: int = 0
    accounts: tuple[str, ...] = ()
    versions_to_retrain: tuple[str, ...] = ()


def export_user(user: str) -> Call[Everything]:
    """Everything that is kept of a user, in one document."""
    return Call("export_user", "GET", "/v1/users/{user}/export", reads(Everything), {"user": user})


def erase_user(user: str) -> Call[Erased]:
    """Delete everything of a user, known or not, and take in nothing of theirs again, by whatever way it comes."""
    return Call("erase_user", "POST", "/v1/erasures", reads(Erased), body={"user": user})


def erasures(*, sort: Literal["-at", "at"] | None = None, limit: int | None = None) -> Listing[Erasure]:
    """Who was erased, by digest, newest first. ``limit``: rows of a page."""
    query = {"sort": sort, "limit": limit}
    return Listing(Call("list_erasures", "GET", "/v1/erasures", reads_rows(Erasure, "erasures"), query=query))


def lift_erasure(digest: str) -> Call[None]:
    """Let the user be recorded again; what was deleted does not come back."""
    return Call("lift_erasure", "DELETE", "/v1/erasures/{digest}", nothing, {"digest": digest})
