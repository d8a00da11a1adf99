"""Content-kNN: items are alike when what they are made of is; items that nobody took yet have neighbours too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from serendip.data import Arrays, Dataset, Floats, Vocabulary
from serendip.data.text import directions, terms_of, tfidf
from serendip.domain import Invalid
from serendip.models.attributes import Names, given_vectors, item_columns, named
from serendip.models.contract import Kind, ModelConfig
from serendip.models.item_knn import ItemKnn
from serendip.models.kernels.item_item import Csr, nearest_rows, product_cost
from serendip.models.memory import claim
from serendip.models.near import BLOCK, nearest_vectors, unit_rows
from serendip.models.parallel import equal_work, in_chunks, one_blas_thread


class ContentKnnConfig(ModelConfig):
    """What items are compared by, and how many neighbours each has."""

    vectors: str | None = None
    """The column of vectors that items are compared by; none: their texts and lists."""
    columns: Names = ()
    """The columns of texts and lists whose words count; none: all there are."""
    n_factors: NonNegativeInt = Field(64, le=4096)
    """Directions that the words are reduced to; 0: none, the words themselves are compared."""
    n_neighbours: PositiveInt = 50
    """Neighbours kept of each item."""
    binary: bool = True
    """Every item of a history counts 1; false: the summed weight of its events."""


@dataclass(frozen=True)
class ContentKnn(ItemKnn):
    """Every item's neighbours, and the words they share."""

    words: Csr
    """TF-IDF of every item, (n_items, n_terms); empty where items are compared by given vectors."""
    terms: Vocabulary

    def overlap(self, item: int, other: int) -> list[tuple[str, float]]:
        """The terms of both items with their parts of the cosine of TF-IDF, which they sum to, largest first.

        That cosine is the likeness itself where nothing was reduced, and what it was made from where it was.
        """
        (rows, values), (others, more) = (self._terms_of(one) for one in (item, other))
        both, left, right = np.intersect1d(rows, others, assume_unique=True, return_indices=True)
        parts = values[left] * more[right]
        return [(self.terms.ids[both[t]], float(parts[t])) for t in np.argsort(-parts, kind="stable")]

    def _terms_of(self, item: int) -> tuple[NDArray[np.int32], Floats]:
        own = slice(self.words.indptr[item], self.words.indptr[item + 1])
        return self.words.indices[own], self.words.value[own]

    @cached_property
    def _packed(self) -> Arrays:
        return {f"terms.{name}": array for name, array in self.terms.arrays().items()}

    def arrays(self) -> Arrays:
        """The neighbours, the words of the items, and the terms."""
        indptr, term_ix, value = self.words
        words: Arrays = {"words.indptr": indptr, "words.term": term_ix, "words.value": value}
        return super().arrays() | words | self._packed


def fit(config: ContentKnnConfig, data: Dataset, rng: np.random.Generator) -> ContentKnn:
    """Each item's nearest ones, by given vectors or by words."""
    columns = item_columns(data, "content-knn")
    k = min(config.n_neighbours, data.n_items)
    claim(data.n_items * (k * 16 + 32 + BLOCK * 4), "content-knn", "lower n_neighbours")
    if config.vectors is not None:
        rows = nearest_vectors(unit_rows(given_vectors(columns, config.vectors, "content-knn")), k)
        nothing = Csr(np.zeros(data.n_items + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        return ContentKnn(rows, config.binary, nothing, Vocabulary(()))
    counts, terms = terms_of(named(columns, config.columns, "content-knn", "columns"), data.n_items)
    if not len(terms):
        raise Invalid(
            "content-knn found no word in the items' attributes; name columns that hold texts or lists of texts, "
            "or a column of vectors as vectors",
            field="columns",
        )
    x = tfidf(counts)
    words = Csr.of(x)
    # As many directions as there are leave every cosine as it is.
    if not 0 < config.n_factors < min(x.shape):
        return ContentKnn(_nearest_by_words(words, Csr.of(x.T.tocsr()), k), config.binary, words, terms)
    wide = sum(x.shape) * (config.n_factors + 10) * 8 * 3
    claim(wide, f"content-knn over {len(terms)} terms", "lower n_factors, or name fewer columns")
    with one_blas_thread():
        vectors = directions(x, config.n_factors, rng)
    return ContentKnn(nearest_vectors(unit_rows(vectors), k), config.binary, words, terms)


def _nearest_by_words(words: Csr, holders: Csr, k: int) -> Csr:
    """The rows of largest X X' of each row of X (n_items, n_terms): terms are to items what users are elsewhere."""
    parts = in_chunks(
        lambda start, stop: nearest_rows(holders, words, 0.0, 1, k, start, stop),
        equal_work(product_cost(holders, words) + 16, 64),
    )
    sizes, items, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Csr(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), items, values)


def restore(config: ContentKnnConfig, arrays: Arrays) -> ContentKnn:
    """The model that ``arrays`` was made of."""
    return ContentKnn(
        Csr(arrays["indptr"], arrays["item_ix"], arrays["similarity"]),  # type: ignore[arg-type]
        config.binary,
        Csr(arrays["words.indptr"], arrays["words.term"], arrays["words.value"]),  # type: ignore[arg-type]
        Vocabulary.restore({name: arrays[f"terms.{name}"] for name in ("blob", "ends")}),
    )


KIND = Kind("content-knn", ContentKnnConfig, fit, restore, zero_is_silence=True, reads=("item_columns",))
