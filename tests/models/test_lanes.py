from __future__ import annotations

import numba
import numpy as np
import pytest

from serendip.models.kernels.lanes import add_images, add_misses, add_scaled, gather_rows, inner, padded, prefetch_row


@numba.njit
def images(rows, n, p, q):
    add_images(rows, n, p, q)


@numba.njit
def misses(rows, n, right, p, q):
    add_misses(rows, n, right, p, q)


@numba.njit
def gathered(z, indices, weight, first, n, scale, rows):
    prefetch_row(rows, 0)
    gather_rows(z, indices, weight, first, n, scale, rows)


@numba.njit
def summed(a, s, b, out):
    add_scaled(a, s, b, out)
    return inner(a, b)


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


WIDTHS = pytest.mark.parametrize("k", [16, 32, 48, 64, 80, 96, 112, 128, 144, 320])


@WIDTHS
def test_a_pass_over_rows_adds_what_the_matrices_say(k: int) -> None:
    # Rows are wider than what is multiplied, and more than are asked for.
    rows, p, right, start = some(17, k + 32), some(k), some(12), some(k)
    b = rows[:12, :k].astype(float)
    q = start.copy()
    images(rows, 12, p, q)
    np.testing.assert_allclose(q, start + b.T @ (b @ p), rtol=1e-4, atol=1e-3)
    q = start.copy()
    misses(rows, 12, right, p, q)
    np.testing.assert_allclose(q, start + b.T @ (right - b @ p), rtol=1e-4, atol=1e-3)


@WIDTHS
@pytest.mark.parametrize("half", [False, True])
def test_rows_are_gathered_scaled_and_weighted(k: int, half: bool) -> None:
    z, scale, weight = some(30, k), some(k), np.abs(some(9))
    if half:
        z = (z.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    indices = np.array([4, 29, 0, 7, 7, 12, 3, 1, 28], np.int32)
    rows = np.full((6, k + 16), 5, np.float32)
    source = (z.view(np.uint32) >> 16).astype(np.uint16) if half else z
    gathered(source, indices, weight, 4, 5, scale, rows)
    np.testing.assert_allclose(rows[:5, :k], np.sqrt(weight[4:, None]) * scale * z[indices[4:]], rtol=1e-5)
    assert (rows[5] == 5).all()
    assert (rows[:, k:] == 5).all()


@pytest.mark.parametrize("k", [16, 48, 320])
def test_vectors_are_multiplied_and_added(k: int) -> None:
    a, b, out = some(k), some(k + 16)[:k].copy(), np.empty(k, np.float32)
    product = summed(a, np.float32(0.5), b, out)
    assert product == pytest.approx(a.astype(float) @ b, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(out, a + 0.5 * b, rtol=1e-5, atol=1e-6)


def test_rows_are_padded_to_whole_lanes() -> None:
    assert [padded(n) for n in (1, 16, 17, 64)] == [16, 16, 32, 64]
