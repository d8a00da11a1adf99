"""Tag-SVD: how many tags of each cluster a person's items have, completed by a matrix factorisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from scipy import sparse

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries, Vocabulary
from serendip.domain import InteractionKind, Invalid
from serendip.models import svd
from serendip.models.answers import columns, finish
from serendip.models.attributes import item_columns, named
from serendip.models.contract import Kind
from serendip.models.item_knn import event_weights, taken_items
from serendip.models.kernels.item_item import Csr

LEAST = np.float32(1e-30)
"""What an expectation of exactly 0 becomes: a score of 0 says that an item has no tag to go by."""


class TagSvdConfig(svd.SvdConfig):
    """Which tags are one cluster, and the factorisation of the counts."""

    column: str = "tags"
    """The items' column of tags: lists of texts, or texts."""
    clusters: Mapping[str, str] = Field(default_factory=dict)
    """The cluster of every tag that counts; empty: each tag is its own."""
    n_factors: PositiveInt = Field(20, le=4096)
    """Length of the vectors."""
    regularization: float = Field(0.1, ge=0, le=100)
    """lambda: how much of a vector a step takes away."""


@dataclass(frozen=True)
class TagSvd:
    """The factorisation of people's counts, and the items' tags by which its expectations are averaged."""

    counts: svd.Svd
    """Its items are the clusters."""
    weights: Csr
    """w: each item's number of tags of each cluster, (n_items, n_clusters)."""
    names: Vocabulary
    """The clusters."""

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """The mean of what the asker is expected to have of the clusters of each item's tags; 0 without a tag."""
        _, expected = self._interests(queries)

        def full(some: Queries) -> Floats:
            return averaged(self._interests(some)[1] if some is not queries else expected, self.weights)

        return finish(columns(full, queries, among), np.asarray(np.isnan(expected).any(axis=1)), among)

    def interests(self, queries: Queries) -> tuple[tuple[str, ...], Floats, Floats]:
        """The clusters, and of each how many tags the history holds and how many are expected."""
        have, expected = self._interests(queries)
        return self.names.ids, dense(have, len(self.names)), expected

    def _interests(self, queries: Queries) -> tuple[Csr, Floats]:
        """R and R^ of every query; a row of R^ is NaN where the history holds no tag."""
        have = counted(taken_items(queries, binary=True), self.weights, len(self.names))
        return have, self.counts.score(as_ratings(have))

    def explain(self, queries: Queries, items: ItemRows) -> list[Floats]:
        """Each event's part of the counts, times what these add to the expectations, averaged as the score is.

        Shares sum to the score less what is expected of the item's clusters whoever asks: their means.
        """
        have, _ = self._interests(queries)
        ratings = as_ratings(have)
        every = np.tile(np.arange(len(self.names), dtype=np.int32), (len(queries), 1))
        given, part = self.counts.explain(ratings, every), event_weights(queries, binary=True)
        shares = []
        for q in range(len(queries)):
            own, entries = (slice(one.indptr[q], one.indptr[q + 1]) for one in (queries, have))
            # What one tag of a cluster in the history gives to each cluster: (n_clusters, n_clusters of the history).
            of_tag = given[q] / have.value[entries]
            history = dense(rows_of(self.weights, queries.item_ix[own]), len(self.names))[:, have.indices[entries]]
            of_event = (history @ of_tag.T) * part[own][:, None]  # (n_events, n_clusters)
            shares.append(averaged(of_event, rows_of(self.weights, items[q]), least=0).T)
        return shares

    def arrays(self) -> Arrays:
        """The factorisation, the items' counts, and the names of the clusters."""
        weights: Arrays = {
            "weights.indptr": self.weights.indptr,
            "weights.cluster": self.weights.indices,
            "weights.value": self.weights.value,
        }
        counts = {f"counts.{name}": array for name, array in self.counts.arrays().items()}
        return weights | counts | {f"names.{name}": array for name, array in self.names.arrays().items()}


def averaged(expected: Floats, weights: Csr, least: float = float(LEAST)) -> Floats:
    """score_qe = sum over clusters t of w_et R^_qt / sum over t of w_et, (n_queries, n_items); 0 where w_e is 0.

    expected: R^ (n_queries, n_clusters), weights: w (n_items, n_clusters). An average of 0 becomes ``least``.
    """
    out = np.zeros((len(expected), len(weights.indptr) - 1), np.float32)
    average_rows(np.ascontiguousarray(expected), weights, np.float32(least), out)
    return out


@numba.njit(cache=True, nogil=True)
def average_rows(expected, weights, least, out):  # type: ignore[no-untyped-def]
    """See ``averaged``; ``out`` (n_queries, n_items) holds 0. Sums are doubles."""
    for e in range(out.shape[1]):
        start, stop = weights.indptr[e], weights.indptr[e + 1]
        total = 0.0
        for y in range(start, stop):
            total += weights.value[y]
        if not total > 0:
            continue
        for q in range(out.shape[0]):
            mean = 0.0
            for y in range(start, stop):
                mean += weights.value[y] / total * expected[q, weights.indices[y]]
            out[q, e] = mean if mean != 0 else least


