"""Chance: nothing suits better than anything else, so that the order is what ranking makes of ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.contract import Kind, ModelConfig


class ChanceConfig(ModelConfig):
    """Nothing can be set."""


@dataclass(frozen=True)
class Chance:
    """The same score for everything; ties are ordered by item and asker, which looks like random."""

    catalogue: NDArray[np.int64]
    """How many items there are; shape (1,)."""

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Zeros."""
        if among is not None and among.ndim == 2:
            return np.where(among < 0, -np.inf, 0).astype(np.float32)
        return np.zeros((len(queries), int(self.catalogue[0]) if among is None else len(among)), np.float32)

    def arrays(self) -> Arrays:
        """How many items there are."""
        return {"catalogue": self.catalogue}


def fit(config: ChanceConfig, data: Dataset, rng: np.random.Generator) -> Chance:  # noqa: ARG001
    """Learns nothing."""
    return Chance(np.array([data.n_items], np.int64))


def restore(config: ChanceConfig, arrays: Arrays) -> Chance:  # noqa: ARG001
    """The model that ``arrays`` was made of."""
    return Chance(arrays["catalogue"])  # type: ignore[arg-type]


KIND = Kind("random", ChanceConfig, fit, restore, personal=False)
