"""Answers as rows, and how a scenario's rules shape them: what is left out in turn, pins, what had to be given up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemLists, ItemRows, Queries
from serendip.ranking import NOTHING, Mask, Rules

PINNED = -1
"""In ``Answers.source``: no model put the item there."""

PIN = "pin"
"""The source of an item that a rule put where it stands."""

BOOST = "boost"
"""The part of a score that a rule added."""

Stage = tuple[ItemLists, Mask | None]
"""What is hidden from each asker, and what may be shown, while places are filled."""


@dataclass(frozen=True)
class Answers:
    """One answer a query, as rows."""

    rows: ItemRows
    """Shape (n_queries, n), best first, NOTHING where nothing qualified."""
    scores: Floats
    """In the unit of the source that placed the item; comparable within one source. Of a pin 0."""
    source: NDArray[np.int8]
    """Position in ``Pipeline.names``, or PINNED; shape (n_queries, n)."""
    boost: Floats
    """What rules added to each score; shape (n_queries, n)."""
    stage: NDArray[np.int8]
    """How many of ``Rules.relax`` had been given up when the item was placed; shape (n_queries, n)."""
    relaxed: tuple[tuple[str, ...], ...] = ()
    """Of each query, the rules that its answer does not keep because the page was short, in the order given up."""

    @staticmethod
    def empty(n_queries: int, n: int) -> Answers:
        """Pages of ``n`` places with nothing in them."""
        shape = (n_queries, n)
        rows, scores = np.full(shape, NOTHING, np.int32), np.full(shape, -np.inf, np.float32)
        return Answers(rows, scores, np.zeros(shape, np.int8), np.zeros(shape, np.float32), np.zeros(shape, np.int8))

    @property
    def filled(self) -> NDArray[np.int64]:
        """How many places hold an item; shape (n_queries,)."""
        return np.asarray((self.rows != NOTHING).sum(axis=1))

    @property
    def exhausted(self) -> NDArray[np.bool_]:
        """Queries with fewer items than were asked for; shape (n_queries,)."""
        return np.asarray((self.rows == NOTHING).any(axis=1))

    def first(self, n: int) -> Answers:
        """Only the first ``n`` places."""
        source, boost, stage = self.source[:, :n], self.boost[:, :n], self.stage[:, :n]
        return Answers(self.rows[:, :n], self.scores[:, :n], source, boost, stage, self.relaxed)


def nothing_hidden(n_queries: int) -> ItemLists:
    """No items, for each of so many."""
    return ItemLists(np.zeros(n_queries + 1, np.int64), np.empty(0, np.int32))


def stages_of(
    queries: Queries, hidden: ItemLists, allowed: Mask | None, rules: Rules, disliked: ItemLists | None
) -> list[Stage]:
    """All rules kept, then each of ``rules.relax`` given up in turn, those before it too."""
    passing = rules.passing
    if passing is not None and allowed is not None:
        passing = passing & allowed
    lists, mask = hidden, allowed if passing is None else passing
    out = [(lists, mask)]
    for rule in rules.relax:
        if rule == "hide":
            lists = disliked if disliked is not None else disliked_of(queries)
        else:
            mask = allowed
        out.append((lists, mask))
    return out


def disliked_of(queries: Queries) -> ItemLists:
    """The items with an event of a negative kind in each history."""
    negative = np.array([kind.negative for kind in queries.kinds], np.bool_)[queries.kind]
    before = np.concatenate([[0], np.cumsum(negative)])[queries.indptr]
    return ItemLists(before.astype(np.int64), queries.item_ix[negative])


def joined(hidden: ItemLists, asked: NDArray[np.integer], there: ItemLists) -> ItemLists:
    """What is hidden from the queries ``asked``, with what their pages hold already; a list each."""
    return ItemLists.of([np.concatenate([hidden[int(q)], there[i]]) for i, q in enumerate(asked)])


def on_page(page: Answers, asked: NDArray[np.integer], pinned: ItemLists | None) -> ItemLists:
    """What the pages of the queries ``asked`` hold, pins included; a list each."""
    lists = []
    for q in asked:
        placed = page.rows[q][page.rows[q] != NOTHING]
        lists.append(placed if pinned is None else np.concatenate([placed, pinned[int(q)]]))
    return ItemLists.of(lists)


def shown_pins(rules: Rules, n: int, hidden: ItemLists, allowed: Mask | None, n_queries: int) -> ItemLists | None:
    """The pins of the first ``n`` places that each asker may be shown, by place; None where nothing is pinned."""
    rows = rules.pins[rules.places < n]
    if not len(rows):
        return None
    lists = []
    for q in range(n_queries):
        mask = allowed if allowed is None or allowed.ndim == 1 else allowed[q]
        free = ~np.isin(rows, hidden[q])
        lists.append(rows[free if mask is None else free & mask[rows]])
    return ItemLists.of(lists)


def with_pins(page: Answers, rules: Rules, pinned: ItemLists) -> Answers:
    """The pages with their pins at their places, or at the end of what a shorter page holds."""
    place_of = dict(zip(rules.pins.tolist(), rules.places.tolist(), strict=True))
    out = Answers.empty(*page.rows.shape)
    for q, n_filled in enumerate(page.filled):
        order = list(range(int(n_filled)))
        for pin in pinned[q].tolist():
            order.insert(min(place_of[pin], len(order)), -1 - pin)
        for place, at in enumerate(order):
            if at < 0:
                out.rows[q, place], out.scores[q, place], out.source[q, place] = -1 - at, 0, PINNED
                continue
            for target, given in ((out.rows, page.rows), (out.scores, page.scores), (out.source, page.source)):
                target[q, place] = given[q, at]
            out.boost[q, place], out.stage[q, place] = page.boost[q, at], page.stage[q, at]
    return replace(out, relaxed=page.relaxed)


def relaxed_of(page: Answers, hidden: ItemLists, rules: Rules) -> tuple[tuple[str, ...], ...]:
    """Of each query, the rules of ``rules.relax`` that an item of its page breaks."""
    if not rules.relax or not page.stage.any():
        return ((),) * len(page.rows)
    out = []
    for rows, stage, own in zip(page.rows, page.stage, (hidden[q] for q in range(len(hidden))), strict=True):
        late = rows[(rows != NOTHING) & (stage > 0)]
        broken = {
            "hide": bool(np.isin(late, own).any()),
            "filter": rules.passing is not None and not rules.passing[late].all(),
        }
        out.append(tuple(rule for rule in rules.relax if broken[rule]))
    return tuple(out)
