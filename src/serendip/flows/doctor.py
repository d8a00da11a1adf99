"""What is well and what is not: the machine, the database, the versions."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from serendip.domain import SerendipError
from serendip.flows import warm
from serendip.flows.live import Live
from serendip.store import Artifacts, Store

ENOUGH_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    said: str


def examine(database_url: str, artifacts: Path, compiling: bool) -> list[Finding]:
    """Look at everything; nothing is changed but the kernels' cache, and that only if ``compiling``."""
    found = [_disk(artifacts), _cores(), *([_kernels()] if compiling else [])]
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
    """Compile what every kind needs, which Numba keeps on disk for every later process."""
    kinds = warm.warm()
    folders = {kernel.stats.cache_path for kernel in warm.kernels().values() if kernel.signatures}
    said = f"{len(warm.kernels())} compiled, for {', '.join(kinds)}; kept in {', '.join(sorted(map(str, folders)))}"
    return Finding("kernels", True, said)
