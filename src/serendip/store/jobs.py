"""The queue: what is to be done, who does it now, and what became of it."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from serendip.domain import Conflict, NotFound, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.schema import jobs
from serendip.store.values import Page, aware, aware_or_none, cursor, kept_json, kept_text, mapping, place, sure_moment

State = Literal["queued", "running", "done", "skipped", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
OPEN = ("queued", "running")
"""The states of a job that is not over."""

MAX_ATTEMPTS = 3
BACK_OFF = timedelta(seconds=10)
"""How long a job that failed waits before its second attempt; each later one waits twice as long,"""
LONGEST_BACK_OFF = timedelta(hours=1)
"""but no longer than this."""
MESSAGE_LETTERS = 2000
"""Longer messages and errors are cut."""


@dataclass(frozen=True)
class JobRecord:
    """One job as it stands."""

    id: int
    kind: str
    arguments: Mapping[str, Any]
    unique_key: str | None
    state: State
    run_at: datetime
    """Not begun before this."""
    attempts: int
    """Times that a worker began it."""
    max_attempts: int
    worker: str | None
    stage: str | None
    done: int | None
    total: int | None
    message: str | None
    cancel: bool
    """It runs, and somebody asked for its end."""
    result: Any
    error: str | None
    """Why it failed, or why the last attempt did."""
    fingerprint: str | None
    timetable: str | None
    """The row of the timetable that it comes from."""
    created_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Leased:
    """A job that a worker holds, and the word under which it may write of it."""

    job: JobRecord
    lease: str


def usual_key(kind: str, arguments: Mapping[str, Any]) -> str:
    """The unique key of a job that is given none: its kind and what it is told."""
    told = hashlib.blake2b(kept_json(arguments, "arguments").encode(), digest_size=8).hexdigest()
    return f"{kind}:{told}"


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, and up to half as much more, lest jobs march in step."""
    wait = min(BACK_OFF * (1 << min(attempts - 1, 20)), LONGEST_BACK_OFF)
    return wait * random.uniform(1.0, 1.5)


def job_row(
    kind: str,
    arguments: Mapping[str, Any],
    now: datetime,
    unique_key: str | None = None,
    run_at: datetime | None = None,
    max_attempts: int = MAX_ATTEMPTS,
    timetable: str | None = None,
    created_by: str | None = None,
) -> dict[str, Any]:
    """A new job as it is kept."""
    return {
        "kind": checked_id(kind, "kind"),
        "arguments": kept_json(arguments, "arguments"),
        "unique_key": checked_id(unique_key or usual_key(kind, arguments), "unique_key"),
        "state": "queued",
        "run_at": sure_moment(run_at or now, "run_at"),
        "attempts": 0,
        "max_attempts": max_attempts,
        "cancel": False,
        "timetable": timetable,
        "created_by": kept_text(created_by, "created_by"),
        "created_at": sure_moment(now, "now"),
    }


