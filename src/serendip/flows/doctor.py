"""What is well and what is not: the machine, the database, the versions."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serendip import models
from serendip.data import Columns, Dataset, Queries, Vocabulary
from serendip.domain import SerendipError
from serendip.flows.live import Live
from serendip.ranking import top
from serendip.store import Artifacts, Store

ENOUGH_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    said: str


def examine(database_url: str, artifacts: Path, warm: bool) -> list[Finding]:
    """Look at everything; nothing is changed but the kernels' cache, and that only if ``warm``."""
    found = [_disk(artifacts), _cores()]
    if database_url.startswith("sqlite"):
        found.append(_sqlite())
    try:
        store = Store.open(database_url)
    except SerendipError as error:
        return [*found, Finding("database", False, str(error))]
    try:
        found += _database(store)
        found += _versions(store, Artifacts(artifacts))
    finally:
        store.close()
    if warm:
        found.append(_kernels())
    return found


def _disk(folder: Path) -> Finding:
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    return Finding("disk", free > ENOUGH_BYTES, f"{free / 2**30:.1f} GiB free beside {folder}")


def _cores() -> Finding:
    return Finding("processor", True, f"{os.cpu_count()} cores")


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    fixed = sqlite3.sqlite_version_info >= (3, 51, 3)
    said = version if fixed else (
        f"{version} can corrupt a database when two connections write and checkpoint at once (fixed in 3.51.3); "
        "serendip lets one process at a time do either, through the lock file beside the database: let no other "
        "program write to it"
    )  # fmt: skip
    return Finding("SQLite", True, said)


def _database(store: Store) -> list[Finding]:
    counts = store.counts()
    problems = store.check()
    said = f"{counts.users:,} users, {counts.items:,} items, {counts.interactions:,} interactions"
    return [
        Finding("database", not problems, "; ".join(problems) or "sound"),
        Finding("data", counts.interactions > 0, said if counts.interactions else f"{said}; import some first"),
    ]


def _versions(store: Store, artifacts: Artifacts) -> list[Finding]:
    live = Live(store, artifacts)
    live.refresh()
    found = [
        Finding(f"scenario {one.name}", True, f"{one.version} answers" + (f"; {one.note}" if one.note else ""))
        for one in live.scenarios.values()
    ]
    found += [Finding("version", False, problem) for problem in live.problems]
    if not found:
        found.append(Finding("versions", False, "nothing is live; run `serendip train --promote`"))
    return found


def _kernels() -> Finding:
    """Fit and ask every kind once on a dozen events, which compiles and caches what they need."""
    rng = np.random.default_rng(0)
    ids = Vocabulary(tuple(f"{n}" for n in range(6)))
    at = np.arange(24, dtype=np.int64)
    value = rng.integers(1, 6, 24).astype(np.float32)
    events = Dataset.of(rng.integers(0, 6, 24), rng.integers(0, 6, 24), ids, ids, value=value, at=at)
    told = Columns.of([{"tags": ["a", "bc"[n % 2]], "age": n} for n in range(6)])
    data = replace(events, item_columns=told, user_columns=told)
    queries = Queries.of_users(data, np.arange(6))
    for name, kind in models.KINDS.items():
        scores = models.fit(name, kind.config(), data).score(queries)
        top(scores, 3, ids.hashes, queries.salt)
    return Finding("kernels", True, f"compiled and cached: {', '.join(models.KINDS)}")
