"""A search for settings on validation data: every trial is kept in a file, and what is there is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from serendip.data import Dataset, Vocabulary
from serendip.domain import Invalid, NotReady
from serendip.evaluation import (
    Split,
    frozen,
    given_split,
    measure,
    measure_ratings,
    parse_metrics,
    rates,
    split_of,
)
from serendip.evaluation.metrics import LESS_IS_BETTER
from serendip.evaluation.tuning import Choice, Range, Rung, Space, best, draw, grid, rungs, some_users, space_of
from serendip.flows.measure_files import Files, Parts, read_parts
from serendip.flows.trials import Trial, Trials
from serendip.pipeline import PipelineConfig

Search = Literal["random", "grid", "halving", "optuna"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    metric: str
    """What decides."""
    budget: str
    """What each pipeline got, in a sentence."""
    spent: Mapping[str, Mapping[str, float]]
    """For each pipeline ``trials`` and ``seconds``, those of earlier runs with them."""
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    """Each pipeline's best of those that saw everybody; the best pipeline first."""
    failed: Mapping[str, str]
    """Why, for each pipeline without a trial on everybody that could be done."""
    resumed: int
    """How many trials were in the file already."""


@dataclass(frozen=True)
class Question:
    """What every trial is asked: one split, some metrics, one seed."""

    cut: Split
    wanted: tuple[str, ...]
    ratings: bool
    """Predicted ratings are asked for, not lists."""
    seed: int

    @property
    def sign(self) -> int:
        """What makes the largest the best: -1 where less of the first metric is better, such as ``gini@10``."""
        return -1 if self.wanted[0].partition("@")[0] in LESS_IS_BETTER else 1

    def worth(self, trial: Trial) -> float:
        """How good a trial was; more is better."""
        return self.sign * trial.metrics[self.wanted[0]]


