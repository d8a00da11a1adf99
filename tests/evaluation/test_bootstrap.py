"""Intervals: what they span, and who is drawn together."""

from __future__ import annotations

import numpy as np
import pytest

from serendip.evaluation.bootstrap import estimates


def literal(values: np.ndarray, groups: np.ndarray, seed: int, n: int) -> tuple[float, float]:
    """Draw users, gather all their queries, take the mean; the slow twin."""
    rng = np.random.default_rng(seed)
    users = np.unique(groups)
    means = []
    for _ in range(n):
        drawn = rng.integers(len(users), size=len(users))
        means.append(np.concatenate([values[groups == users[one]] for one in drawn]).mean())
    return tuple(np.percentile(means, [2.5, 97.5]))


def test_the_interval_is_that_of_the_literal_twin():
    rng = np.random.default_rng(5)
    groups = rng.integers(40, size=150)
    values = rng.random(150) + groups / 40
    found = estimates(values[:, None], groups, seed=3, n=500)[0]
    low, high = literal(values, groups, seed=3, n=500)
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_a_difference_that_every_query_has_is_sure():
    same, better = estimates(np.repeat([[0.0, 0.1]], 50, axis=0), np.arange(50))
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    assert (better.low, better.high) == pytest.approx((0.1, 0.1))


def test_queries_of_one_user_stay_together_so_that_repeating_them_makes_nobody_surer():
    values = np.random.default_rng(2).random(30)
    once = estimates(values[:, None], np.arange(30), seed=4)[0]
    ten_times = estimates(np.repeat(values, 10)[:, None], np.repeat(np.arange(30), 10), seed=4)[0]
    assert (once.low, once.high) == pytest.approx((ten_times.low, ten_times.high))


def test_the_same_seed_gives_the_same_interval():
    values, groups = np.random.default_rng(3).random((100, 2)), np.arange(100) // 3
    assert estimates(values, groups, seed=1) == estimates(values, groups, seed=1)
    assert estimates(values, groups, seed=1) != estimates(values, groups, seed=2)


def test_a_95_percent_interval_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(7)
    held = 0
    for trial in range(200):
        values = rng.exponential(size=80)
        one = estimates(values[:, None], np.arange(80), seed=trial, n=300)[0]
        held += one.low <= 1 <= one.high
    # 95% of 200 is 190; a skewed sample of 80 loses a few.
    assert 176 <= held <= 198