def counted(taken: Csr, weights: Csr, n_clusters: int) -> Csr:
    """R: how many tags of each cluster the items of each row have, (n_rows, n_clusters).

    taken (n_rows, n_items) of ones, weights (n_items, n_clusters).
    """
    n_items = len(weights.indptr) - 1
    left = sparse.csr_array((taken.value, taken.indices, taken.indptr), shape=(len(taken.indptr) - 1, n_items))
    right = sparse.csr_array((weights.value, weights.indices, weights.indptr), shape=(n_items, n_clusters))
    product = sparse.csr_array(left @ right)
    product.sort_indices()
    return Csr.of(product)


def as_ratings(have: Csr) -> Queries:
    """Rows of counts as histories of clusters, each rated by its count."""
    n_rows, n = len(have.indptr) - 1, len(have.indices)
    return Queries(
        have.indptr,
        have.indices,
        np.ones(n, np.float32),
        np.zeros(n, np.int16),
        have.value,
        np.zeros(n, np.int64),
        np.zeros(n_rows, np.int64),
        np.zeros(n_rows, np.uint64),
        np.full(n_rows, -1, np.int32),
        (InteractionKind("count"),),
    )


def dense(rows: Csr, n_columns: int) -> Floats:
    """The same as a full matrix (n_rows, n_columns)."""
    shape = (len(rows.indptr) - 1, n_columns)
    return np.asarray(sparse.csr_array((rows.value, rows.indices, rows.indptr), shape=shape).toarray())


def rows_of(rows: Csr, which: NDArray[np.integer]) -> Csr:
    """Some rows, in this order."""
    size = np.diff(rows.indptr)[which]
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    entries = np.arange(indptr[-1]) - np.repeat(indptr[:-1], size) + np.repeat(rows.indptr[:-1][which], size)
    return Csr(indptr, rows.indices[entries], rows.value[entries])


def tags_of(name: str, clusters: Mapping[str, str], data: Dataset, who: str) -> tuple[Csr, Vocabulary]:
    """w (n_items, n_clusters) by the column ``name``, and the clusters; a tag that their table lacks is left out.

    Without a table each tag is a cluster.
    """
    column = named(item_columns(data, who), (name,), who, "column")[name]
    item_ix, tags = [np.empty(0, np.int64)], [np.empty(0, np.object_)]
    if column.texts is not None:
        have = np.flatnonzero(column.texts.codes >= 0)
        item_ix.append(have)
        tags.append(np.array([*column.texts.words, ""], np.object_)[column.texts.codes[have]])
    if column.lists is not None:
        item_ix.append(column.lists.owner)
        tags.append(np.array([*column.lists.words, ""], np.object_)[column.lists.codes.item_ix])
    owner, words = np.concatenate(item_ix), np.concatenate(tags).tolist()
    cluster = [clusters.get(tag) if clusters else tag for tag in words]
    names = Vocabulary(tuple(sorted({one for one in cluster if one is not None})))
    if not len(names):
        told = "that the table of clusters names" if clusters else "at all"
        raise Invalid(f"{who}: no item has a tag {told} in its attribute {name!r}", field="clusters")
    place = np.array([-1 if one is None else names.row(one) for one in cluster], np.int64)
    use = place >= 0
    entries = sparse.coo_array((np.ones(use.sum()), (owner[use], place[use])), shape=(data.n_items, len(names)))
    return Csr.of(entries.tocsr()), names


def fit(config: TagSvdConfig, data: Dataset, rng: np.random.Generator) -> TagSvd:
    """The counts of everybody, as ratings of clusters, and their factorisation."""
    weights, names = tags_of(config.column, config.clusters, data, "tag-svd")
    taken = data.matrix()
    taken.data[:] = 1
    have = counted(Csr.of(taken), weights, len(names))
    if not len(have.indices):
        raise Invalid("tag-svd: nobody took an item that has a tag; import tags of the items that were taken")
    owner = np.repeat(np.arange(data.n_users), np.diff(have.indptr))
    ratings = Dataset.of(owner, have.indices, data.users, names, value=have.value)
    return TagSvd(svd.fit(config, ratings, rng), weights, names)


def restore(config: TagSvdConfig, arrays: Arrays) -> TagSvd:
    """The model that ``arrays`` was made of."""
    own = {
        room: {name.removeprefix(f"{room}."): array for name, array in arrays.items() if name.startswith(f"{room}.")}
        for room in ("counts", "names")
    }
    weights = Csr(arrays["weights.indptr"], arrays["weights.cluster"], arrays["weights.value"])  # type: ignore[arg-type]
    return TagSvd(svd.restore(config, own["counts"]), weights, Vocabulary.restore(own["names"]))


KIND = Kind("tag-svd", TagSvdConfig, fit, restore, zero_is_silence=True, reads=("item_columns",))