def tune(
    files: Files,
    pipelines: Sequence[str],
    kept: Path,
    *,
    spaces: Mapping[str, str],
    split: str = "time:0.1",
    n_trials: int = 12,
    search: Search = "random",
    metrics: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Tuned:
    """Search every pipeline's space with the same number of trials, on validation data only.

    Of parts, ``train`` is learnt from and ``validation`` asked for. Of one file, ``split`` first cuts the test part
    off, which is not looked at, and then the validation part off the rest. The first of ``metrics`` decides; without
    any, rmse for models of ratings alone, else nDCG@10. ``grid`` tries every combination of values.
    ``optuna`` needs the extra ``tune``.
    """
    wanted, ratings = measured_by(pipelines, metrics)
    searched = spaces_of(pipelines, spaces)
    chosen = {
        pipeline: grid(space, spaces) if search == "grid" else draw(space, seed, pipeline, n_trials)
        for pipeline, space in searched.items()
    }
    if search == "grid":
        n_trials = max(map(len, chosen.values()))
    steps = rungs(n_trials, search == "halving")
    if search == "optuna":
        sampler_of(seed)  # says so at once where it is not installed
    cut = validation_split(read_parts(files, progress), split, seed)
    steps, skipped = askable(steps, cut, ratings, seed)
    with Trials(kept, _digest(cut, wanted, seed)) as trials:
        study = _Study(Question(cut, wanted, ratings, seed), trials, progress)
        asked = {
            pipeline: study.optuna(pipeline, space, n_trials)
            if search == "optuna"
            else study.draws(pipeline, chosen[pipeline], steps)
            for pipeline, space in searched.items()
        }
    finals, failed = finals_of(asked, study.question)
    budget = said_of(steps)
    if skipped:
        budget += f"; nobody could be asked among fewer than {steps[0].share:.3g} of the users, so it began there"
    for pipeline in searched:
        if search != "optuna" and (n := len(chosen[pipeline])) < n_trials:
            budget += f"; the space of {pipeline} holds only {n} settings"
    return Tuned(
        wanted[0],
        budget,
        {pipeline: _spent([one for one in study.done if one.pipeline == pipeline]) for pipeline in searched},
        tuple(study.done),
        finals,
        failed,
        sum(study.kept.was_there(one) for one in study.done),
    )


def measured_by(pipelines: Sequence[str], metrics: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """What is measured, the first deciding; and whether that is of predicted ratings."""
    given = [str(one) for one in parse_metrics(metrics)]
    if any(name.startswith("diversity") for name in given):
        raise Invalid("diversity is what rules give, not settings; search for another metric", field="metrics")
    ratings = rates([PipelineConfig.parse(pipeline) for pipeline in pipelines], given)
    return tuple(given) or (("rmse", "mae") if ratings else ("ndcg@10",)), ratings


def spaces_of(pipelines: Sequence[str], spaces: Mapping[str, str]) -> dict[str, Space]:
    """What is searched of each pipeline; a name in ``spaces`` must be a setting of one of them."""
    found = {pipeline: space_of(pipeline, spaces) for pipeline in pipelines}
    for name in spaces:
        if not any(name in space for space in found.values()):
            raise Invalid(f"none of {', '.join(pipelines)} has a setting {name!r}", field=name)
    return found


def finals_of(asked: Mapping[str, Sequence[Trial]], question: Question) -> tuple[tuple[Trial, ...], dict[str, str]]:
    """The best trial on everybody of each pipeline, best first; and why others reached nothing there."""
    finals, failed = [], {}
    for pipeline, done in asked.items():
        reached = [one for one in done if one.share == 1 and one.metrics]
        if reached:
            finals.append(max(reached, key=question.worth))
        else:
            failed[pipeline] = next(one.error for one in reversed(done) if one.error is not None)
    return tuple(sorted(finals, key=lambda one: -question.worth(one))), failed


def _spent(trials: Sequence[Trial]) -> dict[str, float]:
    return {"trials": len(trials), "seconds": round(sum(one.seconds for one in trials), 3)}


def validation_split(parts: Parts, split: str, seed: int) -> Split:
    """What is learnt from and what is asked for while tuning; a test part has no say, not even by the names in it."""
    train, validation = parts.of("train"), parts.of("validation")
    if (whole := parts.of("data")) is not None:
        rest = without_strangers(split_of(whole, split, seed=seed).train)
        return split_of(rest, split, seed=seed + 1)
    if train is None or validation is None:
        raise Invalid("tuning needs --data, or --train and --validation; the test part is not for it", "validation")
    return given_split(train, validation)


def without_strangers(data: Dataset) -> Dataset:
    """The same events over vocabularies of just the users and items that have some, in their order."""
    users, user_ix = np.unique(data.user_ix, return_inverse=True)
    items, item_ix = np.unique(data.item_ix, return_inverse=True)
    return Dataset(
        user_ix.astype(np.int32),
        item_ix.astype(np.int32),
        Vocabulary(tuple(data.users.ids[row] for row in users)),
        Vocabulary(tuple(data.items.ids[row] for row in items)),
        data.weight,
        data.kind,
        data.value,
        data.kinds,
        data.at,
        data.until,
        None if data.item_columns is None else data.item_columns.take(items),
        None if data.user_columns is None else data.user_columns.take(users),
        data.event_columns,
    )


def askable(steps: Sequence[Rung], cut: Split, ratings: bool, seed: int) -> tuple[list[Rung], int]:
    """The steps from the first on that has somebody to ask, and so have all behind it; and how many are left out.

    As many trials begin as would have, on more users.
    """
    for skipped, step in enumerate(steps):
        if all(has_questions(some_users(cut, one.share, seed), ratings) for one in steps[skipped:]):
            return [Rung(steps[0].n_trials, step.share), *steps[skipped + 1 :]], skipped
    raise NotReady("no user of the validation part has a history to be asked with; check the files")


def has_questions(cut: Split, ratings: bool) -> bool:
    """Whether anything can be asked about a split: ratings, or users with a history and something to find."""
    if ratings:
        return len(cut.train) > 0 and len(cut.test) > 0
    return any(len(turn.user_ix) > 0 for turn in frozen(cut))


def said_of(steps: Sequence[Rung]) -> str:
    """The budget of each pipeline in a sentence."""
    rungs = ", then ".join(f"{step.n_trials} trials on {step.share:.3g} of the users" for step in steps)
    rungs = rungs.replace("on 1 of the users", "on all users")
    whole = sum(step.n_trials * step.share for step in steps)
    return f"each pipeline got {rungs}" + (f": as much as {whole:.3g} on all" if len(steps) > 1 else "")


@dataclass(frozen=True)
class _Study:
    """One question put to many settings."""

    question: Question
    kept: Trials
    progress: Progress
    done: list[Trial] = field(default_factory=list)

    def draws(self, pipeline: str, settings: Sequence[Mapping[str, Any]], steps: Sequence[Rung]) -> list[Trial]:
        """These settings, all on everybody, or the best of each step on ever more users."""
        alive, done = list(range(len(settings))), []
        for step in steps:
            part = some_users(self.question.cut, step.share, self.question.seed)
            asked = replace(self.question, cut=part)
            rung = [
                self._tried(pipeline, number, step.share, settings[number], asked, len(settings))
                for number in alive[: step.n_trials]
            ]
            done += rung
            alive = best([(one.number, self.question.worth(one)) for one in rung if one.metrics], len(rung))
        return done

    def optuna(self, pipeline: str, space: Space, n_trials: int) -> list[Trial]:
        """Settings that a sampler asks for, told what those before reached; the same ones for the same seed."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int.from_bytes(hashlib.sha256(f"{self.question.seed} {pipeline}".encode()).digest()[:4], "big")
        study = optuna.create_study(direction="maximize", sampler=sampler_of(seed))
        done: dict[str, Trial] = {}
        for number in range(n_trials):
            asked = study.ask()
            settings = {name: suggested(asked, name, space[name]) for name in sorted(space)}
            key = json.dumps(settings, sort_keys=True)
            if key not in done:
                done[key] = self._tried(pipeline, number, 1.0, settings, self.question, n_trials)
            if done[key].metrics:
                study.tell(asked, self.question.worth(done[key]))
            else:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return list(done.values())

    def _tried(
        self, pipeline: str, number: int, share: float, settings: Mapping[str, Any], asked: Question, of: int
    ) -> Trial:
        trial = self.kept.find(pipeline, settings, share)
        if trial is None:
            trial = attempt(pipeline, number, share, settings, asked)
            self.kept.keep(trial)
        self.done.append(trial)
        reached = f"{trial.metrics[asked.wanted[0]]:.4f}" if trial.metrics else str(trial.error)
        self.progress(f"{pipeline} {number + 1}/{of} on {share:.0%}: {reached} {dict(settings)}")
        return trial


def attempt(pipeline: str, number: int, share: float, settings: Mapping[str, Any], asked: Question) -> Trial:
    """Fit once and ask once."""
    begun = perf_counter()
    try:
        found = _reached(PipelineConfig.parse(pipeline, settings), asked)
    except Invalid as error:
        return Trial(pipeline, number, share, settings, {}, round(perf_counter() - begun, 3), str(error))
    reached = {name: found[name] for name in asked.wanted}
    return Trial(pipeline, number, share, settings, reached, round(perf_counter() - begun, 3))


def _reached(config: PipelineConfig, asked: Question) -> Mapping[str, float]:
    if asked.ratings:
        source = config.sources[0]
        row = measure_ratings([(source.model, source.model_settings())], [asked.cut], asked.seed)[-1]
        return {name: one.mean for name, one in row.metrics.items()}
    ks = tuple(dict.fromkeys(int(name.partition("@")[2]) for name in asked.wanted if "@" in name)) or (10,)
    outcomes = measure([config], frozen(asked.cut), ks, seed=asked.seed, whole="auc" in asked.wanted)
    return outcomes[0].catalogue | {name: float(column.mean()) for name, column in outcomes[0].metrics.items()}


def sampler_of(seed: int) -> Any:
    """Optuna's own way of choosing (tree-structured Parzen estimator, Bergstra et al. 2011)."""
    try:
        import optuna
    except ImportError:
        raise NotReady(
            "the search optuna needs the package optuna; pip install 'serendip[tune]', or search at random"
        ) from None
    return optuna.samplers.TPESampler(seed=seed)


def suggested(trial: Any, name: str, span: Range | Choice) -> Any:
    """What a sampler suggests within ``span``."""
    if isinstance(span, Choice):
        return trial.suggest_categorical(name, span.values)
    if span.whole:
        return trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
    return float(f"{trial.suggest_float(name, span.low, span.high, log=span.log):.4g}")


def _digest(cut: Split, wanted: Sequence[str], seed: int) -> str:
    """The same for the same question: the data, the metrics, the seed."""
    told = json.dumps([cut.train.fingerprint(), cut.test.fingerprint(), list(wanted), seed])
    return hashlib.sha256(told.encode()).hexdigest()[:12]
