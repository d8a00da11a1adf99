"""What a model kind is, and what a fitted model can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries


class ModelConfig(BaseModel):
    """What can be set about a kind of model; knobs of the machine are not part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(Protocol):
    """A frozen value made by ``fit``."""

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """How well items suit, (n_queries, n_items); a row is wholly finite, or wholly NaN: nothing to tell this asker.

        With ``among``, item rows of shape (n_among,) or (n_queries, n_among) padded with -1: scores of just these,
        (n_queries, n_among), -inf at the padding, NaN there too in a row of NaN.
        """
        ...

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A model that can say which past event gave how much of a score."""

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """For query ``q``, asked about ``items[q]`` of shape (n_queries, n): shares of shape (n, n_events of q).

        Columns follow the query's events; they sum to the score, to 1e-5 relative, up to a part the docstring names.
        """
        ...


@runtime_checkable
class HasNeighbours(Protocol):
    """A model that knows which items are alike."""

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The ``k`` most alike of each row of ``of``, best first: rows (n, k) padded with -1, and likenesses (n, k)."""
        ...


@runtime_checkable
class HasUserNeighbours(Protocol):
    """A model that knows which histories are alike."""

    def user_neighbours(self, queries: Queries, others: Queries, k: int) -> tuple[NDArray[np.int32], Floats]:
        """The ``k`` of ``others`` most alike each query, best first: their places, padded with -1, and likenesses.

        Both of shape (n_queries, k). The asker's own row among ``others`` is left out. A history with nothing to go by
        is like no other.
        """
        ...


@runtime_checkable
class HasFactors(Protocol):
    """A model whose score is an inner product."""

    def factors(self, queries: Queries) -> tuple[Floats, Floats]:
        """Query vectors (n_queries, k) and item vectors (n_items, k); a query row of NaN has nothing to say."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A model that learns from ratings and gives ratings."""

    def predict(self, queries: Queries, items: ItemRows) -> Floats:
        """The rating that query ``q`` would give ``items[q]``, both (n_queries, n), within the scale learnt from.

        A row is wholly finite, or wholly NaN: a history without a rating to go by.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of model: its name, what can be set, and how it is made and read back."""

    name: str
    config: type[ModelConfig]
    fit: Callable[[Any, Dataset, np.random.Generator], Model]
    restore: Callable[[Any, Arrays], Model]
    personal: bool = True
    """The answer depends on the history; popularity's does not."""
    zero_is_silence: bool = False
    """A score of exactly 0 means "nothing to say about this item", so that its place goes to the fallback."""
    counts: bool = False
    """Scores are counts: merged with others they are taken as log(1 + score)."""
    rates: bool = False
    """It learns from the values that events carry, and scores are such values; without any it refuses to be fitted."""
    trend: bool = False
    """Cheap to refit and worth nothing when stale: refitted at every replayed window, and by a server every minute."""
