"""Fitted sources that answer histories with ranked items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import DAY, UNKNOWN, Arrays, Dataset, Floats, ItemLists, ItemRows, Queries, Vocabulary
from serendip.domain import HISTORY_LIMIT, Interaction, InteractionKind, Invalid, Reason, SlateItem, moment
from serendip.models import Explains, HasFactors, HasNeighbours, Model, ModelConfig
from serendip.pipeline.config import PipelineConfig, SourceConfig
from serendip.ranking import NOTHING, Catalogue, Mask, Ranked, top

MANY = 2048
"""Below this many items a search is not worth preparing."""

CELLS = 16_000_000
"""Scores that are held at once, where whole rows of them are made."""

SECOND = 1_000_000
"""In microseconds."""

FitModel = Callable[[str, ModelConfig, Dataset, int], Model]
"""``models.fit``, or one that remembers what it fitted before."""


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


@dataclass(frozen=True)
class Answers:
    """One answer a query, as rows."""

    rows: ItemRows
    """Shape (n_queries, n), best first, NOTHING where nothing qualified."""
    scores: Floats
    """In the unit of the source that placed the item; comparable within one source."""
    source: NDArray[np.int8]
    """Position in ``Pipeline.names``; shape (n_queries, n)."""

    @property
    def exhausted(self) -> NDArray[np.bool_]:
        """Queries with fewer items than were asked for; shape (n_queries,)."""
        return np.asarray((self.rows == NOTHING).any(axis=1))

    def first(self, n: int) -> Answers:
        """Only the first ``n`` places."""
        return Answers(self.rows[:, :n], self.scores[:, :n], self.source[:, :n])


@dataclass(frozen=True)
class Pipeline:
    """Fitted sources, their fallbacks, and the vocabulary that their rows mean."""

    config: PipelineConfig
    items: Vocabulary
    kinds: tuple[InteractionKind, ...]
    sources: tuple[Source, ...]
    fallback: tuple[Source, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What ``Answers.source`` counts: the pipeline's candidates as one, then each fallback."""
        own = self.sources[0].config.name if len(self.sources) == 1 else self.config.name
        return (own, *(source.config.name for source in self.fallback))

    @property
    def personal(self) -> bool:
        """Whether any source depends on the history."""
        return any(models.KINDS[source.config.model].personal for source in self.sources)

    def answer(self, queries: Queries, n: int, hidden: ItemLists | None = None, allowed: Mask | None = None) -> Answers:
        """The best ``n`` items of every query; places left by the sources are filled down the fallback chain.

        ``hidden``: items not to be shown to each asker. ``allowed``: (n_items,) or (n_queries, n_items), what the rules
        let pass. Both act before the best are taken.
        """
        n_queries = len(queries)
        lists = hidden if hidden is not None else ItemLists(np.zeros(n_queries + 1, np.int64), np.empty(0, np.int32))
        ranked = self._ranked(queries, n, lists, allowed)
        rows, scores = np.full((n_queries, n), NOTHING, np.int32), np.full((n_queries, n), -np.inf, np.float32)
        rows[:, : ranked.rows.shape[1]], scores[:, : ranked.rows.shape[1]] = ranked.rows, ranked.scores
        source = np.zeros((n_queries, n), np.int8)
        for place, filler in enumerate(self.fallback, start=1):
            short = np.flatnonzero((rows == NOTHING).any(axis=1))
            if not len(short):
                break
            taken = ItemLists.of([np.concatenate([lists[int(q)], rows[q][rows[q] != NOTHING]]) for q in short])
            mask = allowed if allowed is None or allowed.ndim == 1 else allowed[short]
            asked = queries.take(short)
            more = self._in_runs(asked, n, taken, mask, filler)
            for q, new_rows, new_scores in zip(short, more.rows, more.scores, strict=True):
                gap = np.flatnonzero(rows[q] == NOTHING)[: len(new_rows)]
                rows[q, gap], scores[q, gap] = new_rows[: len(gap)], new_scores[: len(gap)]
                source[q, gap] = place
        return Answers(rows, scores, source)

    def _ranked(self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None) -> Ranked:
        """The sources' best; a single model of vectors finds them without a score for every item."""
        only = self._searched
        if only is not None and only.vectors is not None:
            vectors, _ = only.vectors.factors(queries)
            return only.catalogue.top(vectors, n, self.items.hashes, queries.salt, hidden, allowed)
        return self._in_runs(queries, n, hidden, allowed)

    @property
    def _searched(self) -> Source | None:
        """The only source, if its best are found by its vectors."""
        only = self.sources[0]
        return only if len(self.sources) == 1 and len(self.items) >= MANY and only.vectors is not None else None

    def prepare(self) -> None:
        """Do now what the first asker would wait for."""
        if self._searched is not None:
            _ = self._searched.catalogue

    def _in_runs(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, only: Source | None = None
    ) -> Ranked:
        """The best by whole rows of scores, of all sources or of one; as many queries at once as ``CELLS`` allows."""
        size = max(1, CELLS // max(1, len(self.items)))
        parts = []
        for start in range(0, max(1, len(queries)), size):
            run = slice(start, min(start + size, len(queries)))
            some = queries if len(queries) <= size else queries.take(run)
            lists = ItemLists(hidden.indptr[run.start : run.stop + 1], hidden.item_ix)
            mask = allowed if allowed is None or allowed.ndim == 1 else allowed[run]
            scores = only.eligible_scores(some) if only else self._merged(some, n, lists, mask)
            parts.append(top(scores, n, self.items.hashes, some.salt, lists, mask))
        if len(parts) == 1:
            return parts[0]
        return Ranked(np.concatenate([part.rows for part in parts]), np.concatenate([part.scores for part in parts]))

    def _merged(self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None) -> Floats:
        """One row of scores a query, (n_queries, n_items): the only source's own, or the union's merged ones."""
        if len(self.sources) == 1:
            return self.sources[0].eligible_scores(queries)
        merged = np.full((len(queries), len(self.items)), -np.inf, np.float32)
        for q, (union, parts) in enumerate(self._union(queries, n, hidden, allowed)):
            if len(union):
                merged[q, union] = parts.sum(axis=0)
        return merged

    def _union(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None
    ) -> Iterator[tuple[ItemRows, Floats]]:
        """For each query the union of all sources' best (n_union,), and every source's part (n_sources, n_union)."""
        depth = max(self.config.n_candidates, n)
        found = []
        for source in self.sources:
            scores = source.eligible_scores(queries)
            ranked = top(scores, depth, self.items.hashes, queries.salt, hidden, allowed)
            found.append((scores, ranked))
        for q in range(len(queries)):
            lists = [ranked.rows[q][ranked.rows[q] != NOTHING] for _, ranked in found]
            union = np.unique(np.concatenate(lists))
            parts = np.zeros((len(self.sources), len(union)), np.float32)
            for s, (source, own) in enumerate(zip(self.sources, lists, strict=True)):
                if len(own):
                    parts[s] = source.config.weight * self._part(source, found[s][0][q], union, own)
            yield union, parts

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

    def explain(
        self, queries: Queries, answers: Answers, hidden: ItemLists | None = None, allowed: Mask | None = None
    ) -> list[list[tuple[dict[str, float] | None, Floats | None]]]:
        """For each query and place: every source's part of the score (None: one source), and the shares of the events.

        Shares are of shape (n_events,), in the score's own unit; None where no source of the item explains itself.
        """
        lists = hidden if hidden is not None else ItemLists(np.zeros(len(queries) + 1, np.int64), np.empty(0, np.int32))
        shares = [
            s.model.explain(queries, np.maximum(answers.rows, 0)) if isinstance(s.model, Explains) else None
            for s in self.sources
        ]
        unions = (
            list(self._union(queries, answers.rows.shape[1], lists, allowed))
            if len(self.sources) > 1
            else [None] * len(queries)
        )
        out = []
        for q in range(len(queries)):
            places: list[tuple[dict[str, float] | None, Floats | None]] = []
            for place, row in enumerate(answers.rows[q]):
                if row == NOTHING or answers.source[q, place]:
                    places.append((None, None))
                    continue
                own = [None if share is None else share[q][place] for share in shares]
                union = unions[q]
                if union is None:
                    places.append((None, own[0]))
                    continue
                at = int(np.searchsorted(union[0], row))
                parts = {s.config.name: float(union[1][i, at]) for i, s in enumerate(self.sources)}
                places.append((parts, _merged_shares(own, list(parts.values()))))
            out.append(places)
        return out

    def slate_items(
        self,
        queries: Queries,
        answers: Answers,
        query: int,
        explained: Sequence[tuple[dict[str, float] | None, Floats | None]] | None = None,
        n_reasons: int = 3,
    ) -> tuple[SlateItem, ...]:
        """One query's places with ids again; of the reasons, the ``n_reasons`` of largest share."""
        places = []
        events = slice(queries.indptr[query], queries.indptr[query + 1])
        for place, row in enumerate(answers.rows[query]):
            if row == NOTHING:
                break
            parts, shares = explained[place] if explained is not None else (None, None)
            reasons: tuple[Reason, ...] = ()
            if shares is not None:
                order = [e for e in np.argsort(-np.abs(shares), kind="stable")[:n_reasons] if shares[e] != 0]
                item_ix, kind, at = queries.item_ix[events], queries.kind[events], queries.at[events]
                reasons = tuple(
                    Reason(
                        self.items.ids[item_ix[e]],
                        float(shares[e]),
                        queries.kinds[kind[e]].name,
                        moment(at[e]) if at[e] else None,
                    )
                    for e in order
                )
            name = self.names[answers.source[query, place]]
            places.append(SlateItem(self.items.ids[row], float(answers.scores[query, place]), name, reasons, parts))
        return tuple(places)

    def queries(
        self, histories: Sequence[Sequence[Interaction]], at: Any, askers: Sequence[str | None] | None = None
    ) -> Queries:
        """Histories as this pipeline's rows."""
        return Queries.of(histories, self.items, at, self.kinds, askers)

    def bare_queries(self, history: Sequence[str]) -> Queries:
        """One asker's item ids, oldest first, as events of the first kind; each one's place is its time, in seconds."""
        rows = self.items.rows(history)
        places = np.flatnonzero(rows != UNKNOWN)[-HISTORY_LIMIT:]
        n, now = len(places), max(DAY, len(history) * SECOND)
        kind, value = np.zeros(n, np.int16), np.full(n, np.nan, np.float32)
        size = np.array([n], np.int64)
        return Queries.of_rows(size, rows[places], self.items, self.kinds, kind, value, places * SECOND, now)

    def neighbours(self, of: ItemRows, k: int) -> tuple[str, ItemRows, Floats]:
        """Who said so, and the ``k`` items most alike each of ``of``: rows padded with -1, likenesses; both (n, k)."""
        for source in self.sources:
            if isinstance(source.model, HasNeighbours):
                return source.config.name, *source.model.neighbours(of, k)
        kinds = "item-knn, ease, als, svd, nmf or content-knn"
        raise Invalid(f"{self.config.name} knows no likeness of items; train {kinds} for that")

    def refreshed(self, data: Dataset, seed: int = 0, fit_model: FitModel = models.fit) -> Pipeline:
        """The same pipeline with its trend models refitted to ``data``, whose items are this pipeline's."""

        def fresh(source: Source) -> Source:
            if not models.KINDS[source.config.model].trend or not len(data):
                return source
            return replace(source, model=fit_model(source.config.model, source.config.model_settings(), data, seed))

        return replace(self, sources=tuple(map(fresh, self.sources)), fallback=tuple(map(fresh, self.fallback)))

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config and the kinds."""
        out = {f"items.{key}": array for key, array in self.items.arrays().items()}
        for room, sources in (("source", self.sources), ("fallback", self.fallback)):
            for i, source in enumerate(sources):
                out |= {f"{room}{i}.{key}": array for key, array in source.model.arrays().items()}
        return out


def _merged_shares(shares: Sequence[Floats | None], parts: Sequence[float]) -> Floats | None:
    """Each source's part of the score, divided among the events as that source divides its own score."""
    total: Floats | None = None
    for own, part in zip(shares, parts, strict=True):
        if own is None or not np.abs(own).sum():
            continue
        scaled = (own / np.abs(own).sum() * part).astype(np.float32)
        total = scaled if total is None else total + scaled
    return total


def fit(config: PipelineConfig, data: Dataset, seed: int = 0, fit_model: FitModel = models.fit) -> Pipeline:
    """A pipeline learnt from ``data``; the same seed gives the same pipeline."""

    def fitted(source: SourceConfig) -> Source:
        return Source(source, fit_model(source.model, source.model_settings(), data, seed))

    return Pipeline(
        config, data.items, data.kinds, tuple(map(fitted, config.sources)), tuple(map(fitted, config.fallback))
    )


def restore(config: PipelineConfig, kinds: tuple[InteractionKind, ...], arrays: Arrays) -> Pipeline:
    """The pipeline that ``arrays`` was made of."""

    def own(prefix: str) -> Arrays:
        return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}

    def restored(room: str, sources: tuple[SourceConfig, ...]) -> tuple[Source, ...]:
        return tuple(
            Source(source, models.restore(source.model, source.model_settings(), own(f"{room}{i}.")))
            for i, source in enumerate(sources)
        )

    return Pipeline(
        config,
        Vocabulary.restore(own("items.")),
        kinds,
        restored("source", config.sources),
        restored("fallback", config.fallback),
    )
