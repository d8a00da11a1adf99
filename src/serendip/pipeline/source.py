"""A fitted model in its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serendip import models
from serendip.data import Floats, Queries, Vocabulary
from serendip.domain import InteractionKind
from serendip.models import HasFactors, Model
from serendip.pipeline.config import SourceConfig
from serendip.ranking import Catalogue


@dataclass(frozen=True)
class Source:
    """A fitted model in its place."""

    config: SourceConfig
    model: Model

    def eligible_scores(self, queries: Queries) -> Floats:
        """Scores (n_queries, n_items) with -inf where the model is silent about an item; rows of NaN stay."""
        scores = self.model.score(queries)
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
