from __future__ import annotations

import numba
import numpy as np
import pytest

from serendip.models.lanes import add_four, dot_four, padded, prefetch_row


@numba.njit
def dots(rows, at, p):
    return dot_four(rows, at, p)


@numba.njit
def added(rows, at, a, q):
    prefetch_row(rows, at)
    add_four(rows, at, (a[0], a[1], a[2], a[3]), q)


@pytest.mark.parametrize("k", [16, 48, 128])
@pytest.mark.parametrize("at", [0, 3])
def test_four_rows_at_once_are_four_rows_one_by_one(k: int, at: int) -> None:
    rng = np.random.default_rng(0)
    rows, p, q, a = (rng.standard_normal(size).astype(np.float32) for size in ((9, k), k, k, 4))
    four = rows[at : at + 4].astype(float)
    np.testing.assert_allclose(dots(rows, at, p), four @ p, rtol=1e-4, atol=1e-5)
    expected = q + a @ four
    added(rows, at, a, q)
    np.testing.assert_allclose(q, expected, rtol=1e-4, atol=1e-5)


def test_rows_are_padded_to_whole_lanes() -> None:
    assert [padded(n) for n in (1, 16, 17, 64)] == [16, 16, 32, 64]
