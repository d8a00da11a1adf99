"""What is known of items besides events, as one vector each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serendip.data import Column, Columns, Floats
from serendip.data.text import directions, terms_of, tfidf
from serendip.models.attributes import Names, given_vectors, named
from serendip.models.memory import claim
from serendip.models.near import unit_rows
from serendip.models.parallel import one_blas_thread
from serendip.models.profiles import Encoder


def content_of(
    columns: Columns | None, vectors: str | None, names: Names, n_text: int, who: str, rng: np.random.Generator
) -> Floats:
    """Given vectors, words reduced to ``n_text`` directions, and numbers and flags, side by side: (n_items, size).

    Each of the three is of length 1, or 0 where an item has none; there is no column where nobody has any. ``names``
    are the columns of words, numbers and flags that count; none: all there are.
    """
    if columns is None:
        return np.empty((0, 0), np.float32)
    chosen = named(columns, names, who, "item_columns")
    parts = [] if vectors is None else [unit_rows(given_vectors(columns, vectors, who))]
    if n_text:
        parts.append(_words(chosen, columns.n_rows, n_text, who, rng))
    plain = {name: Column(numbers=one.numbers, flags=one.flags) for name, one in chosen.items()}
    encoder = Encoder.of(plain, columns.n_rows)
    if encoder.size:
        parts.append(encoder.vectors(Columns(columns.n_rows, plain)))
    return np.concatenate([np.empty((columns.n_rows, 0), np.float32), *parts], axis=1)


def _words(chosen: Mapping[str, Column], n_rows: int, n_text: int, who: str, rng: np.random.Generator) -> Floats:
    counts, terms = terms_of(chosen, n_rows)
    if not len(terms):
        return np.empty((n_rows, 0), np.float32)
    k = min(n_text, *counts.shape)
    claim(sum(counts.shape) * (k + 10) * 8 * 3, f"{who} over {len(terms)} terms", "lower n_text, or name fewer columns")
    with one_blas_thread():
        return unit_rows(directions(tfidf(counts), k, rng))
