"""A worker in a process of its own, which a test may kill."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serendip.jobs.worker import Worker
from serendip.settings import Settings
from serendip.store import Store

told = json.loads(sys.argv[1])
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
settings = Settings(**told["settings"])
store = Store.open(settings.database_url)
Worker(
    store,
    settings,
    lambda: datetime.now(UTC),
    concurrency=told["concurrency"],
    lease=timedelta(seconds=told["lease_seconds"]),
    command=(sys.executable, str(Path(__file__).with_name("paused.py"))),
).run(stopping)
store.close()
