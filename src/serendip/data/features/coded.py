"""Words of rows as codes: what a column says of each row, and the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serendip.data.columns import Column
from serendip.data.vocabulary import UNKNOWN, Arrays, Vocabulary

Codes = NDArray[np.int32]
Ends = NDArray[np.int64]


NO_CODE = -2
"""Instead of the code of a row of which nothing is known."""


@dataclass(frozen=True)
class Coded:
    """The codes of each row, end to end: a row has one, several (a list of tags) or none (nothing known)."""

    indptr: Ends
    """Row ``i`` owns ``codes[indptr[i]:indptr[i + 1]]``; shape (n_rows + 1,)."""
    codes: Codes
    """Places among ``n_codes`` words; UNKNOWN: a word that was never seen before."""
    n_codes: int
    words: Vocabulary | None = None
    """What a code says; None: the row itself."""

    @staticmethod
    def rows(rows: NDArray[np.integer], n_codes: int) -> Coded:
        """Each row by itself: its code is its row among ``n_codes``."""
        return Coded(np.arange(len(rows) + 1, dtype=np.int64), rows.astype(np.int32), n_codes)

    @staticmethod
    def one(n_rows: int) -> Coded:
        """Every row has the code 0: what is told does not depend on it."""
        return Coded.rows(np.zeros(n_rows, np.int32), 1)

    @cached_property
    def single(self) -> Codes | None:
        """The one code of each row, NO_CODE where it has none; None where a row has several."""
        size = np.diff(self.indptr)
        if size.max(initial=0) > 1:
            return None
        out = np.full(len(size), NO_CODE, np.int32)
        out[size == 1] = self.codes
        return out

    def take(self, rows: NDArray[np.integer]) -> Coded:
        """The codes of these rows, in this order; none where a row is below 0."""
        known = rows >= 0
        start = np.where(known, self.indptr[np.maximum(rows, 0)], 0)
        size = np.where(known, self.indptr[np.maximum(rows, 0) + 1] - start, 0)
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        entries = np.arange(indptr[-1]) - np.repeat(indptr[:-1], size) + np.repeat(start, size)
        return Coded(indptr, self.codes[entries], self.n_codes, self.words)

    def longer(self, n_more: int) -> Coded:
        """The same with further rows at the end, of which nothing is known."""
        indptr = np.concatenate([self.indptr, np.full(n_more, self.indptr[-1])])
        return Coded(indptr, self.codes, self.n_codes, self.words)

    @property
    def first(self) -> NDArray[np.float32]:
        """The first code of each row as a number, NaN where there is none or it was never seen; shape (n_rows,)."""
        size = np.diff(self.indptr)
        out = np.full(len(size), np.nan, np.float32)
        codes = self.codes[self.indptr[:-1][size > 0]].astype(np.float32)
        out[size > 0] = np.where(codes == UNKNOWN, np.nan, codes)
        return out

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        assert self.words is not None, "rows that stand for themselves need not be kept"
        words = {f"words.{name}": array for name, array in self.words.arrays().items()}
        return {"indptr": self.indptr, "codes": self.codes, **words}

    @staticmethod
    def restore(arrays: Arrays) -> Coded:
        """The codes that ``arrays`` was made of."""
        words = Vocabulary.restore({name: arrays[f"words.{name}"] for name in ("blob", "ends")})
        return Coded(np.asarray(arrays["indptr"]), np.asarray(arrays["codes"]), len(words), words)


def coded(column: Column, n_rows: int, known: Vocabulary | None = None) -> Coded:
    """What ``column`` says of each row, each word once; with ``known`` by its codes, UNKNOWN for other words."""
    parts = _parts(column)
    if known is not None and len(parts) == 1 and column.lists is None:
        # One word a row at most, as of nearly everybody who asks: nothing need be sorted.
        owner, place, said = parts[0]
        indptr = np.searchsorted(owner, np.arange(n_rows + 1)).astype(np.int64)
        return Coded(indptr, known.rows(said)[place], len(known), known)
    owners, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    words: list[str] = []
    for owner, place, said in parts:
        owners.append(owner)
        used, inverse = np.unique(place, return_inverse=True)
        places.append(inverse + len(words))
        words += [said[i] for i in used]
    vocabulary = known if known is not None else Vocabulary(tuple(sorted(set(words))))
    owner = np.concatenate(owners)
    code = vocabulary.rows(words)[np.concatenate(places)] if words else np.empty(0, np.int32)
    span = len(vocabulary) + 1
    both = np.unique(owner * span + (code.astype(np.int64) + 1))
    indptr = np.searchsorted(both, np.arange(n_rows + 1) * span)
    return Coded(indptr.astype(np.int64), (both % span - 1).astype(np.int32), len(vocabulary), vocabulary)


def _parts(column: Column) -> list[tuple[NDArray[np.int64], NDArray[np.int64], list[str] | tuple[str, ...]]]:
    """Rows, and of each the place of its word among words; for every type that the column holds."""
    out: list[tuple[NDArray[np.int64], NDArray[np.int64], list[str] | tuple[str, ...]]] = []
    if column.texts is not None:
        rows = np.flatnonzero(column.texts.codes >= 0)
        out.append((rows, column.texts.codes[rows].astype(np.int64), column.texts.words))
    if column.lists is not None:
        out.append((column.lists.owner, column.lists.codes.item_ix.astype(np.int64), column.lists.words))
    if column.numbers is not None:
        rows = np.flatnonzero(np.isfinite(column.numbers))
        values, place = np.unique(column.numbers[rows], return_inverse=True)
        out.append((rows, place, [np.format_float_positional(value, trim="-") for value in values]))
    if column.flags is not None:
        rows = np.flatnonzero(column.flags >= 0)
        out.append((rows, column.flags[rows].astype(np.int64), ["false", "true"]))
    return out
