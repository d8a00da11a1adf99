"""How old items were when the asker took them: some like what is new, others what has been around."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import DAY, NEVER, Dataset
from serendip.data.features.definition import Feature
from serendip.data.features.likeness import Histories, Likeness
from serendip.data.lists import Floats, ItemRows
from serendip.data.vocabulary import Arrays


@dataclass(frozen=True)
class Ages:
    """One number an asker and an item: days since items' first events, at the moments at which they were taken."""

    feature: Feature
    first: NDArray[np.int64]
    """The moment of each item's first event in microseconds, NEVER where it has none; shape (n_items,)."""

    @staticmethod
    def of(feature: Feature, n_items: int) -> Ages:
        """Of items that nobody met."""
        return Ages(feature, np.full(n_items, NEVER, np.int64))

    def over(self, log: Dataset) -> Ages:
        """As ``log`` has it. A first event is told only to those who ask after it."""
        assert log.at is not None, "data without moments knows no ages"
        first = np.full(len(self.first), NEVER, np.int64)
        np.minimum.at(first, log.item_ix, log.at)
        return replace(self, first=first)

    def read(self, told: Histories, among: ItemRows) -> Floats:
        """For each asker and each item of ``among`` (n_queries, n_among), -1 is padding.

        ``usual``: the mean age of what the asker took, at the moment of taking. ``gap``: the item's age now less that.
        NaN where nothing was taken, or nobody met the item before.
        """
        out = np.full(among.shape, np.nan, np.float32)
        mean_ages(
            told.start, told.stop, told.item_ix, told.counted, told.at, told.moment, self.first,
            self.feature.what == "gap", among, out,
        )  # fmt: skip
        return out

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the feature."""
        return {"first": self.first}

    @staticmethod
    def restore(feature: Feature, arrays: Arrays) -> Ages:
        """What ``arrays`` was made of."""
        return Ages(feature, np.asarray(arrays["first"], np.int64))


def restored(feature: Feature, arrays: Arrays) -> Likeness | Ages:
    """What ``arrays`` of either was made of."""
    return (Ages if feature.column is None else Likeness).restore(feature, arrays)


@numba.njit(cache=True, nogil=True)
def mean_ages(start, stop, item_ix, counted, at, moment, first, less, among, out):  # type: ignore[no-untyped-def]
    """See ``Ages.read``; ``less``: the item's age less the mean."""
    for q in range(among.shape[0]):
        total, n = 0.0, 0
        for e in range(start[q], stop[q]):
            if counted[e]:
                total += (at[e] - _met(first, item_ix[e], at[e] + 1, start[q], e + 1, item_ix, at)) / DAY
                n += 1
        if not n:
            continue
        for j in range(among.shape[1]):
            if among[q, j] < 0:
                continue
            if not less:
                out[q, j] = total / n
                continue
            met = _met(first, among[q, j], moment[q], start[q], stop[q], item_ix, at)
            if met < moment[q]:
                out[q, j] = (moment[q] - met) / DAY - total / n


@numba.njit(cache=True, nogil=True)
def _met(first, item, before, start, stop, item_ix, at):  # type: ignore[no-untyped-def]
    """The item's first event ``before`` a moment: as it was counted, or else the asker's own; NEVER where none was."""
    if first[item] < before:
        return first[item]
    for e in range(start, stop):
        if item_ix[e] == item:
            return at[e]
    return NEVER
