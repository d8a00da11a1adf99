from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import Vocabulary
from serendip.flows.catalogue import ALWAYS, Shelf

moments = st.integers(-5, 5) | st.just(ALWAYS.min) | st.just(ALWAYS.max)


@given(
    windows=st.lists(st.tuples(st.booleans(), moments, moments), max_size=6),
    asked=st.lists(st.integers(-7, 7), min_size=1, max_size=6),
)
def test_what_is_open_at_a_moment_does_not_depend_on_what_was_asked_before(
    windows: list[tuple[bool, int, int]], asked: list[int]
) -> None:
    listed, opens, closes = (np.array([one[i] for one in windows], kind) for i, kind in enumerate((bool, int, int)))
    shelf = Shelf(Vocabulary(tuple(map(str, range(len(windows))))), listed, opens, closes, ())
    for at in asked:
        expected = [there and start <= at < end for there, start, end in windows]
        assert shelf.open_at(at).tolist() == expected
