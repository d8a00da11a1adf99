"""Counting equal rows against a dictionary."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serendip.sources.occurrences import Occurrences


@given(st.lists(st.lists(st.integers(0, 30), max_size=60), max_size=6))
def test_each_row_is_numbered_among_its_equals(batches: list[list[int]]) -> None:
    occurrences, seen = Occurrences(), Counter[int]()
    for batch in batches:
        expected = []
        for row in batch:
            expected.append(seen[row])
            seen[row] += 1
        assert occurrences.number(np.array(batch, np.uint64)).tolist() == expected


def test_counts_stay_right_when_tables_grow() -> None:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**63, 150_000, dtype=np.uint64)
    occurrences = Occurrences()
    assert not occurrences.number(hashes).any()
    assert (occurrences.number(hashes[::7]) == 1).all()
    assert (occurrences.number(hashes[::7]) == 2).all()


def test_one_row_a_million_times_is_numbered_through() -> None:
    occurrences = Occurrences()
    for start in range(0, 1_000_000, 250_000):
        numbers = occurrences.number(np.full(250_000, 5, np.uint64))
        assert numbers[0] == start
        assert numbers[-1] == start + 249_999
