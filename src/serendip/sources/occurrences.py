"""How often each row came before: exact bookkeeping for hundreds of millions of rows in a few bytes each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIRST_SLOTS, FULL = 1 << 16, 0.7
"""Slots of the first table, and the share of a table that is filled before a larger one is begun."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Occurrences:
    """Counts equal rows by their 64-bit hashes.

    The k-th occurrence of a row is kept as the key ``mix(hash, k)``, so that
    occurrences are found by asking which keys are there, doubling and halving
    k. Of a key, its home slot and 32 further bits are kept, four bytes a row:
    two rows are mistaken for equal about once in 10^9 rows, and then one of
    them merely counts as a repeat.
    """

    def __init__(self, expected: int = 0) -> None:
        self._tables = [_Table(max(FIRST_SLOTS, int(1.1 * expected / FULL)))]

    def number(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """For each row, how many equal ones came before it, in earlier calls and in this one; all count from now on."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        first = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
        starts, group = np.flatnonzero(first), np.cumsum(first) - 1
        within = np.arange(len(ordered)) - starts[group]
        numbers = np.empty(len(hashes), np.int64)
        numbers[order] = self._seen(ordered[starts])[group] + within
        self._insert(_mix(hashes, numbers))
        return numbers

    def _seen(self, distinct: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Occurrences so far of every distinct hash: the first k whose key is absent."""
        low = np.zeros(len(distinct), np.int64)
        step = np.zeros(len(distinct), np.int64)
        rising = np.arange(len(distinct))
        while rising.size:
            there = self._holds(_mix(distinct[rising], low[rising] + step[rising]))
            low[rising[there]] += step[rising[there]] + 1
            step[rising[there]] = 2 * step[rising[there]] + 1
            rising = rising[there]
        # The count lies in [low, low + step): halve until the two meet.
        high = low + step
        open_ = np.flatnonzero(low < high)
        while open_.size:
            middle = (low[open_] + high[open_]) // 2
            there = self._holds(_mix(distinct[open_], middle))
            low[open_[there]] = middle[there] + 1
            high[open_[~there]] = middle[~there]
            open_ = open_[low[open_] < high[open_]]
        return low

    def _holds(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found = np.zeros(len(keys), bool)
        for table in self._tables:
            rest = np.flatnonzero(~found)
            found[rest] = table.holds(keys[rest])
        return found

    def _insert(self, keys: NDArray[np.uint64]) -> None:
        while keys.size:
            table = self._tables[-1]
            room = int(FULL * len(table.slots)) - table.used
            table.insert(keys[: max(room, 0)])
            keys = keys[max(room, 0) :]
            if keys.size:
                self._tables.append(_Table(sum(len(one.slots) for one in self._tables)))


class _Table:
    """A hash table with linear probing of the upper 32 bits as home and the lower 32 as content; 0 is an empty slot."""

    def __init__(self, n_slots: int) -> None:
        self.slots, self.used = np.zeros(n_slots, np.uint32), 0

    def _split(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        home = ((keys >> np.uint64(32)) * np.uint64(len(self.slots)) >> np.uint64(32)).astype(np.int64)
        content = keys.astype(np.uint32)
        return home, np.where(content == 0, np.uint32(1), content)

    def holds(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found = np.zeros(len(keys), bool)
        at, content = self._split(keys)
        asking = np.arange(len(keys))
        while asking.size:
            there = self.slots[at[asking]]
            found[asking] = there == content[asking]
            asking = asking[(there != 0) & (there != content[asking])]
            at[asking] = (at[asking] + 1) % len(self.slots)
        return found

    def insert(self, keys: NDArray[np.uint64]) -> None:
        at, content = self._split(keys)
        self.used += len(keys)
        waiting = np.arange(len(keys))
        while waiting.size:
            # Of several that want one free slot the last writer gets it, and the others move on.
            free = waiting[self.slots[at[waiting]] == 0]
            self.slots[at[free]] = content[free]
            waiting = waiting[self.slots[at[waiting]] != content[waiting]]
            at[waiting] = (at[waiting] + 1) % len(self.slots)


def _mix(hashes: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A key of 64 even bits for each hash and number (the finisher of splitmix64)."""
    x = hashes + (numbers.astype(np.uint64) + np.uint64(1)) * GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
