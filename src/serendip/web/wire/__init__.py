"""Routes in the formats that clients of older systems expect: thin, over the same flows as ``/v1``."""

from __future__ import annotations

from fastapi import APIRouter

from serendip.domain import Invalid
from serendip.web.wire import social

WIRES: dict[str, APIRouter] = {"social": social.router}
"""Every wire format and its routes."""


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
