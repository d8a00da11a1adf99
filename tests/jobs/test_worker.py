"""Real workers and real processes: killed, cancelled, limited, told to stop."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.flows.promote import publish
from serendip.flows.train import configs_of, train
from serendip.jobs.kinds import JOBS, told
from serendip.jobs.worker import Worker, working
from serendip.settings import Settings
from serendip.store import Artifacts, JobRecord, Store

START = datetime(2026, 1, 1, tzinfo=UTC)
N_USERS, N_ITEMS, N_RATED, N_IMPORTED = 40, 30, 70, 60_000
SIMILARITY = ("svd-similarity", "nmf-similarity", "content-similarity", "profile-similarity")
SOURCE = str(Path(__file__).parents[2] / "src")
LEASE = timedelta(seconds=1.5)


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Place:
    """A store with a small trained world, and folders of its own."""

    store: Store
    artifacts: Artifacts
    settings: Settings
    folder: Path

    def add(self, kind: str, /, **arguments: Any) -> JobRecord:
        return self.store.add_job(kind, told(kind, arguments), clock())

    def job(self, job: JobRecord) -> JobRecord:
        found = self.store.job(job.id)
        assert found is not None
        return found


@pytest.fixture
def place(store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # The processes of jobs run the code under test, wherever another copy is installed.
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    store.declare_kinds([InteractionKind("view", hides=False), InteractionKind("rating", "latest", scale=(1, 5))])
    rng = np.random.default_rng(3)
    store.add_interactions(
        Interaction(
            f"user-{user}", f"film-{2 * rng.integers(N_ITEMS // 2) + user % 2}", START + n * timedelta(hours=5), "view"
        )
        for n, user in enumerate(np.tile(np.arange(N_USERS), 6))
    )
    store.add_interactions(
        Interaction(f"user-{n % 7}", f"film-{n % 11}", START + n * timedelta(hours=3), "rating", float(1 + n % 5))
        for n in range(N_RATED)
    )
    store.put_items([Item(f"film-{n}", tags=("drama", "comedy")[n % 2 :]) for n in range(N_ITEMS)])
    store.put_users([User(f"user-{n}", attributes={"age": n % 9, "city": "ab"[n % 2]}) for n in range(N_USERS)])
    artifacts = Artifacts(tmp_path / "versions")
    settings = Settings(database_url=database_url, artifacts=artifacts.folder, log_level="warning")
    return Place(store, artifacts, settings, tmp_path)


def until(what: Callable[[], object], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def process(
    place: Place, where: dict[str, str], concurrency: int = 1, hogs: dict[str, int] | None = None, **more: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker whose jobs wait in the middle: each kind where its stage and message hold a text, with so many MB."""
    told = {kind: (text, (hogs or {}).get(kind, 0)) for kind, text in where.items()}
    (place.folder / "where.json").write_text(json.dumps(told))
    settings = place.settings.model_copy(update=more)
    asked = {
        "settings": settings.model_dump(mode="json", include={"database_url", "artifacts", "log_level", *more}),
        "concurrency": concurrency,
        "lease_seconds": LEASE.total_seconds(),
    }
    environment = {**os.environ, "PAUSED": str(place.folder)}
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), json.dumps(asked)]
    started = subprocess.Popen(command, env=environment)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def waiting(place: Place, *jobs: JobRecord) -> bool:
    return all((place.folder / f"{job.id}.pid").exists() for job in jobs)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_killed_in_the_middle_of_every_kind_is_taken_over_and_nothing_half_done_is_seen(place: Place):
    store, folder = place.store, place.folder
    now = START + timedelta(days=60)
    first = train(store, place.artifacts, configs_of(store, ["popular-7-days", "item-knn"], {}), now)
    publish(store, first.versions, now)
    live = {name: one.version for name, one in store.live().items()}
    versions = {record.id for record in store.versions()}
    file = folder / "more.csv"
    pl.DataFrame(
        {
            "user": [f"new-{n % 500}" for n in range(N_IMPORTED)],
            "item": "film-1",
            "at": np.arange(N_IMPORTED) + 1_767_000_000,
        }
    ).write_csv(file)
    table = f"sqlite:///{folder / 'other.db'}?table=answers"
    jobs = {
        "train": place.add("train", pipelines=["popular", "ease"]),
        "evaluate": place.add("evaluate", pipelines=["popular", "item-knn"]),
        "popularity": place.add("popularity"),
        "import": place.add("import", source=str(file), kind="view"),
        "export": place.add("export", to=str(folder / "out.parquet")),
        "recommend": place.add(
            "recommend", to=str(folder / "slates.jsonl"), users=[f"user-{n}" for n in range(N_USERS)]
        ),
        "clean-up": place.add("clean-up"),
        **{kind: place.add(kind) for kind in SIMILARITY},
    }
    into_table = place.add("recommend", to=table, users=["user-1", "user-2"], n=3)
    assert set(JOBS) == set(jobs)
    # The second pipeline is about to be fitted when the first is kept; one batch of two is imported; drafts are full.
    where = {
        "train": "fitting ease on everything",
        "evaluate": "fitting",
        "popularity": "refreshing",
        "import": "50,000 rows",
        "export": "export",
        "recommend": f" {N_USERS} ",
        "clean-up": "clean up",
        **dict.fromkeys(SIMILARITY, "switching"),
    }
    with process(place, where, concurrency=len(jobs)) as worker:
        until(lambda: waiting(place, *jobs.values()))
        pids = [int((folder / f"{job.id}.pid").read_text()) for job in jobs.values()]
        assert all(map(alive, pids))
        worker.send_signal(signal.SIGKILL)
    until(lambda: not any(map(alive, pids)), 10)
    assert {name: one.version for name, one in store.live().items()} == live
    for record in store.versions():
        place.artifacts.load(record.id)
    assert len({record.id for record in store.versions()} - versions) == 1
    assert not (folder / "out.parquet").exists()
    assert not (folder / "slates.jsonl").exists()
    assert store.matrices()
    assert {matrix.version for matrix in store.matrices()} == {0}
    assert {place.job(job).state for job in jobs.values()} == {"running"}
    with working(Worker(store, place.settings, clock, concurrency=2, lease=LEASE)):
        until(
            lambda: all(place.job(job).state not in ("queued", "running") for job in (*jobs.values(), into_table)), 90
        )
    told_of = {kind: place.job(job) for kind, job in jobs.items()}
    assert {kind: (job.state, job.attempts) for kind, job in told_of.items()} == dict.fromkeys(jobs, ("done", 2)), (
        told_of
    )
    assert set(told_of["train"].result["versions"]) <= {record.id for record in store.versions()}
    for record in store.versions():
        place.artifacts.load(record.id)
    assert store.counts().interactions == 6 * N_USERS + N_RATED + N_IMPORTED
    assert told_of["import"].result["reports"][0]["rows_read"] == N_IMPORTED
    assert len((folder / "slates.jsonl").read_text().splitlines()) == N_USERS
    assert pl.read_parquet(folder / "out.parquet").height == told_of["export"].result["rows"]
    with closing(sqlite3.connect(folder / "other.db")) as other:
        rows = other.execute("select user, place from answers order by user, place").fetchall()
    assert rows == [(user, n) for user in ("user-1", "user-2") for n in (1, 2, 3)]
    assert len(store.recommenders()) == len(SIMILARITY)
    for matrix in store.matrices():
        assert store.matrix_versions(matrix.id) == [matrix.version]
    assert not [left for left in folder.iterdir() if left.suffix == ".part"]
    place.artifacts.clean_drafts()
    assert {one.name for one in place.artifacts.folder.iterdir()} == {record.id for record in store.versions()}


