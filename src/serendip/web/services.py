"""What the routes work with; made once by ``create_app`` and found on every request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from serendip.domain import Interaction
from serendip.flows.live import Live
from serendip.settings import Settings
from serendip.store import Artifacts, Recorded, Store
from serendip.web import addresses  # noqa: F401  (every router comes through here, so that its routes may say {item:id})
from serendip.web.limits import Attempts
from serendip.web.metrics import Metrics
from serendip.web.openid import OpenId
from serendip.web.pool import Grouped, Pool
from serendip.web.together import Asked

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """The server's parts."""

    store: Store
    artifacts: Artifacts
    live: Live
    settings: Settings
    clock: Clock
    pool: Pool
    metrics: Metrics
    answers: Grouped[Asked, Any]
    """Recommendations for one user each."""
    recordings: Grouped[tuple[Interaction, datetime], Recorded]
    """Interactions that came one by one."""
    attempts: Attempts
    """Who tried to sign in lately."""
    passwords: Pool
    """Few threads, since each hash takes 19 MiB and a good part of a second."""
    outside: Pool
    """Threads that wait for OpenID providers, so that a slow one delays nobody else."""
    openid: OpenId


def services(request: Request) -> Services:
    """The parts of the server that answers ``request``."""
    found: Services = request.app.state.services
    return found


Parts = Annotated[Services, Depends(services)]
