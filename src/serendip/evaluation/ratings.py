"""Models of ratings put to the question: how far what they predict is from what was given."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.evaluation.bootstrap import estimate_of, resampled
from serendip.evaluation.measure import Progress
from serendip.evaluation.rating_table import RatingRow, RatingTable
from serendip.evaluation.split import Split
from serendip.evaluation.table import Difference
from serendip.models import ModelConfig, Predicts
from serendip.models.ratings import biases, ratings_of
from serendip.pipeline import PipelineConfig

CELLS = 1_000_000
"""Predictions that are asked for at once."""

BIAS_RIDGE = 3.0
"""A bias of the baseline is held to 0 as by this many ratings."""


METRICS = ("rmse", "mae")


def compare_ratings(
    configs: Sequence[PipelineConfig],
    parts: Sequence[Split],
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> RatingTable:
    """A table of how far predicted ratings are from those given, over one split or several folds.

    Every pipeline is one model that learns from ratings; the mean of all and the biases stand beside.
    """
    for config in configs:
        kinds = [source.model for source in config.sources]
        if len(kinds) > 1:
            raise Invalid(
                f"{config.name} merges several models, and ratings are predicted by one; name it alone", "kind"
            )
    if len({config.name for config in configs} | {"mean", "biases"}) < len(configs) + 2:
        raise Invalid("two pipelines have the same name; give each its own", field="name")
    named = [(config.sources[0].model, config.sources[0].model_settings()) for config in configs]
    names = [config.name for config in configs]
    rows = measure_ratings(named, parts, seed, names=names, metric=metrics[0], progress=progress)
    notes = ["for ratings, less is better; beside biases, below 0 is better"]
    if parts[0].name == "given":
        notes.append("the parts were given: whether the past is kept from the future is up to who made them")
    elif parts[0].parity_only:
        notes.append(f"the split {parts[0].name} mixes past and future: for comparing with papers, not for deciding")
    if silent := max(row.silent for row in rows):
        notes.append(
            f"for up to {silent:.1%} of the ratings the user has no history to go by; the biases answer for these"
        )
    asked = [ratings_of(part.test, "a measurement") for part in parts]
    return RatingTable(
        parts[0].name,
        metrics[0],
        tuple(metrics),
        len(parts),
        sum(len(one.value) for one in asked),
        len(np.unique(np.concatenate([one.user_ix for one in asked]))),
        seed,
        tuple(notes),
        tuple(sorted(rows, key=lambda row: row.metrics[metrics[0]].mean)),
    )


def measure_ratings(
    configs: Sequence[tuple[str, ModelConfig]],
    folds: Iterable[Split],
    seed: int = 0,
    *,
    names: Sequence[str] | None = None,
    metric: str = "rmse",
    progress: Progress = lambda _: None,
) -> list[RatingRow]:
    """Every model of ``configs`` (kind and settings) and both baselines, fitted to each fold and asked about its test.

    A user is asked with the history before the cut, as a newcomer would be; where that says nothing, the
    biases answer. Predictions are held within the scale of what was learnt from. Rows are called by ``names``, else by
    their kinds; differences are in ``metric``.
    """
    called = ["mean", "biases", *(names if names is not None else [kind for kind, _ in configs])]
    for kind, _ in configs:
        check_rates(kind)
    users: list[NDArray[np.int32]] = []
    wrong: list[NDArray[np.float64]] = []
    silent: list[list[float]] = []
    spent: list[list[float]] = []
    for number, fold in enumerate(folds, start=1):
        train, asked = ratings_of(fold.train, "a measurement"), ratings_of(fold.test, "a measurement")
        span = train.value.min(), train.value.max()
        center, b_u, b_i = biases(train, (fold.train.n_users, fold.train.n_items), BIAS_RIDGE)
        biased = np.clip(center + b_u[asked.user_ix] + b_i[asked.item_ix], *span)
        answers, seconds = [np.full(len(biased), center, np.float32), biased], [0.0, 0.0]
        for name, (kind, config) in zip(called[2:], configs, strict=True):
            progress(f"fold {number}: fitting {name}")
            began = time.perf_counter()
            model = models.fit(kind, config, fold.train, seed)
            seconds.append(time.perf_counter() - began)
            assert isinstance(model, Predicts)
            answers.append(predict_pairs(model, fold.train, asked.user_ix, asked.item_ix))
        told = np.stack(answers)
        users.append(asked.user_ix)
        wrong.append(np.where(np.isnan(told), biased, told).astype(np.float64) - asked.value)
        silent.append(np.isnan(told).mean(axis=1).tolist())
        spent.append(seconds)
    if not users:
        raise Invalid("there is no fold to be measured on", field="split")
    errors = {name: _over_folds(name, users, wrong, seed) for name in METRICS}
    by_row = zip(called, np.mean(silent, axis=0).tolist(), np.mean(spent, axis=0).tolist(), strict=True)
    rows = []
    for i, (name, quiet, seconds_) in enumerate(by_row):
        estimates = {one: estimate_of(found.mean(axis=0)[i], draws[:, i]) for one, (found, draws) in errors.items()}
        each = {one: tuple(found[:, i].tolist()) for one, (found, _) in errors.items()}
        rows.append(RatingRow(name, estimates, each, _gaps(called, i, *errors[metric]), quiet, seconds_))
    return rows


def check_rates(kind: str) -> None:
    """Refuse a kind that does not predict ratings."""
    if not models.kind_of(kind).rates:
        known = ", ".join(sorted(name for name, one in models.KINDS.items() if one.rates))
        raise Invalid(f"{kind} does not predict ratings; those that do are {known}", field="kind")


def _over_folds(
    metric: str, users: Sequence[NDArray[np.int32]], wrong: Sequence[NDArray[np.float64]], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The error of each fold and model, (n_folds, n_models), and in draws of users the mean over folds, (n, n_models).

    ``users`` of each rating of a fold (n,), and how ``wrong`` each model was, (n_models, n). A user's ratings stay
    together, in all folds.
    """
    n_models, n_folds = len(wrong[0]), len(wrong)
    square = metric == "rmse"
    known = np.unique(np.concatenate(users))
    sums = np.zeros((len(known), n_folds, n_models + 1))
    for fold, (whose, one) in enumerate(zip(users, wrong, strict=True)):
        group = np.searchsorted(known, whose)
        for column, errors in enumerate([*(np.square(one) if square else np.abs(one)), np.ones(len(whose))]):
            sums[:, fold, column] = np.bincount(group, errors, len(known))
    draws = resampled(sums.reshape(len(known), -1), seed)
    both = np.concatenate([sums.sum(axis=0).reshape(1, -1), draws]).reshape(-1, n_folds, n_models + 1)
    # A draw may hold nobody of a small fold; the fold then has no say in it.
    with np.errstate(invalid="ignore"):
        means = both[:, :, :-1] / both[:, :, -1:]
    found = np.sqrt(means) if square else means
    return found[0], np.nanmean(found[1:], axis=1)


