"""Profiles as vectors: numbers scaled, texts and booleans one-hot, lists multi-hot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serendip.data import Arrays, Column, Columns, Floats, Vocabulary
from serendip.models.near import unit_rows

LIMIT = 3.0
"""Numbers count at most so many standard deviations from the mean; one slip of a hand is not a whole profile."""

FLAGS = ("no", "yes")


@dataclass(frozen=True)
class Encoder:
    """The places of a vector, and the scales of its first ones."""

    numbers: Vocabulary
    """Columns of numbers."""
    mean: NDArray[np.float64]
    """Shape (n_numbers,), as is ``scale``."""
    scale: NDArray[np.float64]
    """Standard deviations; 1 where all are equal."""
    words: Vocabulary
    """What texts, booleans and lists hold, as ``column=value``."""

    @property
    def size(self) -> int:
        """Length of a vector."""
        return len(self.numbers) + len(self.words)

    @staticmethod
    def of(columns: Mapping[str, Column], n_rows: int) -> Encoder:
        """What two rows of ``columns`` can have in common; a value that only one row has makes nobody alike."""
        numbers = [name for name, column in columns.items() if column.numbers is not None]
        values = np.stack([columns[name].numbers for name in numbers]) if numbers else np.empty((0, n_rows))  # type: ignore[misc]
        known = ~np.isnan(values)
        n_known = np.maximum(known.sum(axis=1), 1)
        mean = np.where(known, values / n_known[:, None], 0).sum(axis=1)
        away = np.where(known, values - mean[:, None], 0)
        # Scaled by the largest before being squared, so that no square leaves the range of a double.
        most = np.maximum(np.abs(away).max(axis=1, initial=0), np.finfo(np.float64).tiny)
        scale = most * np.sqrt(((away / most[:, None]) ** 2).sum(axis=1) / n_known)
        # Equal numbers may be away from their mean by a rounding.
        scale[~(scale > 1e-12 * np.abs(mean))] = 1
        found: dict[str, int] = {}
        for name, column in columns.items():
            for words, rows, codes in _held(column):
                # A list that holds a word twice is still one row.
                each = np.unique(rows * len(words) + codes) % max(len(words), 1)
                for word, n in zip(words, np.bincount(each, minlength=len(words)), strict=True):
                    found[f"{name}={word}"] = found.get(f"{name}={word}", 0) + int(n)
        shared = (word for word, n in found.items() if n > 1)
        return Encoder(Vocabulary(tuple(numbers)), mean, scale, Vocabulary(tuple(sorted(shared))))

    def vectors(self, columns: Columns) -> Floats:
        """Rows of length 1, (n_rows, size); 0 where nothing is known. Columns that were not learnt from are skipped."""
        out = np.zeros((columns.n_rows, self.size), np.float32)
        for place, name in enumerate(self.numbers):
            column = columns.columns.get(name)
            if column is not None and column.numbers is not None:
                scaled = (column.numbers - self.mean[place]) / self.scale[place]
                out[:, place] = np.nan_to_num(np.clip(scaled, -LIMIT, LIMIT), nan=0)
        for name, column in columns.columns.items():
            for words, rows, codes in _held(column):
                places = self.words.rows([f"{name}={word}" for word in words])
                at = np.append(places, -1)[codes]
                out[rows[at >= 0], len(self.numbers) + at[at >= 0]] = 1
        return unit_rows(out)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        told = {"numbers": self.numbers, "words": self.words}
        out: Arrays = {f"{room}.{name}": array for room, one in told.items() for name, array in one.arrays().items()}
        return {**out, "mean": self.mean, "scale": self.scale}

    @staticmethod
    def restore(arrays: Arrays) -> Encoder:
        """The encoder that ``arrays`` was made of."""
        numbers, words = (
            Vocabulary.restore({name: arrays[f"{room}.{name}"] for name in ("blob", "ends")})
            for room in ("numbers", "words")
        )
        return Encoder(numbers, arrays["mean"], arrays["scale"], words)  # type: ignore[arg-type]


def _held(column: Column) -> list[tuple[tuple[str, ...], NDArray[np.integer], NDArray[np.integer]]]:
    """The words of a column's parts, the rows that hold one, and which."""
    out: list[tuple[tuple[str, ...], NDArray[np.integer], NDArray[np.integer]]] = []
    if column.texts is not None:
        rows = np.flatnonzero(column.texts.codes >= 0)
        out.append((column.texts.words, rows, column.texts.codes[rows]))
    if column.flags is not None:
        rows = np.flatnonzero(column.flags >= 0)
        out.append((FLAGS, rows, column.flags[rows]))
    if column.lists is not None:
        out.append((column.lists.words, column.lists.owner, column.lists.codes.item_ix))
    return out
