"""The nearest of many vectors by cosine."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from serendip.data import Floats
from serendip.models.item_item import Csr
from serendip.models.parallel import in_chunks, one_blas_thread

BLOCK = 256
"""Rows that are compared with all others at once: always the same, so that threads change no bits."""

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
    n = len(unit)

    def part(start: int, stop: int) -> Any:
        return keep_best(np.ascontiguousarray(unit[start:stop] @ unit.T), start, min(k, n), ROUNDING)

    with one_blas_thread():
        parts = in_chunks(part, [*range(0, n, BLOCK), n])
    sizes, rows, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Csr(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), rows, values)


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
def keep_best(likeness, first, k, least):  # type: ignore[no-untyped-def]
    """The ``k`` largest places above ``least`` of each row of ``likeness`` (n, m); row ``i`` is not place first + i.

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
        own = likeness[i]
        for j in range(m):
            if own[j] > bar and j != first + i:
                size = insert_best(best_row, best_value, size, j, own[j])
                if size == k:
                    bar = best_value[k - 1]
        sizes[i] = size
        rows[filled : filled + size] = best_row[:size]
        values[filled : filled + size] = best_value[:size]
        filled += size
    return sizes, rows[:filled].copy(), values[:filled].copy()
