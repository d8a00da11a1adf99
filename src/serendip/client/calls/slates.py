"""Slates as they were answered, and what followed from them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from serendip.client.answers import Interaction, Slate
from serendip.client.call import Call, Listing, reads, reads_rows


def slates(
    *,
    user: str | None = None,
    scenario: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    sort: Literal["-at", "at"] | None = None,
    limit: int | None = None,
) -> Listing[Slate]:
    """What was answered, the latest first. ``until``: exclusive. ``limit``: rows of a page."""
    query = {"user": user, "scenario": scenario, "since": since, "until": until, "sort": sort, "limit": limit}
    return Listing(Call("list_slates", "GET", "/v1/slates", reads_rows(Slate, "slates"), query=query))


def slate(slate: str) -> Call[Slate]:
    """One answer as it was given."""
    return Call("read_slate", "GET", "/v1/slates/{slate}", reads(Slate), {"slate": slate})


def slate_interactions(slate: str, *, limit: int | None = None) -> Listing[Interaction]:
    """What followed from a slate: the interactions that named it, in order of time. ``limit``: rows of a page."""
    read = reads_rows(Interaction, "interactions")
    template = "/v1/slates/{slate}/interactions"
    return Listing(Call("list_slate_interactions", "GET", template, read, {"slate": slate}, {"limit": limit}))
