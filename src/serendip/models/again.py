"""Again: one's own items once more, the most frequent or the latest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models import popularity
from serendip.models.answers import columns, finish
from serendip.models.contract import Kind, ModelConfig, Trending

TIE = 1 / 600
"""The part of a score, at most, that orders what would be equal; one event in a history of 500 is more."""


WEEK = popularity.PopularityConfig(window_days=7)
"""What popularity orders equal ones."""


class AgainConfig(ModelConfig):
    """Which of one's own items come first."""

    by: Literal["frequency", "latest"] = "frequency"
    """frequency: the largest sum of weights. latest: the last one taken."""
    ties: Literal["popular", "latest"] = "popular"
    """Which of equal ones comes first: the more popular of the last 7 days, or the one taken later."""
    half_life_days: PositiveFloat | None = None
    """frequency: an event counts half as much after this many days; none: for ever the same."""


@dataclass(frozen=True)
class Again:
    """All but the order of equal items is in the history."""

    popular: Floats
    """Place of each item by popularity, from 0 to 1, the most popular highest; shape (n_items,)."""
    config: AgainConfig

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """What one's own events give their items, 0 for all others; NaN without a counted event."""
        scores = columns(self._full, queries, among)
        return finish(scores, np.diff(queries.by_item[0]) == 0, among)

    def _full(self, queries: Queries) -> Floats:
        out = np.zeros((len(queries), len(self.popular)), np.float32)
        np.add.at(out, (queries.asker, queries.item_ix), self._given(queries))
        return out

    def _given(self, queries: Queries) -> Floats:
        """What each event gives its item, of shape (n_events,); an item's score is their sum.

        frequency: the event's faded weight. latest: 1 / place of the item, counted back from the last moment, given
        by its last event. Either way times 1 + t TIE, with t from 0 to 1 for the order of equal ones.
        """
        config, place = self.config, places_back(queries)
        last = last_events(queries)
        given = np.zeros(len(last))
        if config.by == "latest":
            own = queries.counted & (last == np.arange(len(last)))
            given[own] = 1 / place[own]
        else:
            fade = 1.0 if config.half_life_days is None else 0.5 ** (queries.age_days() / config.half_life_days)
            given = np.where(queries.counted, queries.weight, 0) * fade
        order = self.popular[queries.item_ix] if config.ties == "popular" else 1 / place[last]
        return np.asarray(given * (1 + order * TIE), np.float32)

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """What each event gave to its own item."""
        given = self._given(queries)
        shares = []
        for q in range(len(queries)):
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            shares.append(np.where(items[q][:, None] == queries.item_ix[own], given[own], np.float32(0)))
        return shares

    def arrays(self) -> Arrays:
        """The order by popularity."""
        return {"popular": self.popular}


def places_back(queries: Queries) -> NDArray[np.int64]:
    """1 for events of an asker's last moment, 2 for those of the last but one, and so on; shape (n_events,).

    Without moments, every event has its own.
    """
    n = len(queries.at)
    fresh = np.ones(n, np.bool_)
    if n and queries.at.any():
        fresh[1:] = (np.diff(queries.at) != 0) | (np.diff(queries.asker) != 0)
    moments = np.cumsum(fresh)
    final = moments[queries.indptr[1:][queries.asker] - 1] if n else moments
    return np.asarray(final - moments + 1)


def last_events(queries: Queries) -> NDArray[np.int64]:
    """Each event's place in the batch, or that of a later counted event of the same asker and item; shape (n_events,).

    Events that are not counted may point anywhere; they give nothing.
    """
    n = len(queries.item_ix)
    pair = queries.asker * (np.int64(queries.item_ix.max(initial=0)) + 1) + queries.item_ix
    order = np.lexsort((np.arange(n), queries.counted, pair))
    ends = np.ones(n, np.bool_)
    ends[:-1] = np.diff(pair[order]) != 0
    group: NDArray[np.int64] = np.cumsum(ends) - ends
    last = np.empty(n, np.int64)
    last[order] = order[ends][group]
    return last


def fit(config: AgainConfig, data: Dataset, rng: np.random.Generator) -> Again:
    """The order of items by popularity of the last 7 days; the rest needs no learning."""
    totals = popularity.fit(WEEK, data, rng).totals
    return with_totals(Again(totals, config), totals)


def with_totals(model: Again, totals: Floats) -> Again:
    """The order of items by other totals."""
    _, place = np.unique(totals, return_inverse=True)
    return replace(model, popular=(place / max(place.max(), 1)).astype(np.float32))


def restore(config: AgainConfig, arrays: Arrays) -> Again:
    """The model that ``arrays`` was made of."""
    return Again(arrays["popular"], config)  # type: ignore[arg-type]


KIND = Kind(
    "again", AgainConfig, fit, restore, zero_is_silence=True, counts=True, trend=Trending(lambda _: WEEK, with_totals)
)
