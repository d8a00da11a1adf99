"""Scores in, the best out: what may not be shown is left out first, ties are broken fairly."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemLists, ItemRows

NOTHING = -1
"""An empty place of a ranking."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranked:
    """The best items of each query, best first."""

    rows: ItemRows
    """Shape (n_queries, n), NOTHING where there is none."""
    scores: Floats
    """Shape (n_queries, n), -inf where there is none."""


def top(
    scores: Floats,
    n: int,
    hashes: NDArray[np.uint64],
    salt: NDArray[np.uint64],
    hidden: ItemLists | None = None,
    allowed: Mask | None = None,
) -> Ranked:
    """The ``n`` best items of each row of ``scores`` (n_queries, n_items) among those not hidden and allowed.

    ``allowed`` is (n_items,) or (n_queries, n_items). Equal scores are ordered by ``hashes`` (n_items,) mixed with the
    query's ``salt`` (n_queries,), so that a constant model ranks like random, and the same way every time.
    Scores that are not finite are no candidates; hidden rows that are no items, such as UNKNOWN, hide nothing.
    """
    n_queries, n_items = scores.shape
    n = min(n, n_items)
    masks = np.ones((1, n_items), np.bool_) if allowed is None else np.atleast_2d(allowed)
    # The kernel looks at these without checking bounds.
    assert masks.shape in ((1, n_items), (n_queries, n_items)), f"a mask of {masks.shape} for scores of {scores.shape}"
    assert hidden is None or len(hidden) == n_queries, f"{len(hidden)} lists of hidden items for {n_queries} queries"
    lists = hidden if hidden is not None else ItemLists(np.zeros(n_queries + 1, np.int64), np.empty(0, np.int32))
    rows = np.full((n_queries, n), NOTHING, np.int32)
    best = np.full((n_queries, n), -np.inf, np.float32)
    if n:
        _top(np.ascontiguousarray(scores, np.float32), masks, lists.indptr, lists.item_ix, hashes, salt, rows, best)
    return Ranked(rows, best)


@numba.njit(inline="always")
def tie_of(item_hash: np.uint64, salt: np.uint64) -> np.uint64:
    """Orders equal scores: larger first."""
    mixed = (item_hash ^ salt) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


@numba.njit(cache=True, nogil=True)
def sink(values, ties, rows, value, tie, row, size):  # type: ignore[no-untyped-def]
    """Put an entry into the place of the heap's root (its worst), and restore the heap."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            values[right] < values[child] or (values[right] == values[child] and ties[right] < ties[child])
        ):
            child = right
        if values[child] > value or (values[child] == value and ties[child] >= tie):
            break
        values[place], ties[place], rows[place] = values[child], ties[child], rows[child]
        place = child
    values[place], ties[place], rows[place] = value, tie, row


@numba.njit(cache=True, nogil=True)
def drain(values, ties, rows, out_rows, out_scores):  # type: ignore[no-untyped-def]
    """Empty the heap into both outs (n,), from the worst place upwards."""
    n = out_rows.shape[0]
    for last in range(n - 1, -1, -1):
        out_rows[last] = rows[0]
        out_scores[last] = values[0]
        sink(values, ties, rows, np.float32(np.inf), np.uint64(0), NOTHING, n)


@numba.njit(cache=True, nogil=True)
def _top(scores, masks, indptr, hidden, hashes, salt, out_rows, out_scores):  # type: ignore[no-untyped-def]
    """A heap of the best ``n`` a query, keyed by (score, tie)."""
    n_queries, n_items = scores.shape
    n = out_rows.shape[1]
    shown = np.ones(n_items, np.bool_)
    values = np.empty(n, np.float32)
    ties = np.empty(n, np.uint64)
    rows = np.empty(n, np.int32)
    for q in range(n_queries):
        mask = masks[q if masks.shape[0] > 1 else 0]
        for e in range(indptr[q], indptr[q + 1]):
            if 0 <= hidden[e] < n_items:
                shown[hidden[e]] = False
        values[:] = -np.inf
        ties[:] = 0
        rows[:] = NOTHING
        for i in range(n_items):
            value = scores[q, i]
            # The first comparison is false for NaN too; most items fall out here.
            if value >= values[0] and shown[i] and mask[i] and np.isfinite(value):
                tie = tie_of(hashes[i], salt[q])
                if value > values[0] or tie > ties[0]:
                    sink(values, ties, rows, value, tie, i, n)
        drain(values, ties, rows, out_rows[q], out_scores[q])
        for e in range(indptr[q], indptr[q + 1]):
            if 0 <= hidden[e] < n_items:
                shown[hidden[e]] = True
