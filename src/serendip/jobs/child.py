"""The process of one job: ``python -m serendip.jobs.child JOB LEASE``, its settings on standard input.

It ends when the worker that started it is gone: the other end of its standard input closes then.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from types import FrameType

from serendip.domain import Invalid
from serendip.jobs.carry import Clock, carry_out
from serendip.jobs.kind import Stopped
from serendip.logs import set_up_logs
from serendip.settings import read_settings
from serendip.store import Artifacts, Leased, Store

log = logging.getLogger("serendip.jobs")

ORPHANED = 3
"""The exit code of a job whose worker is gone."""
STOPPED = 4
"""The exit code of a job that was told to stop."""


def main() -> None:
    """Do the job that the command line names."""
    number, lease = int(sys.argv[1]), sys.argv[2]
    told = json.loads(sys.stdin.readline())
    try:
        settings = read_settings(**told)
    except Invalid as error:
        _refused(told["database_url"], number, lease, str(error))
        sys.exit(STOPPED)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGTERM, _stop)
    set_up_logs(settings, rotated=False)
    store = Store.open(settings.database_url)
    try:
        job = store.job(number)
        if job is None or not store.lease_holds(number, lease):
            sys.exit(STOPPED)
        carry_out(store, Artifacts(settings.artifacts), settings, Leased(job, lease), _now)
    except Stopped:
        sys.exit(STOPPED)
    finally:
        store.close()


def _refused(database_url: str, number: int, lease: str, said: str) -> None:
    """Write down that the settings, which the worker could still read, cannot be read any more."""
    store = Store.open(database_url)
    try:
        store.fail_job(number, lease, _now(), f"the settings were changed since the worker began: {said}")
    finally:
        store.close()


_now: Clock = lambda: datetime.now(UTC)  # noqa: E731


def _end_with_parent() -> None:
    # Read from the file itself: a thread that waits inside a buffered reader would hold its lock at the very end.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(ORPHANED)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped("the worker stopped this job")


if __name__ == "__main__":
    main()
