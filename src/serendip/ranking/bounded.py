"""The best of one asker among many vectors, exactly, without a score for every item.

After the norm-ordered scans of maximum inner product search (LEMP, Teflioudi et al. 2015; FEXIPRO, Li et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemLists, ItemRows
from serendip.ranking.tiled import ROUNDING, TINY, best_in_tiles, inner_product
from serendip.ranking.top import NOTHING, Mask, Ranked, drain, sink, tie_of

BLOCK = 128
"""Items that are bounded together."""

RUN = 128 * BLOCK
"""Rows that are prepared at once."""

LEADING = 16
"""Directions that every item is first judged by: those in which the items' vectors are longest."""

MANY = 12
"""From this many askers on, tiles of scores are faster than a search for each; the answers are the same."""

NO_MASK = np.empty((0, 0), np.bool_)


@dataclass(frozen=True)
class Catalogue:
    """Item vectors, prepared for being searched: longest first, and turned so that few directions say most."""

    items: Floats
    """Y (n_items, k), as the model has them."""
    centre: Floats
    """m (k,): the mean of the columns that hardly differ from it, such as a constant one, and 0 elsewhere. What is
    bounded are the y - m: an asker's x'm is the same for all items."""
    order: ItemRows
    """Rows of ``items``, those farthest from m first, padded with NOTHING; shape (n_blocks * BLOCK,). Rows that are
    not finite, and could have no finite score, are left out."""
    turn: Floats
    """Q (k, k), orthogonal, its columns by falling length of (Y - m)Q's."""
    leading: Floats
    """The first columns of (Y - m)Q in that order; shape (n_blocks, min(k, LEADING), BLOCK)."""
    rest: Floats
    """Length of what the other columns hold; shape (n_blocks, BLOCK)."""
    length: Floats
    """|y - m|; shape (n_blocks, BLOCK)."""

    @staticmethod
    def of(items: Floats) -> Catalogue:
        """Of vectors (n_items, k); their scale, and that of their columns, does not matter."""
        items = np.ascontiguousarray(items, np.float32)
        k, n_leading = items.shape[1], min(items.shape[1], LEADING)
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.flatnonzero(np.isfinite(items).all(axis=1))
            centre = _centre(items, finite)
            length, gram = _shape(items, finite, centre)
        farthest = np.argsort(-length, kind="stable")
        n, n_blocks = len(finite), -(-len(finite) // BLOCK)
        turn = np.ascontiguousarray(np.linalg.eigh(gram)[1][:, ::-1], np.float32)
        order = np.full(n_blocks * BLOCK, NOTHING, np.int32)
        order[:n] = finite[farthest]
        lengths, rest = np.zeros((2, n_blocks * BLOCK), np.float32)
        lengths[:n] = length[farthest]
        leading = np.zeros((n_blocks, n_leading, BLOCK), np.float32)
        for some in _runs(n):
            turned = np.zeros((-(-(some.stop - some.start) // BLOCK) * BLOCK, k), np.float32)
            np.matmul(items[order[some]] - centre, turn, out=turned[: some.stop - some.start])
            blocks = slice(some.start // BLOCK, some.start // BLOCK + len(turned) // BLOCK)
            leading[blocks] = turned[:, :n_leading].reshape(-1, BLOCK, n_leading).transpose(0, 2, 1)
            after = np.square(turned[:, n_leading:], dtype=np.float64).sum(axis=1)
            rest[blocks.start * BLOCK : blocks.stop * BLOCK] = np.sqrt(after)
        return Catalogue(
            items, centre, order, turn, leading, rest.reshape(n_blocks, BLOCK), lengths.reshape(n_blocks, BLOCK)
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
        """What ``ranking.top`` finds in the scores ``vectors @ items.T``, ties included; a row of NaN finds nothing.

        An asker is answered with the same bits alone and among others.
        """
        n_queries, n_items = len(vectors), len(self.items)
        vectors = np.ascontiguousarray(vectors, np.float32)
        masks = NO_MASK if allowed is None else np.ascontiguousarray(np.atleast_2d(allowed))
        # The kernels look at these without checking bounds.
        assert allowed is None or masks.shape in ((1, n_items), (n_queries, n_items)), (
            f"a mask of {masks.shape} for {n_items} items"
        )
        assert len(hidden) == n_queries, f"{len(hidden)} lists of hidden items for {n_queries} queries"
        assert len(hashes) == n_items, f"{len(hashes)} hashes for {n_items} items"
        assert len(salt) == n_queries, f"{len(salt)} salts for {n_queries} queries"
        n = min(n, n_items)
        rows = np.empty((n_queries, n), np.int32)
        best = np.empty((n_queries, n), np.float32)
        if n and n_queries < MANY:
            search(
                *(vectors, self.turn, self.items, self.centre, self.order, self.leading, self.rest, self.length),
                *(masks, hidden.indptr, hidden.item_ix, hashes, salt, rows, best),
            )
        elif n:
            order = self.order[self.order != NOTHING]
            lengths = self.length.ravel()[: len(order)]
            best_in_tiles(vectors, self.items, self.centre, order, lengths, masks, hidden, hashes, salt, rows, best)
        return Ranked(rows, best)


def _runs(n: int) -> Iterator[slice]:
    """``n`` rows, some blocks at a time, so that copies of them stay small."""
    return (slice(start, min(start + RUN, n)) for start in range(0, n, RUN))


def _centre(items: Floats, rows: NDArray[np.integer]) -> Floats:
    """Column means of these rows of ``items`` where they are more than twice the deviation from them, else 0; (k,)."""
    mean, square = np.zeros((2, items.shape[1]))
    for some in _runs(len(rows)):
        mean += items[rows[some]].sum(axis=0, dtype=np.float64) / len(rows)
    for some in _runs(len(rows)):
        square += np.square(items[rows[some]] - mean).sum(axis=0) / len(rows)
    return np.where(np.abs(mean) > 2 * np.sqrt(square), mean, 0).astype(np.float32)


def _shape(items: Floats, rows: NDArray[np.integer], centre: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lengths |y - m| of these rows (n,), and the Gram matrix of the y - m (k, k), up to a factor.

    In double precision, and of vectors scaled to 1: squares of single ones may be too large or too small for it.
    """
    length, gram = np.empty(len(rows)), np.zeros((items.shape[1], items.shape[1]))
    largest = max((np.abs(items[rows[some]]).max() for some in _runs(len(rows))), default=np.float32(1)) or 1.0
    for some in _runs(len(rows)):
        apart = (items[rows[some]] - centre) / np.float32(largest)
        length[some] = np.sqrt(np.square(apart, dtype=np.float64).sum(axis=1)) * largest
        gram += apart.T @ apart
    return length, gram


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _bound(leading, turned, rest, length, rest_x, margin, base, out):  # type: ignore[no-untyped-def]
    """out (BLOCK,) = upper bounds of x'y: ``base``, the leading part, Cauchy and Schwarz for the rest, a margin."""
    for t in range(out.shape[0]):
        out[t] = rest_x * rest[t] + margin * length[t] + base
    for f in range(leading.shape[0]):
        x, row = turned[f], leading[f]
        for t in range(out.shape[0]):
            out[t] += x * row[t]


@numba.njit(cache=True, nogil=True)
def _hide(rows, n_items):  # type: ignore[no-untyped-def]
    """A hash set of the rows that are items; empty for none."""
    if not rows.shape[0]:
        return np.empty(0, np.int32)
    size = 4
    while size < 2 * rows.shape[0]:
        size *= 2
    table = np.full(size, NOTHING, np.int32)
    for row in rows:
        if 0 <= row < n_items:
            table[_place(table, row)] = row
    return table


@numba.njit(cache=True, nogil=True)
def _place(table, row):  # type: ignore[no-untyped-def]
    """Where ``row`` stands in the set, or would."""
    last = table.shape[0] - 1
    place = (np.int64(row) * 2654435761 >> 15) & last
    while table[place] != NOTHING and table[place] != row:
        place = (place + 1) & last
    return place


@numba.njit(cache=True, nogil=True)
def search(  # type: ignore[no-untyped-def]
    vectors,
    turn,
    items,
    centre,
    order,
    leading,
    rest,
    length,
    masks,
    indptr,
    hidden,
    hashes,
    salt,
    out_rows,
    out_scores,
):
    """The heap of ``ranking.top``, fed only with items whose bound reaches its worst; blocks in falling length."""
    n_items, k = items.shape
    n = out_rows.shape[1]
    values, ties, rows = np.empty(n, np.float32), np.empty(n, np.uint64), np.empty(n, np.int32)
    bound, near = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    turned = np.empty(k, np.float32)
    for q in range(vectors.shape[0]):
        x = vectors[q]
        values[:] = -np.inf
        ties[:] = 0
        rows[:] = NOTHING
        turned[:] = 0
        whole = after = base = far = 0.0
        for f in range(k):
            base += np.float64(x[f]) * centre[f]
            far += np.float64(centre[f]) * centre[f]
            whole += np.float64(x[f]) * x[f]
            for g in range(k):
                turned[g] += x[f] * turn[f, g]
        for f in range(leading.shape[1], k):
            after += np.float64(turned[f]) * turned[f]
        length_x, rest_x = np.float32(np.sqrt(whole)), np.float32(np.sqrt(after))
        margin = np.float32(ROUNDING) * length_x
        reach = np.float32(base + margin * np.sqrt(far) + TINY)
        unseen = _hide(hidden[indptr[q] : indptr[q + 1]], n_items)
        mask = masks[q if masks.shape[0] > 1 else 0] if masks.shape[0] else np.empty(0, np.bool_)
        # A vector that is not finite has no finite score.
        for b in range(leading.shape[0] if np.isfinite(whole) else 0):
            if (length_x + margin) * length[b, 0] + reach < values[0]:
                break
            _bound(leading[b], turned, rest[b], length[b], rest_x, margin, reach, bound)
            n_near = 0
            for t in range(BLOCK):
                near[n_near] = t
                n_near += not bound[t] < values[0]
            for t in near[:n_near]:
                i = order[b * BLOCK + t]
                if bound[t] < values[0] or i == NOTHING or (mask.shape[0] and not mask[i]):
                    continue
                value = inner_product(items[i], x)
                if value >= values[0] and np.isfinite(value):
                    tie = tie_of(hashes[i], salt[q])
                    if (value > values[0] or tie > ties[0]) and not (
                        unseen.shape[0] and unseen[_place(unseen, i)] == i
                    ):
                        sink(values, ties, rows, value, tie, i, n)
        drain(values, ties, rows, out_rows[q], out_scores[q])
