"""The trials of a search, kept in a file as they are made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from serendip.domain import Invalid, NotReady

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
    """The trials of a file that belong to one question; a line each, written whole or not at all."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest
        self.found: dict[str, Trial] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = path.read_bytes() if path.exists() else b""
            whole = raw[: raw.rfind(b"\n") + 1]
            lines = whole.splitlines()
            for number, line in enumerate(lines, start=1):
                self._take(line, number)
            if rest := raw[len(whole) :]:
                # The last line was cut short by a kill; what never was a trial is not ours to cut.
                if rest[: len(BEGINNING)] != BEGINNING[: len(rest)]:
                    self._refuse(len(lines) + 1)
                os.truncate(path, len(whole))
        except OSError as error:
            raise NotReady(
                f"{path} cannot keep the trials: {error.strerror}; name another with --trials-file"
            ) from None
        self.before = frozenset(self.found)

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
        with self.path.open("ab") as file:
            file.write(json.dumps(told, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if trial.metrics:
            self.found[key_of(trial)] = trial


def key_of(trial: Trial) -> str:
    """The same for the same settings of a pipeline on the same users."""
    return json.dumps([trial.pipeline, trial.settings, round(trial.share, 9)], sort_keys=True)
