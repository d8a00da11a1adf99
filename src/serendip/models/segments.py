"""Segments: people grouped by recency, frequency and money; popularity inside a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from serendip.data import Arrays, Columns, Dataset, Floats, ItemRows, Queries
from serendip.domain import ORDER_ONLY, Invalid
from serendip.models.answers import finish
from serendip.models.attributes import Names, named, user_columns
from serendip.models.contract import Kind, ModelConfig
from serendip.models.kernels.kmeans import Doubles, cluster, nearest, silhouette

NOBODY = -1

N_TRIED = 10
"""The curves of inertia and silhouette go from 1 to so many groups, or to ``n_segments`` where that is more."""


class SegmentsConfig(ModelConfig):
    """What people are grouped by, and into how many groups."""

    n_segments: PositiveInt = Field(4, le=100)
    """Groups; fewer where fewer people differ."""
    columns: Names = ()
    """The users' columns of numbers that they are grouped by, such as R|F|M; none: days since the last event, number of
    events, and sum of values (of weights where no event has a value), as of the moment that is asked about."""


@dataclass(frozen=True)
class Segments:
    """The groups, what is popular in each, and how other numbers of groups would have done."""

    centres: Doubles
    """In scaled logarithms; shape (n_segments, n_columns)."""
    mean: Doubles
    """Of the logarithms; shape (n_columns,), as is ``scale``."""
    scale: Doubles
    """Their standard deviations; 1 where all are equal."""
    totals: Floats
    """Summed weights of what each group took; shape (n_segments, n_items)."""
    label: NDArray[np.int32]
    """The group of everybody learnt from, or NOBODY; shape (n_users,)."""
    inertia: Doubles
    """Sum of squared distances to the centres with 1, 2, ... groups; where it bends is the elbow."""
    silhouettes: Doubles
    """How well 1, 2, ... groups stand apart, -1 to 1; NaN of one group."""
    valued: bool
    """Money is the sum of values."""
    config: SegmentsConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """What the asker's group took, 0 for what nobody in it did."""
        segment = self.segment_of(queries)
        if among is None:
            scores = self.totals[segment]
        elif among.ndim == 1:
            scores = self.totals[segment][:, among]
        else:
            scores = self.totals[segment[:, None], np.maximum(among, 0)]
        return finish(scores.copy(), segment == NOBODY, among)

    def segment_of(self, queries: Queries) -> NDArray[np.int32]:
        """The group of each asker, or NOBODY: without an event, or without one of the columns. Shape (n_queries,)."""
        features = self._features(queries)
        known = np.isfinite(features).all(axis=1)
        out = np.full(len(queries), NOBODY, np.int32)
        if known.any():
            out[known] = nearest((features[known] - self.mean) / self.scale, self.centres)[0]
        return out

    def _features(self, queries: Queries) -> Doubles:
        if not self.config.columns:
            return of_events(queries, self.valued)
        if queries.profile is None:
            return np.full((len(queries), len(self.config.columns)), np.nan)
        return of_columns(queries.profile, self.config.columns)

    def arrays(self) -> Arrays:
        """The groups and the curves."""
        return {
            "centres": self.centres,
            "mean": self.mean,
            "scale": self.scale,
            "totals": self.totals,
            "label": self.label,
            "inertia": self.inertia,
            "silhouettes": self.silhouettes,
            "valued": np.array([self.valued]),
        }


def of_events(queries: Queries, valued: bool) -> Doubles:
    """ln(1 + x) of days since the last event, events and money, (n_queries, 3); NaN without a counted event.

    The days are 0 where the data has no moments. A value below 0 and a missing one are no money.
    """
    asker = queries.asker[queries.counted]
    n_events = np.bincount(asker, minlength=len(queries))
    money = np.nan_to_num(np.maximum(queries.value, 0)) if valued else queries.weight
    spent = np.bincount(asker, money[queries.counted].astype(np.float64), minlength=len(queries))
    days = np.full(len(queries), np.inf)
    # Small numbers are an order and no moments: a history told without any has no recency, whoever else asks.
    age = np.where(queries.at >= ORDER_ONLY, queries.age_days(), 0)
    np.minimum.at(days, asker, age[queries.counted].astype(np.float64))
    known = n_events > 0
    out = np.full((len(queries), 3), np.nan)
    out[known] = np.log1p(np.stack([np.maximum(days, 0), n_events, spent], axis=1)[known])
    return out


