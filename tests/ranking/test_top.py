"""The best of each row: what sorting everything would give, what is hidden left out first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serendip.data import ItemLists, Vocabulary
from serendip.ranking import NOTHING, top
from serendip.ranking.top import tie_of

N_ITEMS = 12
HASHES = Vocabulary(tuple(f"i{i}" for i in range(N_ITEMS))).hashes
NO_SALT = np.zeros(1, np.uint64)


def best_by_sorting(scores, n, salt, hidden, allowed) -> list[int]:
    """Every candidate sorted by score, then by the mix of hash and salt; the slow twin for one query."""
    candidates = [i for i in range(len(scores)) if np.isfinite(scores[i]) and i not in hidden and allowed[i]]
    ties = [int(tie_of.py_func(HASHES[i], salt)) for i in range(len(scores))]
    return sorted(candidates, key=lambda i: (-scores[i], -ties[i]))[:n]


VALUES = st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, -3.0, np.nan, np.inf, -np.inf])


@settings(deadline=None)
@given(
    scores=arrays.arrays(np.float32, (3, N_ITEMS), elements=VALUES),
    n=st.integers(0, N_ITEMS + 3),
    hidden=st.lists(st.lists(st.integers(-1, N_ITEMS - 1), max_size=6), min_size=3, max_size=3),
    allowed=arrays.arrays(np.bool_, (3, N_ITEMS)),
    salt=arrays.arrays(np.uint64, 3),
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_top_is_what_sorting_everything_gives(scores, n, hidden, allowed, salt):
    ranked = top(scores, n, HASHES, salt, ItemLists.of(hidden), allowed)
    assert ranked.rows.shape == (3, min(n, N_ITEMS))
    for q in range(3):
        expected = best_by_sorting(scores[q], n, salt[q], hidden[q], allowed[q])
        filled = ranked.rows[q][ranked.rows[q] != NOTHING]
        assert filled.tolist() == expected
        assert ranked.rows[q, : len(expected)].tolist() == expected
        assert ranked.scores[q, : len(expected)].tolist() == scores[q, expected].tolist()
        assert (ranked.scores[q, len(expected) :] == -np.inf).all()


def test_what_is_hidden_leaves_its_place_to_the_next_best():
    scores = np.arange(N_ITEMS, dtype=np.float32)[None, :]
    ranked = top(scores, 3, HASHES, NO_SALT, ItemLists.of([[11, 9]]))
    assert ranked.rows.tolist() == [[10, 8, 7]]


def test_a_mask_for_all_and_a_mask_for_each_act_before_the_best_are_taken():
    scores = np.tile(np.arange(N_ITEMS, dtype=np.float32), (2, 1))
    even = np.arange(N_ITEMS) % 2 == 0
    salt = np.zeros(2, np.uint64)
    assert top(scores, 3, HASHES, salt, allowed=even).rows.tolist() == [[10, 8, 6]] * 2
    assert top(scores, 3, HASHES, salt, allowed=np.stack([even, ~even])).rows.tolist() == [[10, 8, 6], [11, 9, 7]]


def test_an_unknown_row_among_the_hidden_hides_nothing():
    scores = np.arange(N_ITEMS, dtype=np.float32)[None, :]
    assert top(scores, 1, HASHES, NO_SALT, ItemLists.of([[-1, N_ITEMS, N_ITEMS + 5]])).rows.tolist() == [[N_ITEMS - 1]]


def test_equal_scores_come_in_another_order_for_another_asker_and_in_the_same_for_the_same():
    scores = np.zeros((2, N_ITEMS), np.float32)
    salt = Vocabulary(("ann", "bob")).hashes
    first, second = top(scores, N_ITEMS, HASHES, salt).rows
    assert first.tolist() != second.tolist()
    assert top(scores[:1], N_ITEMS, HASHES, salt[:1]).rows[0].tolist() == first.tolist()


def test_ties_are_broken_fairly_over_many_askers():
    # 6,000 askers, 12 equal items, 3 places: each item is shown 1,500 times, give or take 5 x sqrt(6000 x 1/4 x 3/4).
    salt = Vocabulary(tuple(f"user-{i}" for i in range(6000))).hashes
    rows = top(np.zeros((6000, N_ITEMS), np.float32), 3, HASHES, salt).rows
    assert np.abs(np.bincount(rows.ravel(), minlength=N_ITEMS) - 1500).max() < 5 * np.sqrt(6000 * 3 / 16)
    first = np.bincount(rows[:, 0], minlength=N_ITEMS)
    assert np.abs(first - 500).max() < 5 * np.sqrt(6000 / 12 * 11 / 12)


def test_scores_in_double_precision_rank_as_in_single():
    scores = np.array([[1.0, 1.0 + 1e-12, 0.5] + [0.0] * (N_ITEMS - 3)])
    single = top(scores.astype(np.float32), 3, HASHES, NO_SALT)
    assert top(scores, 3, HASHES, NO_SALT).rows.tolist() == single.rows.tolist()


def test_a_mask_of_another_catalogue_is_not_looked_into():
    with pytest.raises(AssertionError, match="a mask of"):
        top(np.zeros((2, N_ITEMS), np.float32), 1, HASHES, np.zeros(2, np.uint64), allowed=np.ones(5, np.bool_))
