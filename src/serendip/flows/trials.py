"""The trials of a search, kept in a file as they are made."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from serendip.domain import Invalid, NotReady

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows has none; there nobody is kept from a second search on the same file.
    flock = None  # type: ignore[assignment]

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system says that knows no locks."""

BEGINNING = b'{"error": '
"""Of every line; its keys are sorted."""


@dataclass(frozen=True)
class Trial:
    """One choice of settings and what it reached."""

    pipeline: str
    number: int
    """Among the pipeline's trials, from 0."""
    share: float
    """Of the users that it learnt from and was asked by."""
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    """Means over the questions; empty where it failed."""
    seconds: float
    error: str | None = None
    """Why it could not be done."""


class Trials:
    """The trials of a file that belong to one question; a line each, written whole or not at all.

    The file is locked until ``close``: one search at a time reads and writes it. The lock ends with its process.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest
        self.found: dict[str, Trial] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("ab")
        except OSError as error:
            self._cannot(error)
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise
        self.before = frozenset(self.found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let others search with this file."""
        self.file.close()

    def _cannot(self, error: OSError) -> NoReturn:
        raise NotReady(
            f"{self.path} cannot keep the trials: {error.strerror}; name another with --trials-file"
        ) from None

    def _lock(self) -> None:
        if flock is None:
            return
        try:
            flock(self.file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise NotReady(
                f"another search is running with {self.path}; wait for it, or name another file with --trials-file"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                self._cannot(error)

    def _read(self) -> None:
        try:
            raw = self.path.read_bytes()
            whole = raw[: raw.rfind(b"\n") + 1]
            lines = whole.splitlines()
            for number, line in enumerate(lines, start=1):
                self._take(line, number)
            if rest := raw[len(whole) :]:
                # The last line was cut short by a kill; what never was a trial is not ours to cut.
                if rest[: len(BEGINNING)] != BEGINNING[: len(rest)]:
                    self._refuse(len(lines) + 1)
                os.truncate(self.path, len(whole))
        except OSError as error:
            self._cannot(error)

    def _take(self, line: bytes, number: int) -> None:
        try:
            told = json.loads(line)
            study = told.pop("study")
            trial = Trial(**told)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._refuse(number)
        if study == self.digest and trial.metrics:
            self.found[key_of(trial)] = trial

    def _refuse(self, number: int) -> NoReturn:
        raise Invalid(f"{self.path}, line {number}, is no trial; name another file with --trials-file") from None

    def find(self, pipeline: str, settings: Mapping[str, Any], share: float) -> Trial | None:
        """The trial that was done before, if it was."""
        return self.found.get(key_of(Trial(pipeline, 0, share, settings, {}, 0.0)))

    def was_there(self, trial: Trial) -> bool:
        """Whether the file held it when it was opened."""
        return key_of(trial) in self.before

    def keep(self, trial: Trial) -> None:
        """Write a trial to disk before the next begins."""
        told = {"study": self.digest, **vars(trial)}
        self.file.write(json.dumps(told, sort_keys=True).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        if trial.metrics:
            self.found[key_of(trial)] = trial


def key_of(trial: Trial) -> str:
    """The same for the same settings of a pipeline on the same users."""
    return json.dumps([trial.pipeline, trial.settings, round(trial.share, 9)], sort_keys=True)
