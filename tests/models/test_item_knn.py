from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Dataset
from serendip.models import fit
from serendip.models.item_knn import ItemKnn, ItemKnnConfig
from serendip.models.kernels.item_item import Csr, nearest_rows
from serendip.models.parallel import threads
from worlds import ask, market, took, world

# Six users, four items; u0 takes i1 twice, u5 takes everything.
SIX = world(
    [
        *[took(0, 0), took(0, 1), took(0, 1)],
        *[took(1, 0), took(1, 1)],
        *[took(2, 1), took(2, 2)],
        *[took(3, 2)],
        *[took(4, 0), took(4, 2)],
        *[took(5, 0), took(5, 1), took(5, 2), took(5, 3)],
    ]
)


def similarities(data: Dataset, **settings) -> np.ndarray:
    """What the model learnt, as a dense matrix: row ``j`` is what item ``j`` gives to each."""
    model = fit("item-knn", ItemKnnConfig(**settings), data)
    assert isinstance(model, ItemKnn)
    out = np.zeros((data.n_items, data.n_items))
    for j in range(data.n_items):
        own = slice(model.rows.indptr[j], model.rows.indptr[j + 1])
        out[j, model.rows.indices[own]] = model.rows.value[own]
    return out


def off_diagonal(product: np.ndarray) -> np.ndarray:
    return product * (1 - np.eye(len(product)))


def test_cosine_is_users_in_common_over_the_root_of_both_audiences() -> None:
    # i0 was taken by u0, u1, u4, u5; i1 by u0, u1, u2, u5; three of them both.
    assert similarities(SIX)[0, 1] == pytest.approx(3 / np.sqrt(4 * 4))
    assert similarities(SIX)[0, 3] == pytest.approx(1 / np.sqrt(4 * 1))


def test_with_weights_an_item_taken_twice_counts_twice() -> None:
    x = SIX.matrix().toarray()
    length = np.linalg.norm(x, axis=0)
    assert x.max() == 2
    np.testing.assert_allclose(
        similarities(SIX, binary=False), off_diagonal(x.T @ x / np.outer(length, length)), rtol=1e-5
    )


@pytest.mark.parametrize("binary", [True, False])
def test_rp3beta_is_a_walk_of_two_steps_with_popular_items_held_down(binary: bool) -> None:
    x = SIX.matrix().toarray()
    x = (x > 0).astype(float) if binary else x
    to_user = (x / x.sum(axis=0)).T ** 0.8
    to_item = (x / x.sum(axis=1, keepdims=True)) ** 0.8
    expected = off_diagonal(to_user @ to_item / x.sum(axis=0) ** 0.4)
    ours = similarities(SIX, similarity="rp3beta", alpha=0.8, beta=0.4, binary=binary)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_tfidf_is_the_cosine_after_users_of_much_count_less() -> None:
    x = SIX.matrix().toarray()
    idf = np.log(1 + 4 / (x > 0).sum(axis=1))
    t = np.sqrt(x) * idf[:, None]
    length = np.linalg.norm(t, axis=0)
    expected = off_diagonal(t.T @ t / np.outer(length, length))
    np.testing.assert_allclose(similarities(SIX, similarity="tfidf", binary=False), expected, rtol=1e-5)


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0, 0.5), (100, 0), (2, 1)])
def test_bm25_is_the_product_of_robertsons_weights(k1: float, b: float) -> None:
    x = SIX.matrix().toarray()
    t = np.zeros_like(x, dtype=float)
    for u in range(6):
        for i in range(4):
            if x[u, i]:
                n_u = (x[u] > 0).sum()
                length = 1 - b + b * x[:, i].sum() / x.sum(axis=0).mean()
                t[u, i] = np.log(1 + (4 - n_u + 0.5) / (n_u + 0.5)) * x[u, i] * (k1 + 1) / (x[u, i] + k1 * length)
    got = similarities(SIX, similarity="bm25", k1=k1, b=b, binary=False)
    np.testing.assert_allclose(got, off_diagonal(t.T @ t), rtol=1e-5)


def test_shrinkage_holds_down_what_few_users_say() -> None:
    taken = SIX.matrix().toarray() > 0
    n = taken.T.astype(float) @ taken
    np.testing.assert_allclose(similarities(SIX, shrinkage=5), similarities(SIX) * n / (n + 5), rtol=1e-5)


