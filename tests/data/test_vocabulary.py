from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import UNKNOWN, Vocabulary

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), unique=True)


def test_ids_stand_in_order_of_first_appearance() -> None:
    vocabulary = Vocabulary.of(["b", "a", "b", "c", "a"])
    assert vocabulary.ids == ("b", "a", "c")
    assert [vocabulary.row(text) for text in "bac"] == [0, 1, 2]


def test_an_id_that_is_not_known_has_no_row() -> None:
    vocabulary = Vocabulary(("a", "b"))
    assert vocabulary.row("z") == UNKNOWN
    assert vocabulary.rows(["b", "z", "a"]).tolist() == [1, UNKNOWN, 0]
    assert "z" not in vocabulary


def test_an_id_hashes_alike_in_every_vocabulary() -> None:
    one, other = Vocabulary(("a", "b", "a longer id")), Vocabulary(("b", "x", "a"))
    assert one.hashes[0] == other.hashes[2]
    assert one.hashes[1] == other.hashes[0]
    assert len(set(one.hashes.tolist())) == 3


def test_a_hash_is_fnv_1a_and_the_end_of_splitmix() -> None:
    h = ((14695981039346656037 ^ ord("a")) * 1099511628211) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        h = ((h ^ (h >> shift)) * factor) % 2**64
    assert int(Vocabulary(("a",)).hashes[0]) == h ^ (h >> 31)


@given(texts)
def test_a_vocabulary_comes_back_from_its_arrays(ids: list[str]) -> None:
    vocabulary = Vocabulary(tuple(ids))
    back = Vocabulary.restore(vocabulary.arrays())
    assert back == vocabulary
    np.testing.assert_array_equal(back.hashes, vocabulary.hashes)
