from __future__ import annotations

import numpy as np
import pytest

from serendip.data import DAY, Dataset
from serendip.domain import micros
from serendip.models import fit
from serendip.models.popularity import PopularityConfig
from worlds import BUY, NOON, RATING, VIEW, ask, took, world


def totals(data: Dataset, **settings) -> np.ndarray:
    return fit("popularity", PopularityConfig(**settings), data).score(ask(data, []))[0]


def test_the_total_is_of_weights_and_the_same_for_everybody() -> None:
    data = world([took(0, 0, 3, "view"), took(1, 0, 2, "buy"), took(1, 1, 1, "view")], 3, (VIEW, BUY))
    assert totals(data).tolist() == [2.5, 0.5, 0]


def test_a_rating_given_twice_counts_once() -> None:
    assert totals(world([took(0, 0, 3, "rating", 1), took(0, 0, 2, "rating", 5)], kinds=(RATING,))).tolist() == [1]


def test_an_event_counts_half_as_much_after_its_half_life() -> None:
    data = world([took(0, 0, 24 * 4), took(0, 1, 24 * 8), took(1, 1, 24 * 8)])
    np.testing.assert_allclose(totals(data, half_life_days=4), [0.5, 0.5], rtol=1e-6)


def test_only_the_window_counts_and_older_events_order_what_is_equal() -> None:
    within, at_its_edge, before, more_before = 0, 1, 2, 3
    data = world(
        [
            *[took(u, within, 24) for u in range(2)],
            took(0, at_its_edge, 24 * 7),
            took(0, before, 24 * 8),
            *[took(u, more_before, 24 * 8) for u in range(9)],
        ],
        5,
    )
    found = totals(data, window_days=7)
    assert found[[within, at_its_edge]].tolist() == [2, 1]
    assert np.argsort(-found).tolist() == [within, at_its_edge, more_before, before, 4]
    assert found[4] == 0


def test_a_window_that_nothing_falls_into_orders_by_what_was_before() -> None:
    data = world([took(0, 0, 99), took(0, 1, 98), took(1, 1, 97)]).before(micros(NOON) + 30 * DAY)
    found = totals(data, window_days=7)
    assert found[1] > found[0] > 0


def test_however_much_is_older_one_event_within_the_window_is_more() -> None:
    data = world([*[took(u, 0, 24 * 9) for u in range(3000)], took(0, 1, 1)])
    found = totals(data, window_days=7)
    assert found[1] > found[0]


@pytest.mark.parametrize("settings", [{"half_life_days": 1.0}, {"window_days": 1.0}])
def test_without_moments_everything_is_new(settings: dict) -> None:
    board = world([took(0, 0), took(0, 1), took(1, 1)])
    data = Dataset.of(board.user_ix, board.item_ix, board.users, board.items)
    assert totals(data, **settings).tolist() == [1, 2]
