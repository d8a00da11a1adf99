"""A lock between processes, held through the operating system, so that it falls open when its holder dies."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serendip.domain import NotReady

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


class FileLock:
    """Held by one open file at a time, in this process or any other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise NotReady(f"cannot open the lock file {path}: {error.strerror}; check the folder's rights") from None

    def take(self, until: float | None = None) -> bool:
        """Whether the lock was got before ``until`` on the monotonic clock; with none, at the first try."""
        pause = 0.0002
        while not _try_lock(self._handle):
            if until is None or time.monotonic() > until:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.002)
        return True

    def give_back(self) -> None:
        """Let the next one have it."""
        _unlock(self._handle)

    def close(self) -> None:
        """Forget the file, and with it the lock."""
        os.close(self._handle)


class WriteLock:
    """One writer at a time over all threads and processes, in turn.

    Two files: whoever waits for ``<db>.lock`` holds ``<db>.turn`` meanwhile, so that a process that writes without
    a pause must stand behind it. With one file a waiting process would find it taken at nearly every look.
    """

    def __init__(self, database: Path, patience_seconds: float = 30.0) -> None:
        self._threads = threading.Lock()
        self._lock = FileLock(database.with_name(database.name + ".lock"))
        self._turn = FileLock(database.with_name(database.name + ".turn"))
        self._patience_seconds = patience_seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """The right to write, waited for as long as patience lasts."""
        until = time.monotonic() + self._patience_seconds
        if not self._threads.acquire(timeout=self._patience_seconds):
            raise self._impatient()
        try:
            if not self._turn.take(until):
                raise self._impatient()
            try:
                taken = self._lock.take(until)
            finally:
                self._turn.give_back()
            if not taken:
                raise self._impatient()
            try:
                yield
            finally:
                self._lock.give_back()
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close both files."""
        self._lock.close()
        self._turn.close()

    def _impatient(self) -> NotReady:
        return NotReady(
            f"another writer has held {self._lock.path} for {self._patience_seconds:g} seconds; "
            "try again, or see which process is stuck"
        )
