"""Popularity: what most people took lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat

from serendip.data import DAY, Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.contract import Kind, ModelConfig


class PopularityConfig(ModelConfig):
    """How fast popularity fades."""

    half_life_days: PositiveFloat | None = None
    """An event counts half as much after this many days; none: for ever the same."""
    window_days: PositiveFloat | None = None
    """Only events of the last days count; older ones merely order items that are equal within the window."""


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
            weight = weight * 0.5 ** (age_days / config.half_life_days)
        if config.window_days is not None:
            # A millionth of the rest: orders what the window leaves equal, and never outweighs an event inside it.
            weight = np.where(age_days <= config.window_days, weight, weight * 1e-6)
    totals = np.bincount(data.item_ix, weight, minlength=data.n_items)
    return Popularity(totals.astype(np.float32))


def restore(config: PopularityConfig, arrays: Arrays) -> Popularity:  # noqa: ARG001
    """The model that ``arrays`` was made of."""
    return Popularity(arrays["totals"])  # type: ignore[arg-type]


KIND = Kind("popularity", PopularityConfig, fit, restore, personal=False, trend=True)
