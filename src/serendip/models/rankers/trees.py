"""Boosted trees as plain arrays: scored and explained without the library that grew them.

Every tree is stored as a perfect binary tree of one depth, node ``j``'s children being ``2 j + 1`` and ``2 j + 2``. A
tree of a smaller depth is filled up with nodes that everything leaves to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data import Arrays, Floats

Doubles = NDArray[np.float64]

BLOCK = 256
"""Rows that are scored together."""

MAX_DEPTH = 10


@dataclass(frozen=True)
class Trees:
    """A sum of trees; ``n_inner`` is 2^depth - 1, ``n_leaves`` 2^depth."""

    feature: NDArray[np.int32]
    """Which column each node looks at; shape (n_trees, n_inner)."""
    threshold: Floats
    """Values above it go right; of the same shape."""
    nan_right: NDArray[np.bool_]
    """Whether a missing value goes right; of the same shape."""
    leaf: Doubles
    """What each leaf adds to the score; shape (n_trees, n_leaves)."""
    cover: Doubles
    """How much of the training data fell into each leaf; shape (n_trees, n_leaves)."""
    bias: Doubles
    """What every score begins with; shape (1,)."""

    @staticmethod
    def empty(n_trees: int, depth: int, bias: float = 0.0) -> Trees:
        """Trees whose nodes send everything to the left, to be filled in."""
        if depth > MAX_DEPTH:
            raise ValueError(f"trees of depth {depth} are too deep; {MAX_DEPTH} is the most")
        inner, leaves = (n_trees, (1 << depth) - 1), (n_trees, 1 << depth)
        return Trees(
            np.zeros(inner, np.int32),
            np.full(inner, np.inf, np.float32),
            np.zeros(inner, np.bool_),
            np.zeros(leaves, np.float64),
            np.zeros(leaves, np.float64),
            np.array([bias], np.float64),
        )

    def __len__(self) -> int:
        return len(self.leaf)

    def taken(self, start: int, stop: int) -> Trees:
        """Only the trees from ``start`` up to ``stop``; the bias belongs to the first."""
        some = {name: array[start:stop] for name, array in self.arrays().items()}
        return Trees.restore({**some, "bias": self.bias if start == 0 else np.zeros_like(self.bias)})

    @property
    def depth(self) -> int:
        """How many questions lead to a leaf."""
        return int(self.leaf.shape[1]).bit_length() - 1

    @cached_property
    def oblivious(self) -> bool:
        """Whether all nodes of a level ask the same, as in the trees of CatBoost."""
        for level in range(self.depth):
            nodes = slice((1 << level) - 1, (2 << level) - 1)
            for asked in (self.feature, self.threshold, self.nan_right):
                if not (asked[:, nodes] == asked[:, nodes.start : nodes.start + 1]).all():
                    return False
        return True

    def score(self, x: Floats) -> Doubles:
        """The sum of the trees for each row of ``x`` (n_rows, n_columns); shape (n_rows,)."""
        out = np.full(len(x), self.bias[0])
        if self.oblivious:
            firsts = [(1 << level) - 1 for level in range(self.depth)]
            asked = (np.ascontiguousarray(of[:, firsts]) for of in (self.feature, self.threshold, self.nan_right))
            add_oblivious(np.ascontiguousarray(x, np.float32), *asked, self.leaf, out)  # type: ignore[call-arg]
        else:
            given = np.ascontiguousarray(x, np.float32)
            add_trees(given, self.feature, self.threshold, self.nan_right, self.leaf, out)
        return out

    @cached_property
    def base(self) -> float:
        """The score of somebody of whom nothing is known: the mean over the training data."""
        return float(self.bias[0] + sum(_mean(leaf, cover) for leaf, cover in zip(self.leaf, self.cover, strict=True)))

    def shares(self, x: Floats) -> Doubles:
        """Each column's Shapley share of each row's score, (n_rows, n_columns); with ``base`` they sum to the score.

        What is unknown is averaged over as the training data fell (Lundberg 2018, path-dependent).
        """
        out = np.zeros(x.shape, np.float64)
        points, weights = np.polynomial.legendre.leggauss(max(1, (self.depth + 1) // 2))
        given = np.ascontiguousarray(x, np.float32)
        add_shares(
            given, self.feature, self.threshold, self.nan_right, self.leaf, self._ratios, (points + 1) / 2, weights / 2,
            out,
        )  # fmt: skip
        return out

    @cached_property
    def _ratios(self) -> Doubles:
        """What part of its parent's training data each node but the root had; (n_trees, 2 n_leaves - 1), root 1."""
        n_trees, n_leaves = self.cover.shape
        whole = np.zeros((n_trees, 2 * n_leaves - 1))
        whole[:, n_leaves - 1 :] = self.cover
        for node in range(n_leaves - 2, -1, -1):
            whole[:, node] = whole[:, 2 * node + 1] + whole[:, 2 * node + 2]
        out = np.ones_like(whole)
        nodes = np.arange(1, 2 * n_leaves - 1)
        above = whole[:, (nodes - 1) // 2]
        # Nothing fell into an empty node: whatever is said of its children is multiplied by its own share, 0.
        out[:, 1:] = np.divide(whole[:, 1:], above, out=np.full(above.shape, 0.5), where=above > 0)
        return out

    def arrays(self) -> Arrays:
        """All of it."""
        return {
            "feature": self.feature,
            "threshold": self.threshold,
            "nan_right": self.nan_right,
            "leaf": self.leaf,
            "cover": self.cover,
            "bias": self.bias,
        }

    @staticmethod
    def restore(arrays: Arrays) -> Trees:
        """The trees that ``arrays`` was made of."""
        names: Sequence[str] = ("feature", "threshold", "nan_right", "leaf", "cover", "bias")
        return Trees(*(np.asarray(arrays[name]) for name in names))  # type: ignore[arg-type]


def _mean(leaf: Doubles, cover: Doubles) -> float:
    return float(np.average(leaf, weights=cover)) if cover.any() else 0.0


@numba.njit(cache=True, nogil=True)
def add_oblivious(x, feature, threshold, nan_right, leaf, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` (n_rows,) what trees say of which each level asks one question; (n_trees, depth) each.

    A block of rows is turned so that a column of it lies together: one comparison is then made of many rows at once.
    """
    n_rows, n_columns = x.shape
    n_trees, depth = feature.shape
    turned = np.empty((n_columns, BLOCK), np.float32)
    place = np.empty(BLOCK, np.int32)
    for start in range(0, n_rows, BLOCK):
        n = min(BLOCK, n_rows - start)
        for r in range(n):
            for c in range(n_columns):
                turned[c, r] = x[start + r, c]
        for tree in range(n_trees):
            place[:n] = 0
            for level in range(depth):
                column, bound = turned[feature[tree, level]], threshold[tree, level]
                if nan_right[tree, level]:
                    for r in range(n):
                        place[r] = place[r] * 2 + (0 if column[r] <= bound else 1)
                else:
                    for r in range(n):
                        place[r] = place[r] * 2 + (1 if column[r] > bound else 0)
            for r in range(n):
                out[start + r] += leaf[tree, place[r]]


@numba.njit(cache=True, nogil=True)
def add_trees(x, feature, threshold, nan_right, leaf, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` (n_rows,) what trees of any shape say; nodes (n_trees, n_inner), leaves (n_trees, n_leaves)."""
    n_rows = x.shape[0]
    n_trees, n_inner = feature.shape
    depth = 0
    while (1 << depth) - 1 < n_inner:
        depth += 1
    node = np.empty(BLOCK, np.uint32)
    for start in range(0, n_rows, BLOCK):
        n = min(BLOCK, n_rows - start)
        for tree in range(n_trees):
            asked, bound, missing, own = feature[tree], threshold[tree], nan_right[tree], leaf[tree]
            node[:n] = 0
            for _ in range(depth):
                for r in range(n):
                    here = node[r]
                    value = x[start + r, asked[here]]
                    # No branch, so that the processor works on many rows at once instead of guessing.
                    node[r] = 2 * here + np.uint32(1) + ((value > bound[here]) | (missing[here] & (value != value)))
            for r in range(n):
                out[start + r] += own[node[r] - n_inner]


@numba.njit(cache=True, nogil=True)
def add_shares(x, feature, threshold, nan_right, leaf, ratio, points, weights, out):  # type: ignore[no-untyped-def]
    """Add every column's Shapley share to ``out`` (n_rows, n_columns).

    A leaf of value v is reached with the product over the columns k of its path of o_k where k is known (1 if the row
    goes this way at all its nodes, else 0) and of z_k where it is not (the part of the training data that does). The
    share of column j in such a product, averaged over all orders in which columns become known, is

        v (o_j - z_j) integral_0^1 prod_{k != j} (t o_k + (1 - t) z_k) dt

    whose integrand is a polynomial of a degree below the depth: Gauss and Legendre's ``points`` and ``weights`` on
    [0, 1] give it exactly. No product is divided again, so that a factor of 0 does no harm.
    """
    n_rows = x.shape[0]
    n_trees, n_inner = feature.shape
    depth = 0
    while (1 << depth) - 1 < n_inner:
        depth += 1
    columns = np.empty(depth, np.int32)
    known, unknown, before = np.empty(depth), np.empty(depth), np.empty(depth + 1)
    for r in range(n_rows):
        for tree in range(n_trees):
            for place in range(n_inner + 1):
                value = leaf[tree, place]
                if value == 0:
                    continue
                n = 0
                for level in range(depth):
                    node = (1 << level) - 1 + (place >> (depth - level))
                    right = (place >> (depth - 1 - level)) & 1
                    asked, column = x[r, feature[tree, node]], feature[tree, node]
                    goes = asked > threshold[tree, node] or (nan_right[tree, node] and asked != asked)
                    same = 1.0 if goes == (right == 1) else 0.0
                    part = ratio[tree, 2 * node + 1 + right]
                    k = 0
                    while k < n and columns[k] != column:
                        k += 1
                    if k == n:
                        columns[n], known[n], unknown[n] = column, 1.0, 1.0
                        n += 1
                    known[k] *= same
                    unknown[k] *= part
                for point in range(points.shape[0]):
                    t = points[point]
                    before[0] = weights[point] * value
                    for k in range(n):
                        before[k + 1] = before[k] * (t * known[k] + (1 - t) * unknown[k])
                    after = 1.0
                    for k in range(n - 1, -1, -1):
                        out[r, columns[k]] += (known[k] - unknown[k]) * before[k] * after
                        after *= t * known[k] + (1 - t) * unknown[k]