def test_items_met_by_too_few_users_are_no_neighbours() -> None:
    taken = SIX.matrix().toarray() > 0
    n = taken.T.astype(float) @ taken
    np.testing.assert_allclose(similarities(SIX, min_support=2), similarities(SIX) * (n >= 2), rtol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_the_k_most_similar_are_kept_and_of_equal_ones_the_earlier_rows(k: int) -> None:
    data = market()
    every, kept = similarities(data), similarities(data, n_neighbours=k)
    for j in range(data.n_items):
        best = [i for i in np.argsort(-every[j], kind="stable")[:k] if every[j, i] > 0]
        assert sorted(np.flatnonzero(kept[j])) == sorted(best)
        np.testing.assert_array_equal(kept[j, best], every[j, best])


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("shrinkage", "min_support"), [(0.0, 1), (3.0, 1), (0.0, 2), (2.5, 3)])
@pytest.mark.parametrize("k", [1, 5, 200])
def test_the_nearest_of_a_row_are_those_of_the_product_sorted(
    full: bool, shrinkage: float, min_support: int, k: int
) -> None:
    # Whole numbers: sums are exact, and many are equal. Read as a whole or by the list of what was touched.
    rng = np.random.default_rng(k)
    x = sparse.csr_array((rng.random((60, 150)) < 0.1) * rng.integers(1, 3, (60, 150)).astype(np.float32))
    taken, takers = Csr.of(x), Csr.of(sparse.csr_array(x.T))
    if not full:  # Items of nobody, added until no row is full.
        wide = sparse.csr_array((x.data, x.indices, x.indptr), shape=(60, 150 * 400))
        taken, takers = Csr.of(wide), Csr.of(sparse.csr_array(wide.T))
    sizes, items, values = nearest_rows(taken, takers, shrinkage, min_support, k, 0, 150)
    n = ((x > 0).astype(float).T @ (x > 0).astype(float)).toarray()
    product, ends = (x.T @ x).toarray() * n / np.maximum(n + shrinkage, 1), np.cumsum(sizes)
    product[n < min_support] = 0
    np.fill_diagonal(product, 0)
    for i, row in enumerate(product):
        best = [j for j in np.argsort(-row.astype(np.float32), kind="stable")[:k] if row[j] > 0]
        own = slice(ends[i] - sizes[i], ends[i])
        assert items[own].tolist() == best
        np.testing.assert_allclose(values[own], row[best], rtol=1e-6)


def test_a_score_is_the_sum_of_similarities_to_what_was_taken() -> None:
    model, s = fit("item-knn", ItemKnnConfig(), SIX), similarities(SIX)
    scores = model.score(ask(SIX, [took(9, 0), took(9, 2), took(9, 2)]))
    np.testing.assert_allclose(scores[0], s[0] + s[2], rtol=1e-5)


def test_by_weight_an_item_taken_twice_gives_twice() -> None:
    model, s = fit("item-knn", ItemKnnConfig(binary=False), SIX), similarities(SIX, binary=False)
    scores = model.score(ask(SIX, [took(9, 0), took(9, 2), took(9, 2)]))
    np.testing.assert_allclose(scores[0], s[0] + 2 * s[2], rtol=1e-5)


def test_neighbours_are_the_row_best_first() -> None:
    model, s = fit("item-knn", ItemKnnConfig(), SIX), similarities(SIX)
    assert isinstance(model, ItemKnn)
    rows, likeness = model.neighbours(np.array([0, 3], np.int32), 2)
    assert rows[0].tolist() == [1, 2]
    np.testing.assert_allclose(likeness[0], [s[0, 1], s[0, 2]], rtol=1e-6)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25", "rp3beta"])
@pytest.mark.parametrize("settings", [{}, {"n_neighbours": 2}, {"shrinkage": 3.0, "min_support": 2}])
def test_the_shares_of_every_similarity_sum_to_the_score(similarity: str, binary: bool, settings: dict) -> None:
    model = fit("item-knn", ItemKnnConfig(similarity=similarity, binary=binary, **settings), market())
    assert isinstance(model, ItemKnn)
    history = [took(9, 3, 9), took(9, 5, 5), took(9, 3, 2), took(9, 7, 1)]
    queries = ask(market(), history)
    every = np.arange(11, dtype=np.int32)[None]
    shares, scores = model.explain(queries, every)[0], model.score(queries)[0]
    assert np.isfinite(scores).all()
    assert scores.any()
    np.testing.assert_allclose(shares.sum(axis=1), scores, rtol=1e-5, atol=1e-5 * np.abs(scores).max())


def test_one_thread_and_three_find_the_same_neighbours() -> None:
    models = []
    for n in (1, 3):
        with threads(n):
            models.append(fit("item-knn", ItemKnnConfig(n_neighbours=3), market()).arrays())
    for name, array in models[0].items():
        np.testing.assert_array_equal(array, models[1][name])


def test_neighbours_of_all_items_at_once_are_those_of_each_alone() -> None:
    model = fit("item-knn", ItemKnnConfig(n_neighbours=4), market())
    assert isinstance(model, ItemKnn)
    rows, likeness = model.neighbours(np.arange(11, dtype=np.int32), 6)
    for item in range(11):
        own = slice(model.rows.indptr[item], model.rows.indptr[item + 1])
        n = own.stop - own.start
        assert rows[item].tolist() == [*model.rows.indices[own].tolist(), *[-1] * (6 - n)]
        assert likeness[item].tolist() == [*model.rows.value[own].tolist(), *[0.0] * (6 - n)]
