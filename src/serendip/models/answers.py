"""What the answers of all models have in common: which items are asked about, and who gets none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows, Queries
from serendip.models.kernels.als import inner_products
from serendip.models.kernels.item_item import FAST
from serendip.models.parallel import in_chunks

SMALL_BATCH = 32
"""Fewer queries than this are answered on the asking thread."""

MANY_CELLS = 20_000
"""As many scores of pairs, and more, are shared out among threads."""

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
    if among is not None and among.ndim == 2:
        scores = np.empty(among.shape, np.float32)
        bounds = [0, len(vectors)] if among.size < MANY_CELLS else [*range(0, len(vectors), BATCH), len(vectors)]
        in_chunks(partial(inner_pairs, vectors, items, among, scores), bounds)
        return scores
    rows = items if among is None else items[among]
    if len(vectors) >= SMALL_BATCH:
        return np.asarray(vectors @ rows.T)
    scores = np.empty((len(vectors), len(rows)), np.float32)
    for q, vector in enumerate(vectors):
        inner_products(rows, vector, scores[q])
    return scores


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def inner_pairs(vectors, items, among, out, start, stop):  # type: ignore[no-untyped-def]
    """out[q, j] = vectors[q]'items[among[q, j]] of queries ``start`` to ``stop`` (exclusive); anything at padding."""
    for q in range(start, stop):
        x = vectors[q]
        for j in range(among.shape[1]):
            y = items[among[q, j]]
            total = np.float32(0)
            for f in range(len(x)):
                total += y[f] * x[f]
            out[q, j] = total


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


def own_rows(queries: Queries, others: Queries) -> NDArray[np.int32]:
    """Where the asker of each query stands among ``others``, (n_queries,); -1 where nowhere."""
    place = np.full(max(int(queries.own.max(initial=0)), int(others.own.max(initial=0))) + 2, -1, np.int32)
    place[others.own] = np.arange(len(others))
    # The last place is that of the unknown, whose own is -1: nobody is the same stranger.
    place[-1] = -1
    return np.asarray(place[queries.own])
