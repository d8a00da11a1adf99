"""Not ten times the same: how alike items are by an attribute, and the order that weighs it against the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data import Columns, Floats, ItemLists, ItemRows
from serendip.domain import Invalid
from serendip.ranking.top import NOTHING, Ranked


@dataclass(frozen=True)
class Likeness:
    """How alike any two items are by one attribute: the cosine of their vectors.

    Of texts it is 1 where they are equal, else 0; of lists, the share of entries they have in common; a value that is
    missing is like nothing.
    """

    vectors: Any
    """Shape (n_items, k), dense or a CSR array; each row of length 1, or 0 where an item has no value."""

    @staticmethod
    def of(columns: Columns, name: str) -> Likeness:
        """By the attribute ``name``, which is text, a list of texts or a vector."""
        if name not in columns.columns:
            usable = [
                one
                for one, column in columns.columns.items()
                if column.lists or column.texts or column.vectors is not None
            ]
            known = ", ".join(sorted(usable)) or "none"
            raise Invalid(f"no item has an attribute {name!r} to be diverse by; there are {known}", field="diversity")
        column = columns.columns[name]
        if column.vectors is not None:
            length = np.linalg.norm(column.vectors, axis=1, keepdims=True)
            return Likeness(np.nan_to_num(column.vectors / np.where(length > 0, length, 1)).astype(np.float32))
        if column.lists is not None:
            codes = column.lists.codes
            ones = np.ones(len(codes.item_ix), np.float32)
            held = sparse.csr_array((ones, codes.item_ix, codes.indptr), (columns.n_rows, len(column.lists.words)))
            held.sum_duplicates()
            held.data[:] = 1
            size = np.sqrt(np.maximum(np.diff(held.indptr), 1))
            held.data /= np.repeat(size, np.diff(held.indptr)).astype(np.float32)
            return Likeness(held)
        if column.texts is not None:
            rows = np.flatnonzero(column.texts.codes >= 0)
            where = (rows, column.texts.codes[rows])
            ones = np.ones(len(rows), np.float32)
            return Likeness(sparse.csr_array((ones, where), (columns.n_rows, len(column.texts.words))))
        if column.empty:
            return Likeness(np.zeros((columns.n_rows, 1), np.float32))
        raise Invalid(
            f"{name!r} is {column.what}; a slate can be diverse by text, a list of texts or a vector", field="diversity"
        )

    def between(self, rows: ItemRows, others: ItemRows) -> Floats:
        """How alike each of some items is to each of others, of shape (n_rows, n_others)."""
        found = self.vectors[rows] @ self.vectors[others].T
        return np.asarray(found.toarray() if sparse.issparse(found) else found, np.float32)


def mmr(scores: Floats, likeness: Floats, n: int, share: float, near: Floats | None = None) -> NDArray[np.int64]:
    """Places of the ``n`` candidates of greatest maximal marginal relevance (Carbonell and Goldstein 1998), in order.

    scores (c,), likeness (c, c). One by one, of those left, the best by

        (1 - share) r_i - share max over chosen j of likeness_ij

    r are the scores scaled to 0..1 over the candidates, since they come in any unit. ``near`` (c,) is how alike each is
    to what the page holds already. Of equal ones the first is taken.
    """
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    relevance = (scores.astype(np.float64) - low) / (high - low if high > low else 1.0)
    nearest = np.full(len(scores), -np.inf) if near is None else near.astype(np.float64)
    left = np.ones(len(scores), np.bool_)
    chosen = []
    for _ in range(min(n, len(scores))):
        penalty = np.where(np.isfinite(nearest), nearest, 0.0)
        best = int(np.where(left, (1 - share) * relevance - share * penalty, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, likeness[:, best])
    return np.array(chosen, np.int64)


def diversified(
    ranked: Ranked, n: int, likeness: Likeness, share: float, there: ItemLists | None = None
) -> NDArray[np.int64]:
    """The places of each query's ranking that ``mmr`` chooses, in order; shape (n_queries, n), NOTHING at the end.

    ``there`` is what the page of each holds already, which new items shall differ from too.
    """
    order = np.full((len(ranked.rows), min(n, ranked.rows.shape[1])), NOTHING, np.int64)
    for q, (row, scores) in enumerate(zip(ranked.rows, ranked.scores, strict=True)):
        rows = row[row != NOTHING]
        if not len(rows):
            continue
        near = None
        if there is not None and len(there[q]):
            near = likeness.between(rows, there[q]).max(axis=1)
        own = mmr(scores[: len(rows)], likeness.between(rows, rows), n, share, near)
        order[q, : len(own)] = own
    return order


def taken_in(ranked: Ranked, order: NDArray[np.int64]) -> Ranked:
    """The places ``order`` (n_queries, n) of a ranking."""
    rows = np.take_along_axis(ranked.rows, np.maximum(order, 0), axis=1)
    scores = np.take_along_axis(ranked.scores, np.maximum(order, 0), axis=1)
    none = order == NOTHING
    return Ranked(np.where(none, NOTHING, rows).astype(np.int32), np.where(none, -np.inf, scores).astype(np.float32))
