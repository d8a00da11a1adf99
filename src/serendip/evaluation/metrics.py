"""How good a ranking was: functions of hits in the order of places.

``hits`` (n_queries, k) is True where the item at a place is relevant; ``n_relevant`` (n_queries,) says how many items
there were to be found, shown or not. Each function gives one number a query, of shape (n_queries,). A query with
nothing to be found has no measure and is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.domain import Invalid
from serendip.ranking import Likeness

Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]
PerQuery = NDArray[np.float64]


def ndcg(hits: Hits, n_relevant: Counts) -> PerQuery:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) with gains of 0 and 1.

        nDCG = sum over places p = 1..k of hit_p / log2(p + 1), over the same sum for the ideal ranking

    whose first min(k, n_relevant) places are hits.
    """
    _check(n_relevant)
    discount = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    gained = (hits * discount).sum(axis=1)
    return np.asarray(gained / ideal[np.minimum(n_relevant, hits.shape[1])])


def recall(hits: Hits, n_relevant: Counts) -> PerQuery:
    """Hits over everything there was to be found; cannot reach 1 where that is more than k."""
    _check(n_relevant)
    return np.asarray(hits.sum(axis=1) / np.asarray(n_relevant))


def precision(hits: Hits, n_relevant: Counts) -> PerQuery:
    """Hits over places: a short slate counts its empty places as misses."""
    _check(n_relevant)
    return np.asarray(hits.mean(axis=1, dtype=np.float64))


def hit_rate(hits: Hits, n_relevant: Counts) -> PerQuery:
    """1 where any place is a hit, else 0."""
    _check(n_relevant)
    return np.asarray(hits.any(axis=1), np.float64)


def average_precision(hits: Hits, n_relevant: Counts) -> PerQuery:
    """Precision at each hit's place, summed, over the most hits there could be, min(k, n_relevant); its mean is MAP."""
    _check(n_relevant)
    at_place = np.cumsum(hits, axis=1) / (np.arange(hits.shape[1]) + 1)
    return np.asarray((at_place * hits).sum(axis=1) / np.minimum(n_relevant, hits.shape[1]))


def reciprocal_rank(hits: Hits, n_relevant: Counts) -> PerQuery:
    """One over the place of the first hit, 0 without any (Voorhees 1999); its mean is MRR."""
    _check(n_relevant)
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0)


BY_QUERY: dict[str, Callable[[Hits, Counts], PerQuery]] = {
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "hit-rate": hit_rate,
    "map": average_precision,
    "mrr": reciprocal_rank,
}
"""Every metric of hits by its name."""

LESS_IS_BETTER = frozenset({"gini", "fallback", "rmse", "mae"})
"""Metrics of which the smallest is the best: unevenness, places that the fallback filled, errors of ratings."""


def auc(hits: Hits, placed: Hits, n_relevant: Counts) -> PerQuery:
    """How often a relevant item stands before one that is not, over all such pairs (area under the ROC curve).

    ``hits`` and ``placed`` (n_queries, n) are over the ranking of everything that may be shown, ``placed`` False at
    empty places at the end:

        AUC = sum over hits of the other items behind it / (n_relevant * all other items)

    A relevant item that is nowhere in the ranking stands behind everything. 1/2 where there is no other.
    """
    _check(n_relevant)
    others = (placed & ~hits).astype(np.int64)
    n_others = others.sum(axis=1)
    behind = n_others[:, None] - np.cumsum(others, axis=1)
    pairs = np.asarray(n_relevant) * n_others
    return np.where(pairs > 0, (behind * hits).sum(axis=1) / np.maximum(pairs, 1), 0.5)


def coverage(shown: Counts) -> float:
    """Share of the catalogue that appeared in any slate; ``shown`` (n_items,) counts each item's appearances."""
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else 0.0


def gini(shown: Counts) -> float:
    """How unevenly ``n`` items share the places: 0 equally, (n - 1) / n where one item has them all.

    G = sum over i of (2 i - n - 1) x_i / (n sum of x), x ascending, i = 1..n
    """
    n, total = len(shown), shown.sum()
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) @ np.sort(shown)) / (n * total))


def novelty(met: NDArray[np.float64], shown: Hits) -> PerQuery:
    """Mean self-information of what was shown, in bits (Zhou et al. 2010): -log2 of the share of users who met it.

    ``met`` (n_queries, k) is that share for the item at each place, ``shown`` False at empty places; a query whose
    slate is empty gets 0.
    """
    bits = -np.log2(np.where(shown, met, 1.0))
    return np.asarray(bits.sum(axis=1) / np.maximum(shown.sum(axis=1), 1))


def diversity(likeness: Likeness, rows: NDArray[np.int32]) -> PerQuery:
    """How different the items of a slate are: the mean of 1 - likeness over all its pairs (Ziegler et al. 2005).

    ``rows`` (n_queries, k) are below 0 at empty places; a slate of fewer than two items has 0. With v the items'
    vectors, the likenesses of all pairs sum to (|sum of v|^2 - sum of |v|^2) / 2.
    """
    query, place = np.nonzero(rows >= 0)
    ones = np.ones(len(query), np.float64)
    shown = sparse.csr_array((ones, (query, rows[query, place])), (len(rows), likeness.vectors.shape[0]))
    summed, squares = shown @ likeness.vectors, shown @ (likeness.vectors * likeness.vectors)
    whole, alone = ((summed * summed).sum(axis=1), squares.sum(axis=1))
    n = np.count_nonzero(rows >= 0, axis=1)
    n_pairs = n * (n - 1) / 2
    return np.where(n_pairs > 0, 1 - (np.ravel(whole) - np.ravel(alone)) / 2 / np.maximum(n_pairs, 1), 0.0)


def rmse(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Root of the mean squared error of predicted ratings; both of shape (n,)."""
    return float(np.sqrt(np.mean(np.square(_errors(predicted, actual)))))


def mae(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Mean absolute error of predicted ratings; both of shape (n,)."""
    return float(np.mean(np.abs(_errors(predicted, actual))))


def _errors(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> NDArray[np.float64]:
    if not len(actual) or len(predicted) != len(actual):
        raise Invalid(f"{len(predicted)} predictions cannot be held against {len(actual)} ratings")
    return np.asarray(predicted, np.float64) - np.asarray(actual, np.float64)


def _check(n_relevant: Counts) -> None:
    if (np.asarray(n_relevant) < 1).any():
        raise Invalid("a query without relevant items cannot be measured; leave it out")
