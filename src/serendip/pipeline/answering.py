"""Fitted sources that answer histories with ranked items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import DAY, UNKNOWN, Arrays, Dataset, Floats, Hashes, ItemLists, ItemRows, Queries, Vocabulary
from serendip.domain import HISTORY_LIMIT, Interaction, InteractionKind, Invalid, Reason, SlateItem, moment
from serendip.models import Explains, HasNeighbours
from serendip.pipeline.answers import (
    BOOST,
    PIN,
    PINNED,
    Answers,
    Stage,
    joined,
    nothing_hidden,
    on_page,
    relaxed_of,
    shown_pins,
    stages_of,
    with_pins,
)
from serendip.pipeline.config import PipelineConfig
from serendip.pipeline.merging import Merged, merged_shares
from serendip.pipeline.ranked import Candidates, FittedRanker, Values
from serendip.pipeline.source import FitModel, Source
from serendip.ranking import NO_RULES, NOTHING, Mask, Ranked, Rules, diversified, lifted, taken_in, top

MANY = 2048
"""Below this many items a search is not worth preparing."""

CELLS = 16_000_000
"""Scores that are held at once, where whole rows of them are made."""

SECOND = 1_000_000
"""In microseconds."""

Explained = tuple[dict[str, float] | None, Floats | None, Values | None]
"""What a score is made of, by name; each event's share of it; what the features were that it is made of."""


