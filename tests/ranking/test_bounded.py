"""The bounded search: what ranking every score would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serendip.data import ItemLists, Vocabulary
from serendip.ranking import Catalogue, top

VOCABULARY = Vocabulary(tuple(f"i{i}" for i in range(700)))


@settings(deadline=None, max_examples=60)
@given(
    n_items=st.sampled_from([1, 5, 256, 257, 700]),
    k=st.sampled_from([1, 3, 16, 17, 24]),
    n=st.sampled_from([0, 1, 7, 300]),
    seed=st.integers(0, 2**16),
    share=st.sampled_from([0.0, 0.05, 0.9, 1.0]),
)
def test_a_bounded_search_finds_what_ranking_every_score_finds(n_items, k, n, seed, share):
    # Small whole numbers: scores are exact in any order of summing, and many are equal.
    rng = np.random.default_rng(seed)
    items, vectors = (rng.integers(-2, 3, (size, k)).astype(np.float32) for size in (n_items, 3))
    items *= rng.integers(0, 4, (n_items, 1)).astype(np.float32)
    vectors[2] = np.nan
    hashes, salt = VOCABULARY.hashes[:n_items], VOCABULARY.hashes[:3]
    hidden = ItemLists.of([rng.integers(-1, n_items + 2, size) for size in (0, 9, 4)])
    allowed = rng.random((3, n_items)) < share if seed % 2 else None
    found = Catalogue.of(items).top(vectors, n, hashes, salt, hidden, allowed)
    expected = top(vectors @ items.T, n, hashes, salt, hidden, allowed)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_scores_found_are_the_largest_whatever_their_size(scale):
    rng = np.random.default_rng(0)
    items = (rng.standard_normal((700, 40)) * rng.lognormal(0, 1, (700, 1)) * scale).astype(np.float32)
    vectors = rng.standard_normal((20, 40)).astype(np.float32)
    nothing = ItemLists.of([[]] * 20)
    found = Catalogue.of(items).top(vectors, 10, VOCABULARY.hashes, VOCABULARY.hashes[:20], nothing)
    largest = -np.sort(-(vectors.astype(float) @ items.T), axis=1)[:, :10]
    np.testing.assert_allclose(found.scores, largest, rtol=1e-4)