@pytest.mark.slow
@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_jobs_are_cancelled_limited_and_handed_back(place: Place):
    cancelled, killed = place.add("evaluate", pipelines=["popular"]), place.add("train", pipelines=["popular"])
    greedy, unlucky = place.add("export", to=str(place.folder / "out.csv")), place.add("clean-up")
    jobs = (cancelled, killed, greedy, unlucky)
    where = {"evaluate": "fitting", "train": "fitting", "export": "export", "clean-up": "clean up"}
    with process(place, where, concurrency=4, hogs={"export": 1500}, job_memory_mb=1000) as worker:
        until(lambda: waiting(place, cancelled, killed, unlucky))
        pids = {job.id: int((place.folder / f"{job.id}.pid").read_text()) for job in (cancelled, killed, unlucky)}
        place.store.cancel_job(cancelled.id, clock())
        os.kill(pids[killed.id], signal.SIGKILL)
        until(lambda: place.job(cancelled).state == "cancelled", 10)
        until(lambda: place.job(killed).state == "queued", 10)
        until(lambda: place.job(greedy).state == "failed", 30)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert not any(map(alive, pids.values()))
    assert "job_memory_mb" in (place.job(greedy).error or "")
    assert place.job(greedy).attempts == 1
    assert "SIGKILL" in (place.job(killed).error or "")
    assert (place.job(killed).attempts, place.job(killed).max_attempts) == (1, 3)
    # What the worker had to leave is there for the next one, and lost no attempt.
    assert (place.job(unlucky).state, place.job(unlucky).attempts) == ("queued", 0)
    assert len(jobs) == len(place.store.jobs().records)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_job_that_takes_too_long_is_stopped_and_not_tried_again(place: Place):
    job = place.add("train")
    hurried = place.settings.model_copy(update={"job_minutes": 0.005})
    with working(Worker(place.store, hurried, clock)):
        until(lambda: place.job(job).state == "failed", 30)
    assert "job_minutes" in (place.job(job).error or "")
    assert place.job(job).attempts == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_settings_file_that_was_spoilt_meanwhile_is_named_in_the_job_that_met_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(place.folder)
    Path("serendip.toml").write_text("prot = 80\n")
    job = place.add("clean-up")
    with working(Worker(place.store, place.settings, clock)):
        until(lambda: place.job(job).error, 30)
    assert "there is no setting 'prot'" in (place.job(job).error or "")
    assert place.job(job).state == "queued", "mended in time, the next attempt does it"
