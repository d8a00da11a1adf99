"""Popularity: what most people took lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from serendip.data import DAY, Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.contract import Kind, ModelConfig, Trending


class PopularityConfig(ModelConfig):
    """How fast popularity fades."""

    half_life_days: PositiveFloat | None = None
    """An event counts half as much after this many days; none: for ever the same."""
    window_days: PositiveFloat | None = None
    """Only events of the last days count; older ones merely order items that are equal within the window."""


MOST_FADED = 20
"""Half-lives after the last event from which on nothing fades any more, so that the order is never lost."""


@dataclass(frozen=True)
class Popularity:
    """A total for every item, the same for every asker."""

    totals: Floats
    """Faded sum of weights, of shape (n_items,)."""

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """The totals, once for each query."""
        if among is not None and among.ndim == 2:
            return np.where(among < 0, -np.inf, self.totals[among]).astype(np.float32)
        return np.tile(self.totals if among is None else self.totals[among], (len(queries), 1))

    def arrays(self) -> Arrays:
        """The totals."""
        return {"totals": self.totals}


def fit(config: PopularityConfig, data: Dataset, rng: np.random.Generator) -> Popularity:  # noqa: ARG001
    """Sums of weights of shape (n_items,); data without moments counts as if all were new."""
    weight = np.where(data.counted, data.weight, 0).astype(np.float64)
    if data.at is not None:
        age_days = (data.now - data.at) / DAY
        if config.half_life_days is not None:
            weight = weight * 0.5 ** ((faded_at(config, data) - data.at) / DAY / config.half_life_days)
        if config.window_days is not None:
            # What is older adds up to less than the smallest event inside, however much of it there is.
            inside = age_days <= config.window_days
            older = np.bincount(data.item_ix, np.where(inside, 0, weight), minlength=data.n_items)
            smallest = weight[inside & (weight > 0)].min(initial=1.0)
            share = 0.5 * smallest / older.max() if older.any() else 0.0
            weight = np.where(inside, weight, weight * share)
    totals = np.bincount(data.item_ix, weight, minlength=data.n_items)
    return Popularity(totals.astype(np.float32))


def faded_at(config: PopularityConfig, data: Dataset) -> int:
    """As of which moment weights fade: the end of ``data``, where it is not too long after the last event."""
    assert data.at is not None, "data without moments does not fade"
    if config.half_life_days is None or not len(data):
        return data.now
    return min(data.now, int(data.at.max()) + round(MOST_FADED * config.half_life_days * DAY))


def restore(config: PopularityConfig, arrays: Arrays) -> Popularity:  # noqa: ARG001
    """The model that ``arrays`` was made of."""
    return Popularity(arrays["totals"])  # type: ignore[arg-type]


def with_totals(model: Popularity, totals: Floats) -> Popularity:  # noqa: ARG001
    """Popularity of other totals."""
    return Popularity(totals)


TREND = Trending(lambda config: config, with_totals)
KIND = Kind("popularity", PopularityConfig, fit, restore, personal=False, counts=True, trend=TREND)
