from __future__ import annotations

import numpy as np
import pytest

from serendip.data import Queries
from serendip.models import fit
from serendip.models.again import AgainConfig
from worlds import BUY, VIEW, ask, took, world

# i3 is what everybody took lately, then i2.
SHOP = world([took(u, 3, 9) for u in range(1, 4)] + [took(u, 2, 8) for u in range(1, 3)], n_items=6)


def order(history: list, **settings) -> list[int]:
    """The asker's own items, best first."""
    scores = fit("again", AgainConfig(**settings), SHOP).score(ask(SHOP, history))[0]
    return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0]


def test_what_was_taken_most_often_comes_first() -> None:
    assert order([took(0, 1, 5), took(0, 4, 4), took(0, 4, 3), took(0, 0, 2), took(0, 4, 1), took(0, 0, 1)]) == [
        4,
        0,
        1,
    ]


def test_of_equally_frequent_ones_the_more_popular_comes_first() -> None:
    assert order([took(0, 3, 9), took(0, 2, 5), took(0, 1, 1)]) == [3, 2, 1]


def test_of_equally_frequent_ones_the_later_can_come_first() -> None:
    assert order([took(0, 3, 9), took(0, 2, 5), took(0, 1, 1)], ties="latest") == [1, 2, 3]


def test_no_tie_outweighs_an_event() -> None:
    history = [took(0, 1, 999 - n) for n in range(250)] + [took(0, 3, 500 - n) for n in range(249)]
    assert order(history) == [1, 3]
    assert order(history, ties="latest") == [1, 3]


def test_what_was_taken_last_comes_first() -> None:
    assert order([took(0, 1, 5), took(0, 4, 4), took(0, 0, 3), took(0, 1, 2)], by="latest") == [1, 0, 4]


def test_items_of_one_basket_are_equally_late() -> None:
    assert order([took(0, 1, 5), took(0, 2, 1), took(0, 3, 1)], by="latest") == [3, 2, 1]
    assert order([took(0, 1, 5), took(0, 3, 1), took(0, 2, 1)], by="latest") == [3, 2, 1]


def test_what_is_long_ago_counts_less() -> None:
    history = [took(0, 1, 24 * 20), took(0, 1, 24 * 20), took(0, 4, 24)]
    assert order(history) == [1, 4]
    assert order(history, half_life_days=10) == [4, 1]


def test_a_sum_is_of_faded_weights() -> None:
    data = world([took(0, 0, 48, "view"), took(0, 0, 24, "buy"), took(0, 1, 1, "view")], 3, (VIEW, BUY))
    scores = fit("again", AgainConfig(half_life_days=1), data).score(Queries.of_users(data, np.array([0])))
    # Two days old: 0.5 / 4; one day old: 2 / 2.
    assert scores[0, 0] == pytest.approx(0.125 + 1, rel=2e-3)


def test_an_item_never_met_scores_nothing() -> None:
    scores = fit("again", AgainConfig(), SHOP).score(ask(SHOP, [took(0, 1)]))
    assert np.count_nonzero(scores) == 1
    assert np.isfinite(scores).all()
