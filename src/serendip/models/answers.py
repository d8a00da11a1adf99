"""What the answers of all models have in common: which items are asked about, who gets none, what is most alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows, Queries
from serendip.models.als_kernels import inner_products
from serendip.models.item_item import FAST
from serendip.models.parallel import in_chunks, one_blas_thread

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


def nearest(vectors: Floats, of: ItemRows, others: Floats, k: int) -> tuple[ItemRows, Floats]:
    """The ``k`` rows of ``others`` (n_others, d) of the largest positive cosine with each of ``vectors`` (n, d).

    Row ``of[i]`` of ``others`` is vector ``i``'s own and left out; -1: none is. Zeros and NaN are like nothing.
    Rows and cosines (n, k), best first, padded with -1 and 0; a batch at a time, on all threads.
    """
    left, right = unit(vectors), unit(others)
    found = np.full((len(left), k), -1, np.int32), np.zeros((len(left), k), np.float32)

    def answer(start: int, stop: int) -> None:
        rows, values = most_alike(left[start:stop] @ right.T, of[start:stop], k)
        found[0][start:stop], found[1][start:stop] = rows, values

    with one_blas_thread():
        in_chunks(answer, [*range(0, len(left), BATCH), len(left)])
    return found


def own_rows(queries: Queries, others: Queries) -> NDArray[np.int32]:
    """Where the asker of each query stands among ``others``, (n_queries,); -1 where nowhere."""
    place = np.full(max(int(queries.own.max(initial=0)), int(others.own.max(initial=0))) + 2, -1, np.int32)
    place[others.own] = np.arange(len(others))
    # The last place is that of the unknown, whose own is -1: nobody is the same stranger.
    place[-1] = -1
    return np.asarray(place[queries.own])


def unit(vectors: Floats) -> Floats:
    """Rows of length 1; those of zeros or NaN are zeros."""
    lengths = np.linalg.norm(vectors, axis=1)
    with_one = np.isfinite(lengths) & (lengths > 0)
    scaled = vectors / np.where(with_one, lengths, 1)[:, None]
    return np.where(with_one[:, None], scaled, 0).astype(np.float32)


def most_alike(likeness: Floats, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
    """The ``k`` largest positive entries of each row but its own item; rows (n, k) padded with -1, likenesses with 0.

    likeness (n, n_items): row ``i`` belongs to item ``of[i]``, or to none of them where that is -1. Equal ones stand in
    the order of their rows.
    """
    rows, values = np.full((len(of), k), -1, np.int32), np.zeros((len(of), k), np.float32)
    for i, item in enumerate(of):
        row: Floats = np.maximum(likeness[i], 0)
        if item >= 0:
            row[item] = 0
        n = min(k, int(np.count_nonzero(row)))
        if not n:
            continue
        # All that are not below the k-th largest, ascending by item; the stable sort keeps that order among equals.
        candidates = np.flatnonzero(row >= np.partition(row, len(row) - n)[len(row) - n])
        best = candidates[np.argsort(np.negative(row[candidates]), kind="stable")][:n]
        rows[i, :n], values[i, :n] = best, row[best]
    return rows, values
