"""Words as numbers: TF-IDF of texts and lists, and a few directions that hold most of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data.columns import Column
from serendip.data.lists import Floats
from serendip.data.vocabulary import Vocabulary

WORD = re.compile(r"\w\w+")
"""Two letters or digits or more, of any script."""

EXTRA = 10
"""Directions that are looked for beyond those that are kept."""

N_POWERS = 4
"""Times that the sketch is multiplied by X X'; each sharpens it."""


def terms_of(columns: Mapping[str, Column], n_rows: int) -> tuple[sparse.csr_array, Vocabulary]:
    """How often each row holds each term, float32 (n_rows, n_terms), and the terms.

    The terms of a text are its words in lower case; a list's are its entries, written ``column:entry``, whole.
    """
    counts: list[Counter[str]] = [Counter() for _ in range(n_rows)]
    for name, column in columns.items():
        if column.texts is not None:
            words = [WORD.findall(text.lower()) for text in column.texts.words]
            for row in np.flatnonzero(column.texts.codes >= 0):
                counts[row].update(words[column.texts.codes[row]])
        if column.lists is not None:
            entries = [f"{name}:{entry}" for entry in column.lists.words]
            for row, code in zip(column.lists.owner, column.lists.codes.item_ix, strict=True):
                counts[row][entries[code]] += 1
    terms = Vocabulary(tuple(sorted(set().union(*counts))))
    indptr = np.concatenate([[0], np.cumsum([len(own) for own in counts])]).astype(np.int64)
    col = np.concatenate([np.empty(0, np.int32), *(terms.rows(list(own)) for own in counts)])
    value = np.fromiter((n for own in counts for n in own.values()), np.float32, int(indptr[-1]))
    out = sparse.csr_array((value, col, indptr), shape=(n_rows, len(terms)))
    out.sort_indices()
    return out, terms


def tfidf(counts: sparse.csr_array) -> sparse.csr_array:
    """Rows of length 1, or 0 where there is no term (Salton, Buckley 1988), of the shape of ``counts``:

        t_ij = (1 + ln n_ij) (1 + ln((1 + n_rows) / (1 + d_j))),  x_i = t_i / |t_i|

    with d_j the rows that hold term j: a term of every row still counts 1.
    """
    n_rows, n_terms = counts.shape
    held = np.bincount(counts.indices, minlength=n_terms)
    rarity = 1 + np.log((1 + n_rows) / (1 + held))
    value = (1 + np.log(counts.data.astype(np.float64))) * rarity[counts.indices]
    owner = np.repeat(np.arange(n_rows), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(owner, value**2, minlength=n_rows))
    out = counts.copy()
    out.data = (value / length[owner]).astype(np.float32)
    return out


def directions(x: sparse.csr_array, k: int, rng: np.random.Generator) -> Floats:
    """U S of the ``k`` largest singular values of X (n_rows, n_terms), float32 (n_rows, k).

    Randomised (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.1): the range of (X X')^q X W for a random W, and
    the exact decomposition within it.
    """
    basis = _orthonormal(x @ rng.standard_normal((x.shape[1], min(k + EXTRA, *x.shape))))
    for _ in range(N_POWERS):
        basis = _orthonormal(x @ _orthonormal(x.T @ basis))
    left, size, _ = np.linalg.svd((x.T @ basis).T, full_matrices=False)
    return np.asarray((basis @ left[:, :k]) * size[:k], np.float32)


def _orthonormal(y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.qr(y)[0])
