"""Item-kNN: items are alike when the same users took them; a history's neighbours add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from scipy import sparse

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models.answers import SMALL_BATCH, columns, finish, silent
from serendip.models.contract import Kind, ModelConfig
from serendip.models.kernels.item_item import Csr, at_places, nearest_rows, product_cost, sum_sparse_rows
from serendip.models.memory import claim
from serendip.models.parallel import equal_work, in_chunks


class ItemKnnConfig(ModelConfig):
    """How alike two items are, and how many neighbours each has."""

    similarity: Literal["cosine", "tfidf", "bm25", "rp3beta"] = "cosine"
    """cosine of the items' columns of weights; tfidf: the cosine after a user who took much counts less;
    bm25: the product after users and items of many events count less; rp3beta: how likely a walk from the one item to
    a user and on ends at the other, popular ones held down."""
    n_neighbours: NonNegativeInt = 0
    """Neighbours kept of each item; 0: all there are."""
    shrinkage: NonNegativeFloat = 0.0
    """A similarity that rests on n users counts n / (n + shrinkage) of itself."""
    min_support: PositiveInt = 1
    """Items that fewer users have both met are no neighbours."""
    binary: bool = True
    """Every item of a user counts 1, in training and in histories; false: the summed weight of its events."""
    k1: NonNegativeFloat = 1.2
    """bm25: how soon more weight of one event stops to count; 0: at once."""
    b: float = Field(0.75, ge=0, le=1)
    """bm25: how much an item of many events is held down; 0: not, 1: in full proportion."""
    alpha: float = Field(1.0, ge=0, le=10)
    """rp3beta: power of the probability of each step."""
    beta: float = Field(0.6, ge=0, le=10)
    """rp3beta: power of the number of events by which an item is held down; 0: not."""


@dataclass(frozen=True)
class ItemKnn:
    """Every item's neighbours, end to end."""

    rows: Csr
    """Item ``j``'s neighbours, best first; of shape (n_items, n_items)."""
    binary: bool

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items with a neighbour; shape (n_items,)."""
        return np.diff(self.rows.indptr) > 0

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """For every item the sum of its similarities to the history's items, times what these count."""
        scores = columns(self._full, queries, among)
        return finish(scores, silent(queries, self.known), among)

    def _full(self, queries: Queries) -> Floats:
        out = np.empty((len(queries), len(self.rows.indptr) - 1), np.float32)
        history = taken_items(queries, self.binary)
        alone = len(queries) < SMALL_BATCH
        bounds = [0, len(queries)] if alone else equal_work(np.ones(len(queries)), 16)
        in_chunks(lambda start, stop: sum_sparse_rows(history, self.rows, out, start, stop), bounds)
        return out

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """Each event's similarity to the item, times its part of what its own item counts."""
        given = event_weights(queries, self.binary)
        shares = []
        for q in range(len(queries)):
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            rows = [at_places(*self.rows, int(j), items[q]) for j in queries.item_ix[own]]
            alike = np.array(rows, np.float32).reshape(-1, items.shape[1]).T  # (n, n_events)
            shares.append(alike * given[own])
        return shares

    def neighbours(self, of: ItemRows, k: int) -> tuple[ItemRows, Floats]:
        """The first ``k`` kept neighbours."""
        rows, values = np.full((len(of), k), -1, np.int32), np.zeros((len(of), k), np.float32)
        first = self.rows.indptr[of][:, None] + np.arange(k)
        kept = first < self.rows.indptr[of + 1][:, None]
        rows[kept], values[kept] = self.rows.indices[first[kept]], self.rows.value[first[kept]]
        return rows, values

    def arrays(self) -> Arrays:
        """The rows."""
        return {"indptr": self.rows.indptr, "item_ix": self.rows.indices, "similarity": self.rows.value}


def taken_items(queries: Queries, binary: bool) -> Csr:
    """What each query's items count, (n_queries, n_items): 1, or the summed weight."""
    indptr, item_ix, weight = queries.by_item
    return Csr(indptr, item_ix, np.ones_like(weight) if binary else weight)


