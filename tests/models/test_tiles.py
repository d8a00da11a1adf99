from __future__ import annotations

import numba
import numpy as np
import pytest

from serendip.models.kernels.lanes import LANES
from serendip.models.kernels.tiles import SIDE, add_band, solve_tiles, take_band, turn_over, whole_sides


@numba.njit
def added(r, n, a, i, end):
    add_band(r, n, a, i, end)


@numba.njit
def taken(r, n, a, i, end):
    take_band(r, n, a, i, end)


@numba.njit
def turned(rows, n, k, out):
    turn_over(rows, n, k, out)


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("end", [17, 24, 33, 56, 64, 65, 72, 105, 120])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_a_band_gets_the_products_of_its_columns(n: int, end: int) -> None:
    r, a = some(10, 140), some(160, 140)
    before = a.astype(float)
    products = r[:n].T.astype(float) @ r[:n]
    added(r, n, a, 16, end)
    np.testing.assert_allclose(
        a[16:24, 16:end], (before + np.pad(products, ((0, 20), (0, 0))))[16:24, 16:end], atol=1e-4
    )
    assert (a[:16] == before[:16]).all()
    assert (a[24:] == before[24:]).all()
    assert (a[16:24, :16] == before[16:24, :16]).all()
    assert (a[16:24, end + LANES :] == before[16:24, end + LANES :]).all()
    taken(r, n, a, 16, end)
    np.testing.assert_allclose(a[16:24, 16:end], before[16:24, 16:end], atol=1e-4)


def test_rows_are_turned_over() -> None:
    rows, out = some(33, 70), np.zeros((48, 40), np.float32)
    turned(rows, 32, 48, out)
    np.testing.assert_array_equal(out[:, :32], rows[:32, :48].T)
    assert not out[:, 32:].any()


@pytest.mark.parametrize("n", [8, 16, 24, 40, 64, 128, 200])
def test_a_system_with_its_right_side_as_one_more_column_is_solved(n: int) -> None:
    half, wide = some(n, n).astype(float) / np.sqrt(n), n + 2 * LANES
    full, b = half @ half.T + np.eye(n), np.arange(n) + 1.0
    a, v = np.full((n, wide), 7, np.float32), np.full(wide, 7, np.float32)
    a[:, :n], a[:, n] = np.where(np.tri(n, k=-1) > 0, 7, full), b
    solve_tiles(a, n, np.empty(n, np.float32), np.empty(SIDE, np.float32), v)
    np.testing.assert_allclose(v[:n], np.linalg.solve(full, b), rtol=1e-3, atol=1e-3)


def test_sides_are_whole_tiles() -> None:
    assert [whole_sides(n) for n in (1, 8, 9, 64)] == [8, 8, 16, 64]
