"""A dataset in, a model out; a history in, scores out. One file a model."""

from __future__ import annotations

import numpy as np

from serendip.data import Arrays, Dataset
from serendip.domain import Invalid
from serendip.models import chance, popularity
from serendip.models.contract import Explains, HasFactors, HasNeighbours, Kind, Model, ModelConfig

KINDS: dict[str, Kind] = {module.KIND.name: module.KIND for module in (chance, popularity)}
"""Every kind by its name."""


def kind_of(name: str) -> Kind:
    """The kind called ``name``."""
    if name not in KINDS:
        raise Invalid(f"no model of kind {name!r}; the kinds are {', '.join(sorted(KINDS))}", field="kind")
    return KINDS[name]


def fit(kind: str, config: ModelConfig, data: Dataset, seed: int = 0) -> Model:
    """A model of ``kind`` learnt from ``data``; the same seed gives the same model."""
    if not len(data) or not data.n_items:
        raise Invalid(f"{kind} has nothing to learn from: the data holds no interactions; import some first")
    return kind_of(kind).fit(config, data, np.random.default_rng(seed))


def restore(kind: str, config: ModelConfig, arrays: Arrays) -> Model:
    """The model of ``kind`` that ``arrays`` was made of."""
    return kind_of(kind).restore(config, arrays)


__all__ = [
    "KINDS",
    "Explains",
    "HasFactors",
    "HasNeighbours",
    "Kind",
    "Model",
    "ModelConfig",
    "fit",
    "kind_of",
    "restore",
]
