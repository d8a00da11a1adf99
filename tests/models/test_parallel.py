from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from serendip.models.parallel import equal_work, in_chunks, n_threads, one_blas_thread, threads


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@given(st.lists(st.floats(0, 100), max_size=50), st.integers(1, 20))
def test_chunks_cover_every_row_once(cost: list[float], n_chunks: int) -> None:
    bounds = equal_work(np.array(cost), n_chunks)
    assert bounds[0] == 0
    assert bounds[-1] == len(cost)
    assert (np.diff(bounds) > 0).all()
    assert len(bounds) <= n_chunks + 1


def test_chunks_are_of_equal_work() -> None:
    assert equal_work(np.array([4.0, 1, 1, 1, 1, 4]), 3) == [0, 1, 5, 6]


@pytest.mark.parametrize("n", [1, 3])
def test_chunks_come_back_in_their_order(n: int) -> None:
    with threads(n):
        assert in_chunks(lambda start, stop: (start, stop), [0, 2, 5, 6]) == [(0, 2), (2, 5), (5, 6)]


def test_an_error_in_a_chunk_is_an_error() -> None:
    with threads(2), pytest.raises(ZeroDivisionError):
        in_chunks(lambda start, stop: start // (stop - 2), [0, 1, 2, 3])


def test_the_caller_says_how_many_threads() -> None:
    before = n_threads()
    with threads(5):
        assert n_threads() == 5
    assert n_threads() == before


def test_blas_has_one_thread_inside_and_afterwards_as_many_as_before() -> None:
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    assert set(blas_threads()) == {1}
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before
