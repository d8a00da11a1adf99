"""The best of one asker among many vectors, exactly, without a score for every item.

After the norm-ordered scans of maximum inner product search (LEMP, Teflioudi et al. 2015; FEXIPRO, Li et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemLists, ItemRows
from serendip.ranking.top import NOTHING, Mask, Ranked, _sink, _tie

BLOCK = 256
"""Items that are bounded together."""

LEADING = 16
"""Directions that every item is first judged by: those in which the items' vectors are longest."""

ROUNDING = 1e-5
"""How much of |x| |y| single precision may err by; bounds are held this much too high."""


@dataclass(frozen=True)
class Catalogue:
    """Item vectors, prepared for being searched: longest first, and turned so that few directions say most."""

    items: Floats
    """Y (n_items, k), as the model has them."""
    order: ItemRows
    """Rows of ``items``, longest first, padded with NOTHING; shape (n_blocks * BLOCK,)."""
    turn: Floats
    """Q (k, k), orthogonal, its columns by falling length of YQ's."""
    leading: Floats
    """The first columns of YQ in that order; shape (n_blocks, min(k, LEADING), BLOCK)."""
    rest: Floats
    """Length of what the other columns hold; shape (n_blocks, BLOCK)."""
    length: Floats
    """|y|; shape (n_blocks, BLOCK)."""

    @staticmethod
    def of(items: Floats) -> Catalogue:
        """Of vectors (n_items, k), wholly finite."""
        n, k = items.shape
        n_blocks, n_leading = -(-n // BLOCK), min(k, LEADING)
        _, turn = np.linalg.eigh((items.T @ items).astype(np.float64))
        turn = np.ascontiguousarray(turn[:, ::-1], np.float32)
        length = np.linalg.norm(items, axis=1)
        order = np.argsort(-length, kind="stable").astype(np.int32)
        turned = np.zeros((n_blocks * BLOCK, k), np.float32)
        turned[:n] = items[order] @ turn
        lengths = np.zeros(n_blocks * BLOCK, np.float32)
        lengths[:n] = length[order]
        return Catalogue(
            np.ascontiguousarray(items, np.float32),
            np.concatenate([order, np.full(n_blocks * BLOCK - n, NOTHING, np.int32)]),
            turn,
            np.ascontiguousarray(turned[:, :n_leading].reshape(n_blocks, BLOCK, n_leading).transpose(0, 2, 1)),
            np.linalg.norm(turned[:, n_leading:], axis=1).astype(np.float32).reshape(n_blocks, BLOCK),
            lengths.reshape(n_blocks, BLOCK),
        )

    def top(
        self,
        vectors: Floats,
        n: int,
        hashes: NDArray[np.uint64],
        salt: NDArray[np.uint64],
        hidden: ItemLists,
        allowed: Mask | None = None,
    ) -> Ranked:
        """What ``ranking.top`` finds in the scores ``vectors @ items.T``, ties included; a row of NaN finds nothing."""
        n_queries, n_items = len(vectors), len(self.items)
        masks = np.ones((1, n_items), np.bool_) if allowed is None else np.atleast_2d(allowed)
        # The kernel looks at these without checking bounds.
        assert masks.shape in ((1, n_items), (n_queries, n_items)), f"a mask of {masks.shape} for {n_items} items"
        assert len(hidden) == n_queries, f"{len(hidden)} lists of hidden items for {n_queries} queries"
        n = min(n, n_items)
        rows = np.full((n_queries, n), NOTHING, np.int32)
        best = np.full((n_queries, n), -np.inf, np.float32)
        for q, vector in enumerate(vectors if n else []):
            turned = vector @ self.turn
            _best(
                *(vector, turned, np.float32(np.linalg.norm(turned[LEADING:])), np.float32(np.linalg.norm(vector))),
                *(self.items, self.order, self.leading, self.rest, self.length),
                *(masks[q if len(masks) > 1 else 0], hidden[q], hashes, salt[q], rows[q], best[q]),
            )
        return Ranked(rows, best)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _score(y, x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for f in range(x.shape[0]):
        total += y[f] * x[f]
    return total


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _bound(leading, turned, rest, length, rest_x, length_x, out):  # type: ignore[no-untyped-def]
    """out (BLOCK,) = upper bounds of x'y: the leading part, Cauchy and Schwarz for the rest, and a margin."""
    for t in range(out.shape[0]):
        out[t] = rest_x * rest[t] + length_x * length[t]
    for f in range(leading.shape[0]):
        x, row = turned[f], leading[f]
        for t in range(out.shape[0]):
            out[t] += x * row[t]


@numba.njit(cache=True, nogil=True)
def _best(  # type: ignore[no-untyped-def]
    x, turned, rest_x, length_x, items, order, leading, rest, length, mask, hidden, hashes, salt, out_rows, out_scores
):
    """The heap of ``ranking.top``, fed only with items whose bound reaches its worst; blocks in falling length."""
    if not np.isfinite(length_x):
        return
    n = out_rows.shape[0]
    shown = np.ones(items.shape[0], np.bool_)
    for row in hidden:
        if 0 <= row < items.shape[0]:
            shown[row] = False
    values = np.full(n, -np.inf, np.float32)
    ties = np.zeros(n, np.uint64)
    rows = np.full(n, NOTHING, np.int32)
    bound = np.empty(BLOCK, np.float32)
    margin = np.float32(ROUNDING) * length_x
    for b in range(leading.shape[0]):
        if length_x * length[b, 0] + margin * length[b, 0] < values[0]:
            break
        _bound(leading[b], turned, rest[b], length[b], rest_x, margin, bound)
        reached = 0
        for t in range(BLOCK):
            reached += bound[t] >= values[0]
        if reached == 0:
            continue
        for t in range(BLOCK):
            i = order[b * BLOCK + t]
            if bound[t] < values[0] or i == NOTHING or not shown[i] or not mask[i]:
                continue
            value = _score(items[i], x)
            if value >= values[0] and np.isfinite(value):
                tie = _tie(hashes[i], salt)
                if value > values[0] or tie > ties[0]:
                    _sink(values, ties, rows, value, tie, i, n)
    for last in range(n - 1, -1, -1):
        out_rows[last] = rows[0]
        out_scores[last] = values[0]
        _sink(values, ties, rows, np.float32(np.inf), np.uint64(0), NOTHING, n)
