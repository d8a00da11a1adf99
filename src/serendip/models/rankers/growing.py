"""What growing trees takes and gives, whichever library does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from serendip.domain import Invalid
from serendip.models.rankers.contract import Groups
from serendip.models.rankers.trees import Trees

EXTRA_OF = {"catboost": "rank", "lightgbm": "rank-light"}
"""What each library is installed with."""

TOP = 10
"""Growing stops when nDCG over so many places of the later questions gets no better."""


@dataclass(frozen=True)
class Growing:
    """Questions as columns that every library takes: numbers, missing ones NaN."""

    learn: Groups
    check: Groups | None
    """Later questions, which say when to stop; None: exactly ``n_trees`` are grown."""
    objective: str
    n_trees: int
    depth: int
    learning_rate: float
    l2: float
    patience: int
    seed: int
    all_trees: bool = False
    """Keep every tree, however the later questions are ordered: somebody else says where to stop."""


@dataclass(frozen=True)
class Grown:
    """Trees, and how they grew."""

    trees: Trees
    curves: Mapping[str, Sequence[float]]
    """Metrics over the later questions, a number a tree."""
    library: str
    """With its version."""


def library_of(name: str) -> Any:
    """The library called ``name``, imported; Invalid that says what to install where it is not there."""
    try:
        return import_module(name)
    except ImportError:
        extra = EXTRA_OF[name]
        raise Invalid(
            f'boosted with {name} needs the extra {extra}: pip install "serendip[{extra}]"', field="library"
        ) from None
