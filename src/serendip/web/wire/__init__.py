"""Routes in the formats that clients of older systems expect: thin, over the same flows as ``/v1``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter

from serendip.domain import Invalid
from serendip.web.wire import community, feed, reviews, social

WIRES: dict[str, APIRouter] = {
    "community": community.router,
    "feed": feed.router,
    "reviews": reviews.router,
    "social": social.router,
}
"""Every wire format and its routes."""

Reshape = Callable[[Mapping[str, Any]], dict[str, Any]]


def _detail(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {"detail": problem["detail"]}


REFUSALS: dict[str, tuple[tuple[str, ...], Reshape]] = {
    "community": (("/api/",), _detail),
    "feed": (("/post/",), _detail),
    "reviews": (reviews.ADDRESSES, lambda problem: {"error": problem["detail"]}),
}
"""Formats whose refusals have a shape of their own: under which addresses, and what it makes of problem details."""


def wires(switched_on: tuple[str, ...]) -> list[tuple[str, APIRouter]]:
    """The routers of the formats that the setting ``wire`` names, each with its prefix: ``social``, ``social=/old``."""
    found = []
    for entry in switched_on:
        name, _, prefix = entry.partition("=")
        if name not in WIRES or (prefix and (not prefix.startswith("/") or prefix.endswith("/"))):
            known = ", ".join(WIRES) or "none"
            raise Invalid(
                f"{entry!r} is no wire format; write for example social or social=/old, the formats are {known}",
                field="wire",
            )
        found.append((prefix, WIRES[name]))
    return found


AUDITED = {"community": ("/api/similarity-matrix", "/api/similarity-matrix-cells", "/api/recommenders")}
"""Where in a format matrices and recommenders are changed; the audit log keeps who did so."""


def audited(switched_on: tuple[str, ...]) -> list[str]:
    """The addresses of the formats that are switched on at which changes are kept in the audit log."""
    return _places(AUDITED, switched_on)


ADMIN = {"reviews": reviews.RELOADS}
"""Where in a format only administrators change anything."""


def administrators_change(switched_on: tuple[str, ...]) -> list[str]:
    """The addresses of the formats that are switched on at which only administrators may do more than read."""
    return _places(ADMIN, switched_on)


def _places(table: Mapping[str, tuple[str, ...]], switched_on: tuple[str, ...]) -> list[str]:
    named = (entry.partition("=") for entry in switched_on)
    return [prefix + place for name, _, prefix in named for place in table.get(name, ())]


def reshaped(switched_on: tuple[str, ...], path: str) -> Reshape | None:
    """What a refusal at ``path`` becomes; none: it stays problem details."""
    for entry in switched_on:
        name, _, prefix = entry.partition("=")
        under, reshape = REFUSALS.get(name, ((), None))
        if path.startswith(tuple(prefix + place for place in under)):
            return reshape
    return None
