"""One job from its first word to its last: checked, skipped where nothing changed, done, and its end written down."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from serendip.domain import Conflict, Invalid, NotFound, SerendipError
from serendip.jobs.kind import Arguments, JobKind, Skip, Stopped, Tell, Work
from serendip.jobs.kinds import checked, job_kind
from serendip.settings import Settings
from serendip.store import Artifacts, Leased, Store
from serendip.store.jobs import usual_key

log = logging.getLogger("serendip.jobs")

Clock = Callable[[], datetime]

TELL_SECONDS = 0.5
"""Within a stage, progress is written at most this often."""


@dataclass
class Telling:
    """How a job that is held under a lease says where it is."""

    store: Store
    leased: Leased
    _stage: str | None = None
    _written_at: float = field(default=0.0)

    def __call__(
        self, stage: str, done: int | None = None, total: int | None = None, message: str | None = None
    ) -> None:
        """Write it down, and end the job here where the lease is lost."""
        if stage == self._stage and monotonic() - self._written_at < TELL_SECONDS and done != total:
            return
        self._stage, self._written_at = stage, monotonic()
        if not self.store.tell_job(self.leased.job.id, self.leased.lease, stage, done, total, message):
            raise Stopped("another worker has this job now")


def carry_out(
    store: Store, artifacts: Artifacts, settings: Settings, leased: Leased, clock: Clock, tell: Tell | None = None
) -> None:
    """Do a job that is held, and write down what became of it; only ``Stopped`` leaves that to the worker."""
    number, lease = leased.job.id, leased.lease
    try:
        kind = job_kind(leased.job.kind)
        arguments = checked(leased.job.kind, leased.job.arguments)
        state = state_of_data(store, kind, arguments)
        if state is not None and not getattr(arguments, "force", False):
            same = store.job_done_with(kind.name, state)
            if same is not None:
                raise Skip(f"nothing was added, edited or deleted since job {same.id}")
        work = Work(store, artifacts, settings, clock(), tell or Telling(store, leased))
        result = kind.run(work, arguments)
    except Stopped:
        raise
    except Skip as nothing:
        store.finish_job(number, lease, "skipped", clock(), message=str(nothing))
    except SerendipError as error:
        final = isinstance(error, Invalid | NotFound | Conflict)
        store.fail_job(number, lease, clock(), str(error), retry=not final)
    except Exception as error:
        log.exception("a job failed", extra={"job": number, "kind": leased.job.kind})
        told = "".join(traceback.format_exception_only(error)).strip()
        store.fail_job(number, lease, clock(), f"{told}; the log has the story")
    else:
        store.finish_job(number, lease, "done", clock(), result, state)


def state_of_data(store: Store, kind: JobKind, arguments: Arguments) -> str | None:
    """What a kind that skips looks at: the data, declared scenarios, its arguments. None: it never skips."""
    if not kind.skips_unchanged:
        return None
    told: dict[str, Any] = arguments.model_dump(mode="json", exclude={"force"})
    scenarios = store.changes()["scenarios"] if kind.reads_scenarios else 0
    return f"{store.fingerprint()}-{scenarios}-{usual_key(kind.name, told)}"
