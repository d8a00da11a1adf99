"""What runs by itself: work, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from serendip.cli.access import note
from serendip.cli.options import as_json, clock, declare_file, opened, parse_settings, print_json, settings_of, where
from serendip.domain import NotFound

if TYPE_CHECKING:
    from serendip.store import JobRecord

ARGUMENTS = click.option(
    "--set", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument of the kind.  [repeatable]"
)


@click.command()
@click.option("--concurrency", default=1, type=click.IntRange(1, 64), show_default=True, help="Jobs at a time.")
@where
def work(concurrency: int, database: str | None, artifacts: str | None) -> None:
    """Do jobs, each in a process of its own, until it is told to stop; what runs then is handed back to the queue."""
    import signal
    import threading

    from serendip.jobs.worker import Worker
    from serendip.logs import set_up_logs
    from serendip.store import Store

    settings = settings_of(database, artifacts)
    stopping = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stopping.set())
    store = Store.open(settings.database_url)
    try:
        declare_file(store)
        set_up_logs(settings)
        Worker(store, settings, clock, concurrency).run(stopping)
    finally:
        store.close()


@click.group()
def jobs() -> None:
    """Jobs: list, show, add, run, cancel; kinds; timetable."""


@jobs.command("list")
@click.option("--state", type=click.Choice(["queued", "running", "done", "skipped", "failed", "cancelled"]))
@click.option("--kind", metavar="KIND")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), show_default=True)
@where
@as_json
def list_(
    state: str | None, kind: str | None, limit: int, json: bool, database: str | None, artifacts: str | None
) -> None:
    """The latest jobs, newest first."""
    from serendip.web.api.jobs import job_json

    with opened(database, artifacts) as (store, _):
        records = store.jobs(state, kind, limit=limit).records  # type: ignore[arg-type]
    if json:
        print_json({"jobs": [job_json(job) for job in records]})
        return
    for job in records:
        click.echo(line(job))
    if not records:
        click.echo("there are no jobs; `serendip jobs add KIND` queues one")


@jobs.command()
@click.argument("job", type=int)
@where
def show(job: int, database: str | None, artifacts: str | None) -> None:
    """Everything that is kept of one job, as JSON."""
    from serendip.web.api.jobs import job_json

    with opened(database, artifacts) as (store, _):
        found = store.job(job)
    if found is None:
        raise NotFound(f"no job {job}; `serendip jobs list` shows them")
    print_json(job_json(found))


@jobs.command()
@click.argument("kind")
@ARGUMENTS
@where
@as_json
def add(kind: str, arguments: tuple[str, ...], json: bool, database: str | None, artifacts: str | None) -> None:
    """Queue a job for a worker; refused while the same one is queued or runs."""
    from serendip.jobs.kinds import told
    from serendip.web.api.jobs import job_json

    with opened(database, artifacts) as (store, _):
        now = clock()
        job = store.add_job(kind, told(kind, parse_settings(arguments)), now, created_by="terminal")
        note(store, now, "create_job", str(job.id), kind=kind)
    if json:
        print_json(job_json(job))
    else:
        click.echo(line(job))


@jobs.command()
@click.argument("kind")
@ARGUMENTS
@where
@as_json
def run(kind: str, arguments: tuple[str, ...], json: bool, database: str | None, artifacts: str | None) -> None:
    """Do one job here and now, with progress; exit code 1 if it fails."""
    from serendip.cli.show import err, steps
    from serendip.jobs.by_hand import run_by_hand
    from serendip.store import Artifacts, Store
    from serendip.web.api.jobs import job_json

    settings = settings_of(database, artifacts)
    store = Store.open(settings.database_url)
    try:
        declare_file(store)
        with steps(quiet=json) as progress:

            def shown(stage: str, done: int | None, total: int | None, message: str | None) -> None:
                share = f" {done:,} of {total:,}" if done is not None and total is not None else ""
                progress(f"{stage}{share}{': ' if message else ''}{message or ''}")

            told = parse_settings(arguments)
            job = run_by_hand(store, Artifacts(settings.artifacts), settings, kind, told, clock, shown)
            note(store, clock(), "create_job", str(job.id), kind=kind)
    finally:
        store.close()
    if json:
        print_json(job_json(job))
    else:
        click.echo(line(job))
        if job.result is not None:
            print_json(job.result)
    if job.state == "failed":
        err.print(f"serendip: {job.error}", markup=False)
        raise SystemExit(1)


@jobs.command()
@click.argument("job", type=int)
@where
@as_json
def cancel(job: int, json: bool, database: str | None, artifacts: str | None) -> None:
    """End a job: at once where it waits; one that runs is stopped by its worker within some two seconds."""
    from serendip.web.api.jobs import job_json

    with opened(database, artifacts) as (store, _):
        done = store.cancel_job(job, now := clock())
        note(store, now, "cancel_job", str(job))
    if json:
        print_json(job_json(done))
    else:
        click.echo(f"job {job} " + ("will be stopped" if done.cancel else "is cancelled"))


@jobs.command()
@as_json
def kinds(json: bool) -> None:
    """Every kind of job, and what it may be told."""
    from serendip.jobs.kinds import JOBS
    from serendip.web.api.jobs import kinds_json

    if json:
        print_json({"kinds": kinds_json()})
        return
    for kind in JOBS.values():
        names = ", ".join(kind.arguments.model_fields)
        click.echo(f"{kind.name}: {kind.summary}\n    --set {names}" if names else f"{kind.name}: {kind.summary}")


@jobs.command()
@where
@as_json
def timetable(json: bool, database: str | None, artifacts: str | None) -> None:
    """What is done again and again, and when it is due."""
    from serendip.web.api.jobs import row_json

    with opened(database, artifacts) as (store, _):
        rows = store.timetable()
    if json:
        print_json({"timetable": [row_json(row) for row in rows]})
        return
    for row in rows:
        due = f"due {row.next_at:%Y-%m-%d %H:%M} UTC" if row.next_at is not None else "off"
        click.echo(f"{row.name}  {row.kind}  {row.schedule}  {due}")
    if not rows:
        click.echo("the timetable is empty; declare rows in serendip.toml, or PUT /v1/timetable/NAME")


def line(job: JobRecord) -> str:
    """A job in one line."""
    share = f" {job.done:,}/{job.total:,}" if job.done is not None and job.total is not None else ""
    said = job.error if job.state in ("failed", "queued") and job.error else job.message
    where = f"  {job.stage}{share}" if job.state == "running" and job.stage else ""
    return f"{job.id}  {job.kind}  {job.state}{where}" + (f"  {said}" if said else "")
