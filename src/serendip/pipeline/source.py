"""A fitted model in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from serendip import models
from serendip.data import Arrays, Dataset, Floats, Queries, Vocabulary
from serendip.data.features.moments import in_order
from serendip.domain import InteractionKind
from serendip.models import HasFactors, Model, ModelConfig
from serendip.models.trend import Trend
from serendip.pipeline.config import SourceConfig
from serendip.ranking import Catalogue

HELD = 4
"""Past moments whose models are held, so that questions about one of them need not make them anew."""

FitModel = Callable[[str, ModelConfig, Dataset, int], Model]
"""``models.fit``, or one that remembers what it fitted before."""

TREND = "trend/"
"""Begins the names of the arrays of what a model was at earlier moments."""


@dataclass(frozen=True)
class Source:
    """A fitted model in its place."""

    config: SourceConfig
    model: Model
    trend: Trend | None = None
    """What it was at the starts of past days; None where it is the same whenever it is asked."""
    _held: dict[int, Model] = field(default_factory=dict, init=False, repr=False, compare=False)

    def refreshed(self, data: Dataset, seed: int, fit_model: FitModel, past_days: float) -> Source:
        """A trend refitted to ``data``, beside what it was on its last ``past_days``; other models stay."""
        if models.KINDS[self.config.model].trend is None:
            return self
        model = fit_model(self.config.model, self.config.model_settings(), data, seed)
        return replace(self, model=model).remembering(data, past_days)

    def remembering(self, data: Dataset, days: float) -> Source:
        """The same beside what it was on the last ``days`` of ``data``, which it learnt from."""
        kind = models.KINDS[self.config.model]
        if kind.trend is None or data.at is None or not len(data) or days <= 0:
            return replace(self, trend=None)
        return replace(self, trend=Trend.of(kind.trend.counts(self.config.model_settings()), in_order(data)[0], days))

    def scores(self, queries: Queries) -> Floats:
        """The model's scores of all items, a trend's as of the start of the day of each moment that is past.

        Of days that are not kept, and before all data, they are those of the model as it is.
        """
        if self.trend is None or (queries.moment >= self.trend.horizon.until).all():
            return self.model.score(queries)
        places = self.trend.horizon.places(queries.moment)
        places[places < 0] = len(self.trend.horizon.starts)
        different = np.unique(places)
        if len(different) == 1:
            return self._as_of(int(different[0])).score(queries)
        first, *others = (np.flatnonzero(places == place) for place in different)
        some = self._as_of(int(different[0])).score(queries.take(first))
        out = np.empty((len(queries), some.shape[1]), some.dtype)
        out[first] = some
        for place, rows in zip(different[1:].tolist(), others, strict=True):
            out[rows] = self._as_of(place).score(queries.take(rows))
        return out

    def _as_of(self, place: int) -> Model:
        """The model at a place of the trend's horizon."""
        assert self.trend is not None
        if place == len(self.trend.horizon.starts):
            return self.model
        found = self._held.get(place)
        if found is None:
            kind = models.KINDS[self.config.model].trend
            assert kind is not None
            found = kind.with_totals(self.model, self.trend.totals(place))
            for other in list(self._held)[: 1 - HELD]:
                self._held.pop(other, None)
            self._held[place] = found
        return found

    def eligible_scores(self, queries: Queries) -> Floats:
        """Scores (n_queries, n_items) with -inf where the model is silent about an item; rows of NaN stay."""
        scores = self.scores(queries)
        if models.KINDS[self.config.model].zero_is_silence:
            scores = np.where(scores == 0, -np.inf, scores).astype(np.float32)
        return scores

    @cached_property
    def vectors(self) -> HasFactors | None:
        """The model, if it is one of vectors whose every score counts."""
        if models.KINDS[self.config.model].zero_is_silence:
            return None
        return self.model if isinstance(self.model, HasFactors) else None

    @cached_property
    def catalogue(self) -> Catalogue:
        """The item vectors, prepared for being searched; it outlives a pipeline whose trends are refreshed."""
        assert self.vectors is not None, "only a model of vectors is searched"
        rows, at, values = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32)
        kinds = (InteractionKind("interaction"),)
        nobody = Queries.of_rows(at, rows, Vocabulary(()), kinds, rows.astype(np.int16), values, at, 0)
        return Catalogue.of(self.vectors.factors(nobody)[1])

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config."""
        told = {} if self.trend is None else self.trend.arrays()
        return self.model.arrays() | {f"{TREND}{name}": array for name, array in told.items()}

    @staticmethod
    def restore(config: SourceConfig, arrays: Arrays) -> Source:
        """The source that ``arrays`` was made of."""
        told = {name.removeprefix(TREND): array for name, array in arrays.items() if name.startswith(TREND)}
        own = {name: array for name, array in arrays.items() if not name.startswith(TREND)}
        settings, kind = config.model_settings(), models.KINDS[config.model].trend
        trend = Trend.restore(kind.counts(settings), told) if told and kind is not None else None
        return Source(config, models.restore(config.model, settings, own), trend)
