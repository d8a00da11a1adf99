"""Experiments against numbers worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from serendip.domain import Invalid
from serendip.evaluation.experiment import Counted, analyse, ratio


def counted(group: list[int], shown: list[float], liked: list[float]) -> Counted:
    n = len(group)
    return Counted(np.array(group), np.arange(n), np.array(shown, float), np.array(liked, float))


def test_the_like_rate_and_its_error_are_those_of_the_delta_method():
    # Likes 1, 0, 3 of views 10, 20, 30: r = 4/60 = 1/15. Means 4/3 and 20; var(likes) = 7/3, var(views) = 100,
    # cov = (-1/3 * -10 + -4/3 * 0 + 5/3 * 10) / 2 = 10. (7/3 - 2/15 * 10 + 100/225) / (3 * 400) = (13/9) / 1200.
    r, error = ratio(np.array([1.0, 0, 3]), np.array([10.0, 20, 30]))
    assert r == pytest.approx(1 / 15)
    assert error == pytest.approx(sqrt(13 / 9 / 1200))


def test_shares_of_users_with_a_like_are_compared_by_the_normal_approximation():
    # 2 of 4 and 3 of 4: the gap is 1/4; variances of 0/1 values (ddof 1) 1/3 and 1/4, over 4 users each.
    found = analyse(["control", "test"], counted([0] * 4 + [1] * 4, [10] * 8, [1, 1, 0, 0, 2, 1, 1, 0]))
    control, test = found.groups
    assert (control.users, control.shown, control.liked, test.liked) == (4, 40, 2, 4)
    assert (control.liking.value, test.liking.value) == (0.5, 0.75)
    error = sqrt(1 / 3 / 4 + 1 / 4 / 4)
    assert found.versus[0].liking.value == 0.25
    assert found.versus[0].liking.low == pytest.approx(0.25 - 1.959964 * error, abs=1e-6)
    assert found.versus[0].liking.high == pytest.approx(0.25 + 1.959964 * error, abs=1e-6)
    # 0.25 / 0.3819 = 0.6547 standard errors: two-sided p 0.5127.
    assert found.versus[0].liking.p == pytest.approx(0.5127, abs=1e-4)


def test_unequal_groups_are_told_from_chance_by_the_chi_squared_test():
    # (60 - 50)^2 / 50 twice is 4, with one degree of freedom: p = 0.0455. 660 against 540: 12, p = 0.000532.
    def p(a: int, b: int) -> float:
        n = a + b
        found = analyse(["control", "test"], counted([0] * a + [1] * b, [5] * n, [k % 3 for k in range(n)]))
        assert found.suspicious == (found.mismatch_p < 0.001)
        return found.mismatch_p

    assert p(60, 40) == pytest.approx(0.0455, abs=1e-4)
    assert p(660, 540) == pytest.approx(0.000532, abs=1e-6)
    assert p(50, 50) == 1


def test_the_bucketed_test_compares_the_rates_of_buckets():
    # Ten users a group in two buckets, views 10 each. Rates of the buckets: control 10/50 and 12/50, test 18/50, 20/50.
    liked = [2.0] * 5 + [2, 2, 2, 3, 3] + [4, 4, 4, 3, 3] + [4.0] * 5
    bucket = np.array([0] * 5 + [1] * 5 + [0] * 5 + [1] * 5)
    found = analyse(["a", "b"], Counted(np.repeat([0, 1], 10), bucket, np.full(20, 10.0), np.array(liked)))
    gap = found.versus[0].bucketed
    assert found.n_buckets == 2
    assert gap.value == pytest.approx(0.16)
    # Both variances are 0.0008 over 2 buckets: t = 0.16 / sqrt(0.0008), 2 degrees of freedom, quantile 4.3027.
    assert gap.low == pytest.approx(0.16 - 4.3027 * sqrt(0.0008), abs=1e-5)
    assert gap.p == pytest.approx(0.0299, abs=1e-4)


def test_without_an_effect_one_in_twenty_is_found_and_a_real_one_nearly_always():
    rng = np.random.default_rng(5)

    def found(lift: float) -> np.ndarray:
        n = 2000
        readiness = rng.beta(2, 16, n) * (1 + lift * (np.arange(n) % 2))
        shown = rng.geometric(0.05, n)
        one = analyse(["control", "test"], counted(list(np.arange(n) % 2), shown, rng.binomial(shown, readiness)))
        return np.array([one.versus[0].rate.p < 0.05, one.versus[0].bucketed.p < 0.05])

    # 200 draws of a share of 0.05 lie between 0.01 and 0.10 but for one case in a thousand.
    same = np.mean([found(0.0) for _ in range(200)], axis=0)
    assert ((same > 0.01) & (same < 0.10)).all(), same
    assert np.mean([found(0.3) for _ in range(20)], axis=0).min() > 0.8


def test_a_group_of_one_cannot_be_judged():
    with pytest.raises(Invalid, match="two are the least"):
        analyse(["control", "test"], counted([0, 0, 1], [1, 1, 1], [0, 1, 1]))