def of_columns(columns: Columns, names: tuple[str, ...]) -> Doubles:
    """sign(x) ln(1 + |x|) of columns of numbers, (n_rows, n_columns); NaN where one is missing."""
    out = np.full((columns.n_rows, len(names)), np.nan)
    for place, name in enumerate(names):
        column = columns.columns.get(name)
        if column is not None and column.numbers is not None:
            out[:, place] = np.sign(column.numbers) * np.log1p(np.abs(column.numbers))
    return out


class Grouping(NamedTuple):
    """Groups of rows of features, and how other numbers of groups would have done."""

    centres: Doubles
    """In scaled features; shape (n_segments, n_columns)."""
    mean: Doubles
    scale: Doubles
    label: NDArray[np.int32]
    """The group of each row, or NOBODY; shape (n_rows,)."""
    inertia: Doubles
    silhouettes: Doubles


def grouped(features: Doubles, n_segments: int, rng: np.random.Generator) -> Grouping:
    """The rows of ``features`` (n_rows, n_columns) in ``n_segments`` groups; a row with a NaN is nobody's."""
    known = np.isfinite(features).all(axis=1)
    mean, scale = features[known].mean(axis=0), features[known].std(axis=0)
    # Equal numbers may be away from their mean by a rounding.
    scale = np.where(scale > 1e-9 * np.abs(mean), scale, 1.0)
    x = np.ascontiguousarray((features[known] - mean) / scale)
    runs = [cluster(x, k, rng) for k in range(1, max(n_segments, N_TRIED) + 1)]
    label = np.full(len(features), NOBODY, np.int32)
    chosen = runs[n_segments - 1]
    label[known] = chosen.label
    inertia = np.array([run.inertia for run in runs])
    return Grouping(
        chosen.centres, mean, scale, label, inertia, np.array([silhouette(x, run.label, rng) for run in runs])
    )


def elbow(inertia: Doubles) -> int:
    """The number of groups at which the curve of ``inertia`` bends most.

    That is where it lies farthest below the line from its first point to its last (Satopaa et al. 2011).
    """
    if len(inertia) < 3 or inertia[0] <= inertia[-1]:
        return 1
    along = np.linspace(0, 1, len(inertia))
    down = (inertia - inertia[-1]) / (inertia[0] - inertia[-1])
    return int(np.argmax(1 - along - down)) + 1


def features_of(config: SegmentsConfig, data: Dataset) -> tuple[Doubles, bool]:
    """What everybody is grouped by, (n_users, n_columns), NaN where it is not known; and whether money is values."""
    valued = bool(np.isfinite(data.value[data.counted]).any())
    if not config.columns:
        return of_events(Queries.of_users(data, np.arange(data.n_users)), valued), valued
    columns = user_columns(data, "segments")
    for name, column in named(columns, config.columns, "segments", "columns").items():
        if column.numbers is None:
            what = column.what or "empty"
            raise Invalid(f"segments: the attribute {name!r} is {what}, not a number", field="columns")
    features = of_columns(columns, config.columns)
    if not np.isfinite(features).all(axis=1).any():
        raise Invalid(f"segments: no user has all of {', '.join(config.columns)}; name other columns", field="columns")
    return features, valued


def fit(config: SegmentsConfig, data: Dataset, rng: np.random.Generator) -> Segments:
    """Centres in scaled logarithms (never of money itself: a few who spend much would be groups of their own)."""
    features, valued = features_of(config, data)
    found = grouped(features, config.n_segments, rng)
    totals = np.zeros((len(found.centres), data.n_items), np.float32)
    use = data.counted & (found.label[data.user_ix] != NOBODY)
    np.add.at(totals, (found.label[data.user_ix[use]], data.item_ix[use]), data.weight[use])
    return Segments(
        found.centres, found.mean, found.scale, totals, found.label, found.inertia, found.silhouettes, valued, config
    )  # fmt: skip


def restore(config: SegmentsConfig, arrays: Arrays) -> Segments:
    """The model that ``arrays`` was made of."""
    own: dict[str, Any] = {name: array for name, array in arrays.items() if name != "valued"}
    return Segments(**own, valued=bool(arrays["valued"][0]), config=config)


KIND = Kind("segments", SegmentsConfig, fit, restore, zero_is_silence=True, counts=True, reads=("user_columns",))