@dataclass(frozen=True)
class Pipeline:
    """Fitted sources, their fallbacks, and the vocabulary that their rows mean."""

    config: PipelineConfig
    items: Vocabulary
    kinds: tuple[InteractionKind, ...]
    sources: tuple[Source, ...]
    fallback: tuple[Source, ...]
    ranker: FittedRanker | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What ``Answers.source`` counts: the pipeline's candidates as one, then each fallback."""
        own = self.sources[0].config.name if len(self.sources) == 1 and self.ranker is None else self.config.name
        return (own, *(source.config.name for source in self.fallback))

    @property
    def personal(self) -> bool:
        """Whether the ranker or any source depends on who asks."""
        return self.ranker is not None or any(models.KINDS[source.config.model].personal for source in self.sources)

    def answer(
        self,
        queries: Queries,
        n: int,
        hidden: ItemLists | None = None,
        allowed: Mask | None = None,
        rules: Rules = NO_RULES,
        disliked: ItemLists | None = None,
        reserved: NDArray[np.integer] | None = None,
    ) -> Answers:
        """The best ``n`` items of every query; places left by the sources are filled down the fallback chain.

        ``hidden``: items not to be shown to each asker. ``allowed``: (n_items,) or (n_queries, n_items), what may be
        shown at all. Both, and the filter of ``rules``, act before the best are taken. Where a page is short, rules are
        given up in the order of ``rules.relax``; ``disliked`` stays hidden then (None: what the histories say), and
        ``reserved`` (n_queries,) places are left empty, for what the asker of this method has besides.
        """
        lists = hidden if hidden is not None else nothing_hidden(len(queries))
        stages = stages_of(queries, lists, allowed, rules, disliked)
        pinned = shown_pins(rules, n, *stages[0], len(queries))
        page = Answers.empty(len(queries), n)
        room = np.full(len(queries), n) if pinned is None else n - np.diff(pinned.indptr)
        for number, (out, passing) in enumerate(stages):
            if number == 1 and reserved is not None:
                room = room - reserved
            self._fill(page, number, room, queries, out, passing, rules, pinned)
        page = replace(page, relaxed=relaxed_of(page, lists, rules))
        return page if pinned is None else with_pins(page, rules, pinned)

    def _fill(
        self,
        page: Answers,
        number: int,
        room: NDArray[np.integer],
        queries: Queries,
        hidden: ItemLists,
        allowed: Mask | None,
        rules: Rules,
        pinned: ItemLists | None,
    ) -> None:
        """Write the best that may be shown into the empty places of ``page``, up to ``room`` (n_queries,) in each."""
        for place, filler in enumerate((None, *self.fallback)):
            filled = page.filled
            short = np.flatnonzero(filled < room)
            if not len(short):
                return
            fresh = number == 0 and len(short) == len(queries) and pinned is None and not filled.any()
            asked = queries if fresh else queries.take(short)
            mask = allowed if allowed is None or allowed.ndim == 1 or fresh else allowed[short]
            there = None if fresh else on_page(page, short, pinned)
            taken = hidden if there is None else joined(hidden, short, there)
            ranked, boost = self._best(asked, page.rows.shape[1], taken, mask, filler, rules, there)
            width = ranked.rows.shape[1]
            if fresh:
                page.rows[:, :width], page.scores[:, :width] = ranked.rows, ranked.scores
                page.boost[:, :width] = boost
                page.source[:], page.stage[:] = place, number
                continue
            for q, rows, scores, added in zip(short, ranked.rows, ranked.scores, boost, strict=True):
                gap = np.arange(filled[q], min(room[q], filled[q] + width))
                page.rows[q, gap], page.scores[q, gap] = rows[: len(gap)], scores[: len(gap)]
                page.boost[q, gap], page.source[q, gap], page.stage[q, gap] = added[: len(gap)], place, number

    def _best(
        self,
        queries: Queries,
        n: int,
        hidden: ItemLists,
        allowed: Mask | None,
        filler: Source | None,
        rules: Rules,
        there: ItemLists | None,
    ) -> tuple[Ranked, Floats]:
        """The best of the sources, or of one fallback, and what boosts added to their scores; both (n_queries, n).

        ``there`` is what each page holds already, for diversity.
        """
        if rules.likeness is None:
            return self._ranked(queries, n, hidden, allowed, filler, rules.lift)
        ranked, boost = self._ranked(queries, max(n, rules.n_candidates), hidden, allowed, filler, rules.lift)
        order = diversified(ranked, n, rules.likeness, rules.share, there)
        return taken_in(ranked, order), np.take_along_axis(boost, np.maximum(order, 0), axis=1)

    def _ranked(
        self,
        queries: Queries,
        n: int,
        hidden: ItemLists,
        allowed: Mask | None,
        filler: Source | None = None,
        lift: Floats | None = None,
    ) -> tuple[Ranked, Floats]:
        """The best by score; a single model of vectors finds them without a score for every item."""
        only = self._searched if filler is None and lift is None else None
        if only is not None and only.vectors is not None:
            vectors, _ = only.vectors.factors(queries)
            found = only.catalogue.top(vectors, n, self.items.hashes, queries.salt, hidden, allowed)
            return found, np.zeros(found.rows.shape, np.float32)
        return self._in_runs(queries, n, hidden, allowed, filler, lift)

    @property
    def users(self) -> Hashes | None:
        """Whose own counters the ranker's features hold: an asker among them is known by the row."""
        return None if self.ranker is None else self.ranker.users

    @property
    def _searched(self) -> Source | None:
        """The only source, if its best are found by its vectors."""
        if self.ranker is not None or len(self.sources) > 1 or len(self.items) < MANY:
            return None
        only = self.sources[0]
        return only if only.vectors is not None else None

    @property
    def merged(self) -> Merged:
        """The sources, asked together."""
        return Merged(self.config, self.items, self.sources)

    def prepare(self) -> None:
        """Do now what the first asker would wait for."""
        if self._searched is not None:
            _ = self._searched.catalogue
        if self.ranker is not None and len(self.items):
            # Kernels are compiled for the types that they meet: one question goes through all of them.
            asked = self.bare_queries(self.items.ids[:1])
            late = np.array([self.ranker.features.until + 1])
            queries = replace(asked, weight=np.ones(len(asked.item_ix), np.float32), moment=late)
            self.explain(queries, self.answer(queries, 1))

    def _in_runs(
        self,
        queries: Queries,
        n: int,
        hidden: ItemLists,
        allowed: Mask | None,
        only: Source | None = None,
        lift: Floats | None = None,
    ) -> tuple[Ranked, Floats]:
        """The best by whole rows of scores, of all sources or of one; as many queries at once as ``CELLS`` allows."""
        size = max(1, CELLS // max(1, len(self.items)))
        parts, boosts = [], []
        for start in range(0, max(1, len(queries)), size):
            run = slice(start, min(start + size, len(queries)))
            some = queries if len(queries) <= size else queries.take(run)
            lists = ItemLists(hidden.indptr[run.start : run.stop + 1], hidden.item_ix)
            mask = allowed if allowed is None or allowed.ndim == 1 else allowed[run]
            scores = only.eligible_scores(some) if only else self._scores(some, n, lists, mask, lift)
            scores, spread = (scores, None) if lift is None else lifted(scores, lift)
            best = top(scores, n, self.items.hashes, some.salt, lists, mask)
            parts.append(best)
            boosts.append(np.zeros(best.rows.shape, np.float32))
            if lift is not None and spread is not None:
                boosts[-1][:] = np.where(best.rows == NOTHING, 0, lift[best.rows] * spread[:, None])
        if len(parts) == 1:
            return parts[0], boosts[0]
        ranked = Ranked(np.concatenate([part.rows for part in parts]), np.concatenate([part.scores for part in parts]))
        return ranked, np.concatenate(boosts)

    def candidates(
        self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, rules: Rules = NO_RULES
    ) -> ItemLists:
        """What the first ``n`` places are chosen from while every rule is kept; a list a query."""
        lists, mask = stages_of(queries, hidden, allowed, rules, None)[0]
        depth = n if rules.likeness is None else max(n, rules.n_candidates)
        return ItemLists.of(self.merged.best(queries, depth, lists, mask, rules.lift)[1])

    def _scores(self, queries: Queries, n: int, hidden: ItemLists, allowed: Mask | None, lift: Floats | None) -> Floats:
        """The sources' merged scores, or the ranker's of their candidates; (n_queries, n_items)."""
        if self.ranker is None:
            return self.merged.scores(queries, n, hidden, allowed, lift)
        candidates = Candidates.of(self.merged, queries, n, hidden, allowed, lift)
        return self.ranker.scores(self.merged, queries, candidates)

    def explain(
        self,
        queries: Queries,
        answers: Answers,
        hidden: ItemLists | None = None,
        allowed: Mask | None = None,
        rules: Rules = NO_RULES,
        disliked: ItemLists | None = None,
    ) -> list[list[Explained]]:
        """For each query and place: what the score is made of, and the shares of the events.

        Parts are every source's, or of a ranker the features' with the largest shares; where there was one, the boost's
        too; None where one source alone said it. Shares are of shape (n_events,), in the score's own unit; None where
        no source of the item explains itself. Of a ranker's score they divide what the sources' scores and ranks add.
        """
        lists = hidden if hidden is not None else nothing_hidden(len(queries))
        shares = [
            s.model.explain(queries, np.maximum(answers.rows, 0)) if isinstance(s.model, Explains) else None
            for s in self.sources
        ]
        parts = self._parts(queries, answers, stages_of(queries, lists, allowed, rules, disliked), rules)
        out = []
        for q in range(len(queries)):
            places: list[Explained] = []
            for place, row in enumerate(answers.rows[q]):
                boost, source = float(answers.boost[q, place]), answers.source[q, place]
                said, by_source, values = parts.get((q, place), (None, [], None))
                if row == NOTHING or source:
                    own = None
                elif said is not None:
                    each = [None if share is None else share[q][place] for share in shares]
                    own = merged_shares(each, by_source)
                else:
                    own = None if shares[0] is None else shares[0][q][place]
                if boost:
                    said = said or {self.names[source]: float(answers.scores[q, place]) - boost}
                    said[BOOST] = said.get(BOOST, 0.0) + boost
                places.append((said, own, values))
            out.append(places)
        return out

    def _parts(
        self, queries: Queries, answers: Answers, stages: Sequence[Stage], rules: Rules
    ) -> dict[tuple[int, int], tuple[dict[str, float] | None, list[float], Values | None]]:
        """What the score is made of and what each source adds to it, of the places that are not one source's alone."""
        if len(self.sources) == 1 and self.ranker is None:
            return {}
        n = answers.rows.shape[1]
        out: dict[tuple[int, int], tuple[dict[str, float] | None, list[float], Values | None]] = {}
        depth = n if rules.likeness is None else max(n, rules.n_candidates)
        for number, (hidden, allowed) in enumerate(stages):
            here = (answers.rows != NOTHING) & (answers.source == 0) & (answers.stage == number)
            asked = np.flatnonzero(here.any(axis=1))
            if not len(asked):
                continue
            before = (answers.rows != NOTHING) & ((answers.source == PINNED) | (answers.stage < number))
            there = ItemLists.of([answers.rows[q][before[q]] for q in asked])
            mask = allowed if allowed is None or allowed.ndim == 1 else allowed[asked]
            some, taken = queries.take(asked), joined(hidden, asked, there)
            if self.ranker is not None:
                candidates = Candidates.of(self.merged, some, depth, taken, mask, rules.lift)
                wanted = [answers.rows[q][here[q]] for q in asked]
                for q, made_of in zip(asked, self.ranker.parts(some, candidates, wanted), strict=True):
                    for place, explained in zip(np.flatnonzero(here[q]), made_of, strict=True):
                        out[int(q), int(place)] = explained
                continue
            unions = self.merged.union(some, depth, taken, mask, rules.lift)
            for q, (union, parts) in zip(asked, unions, strict=True):
                for place in np.flatnonzero(here[q]):
                    at = int(np.searchsorted(union, answers.rows[q, place]))
                    own = [float(part) for part in parts[:, at]]
                    names = (source.config.name for source in self.sources)
                    out[int(q), int(place)] = dict(zip(names, own, strict=True)), own, None
        return out

    def slate_items(
        self,
        queries: Queries,
        answers: Answers,
        query: int,
        explained: Sequence[Explained] | None = None,
        n_reasons: int = 3,
    ) -> tuple[SlateItem, ...]:
        """One query's places with ids again; of the reasons, the ``n_reasons`` of largest share."""
        places = []
        events = slice(queries.indptr[query], queries.indptr[query + 1])
        names, scores, sources = self.names, answers.scores[query].tolist(), answers.source[query].tolist()
        for place, row in enumerate(answers.rows[query].tolist()):
            if row == NOTHING:
                break
            parts, shares, values = explained[place] if explained is not None else (None, None, None)
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
            name = PIN if sources[place] == PINNED else names[sources[place]]
            places.append(SlateItem(self.items.ids[row], scores[place], name, reasons, parts, values))
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

    def refreshed(
        self, data: Dataset, seed: int = 0, fit_model: FitModel = models.fit, past_days: float = 0.0
    ) -> Pipeline:
        """The same pipeline with its trend models refitted to ``data``, whose items are this pipeline's.

        A ranker stays, over features as of ``data.now``; the users of ``data`` begin with those it knows. Of the
        last ``past_days`` both are known as of the start of each day too.
        """
        if not len(data):
            return self
        sources = tuple(source.refreshed(data, seed, fit_model, past_days) for source in self.sources)
        fallback = tuple(source.refreshed(data, seed, fit_model, past_days) for source in self.fallback)
        ranker = None if self.ranker is None else self.ranker.advanced(data, past_days)
        return replace(self, sources=sources, fallback=fallback, ranker=ranker)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config and the kinds."""
        out = {f"items.{key}": array for key, array in self.items.arrays().items()}
        for room, sources in (("source", self.sources), ("fallback", self.fallback)):
            for i, source in enumerate(sources):
                out |= {f"{room}{i}.{key}": array for key, array in source.arrays().items()}
        ranked = {} if self.ranker is None else self.ranker.arrays()
        return out | {f"ranker.{key}": array for key, array in ranked.items()}
