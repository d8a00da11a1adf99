"""Jobs: what is to be done, what runs, what became of it; and the timetable that adds to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serendip.domain import Invalid, NotFound, checked_id
from serendip.jobs.kinds import JOBS, job_kind, told
from serendip.store import JobRecord, TimetableEntry, TimetableRow
from serendip.store.jobs import State
from serendip.web.api import READING, WRITING, refusals
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Count, Free, Id, Moment, Question
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute)

Number = Annotated[int, Path(ge=1, lt=2**63, description="The job's number.")]


class JobsQuestion(Question):
    """A stretch of the jobs."""

    state: State | None = None
    kind: str | None = Field(None, max_length=100)
    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None


class JobBody(BaseModel):
    """A job to be done."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=100, description="One of `/v1/jobs/kinds`.")
    arguments: Free = Field(default_factory=dict)
    unique_key: Id | None = Field(
        None, description="Refused while another job with the same key is open; by default kind and arguments."
    )
    run_at: Moment | None = Field(None, description="Not begun before; by default at once.")
    max_attempts: int = Field(3, ge=1, le=20)


class TimetableBody(BaseModel):
    """What is to be done again and again."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=100, description="One of `/v1/jobs/kinds`.")
    schedule: str = Field(max_length=200, description="`every 15m` (m, h, d), or a cron line in UTC.")
    arguments: Free = Field(default_factory=dict)
    enabled: bool = True


class JobShown(BaseModel):
    """A job as it stands."""

    id: int
    kind: str
    arguments: dict[str, Any]
    state: State
    run_at: datetime
    attempts: int
    max_attempts: int
    worker: str | None
    stage: str | None
    done: int | None = Field(description="Of `total`, in this stage.")
    total: int | None
    message: str | None
    cancelling: bool = Field(description="It runs, and was asked to end.")
    result: Any
    error: str | None = Field(description="Why it failed, or why the last attempt did.")
    unique_key: str | None
    timetable: str | None = Field(description="The row of the timetable that it comes from.")
    created_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobsPage(BaseModel):
    """A stretch of the jobs, newest first."""

    jobs: list[JobShown]
    next: str | None


class JobKindShown(BaseModel):
    """A kind of job, and what it may be told."""

    kind: str
    summary: str
    skips_unchanged: bool
    arguments: dict[str, Any] = Field(description="A JSON schema.")


class JobKindsShown(BaseModel):
    """Every kind of job."""

    kinds: list[JobKindShown]


class TimetableRowShown(BaseModel):
    """A row of the timetable."""

    name: str
    kind: str
    schedule: str
    arguments: dict[str, Any]
    enabled: bool
    next_at: datetime | None
    origin: Literal["file", "api"]


class TimetableShown(BaseModel):
    """The timetable."""

    timetable: list[TimetableRowShown]


def job_json(job: JobRecord) -> dict[str, Any]:
    """A job as the API and ``--json`` show it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "arguments": dict(job.arguments),
        "state": job.state,
        "run_at": job.run_at,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "worker": job.worker,
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "message": job.message,
        "cancelling": job.cancel,
        "result": job.result,
        "error": job.error,
        "unique_key": job.unique_key,
        "timetable": job.timetable,
        "created_by": job.created_by,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def row_json(row: TimetableEntry) -> dict[str, Any]:
    """A row of the timetable as the API and ``--json`` show it."""
    return {
        "name": row.name,
        "kind": row.kind,
        "schedule": row.schedule,
        "arguments": dict(row.arguments),
        "enabled": row.enabled,
        "next_at": row.next_at,
        "origin": row.origin,
    }


def kinds_json() -> list[dict[str, Any]]:
    """Every kind of job, and what it may be told."""
    return [
        {
            "kind": kind.name,
            "summary": kind.summary,
            "skips_unchanged": kind.skips_unchanged,
            "arguments": kind.arguments.model_json_schema(),
        }
        for kind in JOBS.values()
    ]


