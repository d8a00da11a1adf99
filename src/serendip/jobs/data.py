"""Jobs that bring data in and out, and that tidy up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from serendip.domain import Invalid
from serendip.flows.batch import recommend_batch
from serendip.flows.bring import Reading, bring, bring_dataset
from serendip.flows.export import export
from serendip.flows.live import HOME
from serendip.flows.recommend import Ask
from serendip.flows.tidy import tidy
from serendip.jobs.kind import Arguments, JobKind, Work
from serendip.settings import Settings
from serendip.sources import As
from serendip.sources.datasets import NAMES
from serendip.store.outside import check_table


def inside(folder: Path, name: str, field: str) -> str:
    """The path of ``name`` in ``folder``; refused where it leads out of it."""
    root = folder.resolve()
    path = (root / name).resolve()
    if "://" in name or "\0" in name or path == root or not path.is_relative_to(root):
        raise Invalid(
            f"{name!r} is no file of {folder}; over HTTP, jobs read and write files of that folder only, "
            "named from there; ask for others with `serendip jobs add` or in the settings file",
            field=f"arguments.{field}",
        )
    return str(path)


def without_password(text: str, field: str) -> str:
    """``text`` unless it is a URL that holds a password, which everybody could read in the job's record."""
    if re.match(r"[\w+]+://[^/@]*:[^/@]+@", text):
        raise Invalid(
            "the URL holds a password, which the job's record would show; leave it out, and give it to the worker as "
            "PGPASSWORD or in ~/.pgpass",
            field=f"arguments.{field}",
        )
    return text


class ImportArguments(Arguments):
    """What is read, and how; as ``serendip import`` takes it."""

    source: str = Field(min_length=1)
    """A file or an SQL table; with ``dataset`` the folder or file of a known data set."""
    rows: As = "interactions"
    dataset: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    kind: str | None = None
    scale: tuple[float, float] | None = None
    timezone: str = "UTC"
    format: str | None = None
    encoding: str | None = None
    errors: str | None = None
    """The file that refused rows go to; without one they are counted, and the first are in the record."""

    @field_validator("source")
    @classmethod
    def _without_password(cls, source: str) -> str:
        return without_password(source, "source")

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in NAMES:
            raise Invalid(f"no data set {name!r}; those known are {', '.join(NAMES)}", field="arguments.dataset")
        return name


def run_import(work: Work, told: ImportArguments) -> dict[str, Any]:
    """Keep the rows of a source; an attempt that was cut short goes on where it stopped."""

    def progress(done: float | None, rows: int) -> None:
        share = None if done is None else int(done * 1000)
        work.tell("import", share, None if share is None else 1000, f"{rows:,} rows")

    work.tell("import")
    if told.dataset is not None:
        reports = bring_dataset(work.store, told.dataset, Path(told.source), progress)
    else:
        reading = Reading(told.columns, told.kind, told.timezone, told.scale, told.format, told.encoding)
        errors = None if told.errors is None else Path(told.errors)
        reports = [
            bring(
                work.store, told.source, told.rows, reading, error_file=errors, progress=progress, now=work.now
            )
        ]  # fmt: skip
    return {"reports": [report.to_dict() for report in reports]}


def confine_import(settings: Settings, told: ImportArguments) -> ImportArguments:
    """Files of the import folder only; refused rows go to the export folder."""
    source = inside(settings.import_folder, told.source, "source")
    errors = None if told.errors is None else inside(settings.export_folder, told.errors, "errors")
    return told.model_copy(update={"source": source, "errors": errors})


class ExportArguments(Arguments):
    """What is written, and where to."""

    rows: Literal["users", "items", "interactions"] = "interactions"
    to: str = "interactions.parquet"
    """Ends in .csv, .jsonl or .parquet."""


def run_export(work: Work, told: ExportArguments) -> dict[str, Any]:
    """All rows of one sort into a file."""
    work.tell("export", message=told.to)
    return {"to": told.to, "rows": export(work.store, told.rows, Path(told.to))}


def confine_export(settings: Settings, told: ExportArguments) -> ExportArguments:
    """Into the export folder only."""
    return told.model_copy(update={"to": inside(settings.export_folder, told.to, "to")})


class BatchArguments(Arguments):
    """Whose recommendations are written, and where to."""

    to: str = "recommendations.jsonl"
    """A file that ends in .jsonl, .csv or .parquet; or a table, as ``postgresql://user@host/name?table=name``."""
    scenario: str = HOME
    n: int = Field(default=10, ge=1, le=1000)
    filter: str | None = None
    users: tuple[str, ...] | None = None
    """None: all users."""

    @field_validator("to")
    @classmethod
    def _writable(cls, to: str) -> str:
        if "://" in to:
            check_table(to)
        return without_password(to, "to")


def run_batch(work: Work, told: BatchArguments) -> dict[str, Any]:
    """One slate a user, all of one version."""
    ask = Ask(told.scenario, told.n, told.filter)

    def progress(done: int, total: int) -> None:
        work.tell("recommend", done, max(done, total))

    work.tell("recommend")
    return recommend_batch(work.store, work.artifacts, ask, told.to, work.now, told.users, progress)


def confine_batch(settings: Settings, told: BatchArguments) -> BatchArguments:
    """Into the export folder only."""
    return told.model_copy(update={"to": inside(settings.export_folder, told.to, "to")})


class TidyArguments(Arguments):
    """How long what is kept is kept."""

    jobs_days: float = Field(default=30.0, ge=0, le=36_500)
    """Records of jobs that are over for longer are dropped, save the latest that was done of each kind."""
    slates_days: float = Field(default=90.0, ge=0, le=36_500)
    """Older slates are dropped unless an interaction says that it followed from them."""


def run_tidy(work: Work, told: TidyArguments) -> dict[str, Any]:
    """Drop what nobody needs any more."""
    work.tell("clean up")
    return dict(tidy(work.store, work.artifacts, work.now, told.jobs_days, told.slates_days))


KINDS = (
    JobKind(
        "import",
        "Rows of a file or an SQL table, or a known data set; goes on where it was cut short.",
        ImportArguments,
        run_import,
        confine=confine_import,
    ),
    JobKind(
        "export", "All users, items or interactions into a file.", ExportArguments, run_export, confine=confine_export
    ),
    JobKind(
        "recommend",
        "Recommendations for all users, or for some, into a file or a table.",
        BatchArguments,
        run_batch,
        confine=confine_batch,
    ),
    JobKind(
        "clean-up",
        "Drop old records of jobs, old slates, and drafts of versions that were never finished.",
        TidyArguments,
        run_tidy,
    ),
)
