from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from serendip.data import Queries
from serendip.models import Explains, fit
from serendip.models.nmf import NmfConfig, sweep_rows
from serendip.models.svd import SvdConfig
from worlds import market, rated, took, world

SIZES = [0, 1, 4, 90]


def rows(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """indptr, indices, targets and vectors of four rows."""
    rng = np.random.default_rng(0)
    indices = np.concatenate([np.arange(n) for n in SIZES]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(SIZES)])
    return indptr, indices, rng.standard_normal(indptr[-1]), np.abs(rng.standard_normal((90, k)))


def test_a_sweep_is_that_of_the_equation() -> None:
    indptr, indices, target, y = rows(3)
    start = np.abs(np.random.default_rng(1).standard_normal((4, 3)))
    x = start.copy()
    sweep_rows(indptr, indices, target, y, 0.7, 1, x, 0, 4)
    for u, n in enumerate(SIZES):
        own, t, wanted = y[:n], target[indptr[u] : indptr[u + 1]], start[u].copy()
        for f in range(3):
            gradient = own[:, f] @ (t - own @ wanted) - 0.7 * wanted[f]
            wanted[f] += gradient / (own[:, f] @ own[:, f] + 0.7)
            if f:
                wanted[f] = max(0, wanted[f])
        np.testing.assert_allclose(x[u], wanted if n else 0, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [2, 6])
def test_a_history_is_folded_in_by_non_negative_least_squares(k: int) -> None:
    # The ridge is k more rows of the regression; scipy solves it with the same bounds by another method.
    indptr, indices, target, y = rows(k)
    x = np.zeros((4, k))
    sweep_rows(indptr, indices, target, y, 0.7, 5000, x, 0, 4)
    for u, n in enumerate(SIZES):
        more = np.vstack([y[:n], np.sqrt(0.7) * np.eye(k)])
        wanted = np.concatenate([target[indptr[u] : indptr[u + 1]], np.zeros(k)])
        lower = np.array([-np.inf, *[0.0] * (k - 1)])
        np.testing.assert_allclose(x[u], lsq_linear(more, wanted, (lower, np.inf), tol=1e-14).x, rtol=1e-5, atol=1e-6)


def test_no_vector_is_below_zero_and_some_parts_are_zero() -> None:
    data = rated(market())
    model = fit("nmf", NmfConfig(n_factors=6, ridge=0.5), data)
    vectors, items = model.factors(Queries.of_users(data, np.arange(data.n_users)))
    assert vectors.shape[1] == items.shape[1] == 6 + 2
    assert (items[:, 1:-1] >= 0).all()
    assert (vectors[:, 1:-1] >= 0).all()
    assert (vectors[:, 0] < 0).any()
    assert (items[:, 1:-1] == 0).any()


def test_the_shares_of_ratings_and_the_items_own_part_sum_to_the_score() -> None:
    data = rated(market())
    model = fit("nmf", NmfConfig(n_factors=6, ridge=0.5), data)
    assert isinstance(model, Explains)
    queries = Queries.of_users(data, np.arange(data.n_users))
    items = np.tile(np.array([0, 5, 7], np.int32), (data.n_users, 1))
    scores = model.score(queries, items)
    for q, shares in enumerate(model.explain(queries, items)):
        np.testing.assert_allclose(shares.sum(axis=1) + model.items[items[q], -1], scores[q], rtol=1e-5)


def test_two_tastes_are_found_and_differ_from_what_svd_says() -> None:
    data = world(
        [
            took(user, item, value=5.0 if user % 2 == item % 2 else 1.0)
            for user in range(40)
            for item in range(20)
            if (item - user) % 5
        ]
    )
    queries = Queries.of_users(data, np.arange(40))
    scores = fit("nmf", NmfConfig(n_factors=4, n_epochs=50, ridge=0.5), data).score(queries)
    own = (np.arange(40)[:, None] - np.arange(20)) % 2 == 0
    assert scores[own].min() > 3.5
    assert scores[~own].max() < 2.5
    assert not np.allclose(scores, fit("svd", SvdConfig(), data).score(queries), atol=0.01)
