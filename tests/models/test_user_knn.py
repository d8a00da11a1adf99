from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serendip.data import Dataset, Queries
from serendip.models import fit, kind_of
from serendip.models.people import UserNames, nearest_by_vectors
from serendip.models.user_knn import UserKnn
from worlds import NOON, ask, checkerboard, market, took, world


def fitted(data: Dataset, **settings) -> UserKnn:
    model = fit("user-knn", kind_of("user-knn").config(**settings), data)
    assert isinstance(model, UserKnn)
    return model


def twin(data: Dataset, similarity: str, binary: bool, shrinkage: float, k: int) -> np.ndarray:
    """Every user's scores, written out with all users beside all."""
    weight = data.matrix().toarray().astype(float)
    x = (weight > 0).astype(float) if binary else weight
    n_users, n_items = x.shape
    t = np.zeros_like(x)
    for u in range(n_users):
        for i in range(n_items):
            n_takers = (x[:, i] > 0).sum()
            if n_takers:
                t[u, i] = np.sqrt(x[u, i]) * np.log(1 + n_users / n_takers) if similarity == "tfidf" else x[u, i]
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    scores = np.zeros_like(x)
    for q in range(n_users):
        likeness = np.zeros(n_users)
        for u in range(n_users):
            n_common = ((x[q] > 0) & (x[u] > 0)).sum()
            if u != q and n_common:
                likeness[u] = t[q] @ t[u] * n_common / (n_common + shrinkage)
        for u in np.argsort(-likeness, kind="stable")[:k]:
            scores[q] += likeness[u] * x[u]
    return scores


@pytest.mark.parametrize(
    ("similarity", "binary", "shrinkage"),
    [("cosine", True, 0), ("cosine", False, 2), ("tfidf", True, 0), ("tfidf", False, 1)],
)
def test_scores_are_those_of_everybody_compared_with_everybody(similarity, binary, shrinkage) -> None:
    data = market()
    model = fitted(data, similarity=similarity, binary=binary, shrinkage=shrinkage, n_neighbours=30)
    scores = model.score(Queries.of_users(data, np.arange(data.n_users)))
    np.testing.assert_allclose(scores, twin(data, similarity, binary, shrinkage, 30), rtol=1e-4, atol=1e-5)


def test_two_people_with_two_of_three_items_in_common_are_two_thirds_alike() -> None:
    data = world([took(0, 0), took(0, 1), took(0, 2), took(1, 1), took(1, 2), took(1, 3), took(2, 3)])
    model = fitted(data)
    queries = Queries.of_users(data, np.array([0]))
    rows, likeness = model.people(queries, 5)
    assert rows[0].tolist() == [1, -1, -1]
    assert likeness[0, 0] == pytest.approx(2 / 3)
    assert model.score(queries)[0].tolist() == pytest.approx([0, 2 / 3, 2 / 3, 2 / 3])


def test_nobody_is_their_own_neighbour_however_they_ask() -> None:
    data = checkerboard()
    model = fitted(data)
    history = [took(3, 1), took(3, 5), took(3, 7)]  # what user 3 took
    by_record = Queries.of([history], data.items, NOON, data.kinds, ["u3"])
    stranger = ask(data, history)
    assert by_record.own.tolist() == [-1]  # as a server asks, which has no rows of users
    assert 3 not in model.people(by_record, 12)[0]
    assert 3 in model.people(stranger, 12)[0]
    np.testing.assert_array_equal(model.score(by_record), model.score(Queries.of_users(data, np.array([3]))))


def test_of_people_equally_alike_the_first_are_asked() -> None:
    data = world([took(user, item) for user in range(6) for item in range(3)])
    rows, _ = fitted(data, n_neighbours=2).people(Queries.of_users(data, np.array([0, 1, 5])), 2)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1]]


def test_askers_are_found_by_the_hash_of_their_names() -> None:
    data = market()
    queries = Queries.of_users(data, np.array([7, 0, 29]))
    assert UserNames(data.users.hashes).own_rows(queries).tolist() == [7, 0, 29]
    assert UserNames(data.users.hashes).own_rows(replace(queries, salt=np.arange(3, dtype=np.uint64))).tolist() == [
        -1,
        -1,
        -1,
    ]


def test_nearest_by_vectors_are_those_of_all_inner_products() -> None:
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((50, 7)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows, values = np.empty((50, 50), np.int32), np.empty((50, 50), np.float32)
    may = np.arange(50) != 8
    nearest_by_vectors(unit, unit, may, np.arange(50, dtype=np.int32), rows, values, 0, 50)
    for q in range(50):
        likeness = unit @ unit[q]
        likeness[[q, 8]] = -1
        expected = [u for u in np.argsort(-likeness) if likeness[u] > 1e-6]
        assert rows[q][rows[q] >= 0].tolist() == expected
        np.testing.assert_allclose(values[q, : len(expected)], likeness[expected], rtol=1e-4)
