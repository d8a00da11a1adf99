"""Sessions: stretches of one asker's events without a longer pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.data.dataset import Dataset
from serendip.domain import Invalid

MINUTE = 60_000_000
"""Microseconds."""

SECONDS = 1_000_000
"""Microseconds of a second."""


@dataclass(frozen=True)
class Sessions:
    """Session ``s`` is the events ``order[begin[s]:begin[s + 1]]``, oldest first; sessions of one user in order."""

    order: NDArray[np.int64]
    """Rows of the dataset by user and moment; shape (n,)."""
    begin: NDArray[np.int64]
    """Shape (n_sessions + 1,)."""
    of_user: NDArray[np.int64]
    """Where in ``order`` the user's events begin; shape (n_sessions,)."""

    def __len__(self) -> int:
        return len(self.of_user)


def sessions_of(data: Dataset, gap_minutes: float = 30.0) -> Sessions:
    """The sessions of everybody in ``data``: a pause of more than ``gap_minutes`` ends one."""
    if data.at is None:
        raise Invalid("this data has no moments, so nobody knows where a session ends; import the column of them", "at")
    if not gap_minutes > 0:
        raise Invalid(f"a pause of {gap_minutes} minutes ends nothing; it must be above 0", field="gap")
    indptr, order = data.by_user
    at, user = data.at[order], data.user_ix[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (user[1:] != user[:-1]) | (at[1:] - at[:-1] > gap_minutes * MINUTE)
    first = np.flatnonzero(new)
    return Sessions(order, np.append(first, len(order)).astype(np.int64), indptr[user[first]])


def session_table(events: pl.DataFrame, wanted: Sequence[str] = ("cart",)) -> pl.DataFrame:
    """A row a session: when it began, how many seconds and events it has, and which share is of ``wanted`` kinds.

    events: columns session, user, item, kind and at (microseconds). Sessions stand in the order in which they began.
    """
    taken = pl.col("kind").is_in(list(wanted))
    return (
        events.group_by("session", maintain_order=True)
        .agg(
            pl.col("user").first(),
            pl.col("at").min().cast(pl.Datetime("us", "UTC")).alias("begun"),
            ((pl.col("at").max() - pl.col("at").min()) / SECONDS).alias("seconds"),
            pl.len().alias("events"),
            pl.col("item").n_unique().alias("items"),
            taken.sum().alias("taken"),
            taken.mean().alias("share"),
        )
        .sort("begun", "session")
    )


def events_of(data: Dataset, sessions: Sessions) -> pl.DataFrame:
    """The events of all sessions as ``session_table`` takes them; sessions are numbered from 1, text as other ids."""
    assert data.at is not None, "sessions are made of moments"
    number = np.repeat(np.arange(1, len(sessions) + 1), np.diff(sessions.begin))
    kinds = pl.Series([kind.name for kind in data.kinds])
    users = pl.Series(list(data.users.ids), dtype=pl.String)
    rows = sessions.order
    return pl.DataFrame(
        {
            "session": pl.Series(number).cast(pl.String),
            "user": users.gather(data.user_ix[rows]),
            "item": data.item_ix[rows],
            "kind": kinds.gather(data.kind[rows].astype(np.int64)),
            "at": data.at[rows],
        }
    )
