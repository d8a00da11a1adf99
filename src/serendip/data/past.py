"""Numbers as they were at the starts of past days, kept as what changed from one day to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import DAY
from serendip.data.vocabulary import Arrays

BEFORE_ALL, TOO_EARLY = -1, -2
"""Places of moments before which nothing had happened, and of which nothing is kept."""

ALWAYS = int(np.iinfo(np.int64).min)
"""A moment before every other."""

MOST_CHANGES = 8_000_000
"""So many numbers are kept at most; where there would be more, fewer days are."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Horizon:
    """The moments of which something is kept."""

    first: int
    """The first event; moments are microseconds."""
    until: int
    """What is from here on is not the past."""
    starts: NDArray[np.int64]
    """Starts of days in UTC, each the day after the one before it, all after ``first`` and before ``until``.

    Up to ``until`` everything is as it was at the last of them.
    """

    @staticmethod
    def of(at: NDArray[np.int64], until: int, days: float, window: int = 0) -> Horizon:
        """The last ``days`` of a log with the moments ``at``, as far as it goes back, and those after it.

        After the last event nothing changes but that events leave windows, of which ``window`` is the longest (in
        microseconds): days on which none is left are not named, and are as the one before them.
        """
        first, last = (int(at.min()), int(at.max())) if len(at) else (until, until - 1)
        begin = max(first // DAY + 1, (min(until, (last // DAY + 1) * DAY) - round(days * DAY)) // DAY)
        end = min(-(-until // DAY), (last + window) // DAY + 2)
        return Horizon(first, until, np.arange(begin, end if days > 0 else begin, dtype=np.int64) * DAY)

    def places(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of ``starts`` begins the day of each moment; its length for what is not the past.

        BEFORE_ALL where nothing had happened when the day began, TOO_EARLY where it is not kept.
        """
        days = moments // DAY * DAY
        out = np.searchsorted(self.starts, days, side="right") - 1
        out[(out < 0) & (days > self.first)] = TOO_EARLY
        out[moments >= self.until] = len(self.starts)
        return np.asarray(out, np.int64)

    def since(self, start: int) -> Horizon:
        """The same without the first ``start`` of its days."""
        return Horizon(self.first, self.until, self.starts[start:])

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        return {"span": np.array([self.first, self.until], np.int64), "starts": self.starts}

    @staticmethod
    def restore(arrays: Arrays) -> Horizon:
        """What ``arrays`` was made of."""
        first, until = np.asarray(arrays["span"]).tolist()
        return Horizon(first, until, np.asarray(arrays["starts"], np.int64))


@dataclass(frozen=True)
class Past:
    """Columns of numbers as they were at moments of the past, beside the columns as they are."""

    ends: NDArray[np.int64]
    """Where the changes of each moment begin, up to the next moment, and the end of all; shape (n_moments + 1,)."""
    rows: NDArray[np.integer]
    """Which row changed; shape (n_changes,)."""
    changes: tuple[NDArray[Any], ...]
    """Of each column: by how much it changed (whole numbers), or what it was before (others)."""

    def columns(self, place: int, latest: Sequence[Numbers]) -> list[Numbers]:
        """The columns as they were at the moment ``place``, from the ``latest`` ones; new arrays."""
        rows = self.rows[self.ends[place] :]
        out = []
        for now, changes in zip(latest, self.changes, strict=True):
            change = changes[self.ends[place] :]
            if changes.dtype.kind == "i":
                out.append(now - np.bincount(rows, change, minlength=len(now)))
            else:
                then = now.copy()
                # Of a row that changed several times the first change is written last, and stays.
                then[rows[::-1]] = change[::-1]
                out.append(then)
        return out

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs; columns that changed alike are kept once."""
        unique: list[NDArray[Any]] = []
        which = []
        for change in self.changes:
            same = (i for i, one in enumerate(unique) if one.dtype == change.dtype and np.array_equal(one, change))
            which.append(next(same, len(unique)))
            if which[-1] == len(unique):
                unique.append(change)
        out: Arrays = {"ends": self.ends, "rows": self.rows, "which": np.array(which, np.int32)}
        return out | {f"change.{i}": change for i, change in enumerate(unique)}

    @staticmethod
    def restore(arrays: Arrays) -> Past:
        """What ``arrays`` was made of."""
        which = np.asarray(arrays["which"]).tolist()
        changes = tuple(np.asarray(arrays[f"change.{i}"]) for i in which)
        return Past(np.asarray(arrays["ends"]), np.asarray(arrays["rows"]), changes)


class Noted:
    """The past of columns that are about to change, written down while they do."""

    def __init__(self, columns: Sequence[Numbers]) -> None:
        self._columns = columns
        self._before: list[Numbers] | None = None
        self._steps: list[tuple[NDArray[np.int64], list[tuple[Numbers, Numbers]]]] = []

    def note(self) -> None:
        """The columns are now as they were at the next moment of the past."""
        self._close()
        self._before = [column.copy() for column in self._columns]

    def _close(self) -> None:
        """What changed since the last moment."""
        if self._before is None:
            return
        pairs = list(zip(self._before, self._columns, strict=True))
        changed = np.zeros(len(self._columns[0]) if self._columns else 0, np.bool_)
        for before, now in pairs:
            changed |= (before != now) & ~(np.isnan(before) & np.isnan(now))
        rows = np.flatnonzero(changed)
        self._steps.append((rows, [(before[rows], now[rows]) for before, now in pairs]))

    @property
    def size(self) -> int:
        """How many numbers are kept so far."""
        return sum(len(rows) * len(pairs) for rows, pairs in self._steps)

    def forget_first(self) -> None:
        """Keep the first moment no more; at least two were noted."""
        del self._steps[0]

    def past(self) -> Past:
        """Everything that was noted; the columns are now as they are."""
        self._close()
        self._before = None
        steps = self._steps
        ends = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in steps])]).astype(np.int64)
        rows = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in steps)])
        changes = []
        for column in range(len(self._columns)):
            before = np.concatenate([np.empty(0), *(pairs[column][0] for _, pairs in steps)])
            now = np.concatenate([np.empty(0), *(pairs[column][1] for _, pairs in steps)])
            changes.append(_change(before, now))
        return Past(ends, _small(rows, (np.uint16, np.int32)), tuple(changes))


def _change(before: Numbers, now: Numbers) -> NDArray[Any]:
    """The difference of whole numbers, or else what was before, as small as it can be kept."""
    if np.isfinite(before).all() and np.isfinite(now).all() and (before == np.rint(before)).all():
        change = now - before
        if (change == np.rint(change)).all() and np.abs(change).max(initial=0) < 2**31:
            return _small(change.astype(np.int64), (np.int8, np.int16, np.int32))
    single = before.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), before, equal_nan=True) else before


def _small(numbers: NDArray[np.int64], types: Sequence[Any]) -> NDArray[Any]:
    """The same in the first of ``types`` that holds them all."""
    low, high = numbers.min(initial=0), numbers.max(initial=0)
    for one in types:
        if np.iinfo(one).min <= low and high <= np.iinfo(one).max:
            return numbers.astype(one)
    return numbers
