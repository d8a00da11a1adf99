"""Chance: nothing suits better than anything else, so that the order is what ranking makes of ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.contract import Kind, ModelConfig


class ChanceConfig(ModelConfig):
    """Nothing can be set."""


@dataclass(frozen=True)
class Chance:
    """The same score for everything; ties are ordered by item and asker, which looks like random."""

    n_items: int

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Zeros."""
        if among is not None and among.ndim == 2:
            return np.where(among < 0, -np.inf, 0).astype(np.float32)
        return np.zeros((len(queries), self.n_items if among is None else len(among)), np.float32)

    def arrays(self) -> Arrays:
        """How many items there are."""
        return {"n_items": np.array([self.n_items], np.int64)}


def fit(config: ChanceConfig, data: Dataset, rng: np.random.Generator) -> Chance:  # noqa: ARG001
    """Learns nothing."""
    return Chance(data.n_items)


def restore(config: ChanceConfig, arrays: Arrays) -> Chance:  # noqa: ARG001
    """The model that ``arrays`` was made of."""
    return Chance(int(arrays["n_items"][0]))


KIND = Kind("random", ChanceConfig, fit, restore, personal=False)
