"""Texts as vectors, one at a time: words counted against a corpus that was learnt from once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from serendip.data import UNKNOWN, Arrays, Column, Floats, Vocabulary
from serendip.data.text import WORD, directions, terms_of, tfidf
from serendip.domain import Invalid
from serendip.models.near import unit_rows
from serendip.models.parallel import one_blas_thread


class TextEncoder(Protocol):
    """Whatever makes vectors of texts: the same text always gives the same vector."""

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """A vector of length 1 for every text, or 0 where it holds nothing that is known; (n_texts, size)."""
        ...


@dataclass(frozen=True)
class WordEncoder:
    """TF-IDF reduced to the directions that hold most of a corpus (latent semantic analysis, Deerwester 1990)."""

    terms: Vocabulary
    rarity: Floats
    """1 + ln((1 + n_texts) / (1 + texts with the term)), of shape (n_terms,)."""
    turn: Floats
    """From terms to directions, of shape (n_terms, size)."""

    @staticmethod
    def fit(texts: Sequence[str], size: int, rng: np.random.Generator) -> WordEncoder:
        """Learnt from these texts; fewer than ``size`` directions where they have no more."""
        column = Column.of(list(texts))
        counts, terms = terms_of({"text": column}, len(texts))
        if not len(terms):
            raise Invalid("no text holds a word of two letters or more; there is nothing to make vectors of")
        held = np.bincount(counts.indices, minlength=len(terms))
        rarity = (1 + np.log((1 + len(texts)) / (1 + held))).astype(np.float32)
        x = tfidf(counts)
        with one_blas_thread():
            rows = directions(x, min(size, *x.shape), rng)
            strength = np.square(rows).sum(axis=0)
            # X = U S V', so that X' (U S) = V S^2; directions of no strength are no directions.
            turn = (x.T @ rows)[:, strength > 1e-9] / strength[strength > 1e-9]
        return WordEncoder(terms, rarity, np.asarray(turn, np.float32))

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(self.turn.shape[1])

    def encode(self, texts: Sequence[str]) -> Floats:
        """TF-IDF of the terms that are known, turned; of length 1, or 0 where none is."""
        counts = [Counter(WORD.findall(text.lower())) for text in texts]
        term_ix = self.terms.rows([word for own in counts for word in own])
        n = np.fromiter((n for own in counts for n in own.values()), np.float32, len(term_ix))
        owner = np.repeat(np.arange(len(texts)), [len(own) for own in counts])
        known = term_ix != UNKNOWN
        value = (1 + np.log(n[known])) * self.rarity[term_ix[known]]
        shape = (len(texts), len(self.terms))
        return unit_rows(sparse.csr_array((value, (owner[known], term_ix[known])), shape=shape) @ self.turn)

    def arrays(self) -> Arrays:
        """The terms, how rare each is, and the directions."""
        return {f"terms.{name}": array for name, array in self.terms.arrays().items()} | {
            "rarity": self.rarity,
            "turn": self.turn,
        }

    @staticmethod
    def restore(arrays: Arrays) -> WordEncoder:
        """The encoder that ``arrays`` was made of."""
        terms = Vocabulary.restore({name: arrays[f"terms.{name}"] for name in ("blob", "ends")})
        return WordEncoder(terms, arrays["rarity"], arrays["turn"])  # type: ignore[arg-type]
