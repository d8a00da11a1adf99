"""Protocols: who is asked when, with what known, and what is to be found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serendip.data import DAY, Dataset
from serendip.domain import Interaction, InteractionKind, Invalid, micros
from serendip.evaluation import Round, Split, frozen, last_out_split, replayed
from serendip.evaluation.rounds import starts
from worlds import NOON, took, world

SHOWN_AGAIN = (InteractionKind("interaction", hides=False),)
NOON_US = micros(NOON)


def days_before_noon(days: float) -> int:
    return NOON_US - round(days * DAY)


def split_at(data: Dataset, days: float) -> Split:
    cut = days_before_noon(days)
    assert data.at is not None
    return Split("time", data.before(cut), data.take(data.at >= cut), cut)


def asked(rounds: Sequence[Round]) -> list[dict[str, list[str]]]:
    """For each round, what every asker is to find, by name."""
    return [
        {
            one.known.users.ids[user]: [one.known.items.ids[i] for i in one.relevant[q]]
            for q, user in enumerate(one.user_ix)
        }
        for one in rounds
    ]


def story() -> list[Interaction]:
    """Three users; u0 and u1 known three days before noon, u2 from the last day but one."""
    return [
        took(0, 0, 96),
        took(0, 1, 95),
        took(1, 0, 94),
        took(1, 2, 93),
        # From here on after a cut at three days.
        took(0, 2, 60),
        took(0, 0, 59),
        took(2, 1, 40),
        took(1, 3, 39),
        took(2, 0, 20),
        took(0, 3, 19),
    ]


def test_frozen_asks_everybody_known_once_for_new_items_that_were_known_at_the_cut():
    data = world(story())
    rounds = list(frozen(split_at(data, 3)))
    # u0's second i0 is hidden, i3 was not known at the cut, and u2 was a stranger.
    assert asked(rounds) == [{"u0": ["i2"]}]
    assert rounds[0].moment == days_before_noon(3)
    assert rounds[0].allowed.tolist() == [True, True, True, False]


def test_where_repeats_are_wanted_items_already_met_stay_to_be_found():
    data = world(story(), kinds=SHOWN_AGAIN)
    assert asked(list(frozen(split_at(data, 3)))) == [{"u0": ["i0", "i2"]}]


def test_replayed_asks_each_user_at_the_start_of_a_window_with_what_was_known_then():
    rounds = list(replayed(world(story()), days_before_noon(3)))
    # Windows start 72, 48 and 24 hours before noon. In the second, u2 is a stranger and i3 unknown; in the third u2 is
    # known, and i3 has been met by u1.
    assert asked(rounds) == [{"u0": ["i2"]}, {"u2": ["i0"], "u0": ["i3"]}]
    assert [one.moment for one in rounds] == [days_before_noon(3), days_before_noon(1)]
    assert rounds[1].met.tolist() == [2, 2, 2, 1]


def test_a_round_asks_with_the_history_up_to_its_moment_and_hides_what_was_met():
    third = list(replayed(world(story()), days_before_noon(3)))[1]
    queries, hidden = third.ask(slice(0, 2))
    assert [queries.item_ix[a:b].tolist() for a, b in zip(queries.indptr, queries.indptr[1:], strict=False)] == [
        [0, 1, 2, 0],
        [1],
    ]
    assert [hidden[q].tolist() for q in range(2)] == [[0, 1, 2], [1]]
    assert queries.moment.tolist() == [days_before_noon(1)] * 2


def test_a_dislike_is_neither_to_be_found_nor_shown():
    kinds = (*SHOWN_AGAIN, InteractionKind("dislike", negative=True))
    events = [took(0, 0, 96), took(0, 1, 95, "dislike"), took(0, 2, 94), took(0, 1, 50), took(0, 2, 49, "dislike")]
    data = world([*events, took(0, 0, 48)], kinds=kinds)
    assert asked(list(frozen(split_at(data, 3)))) == [{"u0": ["i0"]}]


def test_a_longer_window_joins_days():
    rounds = list(replayed(world(story()), days_before_noon(3), window_days=3))
    assert asked(rounds) == asked(list(frozen(split_at(world(story()), 3))))


def test_data_without_moments_cannot_be_replayed():
    data = world(story())
    bare = Dataset.of(data.user_ix, data.item_ix, data.users, data.items)
    with pytest.raises(Invalid, match="cannot be replayed"):
        next(replayed(bare, 0))


def test_leave_last_out_asks_for_the_last_item_with_all_others_known():
    data = world([took(0, 0, 5), took(0, 1, 4), took(1, 1, 3), took(1, 0, 2)])
    assert asked(list(frozen(last_out_split(data)))) == [{"u0": ["i1"], "u1": ["i0"]}]


EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(1, 200)), min_size=1, max_size=40, unique_by=lambda e: e
)


@settings(deadline=None)
@given(EVENTS, st.booleans(), st.sampled_from([0.5, 1.0, 3.0]))
def test_every_question_is_about_the_future_and_can_be_answered(events, repeats, window_days):
    data = world(
        [took(*event) for event in events], kinds=SHOWN_AGAIN if repeats else (InteractionKind("interaction"),)
    )
    assert data.at is not None
    cut = days_before_noon(5)
    window = round(window_days * DAY)
    for one in replayed(data, cut, window_days):
        assert one.known.at is not None
        assert (one.known.at < one.moment).all()
        assert one.moment in starts(data, cut, window_days)
        inside = data.take((data.at >= one.moment) & (data.at < one.moment + window))
        _, hidden = one.ask(slice(0, len(one.user_ix)))
        for q, user in enumerate(one.user_ix):
            known = set(one.known.item_ix[one.known.user_ix == user])
            assert known, "a stranger was asked"
            truth = set(inside.item_ix[inside.user_ix == user]) & set(one.known.item_ix)
            if not repeats:
                truth -= known
            assert set(one.relevant[q]) == truth != set()
            assert not truth & set(hidden[q])
            assert one.allowed[list(truth)].all()


def test_a_window_must_have_a_length():
    with pytest.raises(Invalid, match="above 0"):
        next(replayed(world(story()), 0, window_days=0))


def test_how_many_users_met_an_item_counts_each_once():
    data = world([took(0, 0, 96), took(0, 0, 95), took(1, 0, 94), took(1, 1, 93), took(0, 1, 10)])
    assert next(frozen(split_at(data, 3))).met.tolist() == np.array([2, 1]).tolist()
