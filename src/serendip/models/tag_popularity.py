"""Tag popularity: what most people took lately, within what the asker's own items are about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from serendip.data import Arrays, Dataset, Floats, ItemRows, Queries
from serendip.models import popularity
from serendip.models.answers import columns, finish
from serendip.models.contract import Kind, Trending
from serendip.models.item_knn import taken_items
from serendip.models.kernels.item_item import Csr, sum_sparse_rows
from serendip.models.tag_svd import averaged, tags_of


class TagPopularityConfig(popularity.PopularityConfig):
    """What an item is about, and how fast popularity fades."""

    column: str = "tags"
    """The items' column of tags: lists of texts, or texts such as a topic."""


@dataclass(frozen=True)
class TagPopularity:
    """A total for every item, and its tags."""

    totals: Floats
    """Faded sum of weights, of shape (n_items,)."""
    weights: Csr
    """Each item's tags, of shape (n_items, n_tags)."""
    tags: Floats
    """One for each tag; shape (n_tags,)."""

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        """Each item's total times the mean share, over its tags, that they have of all tags in the history."""
        share = self._share(queries)

        def full(some: Queries) -> Floats:
            own = share if some is queries else self._share(some)
            return np.asarray(averaged(own, self.weights, least=0) * self.totals, np.float32)

        return finish(columns(full, queries, among), np.asarray(np.isnan(share).any(axis=1)), among)

    def _share(self, queries: Queries) -> Floats:
        """(n_queries, n_tags), rows of NaN where the history holds no tag."""
        have = np.empty((len(queries), len(self.tags)), np.float32)
        sum_sparse_rows(taken_items(queries, binary=True), self.weights, have, 0, len(queries))
        total = have.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(have, total, out=np.full_like(have, np.nan), where=total > 0), np.float32)

    def arrays(self) -> Arrays:
        """The totals and the items' tags."""
        return {
            "totals": self.totals,
            "tags": self.tags,
            "weights.indptr": self.weights.indptr,
            "weights.tag": self.weights.indices,
            "weights.value": self.weights.value,
        }


def fit(config: TagPopularityConfig, data: Dataset, rng: np.random.Generator) -> TagPopularity:
    """Totals as of ``popularity``, beside the tags of the items."""
    weights, names = tags_of(config.column, {}, data, "tag-popularity")
    return TagPopularity(popularity.fit(config, data, rng).totals, weights, np.ones(len(names), np.float32))


def restore(config: TagPopularityConfig, arrays: Arrays) -> TagPopularity:  # noqa: ARG001
    """The model that ``arrays`` was made of."""
    weights = Csr(arrays["weights.indptr"], arrays["weights.tag"], arrays["weights.value"])  # type: ignore[arg-type]
    return TagPopularity(arrays["totals"], weights, arrays["tags"])  # type: ignore[arg-type]


def with_totals(model: TagPopularity, totals: Floats) -> TagPopularity:
    """The same with other totals."""
    return replace(model, totals=totals)


KIND = Kind(
    "tag-popularity",
    TagPopularityConfig,
    fit,
    restore,
    zero_is_silence=True,
    counts=True,
    trend=Trending(lambda config: config, with_totals),
    reads=("item_columns",),
)
