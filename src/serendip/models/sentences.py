"""Sentences as vectors by a small BERT whose weights others trained, in numpy: the mean of what its last layer says."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from serendip.data import Floats
from serendip.models.near import unit_rows
from serendip.models.parallel import one_blas_thread

AT_ONCE = 32
"""Texts of one pass; those of like length go together."""
LONGEST_WORD = 100
"""Letters; a longer word is not known."""


@dataclass(frozen=True)
class WordPieces:
    """Texts as rows of a vocabulary of pieces of words (Schuster, Nakajima 2012), as uncased BERT cuts them."""

    row: dict[str, int]

    @property
    def ends(self) -> tuple[int, int, int]:
        """What stands for the beginning, the end, and an unknown word."""
        return self.row["[CLS]"], self.row["[SEP]"], self.row["[UNK]"]

    def cut(self, text: str, most: int) -> list[int]:
        """The rows of a text's pieces with beginning and end, at most ``most``."""
        first, last, unknown = self.ends
        pieces: list[int] = []
        for word in words_of(text):
            pieces += self._of_word(word) or [unknown]
            if len(pieces) >= most - 2:
                break
        return [first, *pieces[: most - 2], last]

    def _of_word(self, word: str) -> list[int]:
        """The longest pieces from the left, or none where a rest has no piece."""
        found, start = [], 0
        while start < len(word) <= LONGEST_WORD:
            for end in range(len(word), start, -1):
                piece = self.row.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    found.append(piece)
                    start = end
                    break
            else:
                return []
        return found


def words_of(text: str) -> list[str]:
    """Small letters without accents; punctuation and Chinese characters stand alone."""
    plain = unicodedata.normalize("NFD", text.lower())
    out = []
    for letter in plain:
        kind = unicodedata.category(letter)
        if kind == "Mn" or (kind.startswith("C") and letter not in "\t\n\r"):
            continue
        alone = kind.startswith("P") or letter in "$+<=>^`|~" or "\u3400" <= letter <= "\u9fff"
        out.append(f" {letter} " if alone else letter)
    return "".join(out).split()


@dataclass(frozen=True)
class SentenceEncoder:
    """Embeddings of pieces, places and types, then layers of attention (Devlin 2018), then the mean over the pieces."""

    pieces: WordPieces
    weights: Mapping[str, Floats]
    """As the published files name them, without a prefix such as ``bert.``."""
    n_layers: int
    n_heads: int
    most: int
    """Pieces of a text that are looked at."""
    epsilon: float = 1e-12

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(self.weights["embeddings.word_embeddings.weight"].shape[1])

    def encode(self, texts: Sequence[str]) -> Floats:
        """A vector of length 1 for every text; (n_texts, size)."""
        cut = [self.pieces.cut(text, self.most) for text in texts]
        out = np.zeros((len(texts), self.size), np.float32)
        order = np.argsort([len(own) for own in cut], kind="stable")
        for start in range(0, len(order), AT_ONCE):
            some = order[start : start + AT_ONCE]
            with one_blas_thread():
                out[some] = self._mean([cut[t] for t in some])
        return unit_rows(out)

    def _mean(self, cut: Sequence[Sequence[int]]) -> Floats:
        """The mean of the last layer over each text's pieces; (n_texts, size)."""
        longest = max(map(len, cut))
        there = np.array([[1] * len(own) + [0] * (longest - len(own)) for own in cut], np.float32)
        rows = np.array([[*own, *[0] * (longest - len(own))] for own in cut])
        named = "embeddings.{}_embeddings.weight"
        x = self.weights[named.format("word")][rows] + self.weights[named.format("position")][:longest]
        x = self._normed(x + self.weights[named.format("token_type")][0], "embeddings.LayerNorm")
        for layer in range(self.n_layers):
            x = self._layer(x, f"encoder.layer.{layer}.", there)
        return np.asarray((x * there[:, :, None]).sum(axis=1) / there.sum(axis=1, keepdims=True), np.float32)

    def _layer(self, x: Floats, name: str, there: Floats) -> Floats:
        """Attention, then two layers with a GELU between, each added to what came in and normed."""
        n, length, size = x.shape
        shape = (n, length, self.n_heads, size // self.n_heads)
        query, key, value = (
            self._linear(x, f"{name}attention.self.{one}").reshape(shape).transpose(0, 2, 1, 3)
            for one in ("query", "key", "value")
        )  # (n, n_heads, length, size / n_heads)
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(shape[3]))
        scores = np.where(there[:, None, None, :] > 0, scores, np.float32(-1e9))
        scores = np.exp(scores - scores.max(axis=3, keepdims=True))
        mixed = (scores / scores.sum(axis=3, keepdims=True)) @ value
        heads = mixed.transpose(0, 2, 1, 3).reshape(n, length, size)
        x = self._normed(x + self._linear(heads, f"{name}attention.output.dense"), f"{name}attention.output.LayerNorm")
        wide = self._linear(x, f"{name}intermediate.dense")
        wide = 0.5 * wide * (1 + erf(wide / np.float32(np.sqrt(2))))
        return self._normed(x + self._linear(wide, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _linear(self, x: Floats, name: str) -> Floats:
        return np.asarray(x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"], np.float32)

    def _normed(self, x: NDArray[np.float32], name: str) -> Floats:
        centred = x - x.mean(axis=2, keepdims=True)
        scale = np.sqrt(np.square(centred).mean(axis=2, keepdims=True) + self.epsilon)
        out = centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return np.asarray(out, np.float32)
