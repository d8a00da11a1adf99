from __future__ import annotations

import numba
import numpy as np
import pytest

from serendip.models.kernels.largest import BLOCK, at_least, largest, lowest_bit, n_groups


def best(row: np.ndarray, k: int) -> list[int]:
    """The places of the ``k`` largest above 0, by sorting everything."""
    return [int(j) for j in np.argsort(-row, kind="stable")[:k] if row[j] > 0]


def found(row: np.ndarray, names: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    """The same by the kernel: names and numbers."""
    whole = np.zeros(len(row) + -len(row) % BLOCK, np.float32)
    whole[: len(row)] = row
    called = np.concatenate([names, np.zeros(len(whole) - len(names))]).astype(np.int32)
    keys, groups = np.empty(len(whole), np.int64), np.empty(n_groups(len(whole), k), np.int32)
    size = largest(whole.view(np.int32), called, len(whole), k, groups, keys)
    bits = (-(keys[:size] >> 32)).astype(np.int32)
    return (keys[:size] & 0x7FFFFFFF).tolist(), bits.view(np.float32).tolist()


def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "normal": rng.standard_normal(3000),
        "ascending": np.arange(1000.0),
        "descending": np.arange(1000.0)[::-1],
        "equal": np.ones(777),
        "few values": rng.integers(0, 4, 2000),
        "one": np.eye(1, 500, 499)[0],
        "none": -np.ones(500),
        "nearly equal": 1 + rng.random(2000) * 1e-5,
        "very small and very large": 10.0 ** rng.uniform(-44, 38, 2000),
        "zeros of both signs": np.array([0.0, -0.0, 1.0, -1.0]),
    }


@pytest.mark.parametrize("k", [1, 2, 50, 333, 5000])
@pytest.mark.parametrize("name", list(rows()))
def test_the_largest_are_those_of_sorting_everything(name: str, k: int) -> None:
    row = rows()[name].astype(np.float32)
    places, values = found(row, np.arange(len(row)), k)
    assert places == best(row, k)
    np.testing.assert_array_equal(values, row[places])


def test_equal_ones_stand_in_the_order_of_their_names() -> None:
    names = np.random.default_rng(0).permutation(200)
    assert found(np.ones(200, np.float32), names, 7)[0] == list(range(7))


def test_a_word_has_a_bit_for_each_number_that_reaches_the_floor() -> None:
    numbers = np.arange(3 * BLOCK, dtype=np.int32)

    @numba.njit
    def word(bits, at, floor):  # type: ignore[no-untyped-def]
        return at_least(bits, at, floor)

    @numba.njit
    def lowest(some):  # type: ignore[no-untyped-def]
        return lowest_bit(some)

    got = int(word(numbers, 64, np.int32(70)))
    assert [b for b in range(BLOCK) if got >> b & 1] == list(range(6, 64))
    assert lowest(np.uint64(got)) == 6
