"""Every kernel compiled before anybody waits for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, Literal, get_args, get_origin

import numpy as np
from numba.core.registry import CPUDispatcher

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import DAY, Columns, Dataset, Hashes, Queries, Vocabulary, hidden_items
from serendip.data.features import Features, Stream, parse_features, rows_of, usual_features
from serendip.data.features.counters import DENSE
from serendip.domain import Invalid
from serendip.models import HasPeople, HasUserNeighbours, Predicts
from serendip.models.rankers.boosted import Boosted
from serendip.models.rankers.trees import Trees
from serendip.pipeline import Pipeline, PipelineConfig, RankerConfig, SourceConfig
from serendip.pipeline.ranked import FittedRanker

N_USERS, N_ITEMS, N_EVENTS = 40, 2_100, 1_500
"""As many askers and items as the ways need that are only taken where there are many."""

FAR = "als(n_factors=1024, n_epochs=1, solver=cg)"
"""Factors so long that they are gathered as those of very many items are."""


def warm() -> list[str]:
    """Fit and ask every kind, in all the ways its settings choose between; the kinds, but for those that refused."""
    data, done = _made_up(), []
    for name in models.KINDS:
        for settings in choices(name):
            try:
                _use(PipelineConfig(name=name, sources=(SourceConfig(name=name, model=name, settings=settings),)), data)
            except Invalid:
                # It needs what this data lacks, such as columns of items.
                continue
            done.append(name)
    for also in ("als(n_factors=8)+item-knn+popular", FAR):
        _use(PipelineConfig.parse(also), data)
    _use_ranked(data)
    return list(dict.fromkeys(done))


def _use_ranked(data: Dataset) -> None:
    """Features and trees of both shapes; the trees are made up, so that no library is needed to grow them."""
    bare = pipelines.fit(PipelineConfig.parse("popular+item-knn"), data)
    rng = np.random.default_rng(0)
    definitions = usual_features(data, [source.config.name for source in bare.sources])
    features = Features.of(definitions, data, rng)
    rows_of([feature for feature in definitions if feature.source is None], data, None, rng)
    # So many pairs of a user and an item that only those that met are kept.
    many = Vocabulary((*data.users.ids, *(f"x{n}" for n in range(DENSE // N_ITEMS))))
    rows_of(parse_features(["count(user x item)"]), replace(data, users=many, user_columns=None), None, rng)
    Stream(parse_features(["count(user)", "count(item)"]), N_USERS, N_ITEMS).rows(data)
    for thresholds in ([[0.0, 1.0, 1.0]], [[0.0, 1.0, 2.0]]):
        trees = replace(Trees.empty(1, 2), threshold=np.array(thresholds, np.float32), leaf=np.arange(4.0)[None])
        ranker = Boosted(trees, len(features.names), np.empty((0, 2), np.int32), np.empty(0, np.int32))
        config = RankerConfig(name="boosted", ranker="boosted")
        fitted = FittedRanker(config, ranker, features, Hashes(data.users.hashes))
        ranked = replace(bare, config=bare.config.model_copy(update={"ranker": config}), ranker=fitted)
        _ask(ranked, data)
        _ask(pipelines.restore(ranked.config, ranked.kinds, ranked.arrays()).refreshed(data), data)


def choices(kind: str) -> Iterator[dict[str, Any]]:
    """Every combination of the settings of ``kind`` that choose a way: those with a few values, the rest by default."""
    ways = {}
    for name, field in models.kind_of(kind).config.model_fields.items():
        if field.annotation is bool:
            ways[name] = (True, False)
        elif get_origin(field.annotation) is Literal:
            ways[name] = get_args(field.annotation)
    return (dict(zip(ways, values, strict=True)) for values in product(*ways.values()))


def kernels() -> dict[str, CPUDispatcher]:
    """All compiled functions of this package that are kept on disk, by their full names."""
    return {
        f"{module}.{name}": function
        for module, loaded in list(sys.modules.items())
        if module.startswith("serendip.")
        for name, function in vars(loaded).items()
        if isinstance(function, CPUDispatcher) and function.__module__ == module and function.stats.cache_path
    }


def _made_up() -> Dataset:
    """Ratings of a few users over many items, at moments of a month; some users did one thing."""
    rng = np.random.default_rng(0)
    users = Vocabulary(tuple(f"u{n}" for n in range(N_USERS)))
    items = Vocabulary(tuple(f"i{n}" for n in range(N_ITEMS)))
    user_ix = np.concatenate([np.arange(N_USERS), rng.integers(0, N_USERS // 2, N_EVENTS - N_USERS)])
    value = rng.integers(1, 6, N_EVENTS).astype(np.float32)
    at = np.sort(rng.integers(DAY, 30 * DAY, N_EVENTS))
    told = [
        {"name": f"number {n}", "tags": [f"t{n % 7}", f"t{n % 5}"], "size": n % 9, "vector": rng.random(4)}
        for n in range(N_ITEMS)
    ]
    events = Dataset.of(user_ix, rng.integers(0, N_ITEMS, N_EVENTS), users, items, value=value, at=at)
    return replace(events, item_columns=Columns.of(told), user_columns=Columns.of(told[:N_USERS]))


def _use(config: PipelineConfig, data: Dataset) -> None:
    fitted = pipelines.fit(config, data)
    _ask(fitted, data)
    _ask(pipelines.restore(config, fitted.kinds, fitted.arrays()), data)


def _ask(fitted: Pipeline, data: Dataset) -> None:
    """One asker and many, by rows and by records."""
    for rows in (np.arange(1), np.arange(N_USERS)):
        queries = Queries.of_users(data, rows)
        answers = fitted.answer(queries, 3, hidden_items(data, queries))
        fitted.explain(queries, answers)
        for source in fitted.sources:
            among = np.arange(3, dtype=np.int32)
            source.model.score(queries, among)
            source.model.score(queries, np.tile(among, (len(queries), 1)))
            if isinstance(source.model, Predicts):
                source.model.predict(queries, answers.rows.clip(0))
            if isinstance(source.model, HasPeople):
                source.model.people(queries, 3)
            if isinstance(source.model, HasUserNeighbours):
                source.model.user_neighbours(queries, queries, 3)
    try:
        fitted.neighbours(np.arange(2, dtype=np.int32), 3)
    except Invalid:
        # It knows no likeness of items.
        return
