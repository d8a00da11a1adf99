"""A dataset in, a model out; a history in, scores out. One file a model."""

from __future__ import annotations

import numpy as np

from serendip.data import Arrays, Dataset
from serendip.domain import Invalid
from serendip.models import (
    again,
    als,
    chance,
    content_knn,
    ease,
    item_knn,
    mlp,
    nmf,
    popularity,
    profile_knn,
    segments,
    sequence,
    svd,
    tag_popularity,
    tag_svd,
    two_tower,
    user_knn,
)
from serendip.models.contract import (
    Explains,
    HasFactors,
    HasInterests,
    HasNeighbours,
    HasPeople,
    HasUserNeighbours,
    Kind,
    Model,
    ModelConfig,
    Overlaps,
    Predicts,
)

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (
        *(chance, popularity, again, item_knn, user_knn, ease, als, svd, nmf),
        *(content_knn, tag_popularity, tag_svd, profile_knn, segments),
        *(sequence, two_tower, mlp),
    )
}
"""Every kind by its name."""

MAX_WEIGHT = 1e6
"""The most that one event may count; sums of more would leave single precision."""


def kind_of(name: str) -> Kind:
    """The kind called ``name``."""
    if name == "boosted":
        raise Invalid("boosted ranks what others recommend; name it after them, as in item-knn:boosted", field="kind")
    if name not in KINDS:
        raise Invalid(f"no model of kind {name!r}; the kinds are {', '.join(sorted(KINDS))}", field="kind")
    return KINDS[name]


def fit(kind: str, config: ModelConfig, data: Dataset, seed: int = 0) -> Model:
    """A model of ``kind`` learnt from ``data``; the same seed gives the same model, with one thread or many."""
    maker = kind_of(kind)
    if not len(data) or not data.n_items:
        raise Invalid(f"{kind} has nothing to learn from: the data holds no interactions; import some first")
    if not ((data.weight >= 0) & (data.weight <= MAX_WEIGHT)).all():
        raise Invalid(
            f"{kind} takes weights from 0 to {MAX_WEIGHT:g}, and the data holds others; "
            "declare a weight in that range for every kind of interaction"
        )
    if not (data.weight[data.counted] > 0).any():
        raise Invalid(
            f"{kind} has nothing to learn from: all {len(data)} interactions are negative or weigh 0; "
            "declare a weight above 0 for a kind that speaks for its item"
        )
    return _frozen(maker.fit(config, data, np.random.default_rng(seed)))


def restore(kind: str, config: ModelConfig, arrays: Arrays) -> Model:
    """The model of ``kind`` that ``arrays`` was made of; they may be mapped from a file, and are never written to."""
    return _frozen(kind_of(kind).restore(config, {name: np.asarray(array) for name, array in arrays.items()}))


def _frozen(model: Model) -> Model:
    """``model`` with arrays that nobody can write to, as those mapped from a file: kernels see one type of array."""
    for array in model.arrays().values():
        array.flags.writeable = False
    return model


__all__ = [
    "KINDS",
    "Explains",
    "HasFactors",
    "HasInterests",
    "HasNeighbours",
    "HasPeople",
    "HasUserNeighbours",
    "Kind",
    "Model",
    "ModelConfig",
    "Overlaps",
    "Predicts",
    "fit",
    "kind_of",
    "restore",
]
