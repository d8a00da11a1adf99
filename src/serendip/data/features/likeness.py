"""How an item stands to the items of a history: words in common, vectors, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data.columns import Column
from serendip.data.dataset import Dataset
from serendip.data.features.definition import Feature
from serendip.data.features.moments import histories_before
from serendip.data.lists import Floats, ItemRows
from serendip.data.queries import Queries
from serendip.data.text import terms_of
from serendip.data.vocabulary import Arrays


@dataclass(frozen=True)
class Histories:
    """What askers did: events end to end, and which of them are whose."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    """Asker q has the events ``start[q]`` up to ``stop[q]``, exclusive, oldest first; both (n_queries,)."""
    item_ix: ItemRows
    counted: NDArray[np.bool_]
    """Which are of positive weight."""
    at: NDArray[np.int64]
    """Microseconds."""
    moment: NDArray[np.int64]
    """When each asker asks; shape (n_queries,)."""

    @staticmethod
    def of(queries: Queries) -> Histories:
        """What the askers did."""
        ends = queries.indptr[:-1], queries.indptr[1:]
        return Histories(*ends, queries.item_ix, queries.weight > 0, queries.at, queries.moment)

    @staticmethod
    def before(data: Dataset, places: NDArray[np.int64]) -> Histories:
        """What the users of the rows ``places`` did strictly before these."""
        assert data.at is not None, "data without moments knows no before"
        start, stop = histories_before(data, places)
        return Histories(start, stop, *data.events_by_user, data.at[places])


@dataclass(frozen=True)
class Likeness:
    """One number an asker and an item, of the asker's events of positive weight."""

    feature: Feature
    indptr: NDArray[np.int64]
    """Of words: item ``i`` has ``terms[indptr[i]:indptr[i + 1]]``; of shape (1,) where items have vectors."""
    terms: NDArray[np.int32]
    counts: Floats
    vectors: NDArray[np.float32]
    """(n_items, k): unit vectors, or of gap and usual the numbers, k = 1; rows of NaN where there is none."""
    n_terms: int

    @staticmethod
    def of(feature: Feature, column: Column, n_items: int) -> Likeness:
        """What items are compared by."""
        indptr, terms = np.zeros(1, np.int64), np.empty(0, np.int32)
        counts, vectors = np.empty(0, np.float32), np.empty((0, 0), np.float32)
        n_terms = 0
        assert feature.column is not None
        if feature.what in ("gap", "usual"):
            numbers = column.numbers if column.numbers is not None else np.full(n_items, np.nan)
            vectors = numbers[:, None].astype(np.float32)
        elif column.vectors is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                length = np.linalg.norm(column.vectors, axis=1, keepdims=True)
                vectors = np.where(length > 0, column.vectors / length, np.nan).astype(np.float32)
        else:
            matrix, known = terms_of({feature.column: column}, n_items)
            indptr, terms = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
            counts, n_terms = matrix.data.astype(np.float32), len(known)
        return Likeness(feature, indptr, terms, counts, vectors, n_terms)

    def read(self, told: Histories, among: ItemRows) -> Floats:
        """For each asker and each item of ``among`` (n_queries, n_among), -1 is padding.

        The cosine of the sum of the counted events' words (or unit vectors) and the item's. Of ``usual`` the mean
        number of the events, of a gap the item's number less that. NaN where either has none.
        """
        out = np.full(among.shape, np.nan, np.float32)
        start, stop, item_ix, counted = told.start, told.stop, told.item_ix, told.counted
        if self.feature.what in ("gap", "usual"):
            mean_numbers(start, stop, item_ix, counted, self.vectors[:, 0], self.feature.what == "gap", among, out)
        elif len(self.vectors):
            near(start, stop, item_ix, counted, self.vectors, among, out)
        else:
            in_common(start, stop, item_ix, counted, self.indptr, self.terms, self.counts, self.n_terms, among, out)
        return out

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the feature."""
        return {
            "indptr": self.indptr,
            "terms": self.terms,
            "counts": self.counts,
            "vectors": self.vectors,
            "n_terms": np.array([self.n_terms]),
        }

    @staticmethod
    def restore(feature: Feature, arrays: Arrays) -> Likeness:
        """What ``arrays`` was made of."""
        plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
        return Likeness(feature, **(plain | {"n_terms": int(plain["n_terms"][0])}))


@numba.njit(cache=True, nogil=True)
def in_common(start, stop, item_ix, counted, indptr, terms, counts, n_terms, among, out):  # type: ignore[no-untyped-def]
    """Cosines of word counts; see ``Likeness.read``. Counts are whole numbers, and their sums exact."""
    own = np.zeros(n_terms, np.float64)
    for q in range(among.shape[0]):
        for e in range(start[q], stop[q]):
            if counted[e]:
                for y in range(indptr[item_ix[e]], indptr[item_ix[e] + 1]):
                    own[terms[y]] += counts[y]
        square = 0.0
        for e in range(start[q], stop[q]):
            if counted[e]:
                for y in range(indptr[item_ix[e]], indptr[item_ix[e] + 1]):
                    # A word that several events hold is squared once: its sign is turned when it was.
                    if own[terms[y]] > 0:
                        square += own[terms[y]] ** 2
                        own[terms[y]] *= -1
        for j in range(among.shape[1]):
            i = among[q, j]
            if i < 0 or square == 0:
                continue
            dot, length = 0.0, 0.0
            for y in range(indptr[i], indptr[i + 1]):
                dot -= own[terms[y]] * counts[y]
                length += counts[y] ** 2
            if length > 0:
                out[q, j] = dot / np.sqrt(square * length)
        for e in range(start[q], stop[q]):
            for y in range(indptr[item_ix[e]], indptr[item_ix[e] + 1]):
                own[terms[y]] = 0


@numba.njit(cache=True, nogil=True)
def near(start, stop, item_ix, counted, vectors, among, out):  # type: ignore[no-untyped-def]
    """Cosines of the sum of the events' unit vectors and the items'."""
    k = vectors.shape[1]
    own = np.zeros(k, np.float64)
    for q in range(among.shape[0]):
        own[:] = 0
        for e in range(start[q], stop[q]):
            if counted[e] and not np.isnan(vectors[item_ix[e], 0]):
                own += vectors[item_ix[e]]
        length = np.sqrt((own**2).sum())
        if length == 0:
            continue
        for j in range(among.shape[1]):
            i = among[q, j]
            if i >= 0:
                dot = 0.0
                for x in range(k):
                    dot += own[x] * vectors[i, x]
                out[q, j] = dot / length


@numba.njit(cache=True, nogil=True)
def mean_numbers(start, stop, item_ix, counted, numbers, less, among, out):  # type: ignore[no-untyped-def]
    """The mean of the events' numbers, or the items' numbers ``less`` that."""
    for q in range(among.shape[0]):
        total, n = 0.0, 0
        for e in range(start[q], stop[q]):
            if counted[e] and not np.isnan(numbers[item_ix[e]]):
                total += numbers[item_ix[e]]
                n += 1
        if n:
            for j in range(among.shape[1]):
                if among[q, j] >= 0:
                    out[q, j] = numbers[among[q, j]] - total / n if less else total / n
