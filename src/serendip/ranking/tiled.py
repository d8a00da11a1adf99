"""The best of many askers among many vectors, exactly: tiles of scores, of which only few numbers are looked at twice.

A tile is a product of matrices, some askers by some items, longest items first. What of it may belong to an asker's
best is multiplied again by ``inner_product``, so that an answer has the same bits alone and among others; an asker
whose worst place no item that is left can reach drops out. A whole row of scores is never held.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemLists, ItemRows
from serendip.models.parallel import in_chunks, n_threads, one_blas_thread
from serendip.ranking.top import NOTHING, Mask, drain, sink, tie_of

ROUNDING = 1e-5
"""How much of |x| |y| single precision may err by; bounds are held this much too high."""

TINY = 1e-37
"""How much it may err by where numbers are too small for it."""

ASKERS = 512
"""Askers of a tile, at most."""

ITEMS = 512
"""Items of a tile."""

GROUP = 128
"""Scores that are compared at once with what must be reached."""


def best_in_tiles(
    vectors: Floats,
    items: Floats,
    centre: Floats,
    order: ItemRows,
    lengths: Floats,
    masks: Mask,
    hidden: ItemLists,
    hashes: NDArray[np.uint64],
    salt: NDArray[np.uint64],
    out_rows: ItemRows,
    out_scores: Floats,
) -> None:
    """The best rows of items (n_items, k) for each of vectors (n_queries, k), into both outs (n_queries, n).

    ``order`` has the rows that may be found, their ``lengths`` |y - m| from the ``centre`` m falling. ``masks``: (0, 0)
    for none, (1, n_items) for all, (n_queries, n_items) for each.
    """
    n_queries = len(vectors)
    if len(masks) == 1:
        passing = masks[0][order]
        order, lengths = order[passing], lengths[passing]
        masks = masks[:0]
    place = np.full(len(items), len(order), np.int64)
    place[order] = np.arange(len(order))
    # Shortened, so that neither tiles nor threads stand idle.
    size = min(ASKERS, max(32, -(-n_queries // n_threads())))

    def work(start: int, stop: int) -> None:
        some = slice(start, stop)
        lists = hidden.indptr[start : stop + 1]
        _best_of_some(
            *(np.ascontiguousarray(vectors[some], np.float32), items, centre, order, lengths, masks[some]),
            *(_places(hidden.item_ix, lists, place, len(order)), hashes, salt[some], out_rows[some], out_scores[some]),
        )

    with one_blas_thread():
        in_chunks(work, [*range(0, n_queries, size), n_queries])


def _places(item_ix: ItemRows, indptr: NDArray[np.int64], place: NDArray[np.int64], none: int) -> NDArray[np.int64]:
    """Asker * 2^32 + place in the order of every hidden item that has one, ascending, and an end; shape (n + 1,)."""
    own = item_ix[indptr[0] : indptr[-1]]
    asker = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    real = (own >= 0) & (own < len(place))
    places = place[own[real]]
    keys = (asker[real] << 32) + places
    return np.append(np.sort(keys[places < none]), len(indptr) << 32)


def _best_of_some(
    vectors: Floats,
    items: Floats,
    centre: Floats,
    order: ItemRows,
    lengths: Floats,
    masks: Mask,
    hidden: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    salt: NDArray[np.uint64],
    out_rows: ItemRows,
    out_scores: Floats,
) -> None:
    """One block of askers over all tiles of items."""
    (n_queries, n), n_items = out_rows.shape, len(order)
    values = np.full((n_queries, n), -np.inf, np.float32)
    ties, rows = np.zeros((n_queries, n), np.uint64), np.full((n_queries, n), NOTHING, np.int32)
    whole = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1)).astype(np.float32)
    middle = centre.astype(np.float64)
    far = np.linalg.norm(middle)
    # x'm, and a margin, on top of which the x'(y - m) are bounded.
    with np.errstate(over="ignore", invalid="ignore"):
        base = (vectors @ middle + ROUNDING * whole.astype(np.float64) * far + TINY).astype(np.float32)
    # Where the next hidden item of each stands.
    unseen = np.searchsorted(hidden, np.arange(n_queries) << 32)
    asked = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    some, buffer = vectors[asked], np.empty(len(asked) * ITEMS, np.float32)
    tile = np.empty((ITEMS, items.shape[1]), np.float32)
    for start in range(0, n_items, ITEMS):
        stop = min(start + ITEMS, n_items)
        reached = ~(whole[asked] * np.float32(1 + ROUNDING) * lengths[start] + base[asked] < values[asked, 0])
        if not reached.all():
            asked, some = asked[reached], some[reached]
        if not len(asked):
            break
        right = np.take(items, order[start:stop], axis=0, out=tile[: stop - start], mode="clip")
        scores = buffer[: len(asked) * (stop - start)].reshape(len(asked), stop - start)
        np.matmul(some, right.T, out=scores)
        feed(
            *(scores, start, asked, vectors, whole, far, items, order, lengths, masks, hidden, unseen, hashes, salt),
            *(values, ties, rows),
        )
    for q in range(n_queries):
        drain(values[q], ties[q], rows[q], out_rows[q], out_scores[q])


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def inner_product(y, x):  # type: ignore[no-untyped-def]
    """x'y in single precision: the score of an item, wherever it is made."""
    total = x.dtype.type(0)
    for f in range(x.shape[0]):
        total += y[f] * x[f]
    return total


@numba.njit(cache=True, nogil=True)
def _any_reaches(scores, low):  # type: ignore[no-untyped-def]
    """Whether any of the scores is ``low`` or above; NaN is not."""
    reached = np.int32(0)
    for t in range(scores.shape[0]):
        reached = np.int32(reached + np.int32(scores[t] >= low))
    return reached > 0


@numba.njit(cache=True, nogil=True)
def feed(  # type: ignore[no-untyped-def]
    scores,
    start,
    asked,
    vectors,
    whole,
    far,
    items,
    order,
    lengths,
    masks,
    hidden,
    unseen,
    hashes,
    salt,
    values,
    ties,
    rows,
):
    """Offer a tile's scores (n_asked, n_tile) to the heaps of the askers ``asked``; items from place ``start`` on."""
    n_tile, n = scores.shape[1], values.shape[1]
    for a in range(asked.shape[0]):
        q = asked[a]
        own, x = scores[a], vectors[q]
        heap, heap_ties, heap_rows = values[q], ties[q], rows[q]
        first = (q << 32) + start
        while hidden[unseen[q]] < first + n_tile:
            own[hidden[unseen[q]] - first] = np.nan
            unseen[q] += 1
        for g in range(0, n_tile, GROUP):
            margin = np.float32(ROUNDING * whole[q] * (far + lengths[start + g])) + np.float32(TINY)
            low = heap[0] - margin
            group = own[g : g + GROUP]
            if not _any_reaches(group, low):
                continue
            for t in range(group.shape[0]):
                if not group[t] >= heap[0] - margin:
                    continue
                i = order[start + g + t]
                if masks.shape[0] and not masks[q, i]:
                    continue
                value = inner_product(items[i], x)
                if value >= heap[0] and np.isfinite(value):
                    tie = tie_of(hashes[i], salt[q])
                    if value > heap[0] or tie > heap_ties[0]:
                        sink(heap, heap_ties, heap_rows, value, tie, i, n)
