"""One job by hand, in this process: recorded and held like any other, so that no worker does it too."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serendip.domain import NotReady
from serendip.jobs.carry import Clock, Telling, carry_out
from serendip.jobs.kind import Stopped
from serendip.jobs.kinds import told
from serendip.jobs.worker import LEASE
from serendip.settings import Settings
from serendip.store import Artifacts, JobRecord, Leased, Store

Show = Callable[[str, int | None, int | None, str | None], None]


def run_by_hand(
    store: Store,
    artifacts: Artifacts,
    settings: Settings,
    kind: str,
    arguments: Mapping[str, Any],
    clock: Clock,
    show: Show,
) -> JobRecord:
    """Do a job now, and give its record; ``show`` is told how far it is. Refused while the same one is open."""
    worker = f"{socket.gethostname()}:{os.getpid()} by hand"
    leased = store.begin_job(kind, told(kind, arguments), worker, clock(), LEASE)
    number, lease = leased.job.id, leased.lease
    try:
        with _held(store, leased, clock):
            carry_out(store, artifacts, settings, leased, clock, _Both(Telling(store, leased), show))
    except Stopped:
        store.finish_job(number, lease, "cancelled", clock())
    except BaseException:
        store.fail_job(number, lease, clock(), "it was interrupted", retry=False)
        raise
    done = store.job(number)
    assert done is not None, "records of jobs that are just over are kept"
    return done


@dataclass(frozen=True)
class _Both:
    """Writes progress down and shows it; ends the job where somebody asked for that."""

    kept: Telling
    show: Show

    def __call__(
        self, stage: str, done: int | None = None, total: int | None = None, message: str | None = None
    ) -> None:
        self.show(stage, done, total, message)
        self.kept(stage, done, total, message)
        if self.kept.store.lease_holds(self.kept.leased.job.id, self.kept.leased.lease) is None:
            raise Stopped("somebody cancelled this job")


@contextmanager
def _held(store: Store, leased: Leased, clock: Clock) -> Iterator[None]:
    """The lease, renewed while the block runs."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE.total_seconds() / 5):
            try:
                store.renew_lease(leased.job.id, leased.lease, clock() + LEASE)
            except NotReady:
                # The database is away for a moment; the lease outlives several such turns.
                continue

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