def event_weights(queries: Queries, binary: bool) -> Floats:
    """What each event gives to that; shape (n_events,)."""
    given: Floats = queries.part
    if not binary:
        given = np.where(queries.counted, queries.weight, 0).astype(np.float32)
    return given


def weigh(config: ItemKnnConfig, x: Csr, n_items: int) -> Floats:
    """The entries of X (n_users, n_items) by user, ready for the product X'X.

    cosine: x_ui / |x_i|. tfidf: items are documents, users are terms, t_ui = sqrt(x_ui) ln(1 + n_items / n_u) with
    n_u the items user u took, then as cosine. bm25 (Robertson 1994), the same way:

        ln(1 + (n_items - n_u + 1/2) / (n_u + 1/2)) * x_ui (k1 + 1) / (x_ui + k1 (1 - b + b l_i / mean l))

    with l_i the summed weight of item i. Both logarithms are of 1 + ..., so that none is below 0.
    """
    item_ix, value = x.indices, x.value.astype(np.float64)
    n_taken = np.repeat(np.diff(x.indptr), np.diff(x.indptr)).astype(np.float64)
    if config.similarity == "bm25":
        length = np.bincount(item_ix, value, minlength=n_items)
        norm = 1 - config.b + config.b * length / length[length > 0].mean()
        rarity = np.log1p((n_items - n_taken + 0.5) / (n_taken + 0.5))
        return np.asarray(rarity * value * (config.k1 + 1) / (value + config.k1 * norm[item_ix]), np.float32)
    if config.similarity == "tfidf":
        value = np.sqrt(value) * np.log1p(n_items / n_taken)
    norm = np.sqrt(np.bincount(item_ix, value**2, minlength=n_items))
    return np.asarray(value / norm[item_ix], np.float32)


def walks(config: ItemKnnConfig, x: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Both factors of the steps from item to item by way of a user (Paudel et al. 2017, RP3beta).

        w_ij = sum over users u of (x_ui / l_i)^alpha (x_uj / l_u)^alpha / l_j^beta

    with l the summed weights of a user or item. X is (n_users, n_items): the second step by user, (n_users, n_items),
    and the first by item, (n_items, n_users).
    """
    length_u, length_i = x.sum(axis=1, dtype=np.float64), x.sum(axis=0, dtype=np.float64)
    user_ix = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    second = (x.data / length_u[user_ix]) ** config.alpha / length_i[x.indices] ** config.beta
    first = (x.data / length_i[x.indices]) ** config.alpha
    on, back = x.copy(), x.copy()
    on.data, back.data = second.astype(np.float32), first.astype(np.float32)
    return on, back.T.tocsr()


def fit(config: ItemKnnConfig, data: Dataset, rng: np.random.Generator) -> ItemKnn:  # noqa: ARG001
    """Each item's most similar ones."""
    matrix = data.matrix()
    if config.binary:
        matrix.data[:] = 1
    if config.similarity == "rp3beta":
        taken, takers = (Csr.of(side) for side in walks(config, matrix))
    else:
        matrix.data = weigh(config, Csr.of(matrix), data.n_items)
        taken, takers = Csr.of(matrix), Csr.of(matrix.T.tocsr())
    k = min(config.n_neighbours or data.n_items, data.n_items)
    cost = product_cost(taken, takers)
    needed = int(np.minimum(cost, k).sum()) * 8 * 2 + data.n_items * 16
    claim(needed, "item-knn", "set n_neighbours to 200 or so, or raise min_support")
    parts = in_chunks(
        lambda start, stop: nearest_rows(taken, takers, config.shrinkage, config.min_support, k, start, stop),
        equal_work(cost + 16, 64),
    )
    sizes, items, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ItemKnn(Csr(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), items, values), config.binary)


def restore(config: ItemKnnConfig, arrays: Arrays) -> ItemKnn:
    """The model that ``arrays`` was made of."""
    return ItemKnn(Csr(arrays["indptr"], arrays["item_ix"], arrays["similarity"]), config.binary)  # type: ignore[arg-type]


KIND = Kind("item-knn", ItemKnnConfig, fit, restore, zero_is_silence=True)
