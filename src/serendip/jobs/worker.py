"""A worker: takes jobs from the queue and has each done by a process of its own, which it watches and may stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from serendip.domain import NotReady
from serendip.jobs.carry import Clock
from serendip.settings import Settings
from serendip.store import JobRecord, Leased, Store

log = logging.getLogger("serendip.jobs")

CHILD = (sys.executable, "-m", "serendip.jobs.child")
LEASE = timedelta(seconds=15)
"""A worker that was not heard of for so long has lost its jobs to others."""
TICK_SECONDS = 0.2
POLL_SECONDS = 1.0
"""The queue and the timetable are looked at this often."""
GRACE_SECONDS = 1.0
"""A process that was told to stop is killed after this long."""
DRAIN_SECONDS = 5.0
"""When the worker ends, what runs may finish within this long; then it is handed back."""

Reason = Literal["cancelled", "lost", "handed back", "memory", "time"]


@dataclass
class Child:
    """A job that runs."""

    leased: Leased
    process: subprocess.Popen[bytes]
    began: float
    """On the monotonic clock, as all moments here."""
    renew_at: float
    look_at: float
    reason: Reason | None = None
    """Why it was told to stop."""
    kill_at: float = 0.0

    @property
    def job(self) -> JobRecord:
        """What it does."""
        return self.leased.job

    def stop(self, reason: Reason) -> None:
        """Tell the process to stop."""
        if self.reason is None:
            self.reason, self.kill_at = reason, monotonic() + GRACE_SECONDS
            self.process.terminate()

    def forget(self) -> None:
        """Close our end of the pipe by which the process sees that we live."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def own_bytes(self) -> int:
        """Memory that is the process's own, without files it has mapped; 0 where the system does not say."""
        try:
            _, resident, shared = Path(f"/proc/{self.process.pid}/statm").read_text().split()[:3]
        except (OSError, ValueError):
            return 0
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Worker:
    """Does jobs until it is told to stop."""

    store: Store
    settings: Settings
    clock: Clock
    concurrency: int = 1
    """Jobs at a time."""
    lease: timedelta = LEASE
    command: Sequence[str] = CHILD
    """What does a job; its number and its lease follow."""
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    _running: list[Child] = field(default_factory=list)
    _poll_at: float = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Work until ``stopping``; then let what runs finish soon, or hand it back to the queue."""
        log.info("a worker begins", extra={"worker": self.name})
        try:
            while not stopping.wait(TICK_SECONDS):
                self._careful(self._tick)
            until = monotonic() + DRAIN_SECONDS
            while self._running and monotonic() < until + 4 * GRACE_SECONDS:
                if monotonic() > until:
                    for child in self._running:
                        child.stop("handed back")
                self._careful(self._watch)
                threading.Event().wait(TICK_SECONDS / 4)
        finally:
            for child in self._running:
                child.process.kill()
                child.process.wait()
                child.forget()
        log.info("a worker ends", extra={"worker": self.name})

    def _careful(self, step: Any) -> None:
        try:
            step()
        except NotReady as error:
            # The database is away: what runs goes on, and is settled when it is back.
            log.warning("the queue cannot be reached: %s", error)
        except Exception:  # whatever it is, the next look may succeed, and other jobs must not suffer for it
            log.exception("a worker's look at the queue failed")

    def _tick(self) -> None:
        self._watch()
        if monotonic() < self._poll_at:
            return
        self._poll_at = monotonic() + POLL_SECONDS
        for number in self.store.queue_due(self.clock()):
            log.info("the timetable queued a job", extra={"job": number})
        while len(self._running) < self.concurrency:
            held = [child.job.id for child in self._running]
            leased = self.store.claim_job(self.name, self.clock(), self.lease, held)
            if leased is None:
                return
            self._start(leased)

    def _start(self, leased: Leased) -> None:
        told = {"job": leased.job.id, "kind": leased.job.kind, "attempt": leased.job.attempts}
        log.info("a job begins", extra=told)
        process = subprocess.Popen(
            [*self.command, str(leased.job.id), leased.lease], stdin=subprocess.PIPE, start_new_session=True
        )
        now = monotonic()
        self._running.append(Child(leased, process, now, now + self._beat, now))
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(plain(self.settings)).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            # It ended already; that is seen at the next look.
            pass

    @property
    def _beat(self) -> float:
        return self.lease.total_seconds() / 5

    def _watch(self) -> None:
        """Look at everything that runs, and settle what ended."""
        for child in list(self._running):
            code = child.process.poll()
            if code is not None:
                self._settle(child, code)
                child.forget()
                self._running.remove(child)
                # A place is free: look for the next job at once.
                self._poll_at = 0.0
            elif child.reason is not None:
                if monotonic() > child.kill_at:
                    child.process.kill()
            else:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = monotonic()
        limit = self.settings.job_memory_mb
        if limit is not None and child.own_bytes() > limit * 2**20:
            child.stop("memory")
        elif now - child.began > self.settings.job_minutes * 60:
            child.stop("time")
        elif now >= child.renew_at:
            child.renew_at = now + self._beat
            if not self.store.renew_lease(child.job.id, child.leased.lease, self.clock() + self.lease):
                self._lost(child)
        elif now >= child.look_at:
            child.look_at = now + min(POLL_SECONDS / 2, self._beat)
            going = self.store.lease_holds(child.job.id, child.leased.lease)
            if going is None:
                child.stop("cancelled")
            elif not going:
                self._lost(child)

    def _lost(self, child: Child) -> None:
        # The process may just have written its end, and is about to leave.
        job = self.store.job(child.job.id)
        if job is None or job.state in ("queued", "running"):
            child.stop("lost")

    def _settle(self, child: Child, code: int) -> None:
        """Write down the end of a process that could not do so itself; where it did, nothing is written."""
        number, lease, now = child.job.id, child.leased.lease, self.clock()
        limit = self.settings
        if child.reason == "cancelled":
            self.store.finish_job(number, lease, "cancelled", now)
        elif child.reason == "handed back":
            self.store.hand_back_job(number, lease, now)
        elif child.reason == "memory":
            said = f"it took more than {limit.job_memory_mb:,} MB of memory; raise job_memory_mb, or give it less to do"
            self.store.fail_job(number, lease, now, said, retry=False)
        elif child.reason == "time":
            said = f"it took longer than {limit.job_minutes:g} minutes; raise job_minutes, or give it less to do"
            self.store.fail_job(number, lease, now, said, retry=False)
        elif child.reason is None:
            self.store.fail_job(number, lease, now, f"its process {ended(code)} before the job was over")
        job = self.store.job(number)
        if job is not None:
            log.info("a job ended", extra={"job": number, "kind": job.kind, "state": job.state, "why": job.error})


def ended(code: int) -> str:
    """How a process came to its end, in words."""
    if code >= 0:
        return f"ended with code {code}"
    hint = "; the system may have run out of memory" if -code == signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{hint}"


def plain(settings: Settings) -> dict[str, Any]:
    """Settings that a job's process is told; the others it reads from the environment and the file, as we did."""
    told = settings.model_dump(mode="json")
    return {
        name: value
        for name, value in told.items()
        if isinstance(value, str | int | float)
        or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    }


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """The worker in a thread of its own while the block runs."""
    stopping = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stopping,), name="serendip-worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(DRAIN_SECONDS + 5 * GRACE_SECONDS)
