from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import DAY, UNKNOWN, Queries, hidden_items
from serendip.domain import HISTORY_LIMIT, InteractionKind, micros, moment
from worlds import DISLIKE, NOON, RATING, ask, checkerboard, took, world

PLAIN = InteractionKind("interaction")

events = st.lists(
    st.builds(
        took,
        st.integers(0, 3),
        st.integers(0, 4),
        st.integers(1, 30),
        st.sampled_from(["interaction", "rating", "dislike"]),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=40,
)
KINDS = (PLAIN, RATING, DISLIKE)


@given(events, st.integers(0, 31))
def test_records_and_columns_make_the_same_queries(happened: list, hours_ago: int) -> None:
    data = world(happened, 5, KINDS)
    now = moment(micros(NOON) - hours_ago * DAY // 24)
    users = list(data.users)
    histories = [[event for event in happened if event.user == user] for user in users]
    by_record = Queries.of(histories, data.items, now, KINDS, users, data.users)
    by_column = Queries.of_users(data, np.arange(len(users)), micros(now))
    for name in ("indptr", "item_ix", "weight", "kind", "value", "at", "moment", "salt", "own", "counted"):
        np.testing.assert_array_equal(getattr(by_record, name), getattr(by_column, name), err_msg=name)


@given(events, st.integers(0, 31))
def test_no_history_holds_an_event_at_or_after_its_moment(happened: list, hours_ago: int) -> None:
    data = world(happened, 5, KINDS)
    now = micros(NOON) - hours_ago * DAY // 24
    queries = Queries.of_users(data, np.arange(data.n_users), now)
    assert (queries.at < now).all()
    assert (ask_at(data, happened, now).at < now).all()


def ask_at(data, happened, now):
    return Queries.of([happened], data.items, moment(now), data.kinds)


@given(events)
def test_a_users_history_sums_to_the_users_row_of_the_matrix(happened: list) -> None:
    data = world(happened, 5, KINDS)
    queries = Queries.of_users(data, np.arange(data.n_users))
    np.testing.assert_array_equal(queries.matrix(5).toarray(), data.matrix().toarray())


@given(events)
def test_the_parts_of_an_items_events_sum_to_one(happened: list) -> None:
    queries = Queries.of_users(world(happened, 5, KINDS), np.array([0]))
    for item in range(5):
        parts = queries.part[queries.counted & (queries.item_ix == item)]
        assert len(parts) == 0 or abs(parts.sum() - 1) < 1e-6
    assert not queries.part[~queries.counted].any()


def test_unknown_items_are_skipped_and_an_undeclared_kind_counts_once() -> None:
    board = checkerboard()
    queries = ask(board, [took(0, 99), took(0, 2), took(0, 4, kind="unheard-of")])
    assert queries.item_ix.tolist() == [2, 4]
    assert queries.kinds[queries.kind[1]].name == "unheard-of"
    assert queries.weight.tolist() == [1, 1]


def test_a_model_is_told_the_latest_events_only() -> None:
    history = [took(0, n % 2, 2000 - n) for n in range(HISTORY_LIMIT + 100)]
    data = world(history)
    assert len(ask(data, history).item_ix) == HISTORY_LIMIT
    by_column = Queries.of_users(data, np.array([0]))
    np.testing.assert_array_equal(by_column.at, ask(data, history).at)


def test_each_of_several_histories_is_put_in_order_and_cut_on_its_own() -> None:
    long = [took(0, n % 2, n + 1) for n in range(HISTORY_LIMIT + 7)]
    data = world(long, 2)
    several = [long[::-1], [], [long[3], long[9], long[3]], long]
    queries = Queries.of(several, data.items, NOON, data.kinds)
    for q, history in enumerate(several):
        own = slice(queries.indptr[q], queries.indptr[q + 1])
        expected = sorted(history, key=lambda event: event.at)[-HISTORY_LIMIT:]
        assert queries.at[own].tolist() == [micros(event.at) for event in expected]
        assert queries.item_ix[own].tolist() == [data.items.row(event.item) for event in expected]


def test_an_empty_name_is_a_name() -> None:
    board = checkerboard()
    named, nameless = (Queries.of([[took(0, 2)]], board.items, NOON, askers=[name]).salt for name in ("", None))
    assert named != nameless


def test_hiding_knows_older_items_than_the_history_does() -> None:
    history = [took(0, 0, 3000), *(took(0, 1, 2000 - n) for n in range(HISTORY_LIMIT))]
    data = world(history)
    queries = Queries.of_users(data, np.array([0]))
    assert 0 not in queries.item_ix
    assert hidden_items(data, queries)[0].tolist() == [0, 1]


def test_a_kind_that_does_not_hide_leaves_its_items_and_a_dislike_hides() -> None:
    repeatable = InteractionKind("interaction", hides=False)
    data = world([took(0, 0, 3), took(0, 1, 2, "dislike")], kinds=(repeatable, DISLIKE))
    assert hidden_items(data, Queries.of_users(data, np.array([0])))[0].tolist() == [1]


def test_what_happens_later_hides_nothing_yet() -> None:
    data = world([took(0, 0, 30), took(0, 1, 2)])
    queries = Queries.of_users(data, np.array([0]), micros(NOON) - DAY)
    assert hidden_items(data, queries)[0].tolist() == [0]


def test_some_of_a_batch_are_what_they_were_in_it() -> None:
    board = checkerboard()
    queries = Queries.of_users(board, np.arange(6))
    some = queries.take(np.array([4, 1]))
    alone = Queries.of_users(board, np.array([4, 1]))
    for name in ("indptr", "item_ix", "at", "moment", "salt", "own"):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name), err_msg=name)


def test_nobody_asking_is_an_empty_batch() -> None:
    board = checkerboard()
    for queries in (
        Queries.of([], board.items, NOON),
        Queries.of_users(board, np.array([], np.int64)),
        Queries.of_users(board, np.array([], np.int64), micros(NOON)),
    ):
        assert len(queries) == 0
        assert queries.matrix(8).shape == (0, 8)


def test_a_stranger_has_no_row_of_its_own_and_a_salt_of_its_history() -> None:
    board = checkerboard()
    one, same, other = (ask(board, [took(0, item)]) for item in (2, 2, 4))
    assert one.own.tolist() == [UNKNOWN]
    assert one.salt == same.salt
    assert one.salt != other.salt


def test_ages_are_days_before_each_own_moment() -> None:
    board = world([took(0, 0, 24), took(0, 1, 12)])
    np.testing.assert_allclose(Queries.of_users(board, np.array([0]), micros(NOON)).age_days(), [1, 0.5])
