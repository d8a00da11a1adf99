"""Again: one's own items once more, the most frequent or the latest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import PositiveFloat

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.answers import columns, finish
from serendip.models.contract import Kind, ModelConfig


class AgainConfig(ModelConfig):
    """Which of one's own items come first."""

    by: Literal["frequency", "latest"] = "frequency"
    """frequency: the largest sum of weights, the later one first where sums are equal. latest: the last one taken."""
    half_life_days: PositiveFloat | None = None
    """frequency: an event counts half as much after this many days; none: for ever the same."""


@dataclass(frozen=True)
class Again:
    """Nothing is learnt but how many items there are; all else is in the history."""

    n_items: int
    config: AgainConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """What ``own_scores`` gives one's own items, 0 for all others; NaN without a counted event."""
        scores = columns(self._full, queries, among)
        return finish(scores, np.diff(queries.by_item[0]) == 0, among)

    def _full(self, queries: Queries) -> Floats:
        out = np.zeros((len(queries), self.n_items), np.float32)
        use = queries.counted
        np.add.at(out, (queries.asker[use], queries.item_ix[use]), own_scores(self.config, queries)[use])
        return out

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """What each event gave to its own item."""
        given = own_scores(self.config, queries)
        shares = []
        for q in range(len(queries)):
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            shares.append(np.where(items[q][:, None] == queries.item_ix[own], given[own], 0).astype(np.float32))
        return shares

    def arrays(self) -> Arrays:
        """The number of items."""
        return {"n_items": np.array([self.n_items], np.int64)}


def own_scores(config: AgainConfig, queries: Queries) -> Floats:
    """What each event gives its item, of shape (n_events,); an item's score is their sum.

    frequency: the faded weight, times 1 + p/1000, where p in (0, 1] is the place of the item's latest event in the
    history: too little to outweigh a whole event, and enough to order equal sums. latest: 1 / place of the item,
    counted from the last one taken, given by the item's latest event.
    """
    use, n = queries.counted, len(queries.item_ix)
    place = np.arange(n) - queries.indptr[queries.asker]
    size = np.diff(queries.indptr)[queries.asker]
    # Of each asker's item the place of the latest event: later rows overwrite earlier ones.
    _, group = np.unique(np.stack([queries.asker, queries.item_ix]), axis=1, return_inverse=True)
    group = group.reshape(-1)
    last = np.full(n, -1)
    last[group[use]] = place[use]
    if config.by == "latest":
        final = use & (place == last[group])
        # Events are oldest first: an item's place is how many final events its asker has from here on.
        before = np.cumsum(final) - final
        n_before = before[queries.indptr[queries.asker]] if n else before
        n_final = np.bincount(queries.asker[final], minlength=len(queries))[queries.asker]
        return np.where(final, 1 / np.maximum(n_final - (before - n_before), 1), 0).astype(np.float32)
    weight = np.where(use, queries.weight, 0).astype(np.float64)
    if config.half_life_days is not None:
        weight = weight * 0.5 ** (queries.age_days() / config.half_life_days)
    return (weight * (1 + (last[group] + 1) / size / 1000)).astype(np.float32)


def fit(config: AgainConfig, data: Dataset, rng: np.random.Generator) -> Again:  # noqa: ARG001
    """Nothing to learn."""
    return Again(data.n_items, config)


def restore(config: AgainConfig, arrays: Arrays) -> Again:
    """The model that ``arrays`` was made of."""
    return Again(int(arrays["n_items"][0]), config)


KIND = Kind("again", AgainConfig, fit, restore, zero_is_silence=True)