@router.get("/v1/jobs", operation_id="list_jobs", tags=["jobs"], response_model=JobsPage, responses=refusals(*READING))
def list_jobs(parts: Parts, question: Annotated[JobsQuestion, Query()]) -> Response:
    """Jobs, newest first; one that runs says how far it is."""
    if question.kind is not None:
        job_kind(question.kind)
    limit = question.limit or parts.settings.page_size
    page = parts.store.jobs(question.state, question.kind, question.after, limit)
    return Json({"jobs": [job_json(job) for job in page.records], "next": page.next})


@router.post(
    "/v1/jobs",
    operation_id="create_job",
    tags=["jobs"],
    status_code=201,
    response_model=JobShown,
    responses=refusals(*WRITING, 409),
)
def create_job(parts: Parts, request: Request, body: JobBody) -> Response:
    """Queue a job. Refused with 409 while the same one is queued or runs; `detail` names it."""
    arguments = told(body.kind, body.arguments, parts.settings)
    job = parts.store.add_job(
        body.kind,
        arguments,
        parts.clock(),
        unique_key=body.unique_key,
        run_at=body.run_at,
        max_attempts=body.max_attempts,
        created_by=request.scope["state"].get("key"),
    )
    return Json(job_json(job), 201)


@router.get(
    "/v1/jobs/kinds",
    operation_id="list_job_kinds",
    tags=["jobs"],
    response_model=JobKindsShown,
    responses=refusals(*READING),
)
def list_job_kinds(parts: Parts) -> Response:  # noqa: ARG001
    """Every kind of job, and what it may be told."""
    return Json({"kinds": kinds_json()})


@router.get(
    "/v1/jobs/{job}",
    operation_id="read_job",
    tags=["jobs"],
    response_model=JobShown,
    responses=refusals(*READING, 404),
)
def read_job(parts: Parts, job: Number) -> Response:
    """One job."""
    found = parts.store.job(job)
    if found is None:
        raise NotFound(f"no job {job}; GET /v1/jobs lists them")
    return Json(job_json(found))


@router.post(
    "/v1/jobs/{job}/cancel",
    operation_id="cancel_job",
    tags=["jobs"],
    response_model=JobShown,
    responses=refusals(*WRITING, 404, 409),
)
def cancel_job(parts: Parts, job: Number) -> Response:
    """End a job: at once where it waits; one that runs is stopped within some two seconds."""
    return Json(job_json(parts.store.cancel_job(job, parts.clock())))


@router.get(
    "/v1/timetable",
    operation_id="list_timetable",
    tags=["jobs"],
    response_model=TimetableShown,
    responses=refusals(*READING),
)
def list_timetable(parts: Parts) -> Response:
    """What is done again and again, and when it is due."""
    return Json({"timetable": [row_json(row) for row in parts.store.timetable()]})


@router.put(
    "/v1/timetable/{name:id}",
    operation_id="put_timetable_row",
    tags=["jobs"],
    response_model=TimetableRowShown,
    responses=refusals(*WRITING, 409),
)
def put_timetable_row(parts: Parts, name: str, body: TimetableBody) -> Response:
    """Keep a row under this name. Rows of the settings file are changed there only: 409."""
    checked_id(name, "name")
    arguments = told(body.kind, body.arguments, parts.settings)
    row = TimetableRow(name, body.kind, body.schedule, arguments, body.enabled)
    parts.store.put_timetable([row], "api", parts.clock())
    kept = next((one for one in parts.store.timetable() if one.name == name), None)
    if kept is None:
        raise Invalid(f"the row {name!r} was dropped by somebody else at once; send it again")
    return Json(row_json(kept))


@router.delete(
    "/v1/timetable/{name:id}",
    operation_id="delete_timetable_row",
    tags=["jobs"],
    status_code=204,
    responses=refusals(*READING, 404, 409),
)
def delete_timetable_row(parts: Parts, name: str) -> Response:
    """Drop a row; jobs that it queued stay."""
    if not parts.store.drop_timetable(checked_id(name, "name")):
        raise NotFound(f"no row {name!r} in the timetable; GET /v1/timetable lists them")
    return Response(status_code=204)
