"""Items that open and close: only those that may be shown at the moment are candidates, and to be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from serendip.data import DAY, Dataset
from serendip.domain import micros
from serendip.evaluation import Split, frozen, last_out_split, replayed
from worlds import NOON, took, world

NOON_US = micros(NOON)
LONG = 10_000 * DAY


def opening(data: Dataset, **hours_ago: tuple[float, float]) -> Dataset:
    """``data`` whose items i0, i1, ... are open from and until so many hours before noon; others always."""
    spans = np.tile(np.array([[NOON_US - LONG, NOON_US + LONG]]), (data.n_items, 1))
    for item, (opens, closes) in hours_ago.items():
        spans[data.items.row(item)] = NOON_US - round(opens * 3600e6), NOON_US - round(closes * 3600e6)
    return replace(data, item_open=spans)


def three() -> Dataset:
    """Three users and three items; in the last two days everybody takes what is left."""
    first = [took(0, 0, 90), took(1, 1, 89), took(2, 2, 88), took(2, 1, 87)]
    return world([*first, took(0, 1, 40), took(1, 2, 39), took(0, 2, 20), took(1, 0, 19)])


def test_an_item_that_has_closed_is_neither_a_candidate_nor_to_be_found():
    data = opening(three(), i1=(200, 60))
    cut = NOON_US - 48 * 3_600_000_000
    (turn,) = frozen(Split("time", data.before(cut), data.take(data.at >= cut), cut))
    assert turn.allowed.tolist() == [True, False, True]
    found = {int(user): turn.relevant[q].tolist() for q, user in enumerate(turn.user_ix)}
    assert found == {0: [2], 1: [0, 2]}


def test_a_replay_opens_and_closes_items_window_by_window():
    data = opening(three(), i2=(30, -10))
    asked = list(replayed(data, NOON_US - 48 * 3_600_000_000))
    assert [turn.allowed.tolist() for turn in asked] == [[True, True, False], [True, True, True]]
    assert [turn.user_ix.tolist() for turn in asked] == [[0], [0, 1]]


def test_parts_that_are_not_cut_in_time_know_no_closing():
    (turn,) = frozen(last_out_split(opening(three(), i2=(200, 60))))
    assert turn.allowed.all()
