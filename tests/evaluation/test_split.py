"""Splits: what may be learnt from and what is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import Dataset, Vocabulary
from serendip.domain import Invalid
from serendip.evaluation import last_out_split, random_split, time_split
from worlds import checkerboard, took, world


def without_moments(data: Dataset) -> Dataset:
    return Dataset.of(data.user_ix, data.item_ix, data.users, data.items, kinds=data.kinds)


def at_moments(moments: list[int]) -> Dataset:
    n = len(moments)
    one = Vocabulary(("a",))
    return Dataset.of(np.zeros(n, int), np.zeros(n, int), one, one, at=np.array(moments, np.int64))


@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
def test_no_split_puts_the_future_into_training(moments, fraction):
    data = at_moments(moments)
    try:
        split = time_split(data, fraction)
    except Invalid:
        row = int((1 - fraction) * len(moments))
        assert sorted(moments)[row] == min(moments)
        return
    assert split.train.at is not None
    assert split.test.at is not None
    assert split.train.at.max() < split.cut <= split.test.at.min()
    assert len(split.train) + len(split.test) == len(data)
    assert split.train.now == split.cut


def test_the_cut_is_the_moment_of_the_row_at_nine_tenths():
    split = time_split(at_moments([7, 1, 2, 3, 4, 5, 6, 0, 8, 9]))
    assert split.cut == 9
    assert sorted(split.train.at) == list(range(9))


def test_events_at_the_moment_of_the_cut_are_all_to_be_found():
    split = time_split(at_moments([1, 2, 3, 4, 5, 6, 7, 9, 9, 9]))
    assert split.cut == 9
    assert len(split.test) == 3


def test_data_without_moments_cannot_be_cut_in_time_and_the_refusal_names_other_splits():
    with pytest.raises(Invalid, match=r"no moments.*leave-last-out or random"):
        time_split(without_moments(checkerboard()))


def test_data_of_one_moment_has_nothing_before_the_cut():
    with pytest.raises(Invalid, match="happened at one moment"):
        time_split(at_moments([5] * 20))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_a_fraction_outside_of_0_to_1_is_refused(fraction):
    with pytest.raises(Invalid, match="between 0 and 1"):
        time_split(at_moments([1, 2, 3]), fraction)


def test_nothing_cannot_be_split():
    with pytest.raises(Invalid, match="import some first"):
        time_split(at_moments([]))


def test_leave_last_out_takes_the_last_event_of_everybody_who_has_two():
    data = world([took(0, 3, 1), took(0, 1, 9), took(0, 2, 5), took(1, 4, 2)])
    split = last_out_split(data)
    assert split.test.item_ix.tolist() == [3]
    assert sorted(split.train.item_ix.tolist()) == [1, 2, 4]
    assert split.parity_only


def test_leave_last_out_goes_by_rows_where_there_are_no_moments():
    data = without_moments(world([took(0, 3, 1), took(0, 1, 9), took(0, 2, 5)]))
    assert last_out_split(data).test.item_ix.tolist() == [2]


def test_leave_last_out_needs_somebody_with_two_events():
    with pytest.raises(Invalid, match="no user has two"):
        last_out_split(world([took(0, 1), took(1, 2)]))


def test_a_random_split_is_seeded_and_labelled_as_parity_only():
    data = checkerboard()
    split, again, other = random_split(data, 0.25), random_split(data, 0.25), random_split(data, 0.25, seed=1)
    assert split.parity_only
    assert len(split.test) == round(0.25 * len(data))
    assert len(split.train) + len(split.test) == len(data)
    assert split.test.item_ix.tolist() == again.test.item_ix.tolist()
    assert split.test.item_ix.tolist() != other.test.item_ix.tolist()
