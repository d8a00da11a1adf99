"""The bounded search and the tiles: what ranking every score would give, to the bit the same alone and among many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serendip.data import ItemLists, Vocabulary
from serendip.models.parallel import threads
from serendip.ranking import NOTHING, Catalogue, bounded, tiled, top
from serendip.ranking.tiled import inner_product

VOCABULARY = Vocabulary(tuple(f"i{i}" for i in range(1200)))


def alone(catalogue, vectors, n, hashes, salt, hidden, allowed):
    """Each asker by itself: the search of one."""
    found = []
    for q in range(len(vectors)):
        mask = allowed if allowed is None or allowed.ndim == 1 else allowed[q]
        one = slice(q, q + 1)
        found.append(catalogue.top(vectors[one], n, hashes, salt[one], ItemLists.of([hidden[q]]), mask))
    return np.concatenate([one.rows for one in found]), np.concatenate([one.scores for one in found])


@settings(deadline=None, max_examples=80)
@given(
    n_items=st.sampled_from([1, 5, 128, 129, 700, 1200]),
    k=st.sampled_from([1, 3, 16, 17, 24]),
    n=st.sampled_from([0, 1, 7, 300, 2000]),
    n_queries=st.sampled_from([3, 40]),
    seed=st.integers(0, 2**16),
    share=st.sampled_from([0.0, 0.05, 0.9, 1.0]),
    masks=st.sampled_from(["none", "all", "each"]),
    column=st.sampled_from(["as it comes", "constant", "far off"]),
)
def test_a_search_finds_what_ranking_every_score_finds(n_items, k, n, n_queries, seed, share, masks, column):
    # Small whole numbers: scores are exact in any order of summing, and many are equal.
    rng = np.random.default_rng(seed)
    items, vectors = (rng.integers(-2, 3, (size, k)).astype(np.float32) for size in (n_items, n_queries))
    items *= rng.integers(0, 4, (n_items, 1)).astype(np.float32)
    if column == "constant":
        items[:, 0] = 50
    elif column == "far off":
        items[:, 0] += 1000
    vectors[2] = np.nan
    hashes, salt = VOCABULARY.hashes[:n_items], VOCABULARY.hashes[:n_queries]
    hidden = ItemLists.of([rng.integers(-1, n_items + 2, (0, 9, 4)[q % 3]) for q in range(n_queries)])
    allowed = {"none": None, "all": rng.random(n_items) < share, "each": rng.random((n_queries, n_items)) < share}[
        masks
    ]
    found = Catalogue.of(items).top(vectors, n, hashes, salt, hidden, allowed)
    expected = top(vectors @ items.T, n, hashes, salt, hidden, allowed)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


@settings(deadline=None, max_examples=40)
@given(
    k=st.sampled_from([1, 7, 16, 33, 64, 65, 102]),
    n=st.sampled_from([1, 10, 100]),
    seed=st.integers(0, 2**16),
    spread=st.sampled_from([0.0, 1.0]),
    masked=st.booleans(),
)
def test_an_asker_gets_the_same_bits_alone_and_among_others(k, n, seed, spread, masked):
    rng = np.random.default_rng(seed)
    items = (rng.standard_normal((1200, k)) * rng.lognormal(0, spread, (1200, 1))).astype(np.float32)
    items[:, -1] += np.float32(seed % 7)
    # Some items are the same as others: they are told apart by their ties.
    items[rng.integers(0, 1200, 100)] = items[rng.integers(0, 1200, 100)]
    vectors = (rng.standard_normal((50, k)) * rng.lognormal(0, 1, (50, 1))).astype(np.float32)
    hidden = ItemLists.of([rng.integers(0, 1200, q) for q in range(50)])
    allowed = rng.random((50, 1200)) < 0.5 if masked else None
    catalogue, hashes, salt = Catalogue.of(items), VOCABULARY.hashes, VOCABULARY.hashes[:50]
    rows, scores = alone(catalogue, vectors, n, hashes, salt, hidden, allowed)
    for n_threads in (1, 3):
        with threads(n_threads):
            together = catalogue.top(vectors, n, hashes, salt, hidden, allowed)
        np.testing.assert_array_equal(together.rows, rows)
        np.testing.assert_array_equal(together.scores, scores)
    # By the twin: every score is made as the search makes it, and all of them are ranked.
    every = np.array([[inner_product(y, x) for y in items] for x in vectors[:5]], np.float32)
    mask = None if allowed is None else allowed[:5]
    expected = top(every, n, hashes, salt[:5], ItemLists.of([hidden[q] for q in range(5)]), mask)
    np.testing.assert_array_equal(rows[:5], expected.rows)
    np.testing.assert_array_equal(scores[:5], expected.scores)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
@pytest.mark.parametrize("n_queries", [3, 40])
def test_the_scores_found_are_the_largest_whatever_their_size(scale, n_queries):
    rng = np.random.default_rng(0)
    items = (rng.standard_normal((700, 40)) * rng.lognormal(0, 1, (700, 1)) * scale).astype(np.float32)
    vectors = rng.standard_normal((n_queries, 40)).astype(np.float32)
    nothing = ItemLists.of([[]] * n_queries)
    found = Catalogue.of(items).top(vectors, 10, VOCABULARY.hashes[:700], VOCABULARY.hashes[:n_queries], nothing)
    largest = -np.sort(-(vectors.astype(float) @ items.T.astype(float)), axis=1)[:, :10]
    np.testing.assert_allclose(found.scores, largest, rtol=1e-4)


@pytest.mark.parametrize("n_queries", [1, 40])
def test_columns_of_very_different_scale_are_searched_exactly(n_queries):
    # As the vectors of ratings are: a constant, small factors, and a mean with biases, beside an x that is large or 1.
    rng = np.random.default_rng(1)
    items = np.concatenate([np.full((900, 1), 4.0), rng.normal(0, 0.05, (900, 20)), rng.normal(3.5, 0.3, (900, 1))], 1)
    vectors = np.concatenate([rng.normal(0, 1, (n_queries, 21)), np.ones((n_queries, 1))], 1).astype(np.float32)
    items, nothing = items.astype(np.float32), ItemLists.of([[]] * n_queries)
    found = Catalogue.of(items).top(vectors, 10, VOCABULARY.hashes[:900], VOCABULARY.hashes[:n_queries], nothing)
    largest = -np.sort(-(vectors.astype(float) @ items.T.astype(float)), axis=1)[:, :10]
    np.testing.assert_allclose(found.scores, largest, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_queries", [2, 40])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_find_nothing_and_are_not_found(bad, n_queries):
    rng = np.random.default_rng(2)
    items, vectors = (rng.standard_normal((size, 8)).astype(np.float32) for size in (300, n_queries))
    items[7, 3] = vectors[1, 2] = bad
    nothing, hashes, salt = ItemLists.of([[]] * n_queries), VOCABULARY.hashes[:300], VOCABULARY.hashes[:n_queries]
    found = Catalogue.of(items).top(vectors, 300, hashes, salt, nothing)
    assert (found.rows[1] == NOTHING).all()
    assert sorted(found.rows[0]) == [NOTHING, *(i for i in range(300) if i != 7)]


def test_a_catalogue_is_the_same_however_many_rows_are_prepared_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    items = (rng.standard_normal((700, 20)) + np.arange(20) % 3 * 5).astype(np.float32)
    whole = Catalogue.of(items)
    monkeypatch.setattr(bounded, "RUN", bounded.BLOCK)
    parts = Catalogue.of(items)
    np.testing.assert_array_equal(parts.order, whole.order)
    np.testing.assert_allclose(parts.rest, whole.rest, rtol=1e-3)
    # The turn is known up to signs: what the leading columns hold together is the same.
    together = [np.square(one.leading).sum(axis=1) for one in (parts, whole)]
    np.testing.assert_allclose(*together, rtol=1e-3)


def test_a_catalogue_without_a_finite_item_finds_nothing():
    found = Catalogue.of(np.full((5, 3), np.nan, np.float32)).top(
        np.ones((1, 3), np.float32), 2, VOCABULARY.hashes[:5], VOCABULARY.hashes[:1], ItemLists.of([[]])
    )
    assert (found.rows == NOTHING).all()


def test_most_of_a_skewed_catalogue_is_not_looked_at(monkeypatch):
    # Lengths fall as 1 / rank: a tile or two hold all that anybody can be shown.
    rng = np.random.default_rng(3)
    items = rng.standard_normal((1200, 16)).astype(np.float32) / np.arange(1, 1201, dtype=np.float32)[:, None]
    tiles = []
    feed = tiled.feed
    monkeypatch.setattr(tiled, "ITEMS", 100)
    monkeypatch.setattr(tiled, "feed", lambda scores, start, *rest: (tiles.append(start), feed(scores, start, *rest)))
    vectors = rng.standard_normal((bounded.MANY, 16)).astype(np.float32)
    nothing = ItemLists.of([[]] * len(vectors))
    Catalogue.of(items).top(vectors, 5, VOCABULARY.hashes, VOCABULARY.hashes[: len(vectors)], nothing)
    assert 0 < max(tiles) < 600
