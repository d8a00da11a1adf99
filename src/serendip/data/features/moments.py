"""What a moment alone tells, and the order of a log in time."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import DAY, Dataset
from serendip.data.features.definition import HOUR
from serendip.data.lists import Floats
from serendip.domain import HISTORY_LIMIT, Invalid

THURSDAY = 3
"""The weekday of the first of January 1970."""


def clock(what: str, moments: NDArray[np.int64]) -> Floats:
    """The hour, weekday, day of the month or month of each moment in UTC; of the shape of ``moments``."""
    if what == "hour":
        return np.asarray(moments % DAY // HOUR, np.float32)
    days = moments // DAY
    if what == "weekday":
        return np.asarray((days + THURSDAY) % 7, np.float32)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    if what == "month":
        return np.asarray(months.astype(np.int64) % 12 + 1, np.float32)
    return np.asarray((dates - months.astype("datetime64[D]")).astype(np.int64) + 1, np.float32)


def in_order(data: Dataset) -> tuple[Dataset, NDArray[np.int64] | None]:
    """``data`` oldest first, and which of its rows each was; None where they were in order already."""
    if data.at is None:
        raise Invalid(
            "point-in-time features need the moments of interactions, and this data has none; bring the data with a "
            "column of moments",
            field="at",
        )
    if not (data.at[1:] < data.at[:-1]).any():
        return data, None
    order = np.argsort(data.at, kind="stable")
    return data.take(order), order


def histories_before(data: Dataset, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each row, what its user did strictly before it: the places start and stop, exclusive, in ``data.by_user``."""
    assert data.at is not None, "data without moments knows no before"
    indptr, order = data.by_user
    start, stop = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    _histories(data.user_ix, data.at, indptr, order, rows, HISTORY_LIMIT, start, stop)
    return start, stop


@numba.njit(cache=True, nogil=True)
def _histories(user_ix, at, indptr, order, rows, limit, start, stop):  # type: ignore[no-untyped-def]
    for place in range(rows.shape[0]):
        now, user = at[rows[place]], user_ix[rows[place]]
        low, high = indptr[user], indptr[user + 1]
        while low < high:
            middle = (low + high) >> 1
            if at[order[middle]] < now:
                low = middle + 1
            else:
                high = middle
        stop[place] = low
        start[place] = max(indptr[user], low - limit)
