"""Models of ratings put to the question: how far what they predict is from what was given."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset, Floats, ItemRows, Queries
from serendip.domain import Invalid
from serendip.evaluation import metrics
from serendip.evaluation.split import Split
from serendip.models import ModelConfig, Predicts
from serendip.models.ratings import biases, ratings_of

CELLS = 1_000_000
"""Predictions that are asked for at once."""

BIAS_RIDGE = 3.0
"""A bias of the baseline is held to 0 as by this many ratings."""


@dataclass(frozen=True)
class RatingRow:
    """How one model, or one of the baselines ``mean`` and ``biases``, did over all folds."""

    name: str
    rmse: float
    """Mean over the folds."""
    mae: float
    rmse_of_folds: tuple[float, ...]
    silent: float
    """Share of ratings whose user has no history to go by; the biases answer for these."""
    fit_seconds: float
    """Mean over the folds."""


def measure_ratings(
    configs: Sequence[tuple[str, ModelConfig]], folds: Iterable[Split], seed: int = 0
) -> list[RatingRow]:
    """Every model of ``configs`` (kind and settings) and both baselines, fitted to each fold and asked about its test.

    A user is asked with the history before the cut, as a newcomer would be; where that says nothing, the
    biases answer. Predictions are held within the scale of what was learnt from.
    """
    names = ["mean", "biases", *(kind for kind, _ in configs)]
    for kind, _ in configs:
        if not models.kind_of(kind).rates:
            known = ", ".join(sorted(name for name, one in models.KINDS.items() if one.rates))
            raise Invalid(f"{kind} does not predict ratings; those that do are {known}", field="kind")
    errors: list[list[tuple[float, float, float, float]]] = [[] for _ in names]
    for fold in folds:
        train, asked = ratings_of(fold.train, "a measurement"), ratings_of(fold.test, "a measurement")
        span = train.value.min(), train.value.max()
        center, b_u, b_i = biases(train, (fold.train.n_users, fold.train.n_items), BIAS_RIDGE)
        biased = np.clip(center + b_u[asked.user_ix] + b_i[asked.item_ix], *span)
        answers = [(np.full(len(biased), center, np.float32), 0.0), (biased, 0.0)]
        for kind, config in configs:
            began = time.perf_counter()
            model = models.fit(kind, config, fold.train, seed)
            spent = time.perf_counter() - began
            assert isinstance(model, Predicts)
            answers.append((predict_pairs(model, fold.train, asked.user_ix, asked.item_ix), spent))
        for column, (told, spent) in zip(errors, answers, strict=True):
            filled = np.where(np.isnan(told), biased, told)
            wrong = metrics.rmse(filled, asked.value), metrics.mae(filled, asked.value)
            column.append((*wrong, float(np.isnan(told).mean()), spent))
    if not errors[0]:
        raise Invalid("there is no fold to be measured on", field="split")
    rows = []
    for name, column in zip(names, errors, strict=True):
        rmse, mae, silent, spent = np.mean(column, axis=0).tolist()
        rows.append(RatingRow(name, rmse, mae, tuple(one[0] for one in column), silent, spent))
    return rows


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
