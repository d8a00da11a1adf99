from __future__ import annotations

import pytest

from serendip.domain import Invalid
from serendip.models.memory import GIB, available_bytes, claim


def test_there_is_some_memory() -> None:
    assert 0 < available_bytes() < 2**50


def test_more_than_there_is_is_refused_with_the_sum_and_the_way_out() -> None:
    with pytest.raises(Invalid, match=r"^als needs 1048576\.0 GiB of memory and .* GiB are free; lower n_factors$"):
        claim(2**20 * GIB, "als", "lower n_factors")


def test_what_fits_is_not_refused() -> None:
    claim(1, "als", "lower n_factors")
