"""What a model kind is, and what a fitted model can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

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


@runtime_checkable
class HasPeople(Protocol):
    """A model that knows which people are alike."""

    def people(self, queries: Queries, k: int) -> tuple[NDArray[np.int32], Floats]:
        """The ``k`` users most alike each asker, best first: rows (n_queries, k) padded with -1, and likenesses.

        Nobody is alike oneself; equal ones stand in the order of their rows.
        """
        ...


@runtime_checkable
class Overlaps(Protocol):
    """A model that can say what two items have in common."""

    def overlap(self, item: int, other: int) -> list[tuple[str, float]]:
        """What both have, with its part of their likeness, largest first."""
        ...


@runtime_checkable
class HasInterests(Protocol):
    """A model that sees an asker's history as counts of a few things, and says how many it expects of each."""

    def interests(self, queries: Queries) -> tuple[tuple[str, ...], Floats, Floats]:
        """The things, and of each how many the history holds and how many are expected; both (n_queries, n_things)."""
        ...


@dataclass(frozen=True)
class Trending:
    """Of a kind that follows recent popularity: what it counts, and how it is made of totals at another moment."""

    counts: Callable[[Any], Any]
    """Its settings in, those of the popularity that it looks at out."""
    with_totals: Callable[[Any, Floats], Model]
    """The model with other totals (n_items,)."""


@dataclass(frozen=True)
class Kind:
    """A kind of model: its name, what can be set, and how it is made and read back."""

    name: str
    config: type[ModelConfig]
    fit: Callable[[Any, Dataset, np.random.Generator], Model]
    restore: Callable[[Any, Arrays], Model]
    personal: bool = True
    """The answer depends on who asks; popularity's does not."""
    zero_is_silence: bool = False
    """A score of exactly 0 means "nothing to say about this item", so that its place goes to the fallback."""
    counts: bool = False
    """Scores are counts: merged with others they are taken as log(1 + score)."""
    rates: bool = False
    """It learns from the values that events carry, and scores are such values; without any it refuses to be fitted."""
    trend: Trending | None = None
    """Cheap to refit and worth nothing when stale: refitted at every replayed window, and by a server every minute.
    None: it is no trend."""
    by_profile: bool = False
    """It looks at the asker's profile and not at the history."""
    reads: tuple[Literal["item_columns", "user_columns"], ...] = ()
    """What it may learn from besides interactions."""
