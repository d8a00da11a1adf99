"""A kind of job: its name, its arguments, and the flow that it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from serendip.settings import Settings
from serendip.store import Artifacts, Store


class Arguments(BaseModel):
    """What a job may be told; every field has a default, so that a timetable need not say anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Refreshing(Arguments):
    """Arguments of a kind that is skipped while the data is unchanged."""

    force: bool = False
    """Run although nothing was added, edited or deleted."""


class Skip(Exception):
    """Raised by a kind that finds nothing to do; the message says why, and the job's record keeps it."""


class Stopped(Exception):
    """Raised where a job should go on no further: it was cancelled, or another worker has it now."""


class Tell(Protocol):
    """How a job says where it is; raises ``Stopped`` where it was cancelled or lost its lease."""

    def __call__(
        self, stage: str, done: int | None = None, total: int | None = None, message: str | None = None
    ) -> None:
        """``done`` of ``total`` in a stage, both none where they cannot be counted."""
        ...


@dataclass(frozen=True)
class Work:
    """What a running job works with."""

    store: Store
    artifacts: Artifacts
    settings: Settings
    now: datetime
    """When the job began."""
    tell: Tell


@dataclass(frozen=True)
class JobKind:
    """One kind of job."""

    name: str
    summary: str
    """One sentence for people, shown by ``serendip jobs kinds``."""
    arguments: type[Arguments]
    run: Callable[[Work, Any], dict[str, Any]]
    """Does the work with the checked arguments; gives what the job's record keeps as its result, plain JSON."""
    skips_unchanged: bool = False
    """Not run again while the data's fingerprint is the one of the last that was done with the same arguments."""
    reads_scenarios: bool = True
    """What is declared of scenarios changes what it does, so that it is run again when that changes."""
    confine: Callable[[Settings, Any], Arguments] | None = None
    """What the arguments become that were sent over HTTP, such as names of files inside a folder; may refuse."""
