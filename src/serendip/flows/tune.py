"""A search for settings on validation data: every trial is kept in a file, and what is there is not done again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from serendip.domain import Invalid, NotReady
from serendip.evaluation import Split, frozen, given_split, measure, parse_metrics, split_of
from serendip.evaluation.tuning import Rung, Space, best, draw, rungs, some_users, space_of
from serendip.flows.measure_files import Files, Parts, read_parts
from serendip.pipeline import PipelineConfig

Progress = Callable[[str], None]


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


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    metric: str
    """What decides."""
    budget: str
    """What each pipeline got, in a sentence."""
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    """Each pipeline's best of those that saw everybody; the best pipeline first."""
    resumed: int
    """How many trials were in the file already."""


def tune(
    files: Files,
    pipelines: Sequence[str],
    kept: Path,
    *,
    spaces: Mapping[str, str],
    split: str = "time:0.1",
    n_trials: int = 12,
    halving: bool = False,
    metrics: Sequence[str] = ("ndcg@10",),
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Tuned:
    """Search every pipeline's space with the same number of trials, on validation data only.

    Of parts, ``train`` is learnt from and ``validation`` asked for. Of one file, ``split`` first cuts the test part
    off, which is not looked at, and then the validation part off the rest. The first of ``metrics`` decides.
    """
    wanted = [f"{name}@{k}" for name, k in parse_metrics(metrics)]
    searched = {pipeline: space_of(pipeline, spaces) for pipeline in pipelines}
    for name in spaces:
        if not any(name in space for space in searched.values()):
            raise Invalid(f"none of {', '.join(pipelines)} has a setting {name!r}", field=name)
    steps = rungs(n_trials, halving)
    cut = validation_split(read_parts(files, progress), split, seed)
    study = _Study(kept, _digest(cut, wanted, seed))
    trials: list[Trial] = []
    finals: list[Trial] = []
    for pipeline, space in searched.items():
        done = _search(pipeline, space, steps, cut, wanted, seed, study, progress)
        trials += done
        finals += [one for one in done if one.share == 1 and one.metrics]
    winners = [
        max((one for one in finals if one.pipeline == pipeline), key=lambda one: one.metrics[wanted[0]])
        for pipeline in searched
        if any(one.pipeline == pipeline for one in finals)
    ]
    ordered = tuple(sorted(winners, key=lambda one: -one.metrics[wanted[0]]))
    budget = said_of(steps)
    for pipeline, space in searched.items():
        if (n := len(draw(space, seed, pipeline, n_trials))) < n_trials:
            budget += f"; the space of {pipeline} holds only {n} settings"
    return Tuned(wanted[0], budget, tuple(trials), ordered, study.n_found)


def validation_split(parts: Parts, split: str, seed: int) -> Split:
    """What is learnt from and what is asked for while tuning; a test part has no say."""
    train, validation = parts.of("train"), parts.of("validation")
    if (whole := parts.of("data")) is not None:
        rest = split_of(whole, split, seed=seed).train
        return split_of(rest, split, seed=seed + 1)
    if train is None or validation is None:
        raise Invalid("tuning needs --data, or --train and --validation; the test part is not for it", "validation")
    return given_split(train, validation)


def said_of(steps: Sequence[Rung]) -> str:
    """The budget of each pipeline in a sentence."""
    rungs = ", then ".join(f"{step.n_trials} trials on {step.share:.3g} of the users" for step in steps)
    rungs = rungs.replace("on 1 of the users", "on all users")
    whole = sum(step.n_trials * step.share for step in steps)
    return f"each pipeline got {rungs}" + (f": as much as {whole:.3g} on all" if len(steps) > 1 else "")


def _search(
    pipeline: str,
    space: Space,
    steps: Sequence[Rung],
    cut: Split,
    wanted: Sequence[str],
    seed: int,
    study: _Study,
    progress: Progress,
) -> list[Trial]:
    settings = draw(space, seed, pipeline, steps[0].n_trials)
    alive, done = list(range(len(settings))), []
    for step in steps:
        part = some_users(cut, step.share, seed)
        rung = []
        for number in alive[: step.n_trials]:
            trial = study.find(pipeline, settings[number], step.share)
            if trial is None:
                trial = _tried(pipeline, number, step.share, settings[number], part, wanted, seed)
                study.keep(trial)
            reached = f"{trial.metrics[wanted[0]]:.4f}" if trial.metrics else str(trial.error)
            progress(f"{pipeline} {number + 1}/{len(settings)} on {step.share:.0%}: {reached} {dict(trial.settings)}")
            rung.append(trial)
        done += rung
        alive = best([(one.number, one.metrics[wanted[0]]) for one in rung if one.metrics], len(rung))
    return done


def _tried(
    pipeline: str,
    number: int,
    share: float,
    settings: Mapping[str, Any],
    cut: Split,
    wanted: Sequence[str],
    seed: int,
) -> Trial:
    begun = perf_counter()
    ks = tuple(dict.fromkeys(int(name.partition("@")[2]) for name in wanted))
    try:
        config = PipelineConfig.parse(pipeline, settings)
        outcomes = measure([config], frozen(cut), ks, seed=seed)
    except Invalid as error:
        return Trial(pipeline, number, share, settings, {}, perf_counter() - begun, str(error))
    if not outcomes:
        raise Invalid("no user of the validation part has a history to be asked with; check the files", "validation")
    found = outcomes[0].catalogue | {name: float(column.mean()) for name, column in outcomes[0].metrics.items()}
    reached = {name: found[name] for name in wanted}
    return Trial(pipeline, number, share, settings, reached, round(perf_counter() - begun, 3))


def _digest(cut: Split, wanted: Sequence[str], seed: int) -> str:
    """The same for the same question: the data, the metrics, the seed."""
    told = json.dumps([cut.train.fingerprint(), cut.test.fingerprint(), list(wanted), seed])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


class _Study:
    """The trials of a file that belong to one question; a line each, written whole or not at all."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest, self.n_found = path, digest, 0
        self.found: dict[str, Trial] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = path.read_bytes() if path.exists() else b""
            whole = raw[: raw.rfind(b"\n") + 1]
            for number, line in enumerate(whole.splitlines(), start=1):
                self._take(line, number)
            if len(whole) < len(raw):
                # The last line was cut short by a kill.
                os.truncate(path, len(whole))
        except OSError as error:
            raise NotReady(
                f"{path} cannot keep the trials: {error.strerror}; name another with --trials-file"
            ) from None

    def _take(self, line: bytes, number: int) -> None:
        try:
            told = json.loads(line)
            study = told.pop("study")
            trial = Trial(**told)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid(f"{self.path}, line {number}, is no trial; name another file with --trials-file") from None
        if study == self.digest and trial.metrics:
            self.found[_key(trial.pipeline, trial.settings, trial.share)] = trial

    def find(self, pipeline: str, settings: Mapping[str, Any], share: float) -> Trial | None:
        """The trial that was done before, if it was."""
        trial = self.found.get(_key(pipeline, settings, share))
        self.n_found += trial is not None
        return trial

    def keep(self, trial: Trial) -> None:
        """Write a trial to disk before the next begins."""
        told = {"study": self.digest, **vars(trial)}
        with self.path.open("ab") as file:
            file.write(json.dumps(told, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if trial.metrics:
            self.found[_key(trial.pipeline, trial.settings, trial.share)] = trial


def _key(pipeline: str, settings: Mapping[str, Any], share: float) -> str:
    return json.dumps([pipeline, dict(settings), share], sort_keys=True)
