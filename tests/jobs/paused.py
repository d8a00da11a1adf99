"""The process of a job that stops in the middle, for tests that end it there.

``PAUSED`` names a folder. A job whose kind is a key of its file ``where.json`` leaves a file ``<job>.pid`` there and
waits, once its stage and message hold the text of that key. A job told ``hog`` takes so many MB of memory first.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from serendip.jobs import child
from serendip.jobs.carry import Telling

FOLDER = Path(os.environ["PAUSED"])
WHERE = json.loads((FOLDER / "where.json").read_text())

tell = Telling.__call__


def tell_and_wait(
    self: Telling, stage: str, done: int | None = None, total: int | None = None, message: str | None = None
) -> None:
    tell(self, stage, done, total, message)
    job = self.leased.job
    text, hog_mb = WHERE.get(job.kind, (None, 0))
    if text is not None and text in f"{stage} {done} {message}":
        taken = np.ones(hog_mb << 17)
        (FOLDER / f"{job.id}.pid").write_text(str(os.getpid()))
        time.sleep(300)
        del taken


Telling.__call__ = tell_and_wait  # type: ignore[method-assign]
child.main()
