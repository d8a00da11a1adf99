"""Several sources' scores as one: the union of their best, and what each says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from serendip import models
from serendip.data import Floats, ItemLists, ItemRows, Queries, Vocabulary
from serendip.pipeline.config import PipelineConfig
from serendip.pipeline.source import Source
from serendip.ranking import NOTHING, Mask, Ranked, lifted, top


@dataclass(frozen=True)
class Merged:
    """The sources of a pipeline, asked together."""

    config: PipelineConfig
    items: Vocabulary
    sources: tuple[Source, ...]

    def scores(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, lift: Floats | None = None
    ) -> Floats:
        """One row of scores a query, (n_queries, n_items): the only source's own, or the union's merged ones."""
        if len(self.sources) == 1:
            return self.sources[0].eligible_scores(queries)
        merged = np.full((len(queries), len(self.items)), -np.inf, np.float32)
        for q, (union, parts) in enumerate(self.union(queries, n, hidden, allowed, lift)):
            if len(union):
                merged[q, union] = parts.sum(axis=0)
        return merged

    def union(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, lift: Floats | None = None
    ) -> Iterator[tuple[ItemRows, Floats]]:
        """For each query the union of all sources' best (n_union,), and every source's part (n_sources, n_union).

        Where items are lifted, each source's best by its own scores lifted join too.
        """
        found, unions = self.best(queries, n, hidden, allowed, lift)
        for q, union in enumerate(unions):
            parts = np.zeros((len(self.sources), len(union)), np.float32)
            for s, source in enumerate(self.sources):
                own = placed(found[s][1], q)
                if len(own):
                    parts[s] = source.config.weight * self._part(source, found[s][0][q], union, own)
            yield union, parts

    def best(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, lift: Floats | None = None
    ) -> tuple[list[tuple[Floats, Ranked]], list[ItemRows]]:
        """Every source's scores (n_queries, n_items) and its best, and for each query the union of these, ascending."""
        depth = max(self.config.n_candidates, n)
        found, raised = [], []
        for source in self.sources:
            scores = source.eligible_scores(queries)
            found.append((scores, top(scores, depth, self.items.hashes, queries.salt, hidden, allowed)))
            if lift is not None:
                higher = lifted(scores, lift)[0]
                raised.append(top(higher, depth, self.items.hashes, queries.salt, hidden, allowed))
        every = [ranked for _, ranked in found] + raised
        return found, [np.unique(np.concatenate([placed(one, q) for one in every])) for q in range(len(queries))]

    def _part(self, source: Source, scores: Floats, union: ItemRows, own: ItemRows) -> Floats:
        """One source's say about the union, before its weight.

        rrf: an item that is not among its best gets nothing. zscore: an item that it is silent about counts as its
        lowest, which is 0 where 0 is silence; else a source that knows few items could not tell them from the rest.
        """
        if self.config.merge == "rrf":
            part = np.zeros(len(union), np.float32)
            part[np.searchsorted(union, own)] = 1 / (60 + np.arange(1, len(own) + 1))
            return part
        values = scores[union].astype(np.float64)
        said = np.isfinite(values)
        quiet = 0.0 if models.KINDS[source.config.model].zero_is_silence else values.min(initial=np.inf, where=said)
        values[~said] = quiet
        if source.config.scale == "log":
            values = np.log1p(np.maximum(values, 0))
        spread = values.std()
        standard: Floats = ((values - values.mean()) / (spread if spread > 0 else 1.0)).astype(np.float32)
        return standard


def placed(ranked: Ranked, query: int) -> ItemRows:
    """The items that a query's places hold, best first."""
    rows: ItemRows = ranked.rows[query]
    return np.asarray(rows[rows != NOTHING])


def merged_shares(shares: Sequence[Floats | None], parts: Sequence[float]) -> Floats | None:
    """Each source's part of the score, divided among the events as that source divides its own score."""
    total: Floats | None = None
    for own, part in zip(shares, parts, strict=True):
        if own is None or not np.abs(own).sum():
            continue
        scaled = (own / np.abs(own).sum() * part).astype(np.float32)
        total = scaled if total is None else total + scaled
    return total
