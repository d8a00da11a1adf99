"""Jobs: what is to be done, what runs, what became of it; and the timetable that adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from serendip.client.answers import Shown
from serendip.client.call import Call, Listing, Pause, Talk, nothing, reads, reads_rows
from serendip.client.errors import Unfinished

ENDED = ("done", "skipped", "failed", "cancelled")
"""States of a job that is over; queued and running are the others."""


class Job(Shown):
    """A job as it stands."""

    id: int
    kind: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    state: str
    """queued, running, done, skipped (nothing had changed), failed or cancelled."""
    run_at: datetime | None = None
    attempts: int = 0
    max_attempts: int = 0
    worker: str | None = None
    stage: str | None = None
    done: int | None = None
    """Of ``total``, in this stage."""
    total: int | None = None
    message: str | None = None
    cancelling: bool = False
    result: Any = None
    error: str | None = None
    """Why it failed, or why the last attempt did."""
    unique_key: str | None = None
    timetable: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return self.state in ENDED


class JobKind(Shown):
    """A kind of job, and what it may be told, as a JSON schema."""

    kind: str
    summary: str
    skips_unchanged: bool = False
    arguments: dict[str, Any] = Field(default_factory=dict)


class JobKinds(Shown):
    """Every kind of job."""

    kinds: tuple[JobKind, ...]


class TimetableRow(Shown):
    """What is done again and again."""

    name: str
    kind: str
    schedule: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    next_at: datetime | None = None
    origin: str | None = None


class Timetable(Shown):
    """The timetable."""

    timetable: tuple[TimetableRow, ...]


def jobs(*, state: str | None = None, kind: str | None = None, limit: int | None = None) -> Listing[Job]:
    """Jobs, newest first. ``limit``: rows of a page."""
    query = {"state": state, "kind": kind, "limit": limit}
    return Listing(Call("list_jobs", "GET", "/v1/jobs", reads_rows(Job, "jobs"), query=query))


def job(job: int) -> Call[Job]:
    """One job as it stands."""
    return Call("read_job", "GET", "/v1/jobs/{job}", reads(Job), {"job": str(job)})


def job_kinds() -> Call[JobKinds]:
    """Every kind of job, and what it may be told."""
    return Call("list_job_kinds", "GET", "/v1/jobs/kinds", reads(JobKinds))


def create_job(
    kind: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    unique_key: str | None = None,
    run_at: datetime | None = None,
    max_attempts: int | None = None,
) -> Call[Job]:
    """Queue a job; Conflict while the same one, or one with the same ``unique_key``, is queued or runs."""
    told = {"unique_key": unique_key, "run_at": run_at, "max_attempts": max_attempts}
    given = {name: value for name, value in told.items() if value is not None}
    body = {"kind": kind, "arguments": dict(arguments or {}), **given}
    return Call("create_job", "POST", "/v1/jobs", reads(Job), body=body)


def cancel_job(job: int) -> Call[Job]:
    """End a job: at once where it waits; one that runs is stopped within some two seconds."""
    return Call("cancel_job", "POST", "/v1/jobs/{job}/cancel", reads(Job), {"job": str(job)})


def wait_for_job(job: int, seconds: float = 3600.0, *, poll_seconds: float = 2.0) -> Talk[Job]:
    """The job once it is over, well or not; Unfinished when it is not over within ``seconds``."""
    now: float = yield Pause(0.0)
    until, pause = now + seconds, min(0.1, poll_seconds)
    while True:
        found: Job = yield Call("read_job", "GET", "/v1/jobs/{job}", reads(Job), {"job": str(job)})
        if found.ended:
            return found
        if now + pause > until:
            stage = f", in the stage {found.stage}" if found.stage else ""
            raise Unfinished(
                f"the job {job} ({found.kind}) is {found.state}{stage} after {seconds:g} s; wait on, or cancel it"
            )
        now = yield Pause(pause)
        # A short job is noticed soon, a long one is not asked after all the time.
        pause = min(pause * 1.5, poll_seconds)


def timetable() -> Call[Timetable]:
    """What is done again and again, and when it is due."""
    return Call("list_timetable", "GET", "/v1/timetable", reads(Timetable))


def put_timetable_row(
    name: str, kind: str, schedule: str, arguments: Mapping[str, Any] | None = None, *, enabled: bool = True
) -> Call[TimetableRow]:
    """Keep a row under this name. ``schedule``: ``every 15m`` (m, h, d), or a cron line in UTC."""
    body = {"kind": kind, "schedule": schedule, "arguments": dict(arguments or {}), "enabled": enabled}
    return Call("put_timetable_row", "PUT", "/v1/timetable/{name}", reads(TimetableRow), {"name": name}, body=body)


def delete_timetable_row(name: str) -> Call[None]:
    """Drop a row; jobs that it queued stay."""
    return Call("delete_timetable_row", "DELETE", "/v1/timetable/{name}", nothing, {"name": name})
