from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import DAY, Dataset, ItemLists
from serendip.domain import InteractionKind, micros
from worlds import DISLIKE, NOON, RATING, checkerboard, took, world

VIEW, BUY = InteractionKind("view", weight=0.5), InteractionKind("buy", weight=2)

moments = st.lists(st.integers(1, 30), min_size=1, max_size=30)


def test_an_event_weighs_what_its_kind_says_and_a_dislike_nothing() -> None:
    events = [took(0, 0, 3, "view"), took(0, 1, 2, "buy"), took(0, 2, 1, "dislike")]
    assert world(events, kinds=(VIEW, BUY, DISLIKE)).weight.tolist() == [0.5, 2, 0]


def test_weights_of_a_user_and_an_item_add_up() -> None:
    data = world([took(0, 0, 3, "view"), took(0, 0, 2, "buy"), took(1, 1, 1, "view")], kinds=(VIEW, BUY))
    assert data.matrix().toarray().tolist() == [[2.5, 0], [0, 0.5]]


def test_a_dislike_is_no_entry_of_the_matrix() -> None:
    data = world([took(0, 0, 2), took(0, 1, 1, "dislike")], kinds=(InteractionKind("interaction"), DISLIKE))
    assert data.matrix().nnz == 1


def test_of_a_rating_the_newest_counts_whatever_the_order_of_rows() -> None:
    events = [took(0, 0, 1, "rating", 5), took(0, 0, 9, "rating", 1), took(0, 1, 5, "rating", 3)]
    data = world(events, kinds=(RATING,))
    assert data.counted.tolist() == [True, False, True]
    assert data.matrix().toarray().tolist() == [[1, 1]]


def test_of_two_ratings_at_one_moment_the_later_row_counts() -> None:
    assert world([took(0, 0, 1, "rating", 5), took(0, 0, 1, "rating", 1)], kinds=(RATING,)).counted.tolist() == [
        False,
        True,
    ]


def test_before_a_moment_the_rating_of_that_time_counts() -> None:
    events = [took(0, 0, 48, "rating", 1), took(0, 0, 1, "rating", 5)]
    data = world(events, kinds=(RATING,))
    then = data.before(micros(NOON) - DAY)
    assert data.value[data.counted].tolist() == [5]
    assert then.value[then.counted].tolist() == [1]
    assert then.now == micros(NOON) - DAY


def test_data_without_moments_counts_the_later_row_and_ends_at_no_moment() -> None:
    board = checkerboard()
    data = Dataset.of(np.array([0, 0]), np.array([1, 1]), board.users, board.items, kinds=(RATING,))
    assert data.counted.tolist() == [False, True]
    assert data.now == 0


def test_data_ends_one_microsecond_after_its_latest_event() -> None:
    board = checkerboard()
    data = Dataset.of(np.array([0]), np.array([1]), board.users, board.items, at=np.array([7]))
    assert data.now == 8


@given(moments, st.integers(1, 31))
def test_nothing_at_or_after_the_cut_is_in_what_was_before(hours: list[int], cut: int) -> None:
    data = world([took(h % 3, h % 4, h, "rating", 1) for h in hours], kinds=(RATING,))
    until = micros(NOON) - cut * DAY // 24
    then = data.before(until)
    assert then.at is not None
    assert (then.at < until).all()
    assert len(then) == sum(h > cut for h in hours)


@given(moments)
def test_every_users_events_stand_together_oldest_first(hours: list[int]) -> None:
    data = world([took(h % 3, h % 4, h) for h in hours])
    indptr, order = data.by_user
    assert sorted(order.tolist()) == list(range(len(data)))
    for user in range(data.n_users):
        own = order[indptr[user] : indptr[user + 1]]
        assert (data.user_ix[own] == user).all()
        assert (np.diff(data.at[own]) >= 0).all()  # type: ignore[index]


def test_the_checkerboard_has_two_colours_that_never_meet() -> None:
    board = checkerboard(untouched=1)
    assert (board.user_ix % 2 == board.item_ix % 2).all()
    assert board.matrix().shape == (12, 9)
    assert board.matrix().sum(axis=0).tolist() == [4, 4, 4, 4, 5, 5, 5, 5, 0]


@pytest.mark.parametrize("change", ["until", "take", "kinds"])
def test_a_fingerprint_changes_with_anything_a_model_could_learn_from(change: str) -> None:
    board = checkerboard()
    assert board.fingerprint() == checkerboard().fingerprint()
    other = {
        "until": lambda: board.before(micros(NOON) + DAY),
        "take": lambda: board.take(np.arange(len(board) - 1)),
        "kinds": lambda: world([took(0, 0)], kinds=(VIEW, InteractionKind("interaction"))),
    }[change]()
    assert other.fingerprint() != board.fingerprint()


def test_lists_of_items_come_back_one_an_asker() -> None:
    lists = ItemLists.of([[3, 1], [], [2]])
    assert len(lists) == 3
    assert [lists[q].tolist() for q in range(3)] == [[3, 1], [], [2]]
    assert len(ItemLists.of([])) == 0