def _gaps(
    called: Sequence[str], own: int, found: NDArray[np.float64], draws: NDArray[np.float64]
) -> dict[str, Difference]:
    """Of one model against every other, over the same draws."""
    out = {}
    for other, name in enumerate(called):
        if other != own:
            gap = estimate_of((found[:, own] - found[:, other]).mean(), draws[:, own] - draws[:, other])
            out[name] = Difference(gap.mean, gap.low, gap.high)
    return out


def predict_pairs(model: Predicts, data: Dataset, user_ix: NDArray[np.int32], item_ix: ItemRows) -> Floats:
    """The ratings that users of ``data`` would give, each with all its history in there; shape (n,), NaN for silence.

    Users with about as many pairs are asked together, so that rows are hardly padded.
    """
    told = np.empty(len(user_ix), np.float32)
    users, asker, size = np.unique(user_ix, return_inverse=True, return_counts=True)
    order = np.argsort(asker, kind="stable")
    starts = np.cumsum(size) - size
    place = np.empty(len(user_ix), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, size)
    by_size = np.argsort(size, kind="stable")
    begin = 0
    while begin < len(users):
        # The widest row of a batch is its last.
        cells = np.arange(1, len(users) - begin + 1) * size[by_size[begin:]]
        end = begin + max(1, int(np.searchsorted(cells, CELLS, side="right")))
        batch = by_size[begin:end]
        row = np.full(len(users), -1)
        row[batch] = np.arange(len(batch))
        pairs = np.flatnonzero(row[asker] >= 0)
        items = np.zeros((len(batch), int(size[batch[-1]])), np.int32)
        items[row[asker[pairs]], place[pairs]] = item_ix[pairs]
        ratings = model.predict(Queries.of_users(data, users[batch]), items)
        told[pairs] = ratings[row[asker[pairs]], place[pairs]]
        begin = end
    return told