class Jobs(Part):
    """The queue. Whoever runs a job writes of it only under its lease, and is told when that is lost."""

    @tried_again
    def add_job(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        now: datetime,
        *,
        unique_key: str | None = None,
        run_at: datetime | None = None,
        max_attempts: int = MAX_ATTEMPTS,
        created_by: str | None = None,
    ) -> JobRecord:
        """Queue a job; refused while another with the same ``unique_key`` is queued or runs.

        Without a key of its own, that is a job of the same kind with the same arguments.
        """
        row = job_row(kind, arguments, now, unique_key, run_at, max_attempts, None, created_by)
        with self._db.write() as c:
            return _added(c, row)

    @tried_again
    def begin_job(
        self, kind: str, arguments: Mapping[str, Any], worker: str, now: datetime, lease: timedelta
    ) -> Leased:
        """A new job that ``worker`` has begun already; it is not tried again. Refused as ``add_job`` does."""
        row = job_row(kind, arguments, now, max_attempts=1) | _held(worker, now, lease) | {"attempts": 1}
        with self._db.write() as c:
            return Leased(_added(c, row), row["lease"])

    @tried_again
    def claim_job(self, worker: str, now: datetime, lease: timedelta, held: Collection[int] = ()) -> Leased | None:
        """The next job that is due, now ``worker``'s for as long as the lease is renewed; none where nothing is due.

        A job whose lease ran out is taken over, unless it is among ``held``, which the worker runs itself.
        """
        with self._db.read() as c:
            if c.execute(select(jobs.c.id).where(_due(now, held)).limit(1)).first() is None:
                return None
        with self._db.write() as c:
            _give_up(c, now, held)
            due = select(jobs.c.id).where(_due(now, held)).order_by(jobs.c.run_at, jobs.c.id).limit(1)
            found = c.execute(due.with_for_update(skip_locked=True)).scalar()
            if found is None:
                return None
            values = {**_held(worker, now, lease), "attempts": jobs.c.attempts + 1}
            row = c.execute(update(jobs).where(jobs.c.id == found).values(values).returning(*jobs.c)).one()
            return Leased(_job(row), row.lease)

    def renew_lease(self, job: int, lease: str, until: datetime) -> bool:
        """Hold a job for longer; false where another has it, or it is over."""
        return self._under_lease(job, lease, {"lease_until": sure_moment(until)})

    def lease_holds(self, job: int, lease: str) -> bool | None:
        """Whether to go on: none where somebody asked for the job's end, false where the lease is lost."""
        query = select(jobs.c.cancel).where(_leased(job, lease))
        with self._db.read() as c:
            row = c.execute(query).first()
        return False if row is None else None if row.cancel else True

    def tell_job(
        self, job: int, lease: str, stage: str, done: int | None, total: int | None, message: str | None
    ) -> bool:
        """Note how far a job is; false where the lease is lost."""
        values = {"stage": _cut(stage), "done": done, "total": total, "message": _cut(message)}
        return self._under_lease(job, lease, values)

    def finish_job(
        self,
        job: int,
        lease: str,
        state: Literal["done", "skipped", "cancelled"],
        now: datetime,
        result: Any = None,
        fingerprint: str | None = None,
        message: str | None = None,
    ) -> bool:
        """Note what became of a job; false where the lease is lost."""
        values = {
            **_over(state, now),
            "result": None if result is None else kept_json(result, "result"),
            "fingerprint": fingerprint,
            "error": None,
            **({} if message is None else {"message": _cut(message)}),
        }
        return self._under_lease(job, lease, values)

    def fail_job(self, job: int, lease: str, now: datetime, error: str, retry: bool = True) -> bool:
        """Note that an attempt failed: the job is tried again later while it has attempts left and ``retry``."""
        with self._db.write() as c:
            held = select(jobs.c.attempts, jobs.c.max_attempts, jobs.c.cancel).where(_leased(job, lease))
            row = c.execute(held).first()
            if row is None:
                return False
            if row.cancel:
                values = _over("cancelled", now)
            elif retry and row.attempts < row.max_attempts:
                values = _queued(now + back_off(row.attempts))
            else:
                values = _over("failed", now)
            done = c.execute(update(jobs).where(_leased(job, lease)).values({**values, "error": _cut(error)}))
            return bool(done.rowcount)

    def hand_back_job(self, job: int, lease: str, now: datetime) -> bool:
        """Let another worker have a job at once, as if this attempt had not been."""
        return self._under_lease(job, lease, {**_queued(now), "attempts": jobs.c.attempts - 1})

    def cancel_job(self, job: int, now: datetime) -> JobRecord:
        """End a job: at once where it waits; where it runs, its worker is told and stops it."""
        with self._db.write() as c:
            waiting = update(jobs).where(jobs.c.id == job, jobs.c.state == "queued").values(_over("cancelled", now))
            row = c.execute(waiting.returning(*jobs.c)).first()
            if row is None:
                running = update(jobs).where(jobs.c.id == job, jobs.c.state == "running").values(cancel=True)
                row = c.execute(running.returning(*jobs.c)).first()
            if row is None:
                state = c.execute(select(jobs.c.state).where(jobs.c.id == job)).scalar()
                if state is None:
                    raise NotFound(f"no job {job}; list the jobs to see which there are")
                raise Conflict(f"the job {job} is over already: {state}")
            return _job(row)

    def job(self, job: int) -> JobRecord | None:
        """The job of this number, if it is kept."""
        with self._db.read() as c:
            row = c.execute(select(jobs).where(jobs.c.id == job)).first()
        return None if row is None else _job(row)

    def jobs(
        self, state: State | None = None, kind: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[JobRecord]:
        """Jobs, newest first, from behind ``after``."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(jobs.c.state == state)
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        if after is not None:
            query = query.where(jobs.c.id < place(after, int)[0])
        with self._db.read() as c:
            rows = c.execute(query).all()
        more = cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Page([_job(row) for row in rows[:limit]], more, None)

    def job_done_with(self, kind: str, fingerprint: str) -> JobRecord | None:
        """The latest job of ``kind`` that was done with this fingerprint."""
        same = (jobs.c.kind == kind, jobs.c.state == "done", jobs.c.fingerprint == fingerprint)
        with self._db.read() as c:
            row = c.execute(select(jobs).where(*same).order_by(jobs.c.id.desc()).limit(1)).first()
        return None if row is None else _job(row)

    def forget_jobs(self, before: datetime) -> int:
        """Drop the records of jobs that were over before then; the latest that was done of each kind stays."""
        latest = select(func.max(jobs.c.id)).where(jobs.c.state == "done").group_by(jobs.c.kind)
        old = (jobs.c.state.not_in(OPEN), jobs.c.finished_at < sure_moment(before), jobs.c.id.not_in(latest))
        with self._db.write() as c:
            return c.execute(delete(jobs).where(*old)).rowcount

    def _under_lease(self, job: int, lease: str, values: Mapping[str, Any]) -> bool:
        with self._db.write() as c:
            return bool(c.execute(update(jobs).where(_leased(job, lease)).values(values)).rowcount)


def _added(c: Connection, row: Mapping[str, Any]) -> JobRecord:
    made = c.execute(insert(c, jobs).on_conflict_do_nothing().returning(*jobs.c), row).first()
    if made is None:
        same = select(jobs.c.id, jobs.c.state).where(jobs.c.unique_key == row["unique_key"], jobs.c.state.in_(OPEN))
        other = c.execute(same).first()
        told = (
            "has just ended; ask again" if other is None else f"{other.id} is {other.state}; wait for it, or cancel it"
        )
        raise Conflict(f"the same {row['kind']} job {told}")
    return _job(made)


def _held(worker: str, now: datetime, lease: timedelta) -> dict[str, Any]:
    """What a job is while ``worker`` has it."""
    return {
        "state": "running",
        "worker": worker,
        "lease": secrets.token_hex(16),
        "lease_until": sure_moment(now + lease),
        "started_at": sure_moment(now),
        **dict.fromkeys(("stage", "done", "total", "message")),
    }


def _leased(job: int, lease: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == job, jobs.c.lease == lease, jobs.c.state == "running")


def _due(now: datetime, held: Collection[int]) -> ColumnElement[bool]:
    at = sure_moment(now, "now")
    return or_(and_(jobs.c.state == "queued", jobs.c.run_at <= at), _left(at, held))


def _left(at: int, held: Collection[int]) -> ColumnElement[bool]:
    """Jobs whose worker is no more."""
    left = and_(jobs.c.state == "running", jobs.c.lease_until <= at)
    return and_(left, jobs.c.id.not_in(held)) if held else left


def _give_up(c: Connection, now: datetime, held: Collection[int]) -> None:
    """End what was left by its worker and must not be begun again."""
    left = _left(sure_moment(now), held)
    c.execute(update(jobs).where(left, jobs.c.cancel).values(_over("cancelled", now)))
    error = "its worker ended without a word, and no attempt is left"
    spent = jobs.c.attempts >= jobs.c.max_attempts
    c.execute(update(jobs).where(left, spent).values({**_over("failed", now), "error": error}))


def _over(state: State, now: datetime) -> dict[str, Any]:
    return {"state": state, "finished_at": sure_moment(now), "lease": None, "lease_until": None, "cancel": False}


def _queued(run_at: datetime) -> dict[str, Any]:
    cleared = dict.fromkeys(("lease", "lease_until", "worker", "started_at", "stage", "done", "total", "message"))
    return {"state": "queued", "run_at": sure_moment(run_at), **cleared}


def _cut(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "").encode(errors="replace").decode()[:MESSAGE_LETTERS]


def _job(row: Row[Any]) -> JobRecord:
    return JobRecord(
        id=row.id,
        kind=row.kind,
        arguments=mapping(row.arguments),
        unique_key=row.unique_key,
        state=row.state,
        run_at=aware(row.run_at),
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        worker=row.worker,
        stage=row.stage,
        done=row.done,
        total=row.total,
        message=row.message,
        cancel=row.cancel,
        result=None if row.result is None else json.loads(row.result),
        error=row.error,
        fingerprint=row.fingerprint,
        timetable=row.timetable,
        created_by=row.created_by,
        created_at=aware(row.created_at),
        started_at=aware_or_none(row.started_at),
        finished_at=aware_or_none(row.finished_at),
    )
