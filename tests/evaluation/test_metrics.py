"""Metrics against cases counted by hand, and the laws they keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip.domain import Invalid
from serendip.evaluation import metrics
from serendip.evaluation.metrics import BY_QUERY, auc, coverage, gini, novelty

YES, NO = True, False


def measured(name: str, hits: list[bool], n_relevant: int) -> float:
    return float(BY_QUERY[name](np.array([hits]), np.array([n_relevant]))[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Places 1 and 3 of 3 hit, 2 relevant: (1 + 1/2) / (1 + 1/log2(3)).
        ("ndcg", 1.5 / 1.6309297535714573),
        ("recall", 1.0),
        ("precision", 2 / 3),
        ("hit-rate", 1.0),
        # Precision 1/1 at place 1 and 2/3 at place 3, over min(3, 2) hits.
        ("map", (1 + 2 / 3) / 2),
        ("mrr", 1.0),
    ],
)
def test_places_1_and_3_of_3_hit_and_2_relevant(name, value):
    assert measured(name, [YES, NO, YES], 2) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # One hit at place 2, 5 relevant, 3 places: (1/log2(3)) / (1 + 1/log2(3) + 1/2).
        ("ndcg", 0.6309297535714574 / 2.1309297535714573),
        ("recall", 1 / 5),
        ("precision", 1 / 3),
        ("hit-rate", 1.0),
        # Precision 1/2 at place 2, over min(3, 5) hits.
        ("map", 0.5 / 3),
        ("mrr", 0.5),
    ],
)
def test_one_hit_at_place_2_where_more_are_relevant_than_there_are_places(name, value):
    assert measured(name, [NO, YES, NO], 5) == pytest.approx(value)


@pytest.mark.parametrize("name", BY_QUERY)
def test_no_hit_is_0_and_a_full_house_is_1(name):
    assert measured(name, [NO] * 4, 4) == 0
    assert measured(name, [YES] * 4, 4) == pytest.approx(1)


@pytest.mark.parametrize("name", BY_QUERY)
def test_a_query_without_relevant_items_is_refused(name):
    with pytest.raises(Invalid, match="without relevant items"):
        measured(name, [NO, NO], 0)


ROWS = st.lists(st.booleans(), min_size=2, max_size=12)


@st.composite
def hits_and_one_moved_up(draw):
    """Hits of places, and the same where one hit changed places with the miss before it."""
    before, after = draw(st.lists(st.booleans(), max_size=5)), draw(st.lists(st.booleans(), max_size=5))
    return [*before, NO, YES, *after], [*before, YES, NO, *after]


@pytest.mark.parametrize("name", BY_QUERY)
@given(rows=hits_and_one_moved_up(), extra=st.integers(0, 5))
def test_a_hit_moved_up_never_lowers_a_metric(name, rows, extra):
    hits, moved = rows
    n_relevant = sum(hits) + extra
    assert measured(name, moved, n_relevant) >= measured(name, hits, n_relevant) - 1e-12


@given(rows=hits_and_one_moved_up())
def test_a_hit_moved_up_raises_ndcg(rows):
    hits, moved = rows
    assert measured("ndcg", moved, sum(hits)) > measured("ndcg", hits, sum(hits))


@pytest.mark.parametrize("name", BY_QUERY)
@given(hits=ROWS, extra=st.integers(0, 5))
def test_a_metric_stays_between_0_and_1(name, hits, extra):
    assert 0 <= measured(name, hits, max(1, sum(hits)) + extra) <= 1 + 1e-12


def test_ndcg_is_1_when_the_first_places_hold_all_that_is_relevant():
    assert measured("ndcg", [YES, YES, NO, NO], 2) == pytest.approx(1)


def whole(hits: list[bool], n_relevant: int, n_empty: int = 0) -> float:
    placed = np.array([[YES] * len(hits) + [NO] * n_empty])
    return float(auc(np.array([hits + [NO] * n_empty]), placed, np.array([n_relevant]))[0])


def test_auc_is_the_share_of_pairs_in_order():
    # Places 1 and 3 of 4 hit: the first stands before both others, the second before one of the two.
    assert whole([YES, NO, YES, NO], 2) == pytest.approx((2 + 1) / (2 * 2))
    # The same with empty places behind, and with a third relevant item that is nowhere: it stands before nothing.
    assert whole([YES, NO, YES, NO], 2, n_empty=3) == pytest.approx(3 / 4)
    assert whole([YES, NO, YES, NO], 3) == pytest.approx(3 / 6)
    assert whole([YES, YES, NO], 2) == 1
    assert whole([NO, NO, YES], 1) == 0
    # Nothing else may be shown: there is nothing to be told apart.
    assert whole([YES, YES], 2) == 0.5
    with pytest.raises(Invalid, match="without relevant items"):
        whole([NO], 0)


@given(order=st.permutations([YES] * 3 + [NO] * 5))
def test_auc_counts_pairs_and_what_is_turned_round_is_1_less_it(order):
    places = [place for place, hit in enumerate(order) if hit]
    others = [place for place, hit in enumerate(order) if not hit]
    assert whole(order, 3) == pytest.approx(np.mean([place < other for place in places for other in others]))
    assert whole(order, 3) + whole(order[::-1], 3) == pytest.approx(1)


@given(rows=hits_and_one_moved_up())
def test_a_hit_moved_up_raises_auc(rows):
    hits, moved = rows
    assert whole(moved, sum(hits)) > whole(hits, sum(hits))


@given(rows=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=2, max_size=6), turn=st.randoms())
def test_the_order_of_users_changes_nothing(rows, turn):
    order = list(range(len(rows)))
    turn.shuffle(order)
    hits, n_relevant = np.array(rows), np.maximum(1, np.sum(rows, axis=1))
    for function in [*BY_QUERY.values(), lambda hits, n: auc(hits, np.ones_like(hits), n)]:
        np.testing.assert_array_equal(function(hits[order], n_relevant[order]), function(hits, n_relevant)[order])


@given(shown=st.lists(st.integers(0, 50), min_size=1, max_size=20), turn=st.randoms())
def test_inequality_is_between_0_and_1_and_does_not_know_which_item_is_which(shown, turn):
    turned = list(shown)
    turn.shuffle(turned)
    assert -1e-12 <= gini(np.array(shown)) < 1
    assert gini(np.array(turned)) == pytest.approx(gini(np.array(shown)))
    assert gini(np.array(shown) * 3) == pytest.approx(gini(np.array(shown)))
    assert 0 <= coverage(np.array(shown)) <= 1


@given(met=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=8))
def test_rarer_items_are_more_novel_and_what_everybody_met_is_not(met):
    shares, shown = np.array([met]), np.ones((1, len(met)), np.bool_)
    assert novelty(shares, shown)[0] >= 0
    assert novelty(shares / 2, shown)[0] == pytest.approx(novelty(shares, shown)[0] + 1)
    assert novelty(np.ones_like(shares), shown)[0] == 0


def test_coverage_is_the_share_of_items_that_appeared():
    assert coverage(np.array([3, 0, 1, 0])) == 0.5


def test_gini_is_0_for_equal_shares_and_nearly_1_for_one_winner():
    assert gini(np.array([2, 2, 2, 2])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    # Ascending 1, 3: ((2 - 3) * 1 + (4 - 3) * 3) / (2 * 4).
    assert gini(np.array([3, 1])) == pytest.approx(0.25)
    assert gini(np.array([0, 0])) == 0


def test_novelty_is_the_mean_of_bits_over_filled_places():
    met = np.array([[0.5, 0.125, 1.0]])
    assert novelty(met, np.array([[YES, YES, NO]])).tolist() == [2.0]
    assert novelty(met, np.array([[NO, NO, NO]])).tolist() == [0.0]


def test_every_metric_says_what_it_is():
    assert all(
        function.__doc__
        for function in [*BY_QUERY.values(), metrics.auc, metrics.coverage, metrics.gini, metrics.novelty]
    )
