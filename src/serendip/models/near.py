"""The nearest of many vectors by cosine."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows
from serendip.models.kernels.item_item import Csr
from serendip.models.parallel import in_chunks, one_blas_thread

BLOCK = 256
"""Rows that are compared with all others at once: always the same, so that threads change no bits."""

FEW = 256
"""Neighbours of a row that are kept in order one by one; more are sorted."""

ROUNDING = 1e-6
"""A cosine that is not above this is none in single precision."""


def unit_rows(vectors: Floats) -> Floats:
    """Rows of length 1; one that is 0 or not finite becomes 0. Shape (n, k)."""
    kept = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0).astype(np.float64)
    # The largest part first, so that no square leaves the range of a double.
    kept /= np.maximum(np.abs(kept).max(axis=1, initial=0, keepdims=True), np.finfo(np.float64).tiny)
    length = np.sqrt((kept**2).sum(axis=1, keepdims=True))
    return (kept / np.where(length > 0, length, 1)).astype(np.float32)


def nearest_vectors(unit: Floats, k: int) -> Csr:
    """The ``k`` rows of largest cosine above 0 of each row of ``unit`` (n, d), best first, but itself.

    Equal ones stand in the order of their rows; how equal single precision leaves them is another matter.
    """
    sizes, rows, values = (
        np.concatenate(column) for column in zip(*_best(unit, np.arange(len(unit)), unit, k), strict=True)
    )
    return Csr(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), rows, values)


def nearest(vectors: Floats, of: ItemRows, others: Floats, k: int) -> tuple[ItemRows, Floats]:
    """The ``k`` rows of ``others`` (n_others, d) of the largest cosine above 0 with each of ``vectors`` (n, d).

    Row ``of[i]`` of ``others`` is vector ``i``'s own and left out; -1: none is. Zeros and NaN are like nothing.
    Rows and cosines (n, k), best first, padded with -1 and 0; a batch at a time, on all threads.
    """
    found = np.full((len(vectors), k), -1, np.int32), np.zeros((len(vectors), k), np.float32)
    start = 0
    for sizes, rows, values in _best(unit_rows(vectors), of, unit_rows(others), k):
        owner = start + np.repeat(np.arange(len(sizes)), sizes)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        found[0][owner, place], found[1][owner, place] = rows, values
        start += len(sizes)
    return found


def _best(left: Floats, own: NDArray[np.integer], right: Floats, k: int) -> list[Any]:
    """What ``keep_best`` gives of every ``BLOCK`` rows of left right', one after the other."""

    def part(start: int, stop: int) -> Any:
        likeness = np.ascontiguousarray(left[start:stop] @ right.T)
        return keep_best(likeness, own[start:stop].astype(np.int64), min(k, len(right)), ROUNDING)

    with one_blas_thread():
        return in_chunks(part, [*range(0, len(left), BLOCK), len(left)])


@numba.njit(cache=True, nogil=True)
def insert_best(best_row, best_value, size, row, value):  # type: ignore[no-untyped-def]
    """Put ``row`` among the ``size`` best, largest value first, equal ones by row; -> how many there are now."""
    k = best_row.shape[0]
    if size == k:
        if k == 0 or value < best_value[k - 1] or (value == best_value[k - 1] and row > best_row[k - 1]):
            return size
        place = k - 1
    else:
        place = size
        size += 1
    while place > 0 and (
        value > best_value[place - 1] or (value == best_value[place - 1] and row < best_row[place - 1])
    ):
        best_value[place] = best_value[place - 1]
        best_row[place] = best_row[place - 1]
        place -= 1
    best_value[place] = value
    best_row[place] = row
    return size


@numba.njit(cache=True, nogil=True)
def keep_best(likeness, own, k, least):  # type: ignore[no-untyped-def]
    """The ``k`` largest places above ``least`` of each row of ``likeness`` (n, m), but place ``own[i]`` of row ``i``.

    -> number of entries of each row (n,), and places and values end to end, best first.
    """
    n, m = likeness.shape
    sizes = np.zeros(n, np.int64)
    rows = np.empty(n * k, np.int32)
    values = np.empty(n * k, np.float32)
    best_row = np.empty(k, np.int32)
    best_value = np.empty(k, np.float32)
    filled = 0
    for i in range(n):
        size = 0
        bar = np.float32(least)
        row = likeness[i]
        if k > FEW:
            # Putting each into its place would take the square of so many.
            places = np.flatnonzero(row > bar)
            places = places[places != own[i]]
            order = np.argsort(-row[places], kind="mergesort")[:k]
            size = len(order)
            for t in range(size):
                best_row[t], best_value[t] = places[order[t]], row[places[order[t]]]
        else:
            for j in range(m):
                if row[j] > bar and j != own[i]:
                    size = insert_best(best_row, best_value, size, j, row[j])
                    if size == k:
                        bar = best_value[k - 1]
        sizes[i] = size
        rows[filled : filled + size] = best_row[:size]
        values[filled : filled + size] = best_value[:size]
        filled += size
    return sizes, rows[:filled].copy(), values[:filled].copy()
