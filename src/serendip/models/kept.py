"""Scores from neighbours that were kept: what the asker's items, or people like the asker, say of other items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serendip.domain import InteractionKind

Doubles = NDArray[np.float64]
Keys = NDArray[np.int64]


def liking(kind: InteractionKind, value: float | None) -> float:
    """How much an event says for its item, from -1 to 1.

    A rating counts by how far it lies from the middle of its scale; a dislike counts -1, anything else that weighs
    counts 1.
    """
    if kind.negative:
        return -1.0
    if kind.scale is not None and value is not None:
        low, high = kind.scale
        return (2 * value - low - high) / (high - low) if high > low else 1.0
    return 1.0 if kind.weight > 0 else 0.0


def votes(columns: Keys, likeness: Doubles, weight: Doubles) -> tuple[Keys, Doubles]:
    """Every column once, rising, and the sum over its cells of likeness times weight; all of shape (n_cells,)."""
    found, place = np.unique(columns, return_inverse=True)
    return found, np.asarray(np.bincount(place, likeness * weight, len(found)), np.float64)


def together(sides: list[tuple[Keys, Doubles]]) -> tuple[Keys, Doubles]:
    """Scores of several sides, each as shares of its own largest, added up; a side that likes nothing says nothing."""
    shares = [(keys, scores / scores.max()) for keys, scores in sides if len(keys) and scores.max() > 0]
    if not shares:
        return np.empty(0, np.int64), np.empty(0)
    keys, scores = (np.concatenate(column) for column in zip(*shares, strict=True))
    return votes(keys, scores, np.ones(len(keys)))
