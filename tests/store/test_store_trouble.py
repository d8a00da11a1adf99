from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serendip.domain import Conflict, Interaction, NotReady
from serendip.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SRC = str(Path(__file__).parents[2] / "src")


def child(program: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """Another process that runs ``program`` with the store's package at hand."""
    environment = {**os.environ, "PYTHONPATH": SRC}
    command = [sys.executable, "-c", PREAMBLE + program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


PREAMBLE = """
import sys
from datetime import UTC, datetime
import polars as pl
from serendip.domain import Interaction, NotReady
from serendip.store import ImportProgress, Store
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
def batch(n, size):
    keys = [f"{n}/{row}".encode().ljust(16) for row in range(size)]
    users, items = [f"u{row % 50}" for row in range(size)], [f"i{row % 70}" for row in range(size)]
    return pl.DataFrame({"user": users, "item": items, "at": range(size), "kind": ["view"] * size, "key": keys})
store = Store.open(sys.argv[1])
"""


def test_killed_in_the_middle_of_loading_leaves_whole_batches_only(database_url: str) -> None:
    size = 2000
    loader = """
for n in range(10_000):
    store.load_interactions(batch(n, 2000), ImportProgress("source", (n + 1) * 2000))
    print(n, flush=True)
"""
    for delay in (0.0, 0.05):
        process = child(loader, database_url)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Store.open(database_url)
        count = store.counts().interactions
        progress = store.import_progress("source")
        assert count % size == 0
        assert count > 0
        assert progress is not None
        assert progress.rows_done <= count
        assert store.check() == []
        store.close()


def test_two_processes_that_write_at_once_lose_nothing(database_url: str) -> None:
    writer = """
for n in range(60):
    own, shared = f"{sys.argv[2]}/{n}", f"both/{n}"
    told = store.add_interactions(
        [Interaction("u", f"i{n}", NOON, key=own), Interaction(f"u{n}", "i", NOON, key=shared)]
    )
    assert all(outcome in ("recorded", "repeated") for outcome in told.outcomes), told
store.close()
"""
    processes = [child(writer, database_url, name) for name in "ab"]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    store = Store.open(database_url)
    assert store.counts().interactions == 3 * 60
    assert store.check() == []
    store.close()


def test_many_threads_with_the_same_keys_record_each_once(store: Store) -> None:
    def send(n: int) -> int:
        told = store.add_interactions([Interaction(f"u{n % 7}", f"i{n % 11}", NOON, key=f"k{n}")])
        return told.recorded

    with ThreadPoolExecutor(8) as pool:
        recorded = sum(pool.map(send, [n for n in range(100) for _ in range(3)]))
    assert recorded == store.counts().interactions == 100


def test_a_conflict_spoils_nothing_for_the_threads_it_shares_a_commit_with(store: Store) -> None:
    store.add_interactions([Interaction("u", "first", NOON, key="taken")])
    start = threading.Barrier(8)

    def send(n: int) -> object:
        start.wait()
        key = "taken" if n % 2 else f"own-{n}"
        return store.add_interactions([Interaction("u", f"i{n}", NOON, key=key)]).outcomes[0]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(8)))
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [bool(n % 2) for n in range(8)]
    assert store.counts().interactions == 5


def test_readers_go_on_while_somebody_writes(store: Store) -> None:
    store.add_interactions([Interaction("u", "i", NOON)])
    with store._db.write() as c:
        c.exec_driver_sql("DELETE FROM interactions")
        assert store.counts().interactions == 1
        assert len(store.history("u", datetime.max.replace(tzinfo=UTC), 5)) == 1


FULL = """
import resource
from pathlib import Path
folder = Path(sys.argv[1].removeprefix("sqlite:///")).parent
try:
    for n in range(10_000):
        store.load_interactions(batch(n, 500))
        if n == 2:
            room = max(file.stat().st_size for file in folder.iterdir()) + 300_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
except NotReady as error:
    before = store.counts().interactions
    assert before >= 1500 and before % 500 == 0, before
    assert store.history("u1", NOON, 10)
    try:
        store.add_interactions([Interaction("u", "i", NOON)] * 3000)
    except NotReady:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert store.counts().interactions == before
    assert store.add_interactions([Interaction("u", "i", NOON)]).recorded == 1
    assert store.check() == []
    store.close()
    print("not ready, then ready")
"""


def test_a_full_disk_is_not_ready_and_leaves_all_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'serendip.db'}"
    output, _ = child(FULL, url).communicate(timeout=60)
    assert output.strip() == "not ready, then ready"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can lend a file it may write to another")
def test_a_database_that_may_only_be_read_is_not_ready_for_writing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'serendip.db'}"
    store = Store.open(url)
    store.add_interactions([Interaction("u", "i", NOON)])
    for path in (tmp_path, *tmp_path.parents):
        if path != Path(path.root):
            path.chmod(path.stat().st_mode | 0o555)
    reader = """
try:
    store.add_interactions([Interaction("u", "i", NOON)])
except NotReady as error:
    print(store.counts().interactions if "read-only" in str(error) else error)
"""
    lending = PREAMBLE.replace("store = Store.open", "__import__('os').setuid(65534); store = Store.open")
    for path in tmp_path.iterdir():
        path.chmod(0o666 if path.suffix in (".lock", ".turn") else 0o644)
    command = [sys.executable, "-c", lending + reader, url]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": SRC}, capture_output=True, text=True, check=False)
    assert "not ready" in done.stdout + done.stderr or done.stdout.strip() == "1", done.stdout + done.stderr
    assert store.counts().interactions == 1
    store.close()


def test_a_writer_that_never_ends_is_reported_after_a_while(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'serendip.db'}"
    store, other = Store.open(url), Store.open(url)
    lock = other._db._lock
    lock._patience_seconds = 0.05
    with store._db.write(), pytest.raises(NotReady, match="another writer"):
        other.add_interactions([Interaction("u", "i", NOON)])
    assert other.add_interactions([Interaction("u", "i", NOON)]).recorded == 1
    store.close()
    other.close()


def test_the_write_ahead_log_is_carried_over_and_stays_short(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'serendip.db'}")
    for n in range(700):
        store.add_interactions([Interaction(f"u{n % 9}", f"i{n % 9}", NOON)])
    wal = (tmp_path / "serendip.db-wal").stat().st_size
    assert wal < 20 << 20
    assert (tmp_path / "serendip.db").stat().st_size > 100_000
    store.close()
