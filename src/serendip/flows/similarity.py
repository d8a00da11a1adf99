"""Who is like whom: a model is fitted, everybody's nearest are found and kept, and readers are switched to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset, Queries
from serendip.domain import Invalid
from serendip.evaluation import measure_ratings
from serendip.evaluation.split import random_split
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.models import HasNeighbours, HasPeople, HasUserNeighbours, Model, ModelConfig
from serendip.pipeline import PipelineConfig
from serendip.store import MatrixRows, RecommenderRecord, Store
from serendip.store.matrices import Of

KEEP = 2
"""Versions of a matrix that stay: the one that is read, and the one before."""
HELD_OUT = 0.1
"""Share of the events on which a model of ratings is measured before it learns from all."""

NAMES = {"svd": "SVD", "nmf": "NMF", "content-knn": "Content", "profile-knn": "Profile"}
"""Kinds of models that have neighbours for matrices, and what their recommenders are called."""

Tell = Callable[[str], None]
Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Rows of neighbours, best first, padded with -1, and how alike they are; both (n, k)."""


@dataclass(frozen=True)
class SimilarityReport:
    """What one run did."""

    recommender: str
    kind: str
    versions: dict[str, int]
    """The version that is read now, by the matrix's name."""
    n_users: int
    """Users with at least one neighbour."""
    n_items: int
    n_cells: int
    rmse: dict[str, float] | None
    """On the held-out part: of the model, of the mean and of biases; none for kinds that predict no ratings."""
    note: str | None
    """Why there is no RMSE, where there should be one."""
    seconds: dict[str, float]
    """By stage, and in all as ``total``."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def refresh_similarity(
    store: Store,
    kind: str,
    settings: dict[str, Any] | None = None,
    *,
    n_users: int = 50,
    n_items: int = 50,
    keep: int = KEEP,
    seed: int = 0,
    measure: bool = True,
    tell: Tell = lambda _stage: None,
) -> SimilarityReport:
    """The next version of the kind's matrices, and its recommender.

    Nothing is seen of it before the end, when all its matrices are switched in one step; what a killed run left behind
    is cleared by the next.
    """
    if kind not in NAMES:
        raise Invalid(f"{kind!r} has no neighbours to keep; the kinds are {', '.join(NAMES)}", field="kind")
    if min(n_users, n_items, keep) < 1:
        raise Invalid("ask for at least one neighbour, and keep at least one version", field="keep")
    config, name = _config(kind, {**(settings or {})}, n_items), NAMES[kind]
    clock = _Stages(tell)
    clock.next("reading")
    pipeline = PipelineConfig.parse(kind)
    data = with_attributes(store, gather(store), [pipeline])
    rmse, note = None, None
    if models.kind_of(kind).rates and measure:
        clock.next("measuring")
        rmse, note = _measured(kind, config, data, seed)
    clock.next("fitting")
    model = models.fit(kind, config, data, seed)
    clock.next("comparing")
    found = _neighbours(model, data, n_users, n_items)
    clock.next("keeping")
    versions: dict[str, int] = {}
    numbers: dict[Of, int] = {}
    kept: dict[Of, MatrixRows] = {}
    for of, (rows, likeness) in found.items():
        kept[of] = _keyed(store, of, (data.users if of == "users" else data.items).ids, rows, likeness)
        matrix = store.matrix_called(f"{name} {of}", of, f"The nearest {of} by {kind}")
        numbers[of], versions[matrix.name] = matrix.id, store.begin_version(matrix.id)
        store.write_matrix_rows(matrix.id, versions[matrix.name], kept[of])
    record = RecommenderRecord(
        name, f"What {' and '.join(found)} alike by {kind} say", numbers.get("users"), numbers.get("items")
    )
    clock.next("switching")
    switched = dict(zip(numbers.values(), versions.values(), strict=True))
    store.switch_matrices(switched, [record], keep)
    return SimilarityReport(
        name,
        kind,
        versions,
        len(kept["users"].keys) if "users" in kept else 0,
        len(kept["items"].keys) if "items" in kept else 0,
        sum(len(one.columns) for one in kept.values()),
        rmse,
        note,
        clock.done(),
    )


class _Stages:
    """Tells what is being done and how long each stage took."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._began, self._stage = tell, time.perf_counter(), ""
        self._spent: dict[str, float] = {}

    def next(self, stage: str) -> None:
        """A stage ends, and ``stage`` begins."""
        self._tell(stage)
        self._end()
        self._stage = stage

    def done(self) -> dict[str, float]:
        """Seconds of every stage, and of all."""
        self._end()
        return {**self._spent, "total": round(sum(self._spent.values()), 3)}

    def _end(self) -> None:
        now = time.perf_counter()
        if self._stage:
            self._spent[self._stage] = round(now - self._began, 3)
        self._began = now


def _config(kind: str, settings: dict[str, Any], n_items: int) -> ModelConfig:
    if kind == "content-knn":
        settings = {"n_neighbours": n_items, **settings}
    return models.kind_of(kind).config(**settings)


def _measured(kind: str, config: ModelConfig, data: Dataset, seed: int) -> tuple[dict[str, float] | None, str | None]:
    """RMSE on a random part of the ratings, beside the mean's and the biases'; or why it cannot be told."""
    try:
        rows = measure_ratings([(kind, config)], [random_split(data, HELD_OUT, seed)], seed)
    except Invalid as why:
        return None, f"not measured: {why}"
    return {row.name: round(row.rmse, 4) for row in rows}, None


def _neighbours(model: Model, data: Dataset, n_users: int, n_items: int) -> dict[Of, Found]:
    """The nearest of all users and of all items, as far as the model knows either."""
    found: dict[Of, Found] = {}
    if isinstance(model, HasUserNeighbours | HasPeople):
        everybody = Queries.of_users(data, np.arange(data.n_users))
        if isinstance(model, HasPeople):
            found["users"] = model.people(everybody, n_users)
        else:
            found["users"] = model.user_neighbours(everybody, everybody, n_users)
    if isinstance(model, HasNeighbours):
        found["items"] = model.neighbours(np.arange(data.n_items, dtype=np.int32), n_items)
    return found


def _keyed(
    store: Store, of: Of, ids: tuple[str, ...], rows: NDArray[np.int32], likeness: NDArray[np.float32]
) -> MatrixRows:
    """Neighbours by the store's keys, without who was deleted meanwhile and without rows that have none."""
    by_id = store.keys_of(of, ids)
    keys = np.array([by_id.get(one, -1) for one in ids], np.int64)
    there = (rows >= 0) & (keys[rows] >= 0) & (keys[:, None] >= 0) if len(keys) else np.zeros(rows.shape, np.bool_)
    size = there.sum(axis=1)
    some = size > 0
    return MatrixRows(
        keys[some],
        np.concatenate([[0], np.cumsum(size[some])]).astype(np.int64),
        keys[rows[there]],
        likeness[there].astype(np.float64),
    )
