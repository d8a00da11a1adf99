"""Text ids and the rows of our arrays that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numba
import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]

UNKNOWN = -1
"""The row of an id that is not in a vocabulary."""


@numba.njit(cache=True, nogil=True)
def hash_texts(blob: NDArray[np.uint8], ends: NDArray[np.int64], out: NDArray[np.uint64]) -> None:
    """64 well-mixed bits of each text of ``blob``: FNV-1a over its bytes, then the finaliser of SplitMix64."""
    start = np.int64(0)
    for i in range(ends.shape[0]):
        h = np.uint64(14695981039346656037)
        for j in range(start, ends[i]):
            h = (h ^ np.uint64(blob[j])) * np.uint64(1099511628211)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = h ^ (h >> np.uint64(31))
        start = ends[i]


@dataclass(frozen=True)
class Vocabulary:
    """Ids in row order: row ``i`` of every array beside it belongs to ``ids[i]``."""

    ids: tuple[str, ...]

    @staticmethod
    def of(ids: Iterable[str]) -> Vocabulary:
        """The vocabulary of ``ids`` without repeats, in order of first appearance."""
        return Vocabulary(tuple(dict.fromkeys(ids)))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, text: object) -> bool:
        return text in self._row_of

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {text: row for row, text in enumerate(self.ids)}

    def row(self, text: str) -> int:
        """The row of one id, or UNKNOWN."""
        return self._row_of.get(text, UNKNOWN)

    def rows(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Rows of shape (n,), UNKNOWN where an id is not known."""
        return np.fromiter(map(self._row_of.get, texts, repeat(UNKNOWN)), np.int32, len(texts))

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """One random-looking number an id, the same in every process: ties are broken by it. Shape (n,)."""
        blob, ends = self._packed()
        out = np.empty(len(self.ids), np.uint64)
        hash_texts(blob, ends, out)
        return out

    def _packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        encoded = [text.encode() for text in self.ids]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), dtype=np.int64)
        return np.frombuffer(b"".join(encoded), np.uint8), ends

    def arrays(self) -> Arrays:
        """UTF-8 text end to end, and where each id ends."""
        blob, ends = self._packed()
        return {"blob": blob, "ends": ends}

    @staticmethod
    def restore(arrays: Arrays) -> Vocabulary:
        """The vocabulary that ``arrays`` was made of."""
        blob, ends = arrays["blob"].tobytes(), arrays["ends"].tolist()
        starts = [0, *ends[:-1]] if ends else []
        return Vocabulary(tuple(blob[a:b].decode() for a, b in zip(starts, ends, strict=True)))


@dataclass(frozen=True)
class Hashes:
    """Rows of ids that are known by their hashes alone, so that whoever keeps this holds nobody's id."""

    hashes: NDArray[np.uint64]
    """Shape (n,)."""

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {text: row for row, text in enumerate(self.hashes.tolist())}

    def row(self, text: str) -> int:
        """The row of one id, or UNKNOWN."""
        return int(self.rows([text])[0])

    def rows(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Rows of shape (n,), UNKNOWN where an id is not known."""
        told = Vocabulary(tuple(texts)).hashes.tolist()
        return np.fromiter(map(self._row_of.get, told, repeat(UNKNOWN)), np.int32, len(texts))

    @property
    def nameless(self) -> Vocabulary:
        """Names for the rows that are nobody's id."""
        return Vocabulary(tuple(f"\0{one:016x}" for one in self.hashes.tolist()))
