"""Histories as lists of known items, and batches of lists of one length: nothing is padded anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Lists:
    """Events end to end, oldest first: list ``s`` owns ``indptr[s]`` up to ``indptr[s + 1]``."""

    indptr: Places
    """Shape (n_lists + 1,)."""
    item_ix: ItemRows
    weight: Floats

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def sizes(self) -> Places:
        """How many events each list has."""
        return np.diff(self.indptr)

    def keep(self, use: NDArray[np.bool_]) -> Lists:
        """Only the events of ``use`` (n_events,); lists may become empty."""
        met = np.concatenate([[0], np.cumsum(use)])
        return Lists(met[self.indptr], self.item_ix[use], self.weight[use])

    def latest(self, n: int) -> Lists:
        """At most the last ``n`` events of each list."""
        if not (self.sizes > n).any():
            return self
        from_end = np.repeat(self.indptr[1:], self.sizes) - np.arange(self.indptr[-1])
        return self.keep(from_end <= n)

    def take(self, rows: Places) -> Lists:
        """Only these lists, in this order."""
        sizes = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        events = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1][rows] - indptr[:-1], sizes)
        return Lists(indptr, self.item_ix[events], self.weight[events])

    def cut(self, size: int) -> Lists:
        """Runs of at most ``size`` events, counted from the end of each list; the first of a list is the shortest.

        The last event of a run opens the next one too, so that each event but a list's first follows another.
        """
        step = max(size - 1, 1)
        ends, firsts = self.indptr[1:], self.indptr[:-1]
        n_runs = np.maximum(-(-(self.sizes - 1) // step), np.minimum(self.sizes, 1))
        of = np.repeat(np.arange(len(self)), n_runs)
        back = np.arange(n_runs.sum()) - np.repeat(np.cumsum(n_runs) - n_runs, n_runs)
        stops = ends[of] - back * step
        starts = np.maximum(stops - size, firsts[of])
        indptr = np.concatenate([[0], np.cumsum(stops - starts)]).astype(np.int64)
        events = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], stops - starts)
        return Lists(indptr, self.item_ix[events], self.weight[events])

    def by_size(self) -> Lists:
        """The same lists, the shortest first."""
        return self.take(np.argsort(self.sizes, kind="stable"))


def runs(sizes: Places) -> Iterator[tuple[int, int]]:
    """``(n, size)`` of each run of equal ``sizes`` (n_lists,): with rising sizes, how many lists have each."""
    bounds = np.flatnonzero(np.diff(sizes, prepend=-1, append=-1))
    for start, stop in pairwise(bounds):
        yield int(stop - start), int(sizes[start])


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Places]:
    """All of 0 to ``n`` (exclusive) in a new order, ``size`` at a time; the batches differ by at most one."""
    yield from np.array_split(rng.permutation(n), max(1, -(-n // size)))
