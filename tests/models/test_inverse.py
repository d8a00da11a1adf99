from __future__ import annotations

import numpy as np
import pytest

from serendip.domain import InteractionKind, Invalid
from serendip.models import ease, fit
from serendip.models.ease import Ease, EaseConfig, solve_weights
from serendip.models.kernels.inverse import negate_inverse, workspace
from serendip.models.parallel import threads
from worlds import market, took, world


def definite(n: int) -> np.ndarray:
    """A positive definite matrix (n, n) whose lower triangle holds nothing."""
    x = np.random.default_rng(n).standard_normal((n, 2 * n)).astype(np.float32)
    a = x @ x.T / n + np.eye(n, dtype=np.float32)
    a[np.tril_indices(n, -1)] = np.nan
    return a


def whole(a: np.ndarray) -> np.ndarray:
    """The symmetric matrix of which ``a`` holds the upper triangle, in float64."""
    upper = np.triu(a).astype(float)
    return upper + np.triu(upper, 1).T


# Blocks that divide the matrix or not, are one or several to a tile, cross tiles, or are the matrix.
@pytest.mark.parametrize(("block", "tile"), [(8, 16), (7, 16), (16, 7), (13, 13), (5, 40), (40, 9), (64, 64), (1, 3)])
@pytest.mark.parametrize("n", [1, 39, 40])
def test_a_matrix_swept_block_by_block_is_minus_its_inverse(n: int, block: int, tile: int) -> None:
    a = definite(n)
    expected = -np.linalg.inv(whole(a))
    assert negate_inverse(a, block, tile)
    np.testing.assert_allclose(whole(a), expected, rtol=1e-4, atol=1e-5)


def test_the_swept_bits_are_the_same_for_one_thread_and_for_three() -> None:
    swept = []
    for n in (1, 3):
        a = definite(200)
        with threads(n):
            assert negate_inverse(a, 16, 40)
        swept.append(np.triu(a))
    np.testing.assert_array_equal(*swept)


@pytest.mark.parametrize("place", [0, 11, 39])
def test_what_is_not_positive_definite_is_noticed_wherever_it_is(place: int) -> None:
    a = definite(40)
    a[place, place] = -1
    assert not negate_inverse(a, 8, 16)


def test_numbers_that_are_none_are_noticed() -> None:
    a = definite(40)
    a[3, 20] = np.nan
    assert not negate_inverse(a, 8, 16)


def test_the_workspace_is_small_beside_the_matrix() -> None:
    with threads(2):
        assert workspace(41_000) < 0.05 * 41_000**2 * 4


def test_ease_has_the_same_weights_whichever_way_it_is_inverted(monkeypatch: pytest.MonkeyPatch) -> None:
    by_lapack = fit("ease", EaseConfig(regularization=2), market())
    monkeypatch.setattr(ease, "MOST_IN_PARALLEL", 0)
    swept = fit("ease", EaseConfig(regularization=2), market())
    assert isinstance(by_lapack, Ease)
    assert isinstance(swept, Ease)
    np.testing.assert_allclose(swept.weights, by_lapack.weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(swept.known, by_lapack.known)


def test_weights_of_many_squares_are_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    a = definite(200)
    p = np.linalg.inv(whole(a) + 2 * np.eye(200))
    expected = -p / np.diag(p)
    np.fill_diagonal(expected, 0)
    for most in (24_000, 0):
        monkeypatch.setattr(ease, "MOST_IN_PARALLEL", most)
        np.testing.assert_allclose(solve_weights(a.copy(), 2.0), expected, rtol=1e-3, atol=1e-5)


def test_what_single_precision_cannot_sweep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MOST_IN_PARALLEL", 0)
    heavy = (InteractionKind("interaction", weight=1e6), InteractionKind("other"))
    events = [took(u, i, 9, k) for u in range(6) for i in range(6) for k in ("interaction", "other") if (u + i) % 3]
    with pytest.raises(Invalid, match="raise it"):
        fit("ease", EaseConfig(regularization=1e-3, binary=False), world(events, kinds=heavy))
