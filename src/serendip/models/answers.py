"""What the answers of all models have in common: which items are asked about, who gets none, what is most alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows, Queries
from serendip.models.als_kernels import inner_products

SMALL_BATCH = 32
"""Fewer queries than this are answered on the asking thread."""

BATCH = 256
"""Queries whose full rows are held at once where only some columns are wanted."""


def silent(queries: Queries, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Askers without a single counted event of an item in ``known`` (n_items,). Shape (n_queries,)."""
    indptr, item_ix, _ = queries.by_item
    of_known = known[item_ix]
    if of_known.all():
        return np.asarray(indptr[1:] == indptr[:-1])
    met = np.concatenate([[0], np.cumsum(of_known)])
    return np.asarray(met[indptr[1:]] == met[indptr[:-1]])


def finish(scores: Floats, nothing: NDArray[np.bool_], among: ItemRows | None = None) -> Floats:
    """``scores`` with -inf at the padding of ``among`` and rows of NaN where ``nothing`` (n_queries,); in place."""
    if among is not None and among.ndim == 2:
        scores[among < 0] = -np.inf
    scores[nothing] = np.nan
    return scores


def inner_scores(vectors: Floats, items: Floats, among: ItemRows | None) -> Floats:
    """Inner products of queries' vectors (n_queries, k) and items' (n_items, k), or those of ``among``; padding too."""
    each = among if among is not None and among.ndim == 2 else None
    rows = items if among is None or each is not None else items[among]
    if each is None and len(vectors) >= SMALL_BATCH:
        return np.asarray(vectors @ rows.T)
    scores = np.empty((len(vectors), len(rows) if each is None else each.shape[1]), np.float32)
    for q, vector in enumerate(vectors):
        inner_products(rows if each is None else items[each[q]], vector, scores[q])
    return scores


def columns(full: Callable[[Queries], Floats], queries: Queries, among: ItemRows | None) -> Floats:
    """Scores of ``among``, where a model makes full rows (n_queries, n_items) anyhow; a batch at a time."""
    if among is None:
        return full(queries)
    out = np.empty((len(queries), among.shape[-1]), np.float32)
    for start in range(0, len(queries), BATCH):
        some = slice(start, start + BATCH)
        scores = full(queries.take(some))
        out[some] = scores[:, among] if among.ndim == 1 else np.take_along_axis(scores, np.maximum(among[some], 0), 1)
    return out


def most_alike(likeness: Floats, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
    """The ``k`` largest positive entries of each row but its own item; rows (n, k) padded with -1, likenesses with 0.

    likeness (n, n_items): row ``i`` belongs to item ``of[i]``. Equal ones stand in the order of their rows.
    """
    rows, values = np.full((len(of), k), -1, np.int32), np.zeros((len(of), k), np.float32)
    for i, item in enumerate(of):
        row: Floats = np.maximum(likeness[i], 0)
        row[item] = 0
        n = min(k, int(np.count_nonzero(row)))
        if not n:
            continue
        # All that are not below the k-th largest, ascending by item; the stable sort keeps that order among equals.
        candidates = np.flatnonzero(row >= np.partition(row, len(row) - n)[len(row) - n])
        best = candidates[np.argsort(np.negative(row[candidates]), kind="stable")][:n]
        rows[i, :n], values[i, :n] = best, row[best]
    return rows, values
