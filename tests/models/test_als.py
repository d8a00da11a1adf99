from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Queries
from serendip.models import als, fit
from serendip.models.als import AlsConfig, extra_confidence, fold_in, gram, half_step
from serendip.models.als_kernels import solve_by_lanes, solve_spd, solve_white_rows, step_white_rows
from serendip.models.item_item import Csr
from serendip.models.parallel import threads
from worlds import ask, checkerboard, market, took

SIX = sparse.csr_array(
    np.array(
        [
            [1, 0, 2, 0, 0],
            [0, 3, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0],
            [0, 0.5, 0, 2, 0],
            [4, 0, 0, 1, 1],
        ]
    )
)


def literal_rows(r: sparse.csr_array, y: np.ndarray, config: AlsConfig) -> np.ndarray:
    """Eq. 4 as it is printed: x_u = (Y' C_u Y + lambda I)^-1 Y' C_u p_u, with C_u and p_u written out in full."""
    dense, x = r.toarray(), []
    for row in dense:
        grown = row if config.growth == "linear" else np.log(1 + row)
        c_u, p_u = np.diag(1 + config.confidence * grown), (row > 0).astype(float)
        x.append(np.linalg.inv(y.T @ c_u @ y + config.regularization * np.eye(y.shape[1])) @ y.T @ c_u @ p_u)
    return np.array(x)


def factors(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)


@pytest.mark.parametrize("growth", ["linear", "log"])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_a_history_is_folded_in_exactly(k: int, growth: str) -> None:
    config = AlsConfig(n_factors=k, regularization=0.3, confidence=1.7, growth=growth)
    y, r = factors(5, k), Csr.of(SIX)
    base = y.T.astype(float) @ y.astype(float) + 0.3 * np.eye(k)
    x = fold_in(r.indptr, r.indices, extra_confidence(r.value, config), y, base, 0.3)
    np.testing.assert_allclose(x, literal_rows(SIX, y.astype(float), config), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_a_half_step_solves_every_row(k: int, solver: str) -> None:
    # As many conjugate steps as factors: exact but for rounding. k = 2 makes rows longer than k, k = 8 all shorter.
    config = AlsConfig(n_factors=k, regularization=0.5, confidence=2, solver=solver, n_cg_steps=k + 2)
    y, x, r = factors(5, k), factors(6, k, 1), Csr.of(SIX)
    half_step(r, extra_confidence(r.value, config).astype(np.float32), y, x, config, [0, 2, 6])
    np.testing.assert_allclose(x, literal_rows(SIX, y.astype(float), config), rtol=1e-4, atol=1e-4)


def test_a_conjugate_step_is_the_textbooks() -> None:
    z, x, r, w = factors(5, 16), factors(6, 16, 1), Csr.of(SIX), 1.5
    expected = x.astype(float)
    for u, row in enumerate(SIX.toarray()):
        own = row > 0
        a = np.eye(16) + (z[own].T * (w * row[own])) @ z[own]
        b = z[own].T @ (1 + w * row[own])
        residual = b - a @ expected[u]
        p = residual.copy()
        for _ in range(2 if own.any() else 0):
            length = residual @ residual / (p @ a @ p)
            expected[u] += length * p
            fresh = residual - length * (a @ p)
            p = fresh + (fresh @ fresh) / (residual @ residual) * p
            residual = fresh
        if not own.any():
            expected[u] = 0
    step_white_rows(r.indptr, r.indices, np.float32(w) * r.value, z, 2, x, 0, 6)
    np.testing.assert_allclose(x, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", [16, 32])
def test_short_rows_are_solved_in_their_dual_and_long_ones_as_they_are(k: int) -> None:
    # Rows of 0 to 79 columns, beside 16 or 32 factors; the longest are gathered in more than one piece.
    rng, z = np.random.default_rng(1), 0.3 * factors(80, k)
    dense = np.where(np.arange(80)[:, None] > np.arange(80), rng.uniform(0.1, 3, (80, 80)), 0)
    r, x = Csr.of(sparse.csr_array(dense)), np.full((80, k), np.nan, np.float32)
    solve_white_rows(r.indptr, r.indices, r.value, z, x, 0, 80)
    for u, row in enumerate(dense):
        a = np.eye(k) + (z.T * row) @ z
        np.testing.assert_allclose(x[u], np.linalg.solve(a, z.T @ ((1 + row) * (row > 0))), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n", [1, 4, 15, 16, 17, 32])
def test_a_system_with_its_right_side_as_one_more_row_is_solved(n: int) -> None:
    half, a, v = factors(n, n), np.full((36, 32), 7, np.float32), np.empty(32, np.float32)
    full = half @ half.T + np.eye(n)
    a[:n, :n], a[n, :n] = full, np.arange(n) + 1.0
    solve_by_lanes(a, n, np.empty(32, np.float32), v)
    np.testing.assert_allclose(v[:n], np.linalg.solve(full, np.arange(n) + 1.0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_a_symmetric_system_is_solved_from_its_lower_triangle(n: int) -> None:
    half, b = factors(n, n).astype(float), np.arange(n) + 1.0
    full = half @ half.T + np.eye(n)
    lower = np.where(np.tri(n) > 0, full, np.nan)
    expected = np.linalg.solve(full, b)
    solve_spd(lower, b, n, 1.0)
    np.testing.assert_allclose(b, expected, rtol=1e-9)


def test_the_gram_matrix_is_summed_over_blocks() -> None:
    y = factors(20_001, 5)
    np.testing.assert_allclose(gram(y), y.T.astype(float) @ y.astype(float), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("growth", ["linear", "log"])
def test_a_model_answers_with_the_exact_half_step_against_its_items(growth: str) -> None:
    data = market()
    config = AlsConfig(n_factors=6, regularization=2, growth=growth, solver="cg")
    model = fit("als", config, data)
    assert isinstance(model, als.Als)
    queries = Queries.of_users(data, np.arange(data.n_users))
    vectors, items = model.factors(queries)
    expected = literal_rows(data.matrix().astype(float), items.astype(float), config)
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-6)


def objective(data, model: als.Als, config: AlsConfig) -> float:
    """Eq. 3 over all pairs, with the exact factors of all users."""
    x, y = model.factors(Queries.of_users(data, np.arange(data.n_users)))
    r = data.matrix().toarray()
    wrong = ((1 + config.confidence * r) * ((r > 0) - x @ y.T) ** 2).sum()
    return float(wrong + config.regularization * ((x**2).sum() + (y**2).sum()))


@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_every_epoch_lowers_the_objective(solver: str) -> None:
    data, costs = market(), []
    for n_epochs in (1, 2, 4, 8):
        config = AlsConfig(n_factors=5, regularization=1, n_epochs=n_epochs, solver=solver)
        costs.append(objective(data, fit("als", config, data), config))  # type: ignore[arg-type]
    assert (np.diff(costs) <= 1e-3 * costs[0]).all()
    assert costs[-1] < costs[0]


def test_both_solvers_come_to_the_same_model() -> None:
    data = checkerboard()
    queries = Queries.of_users(data, np.arange(data.n_users))
    settings = {"n_factors": 2, "regularization": 1, "n_epochs": 30}
    exact, cg = (fit("als", AlsConfig(**settings, solver=s), data).score(queries) for s in ("exact", "cg"))
    np.testing.assert_allclose(exact, cg, atol=1e-3)


def test_shares_follow_the_papers_decomposition() -> None:
    data = checkerboard()
    config = AlsConfig(n_factors=3, regularization=0.7, confidence=2, growth="linear")
    model = fit("als", config, data)
    assert isinstance(model, als.Als)
    history = [took(0, 2, 5), took(0, 4, 4), took(0, 2, 3)]
    share = model.explain(ask(data, history), np.array([[0, 6]], np.int32))[0]
    y = model.items.astype(float)
    c = np.ones(8)
    c[2], c[4] = 1 + 2 * 2, 1 + 2 * 1  # i2 was taken twice
    w_u = np.linalg.inv(y.T @ np.diag(c) @ y + 0.7 * np.eye(3))
    for place, item in enumerate((0, 6)):
        of_2, of_4 = (float(y[item] @ w_u @ y[j]) * c[j] for j in (2, 4))
        np.testing.assert_allclose(share[place], [of_2 / 2, of_4, of_2 / 2], rtol=1e-5)


def test_neighbours_are_those_of_the_largest_cosine() -> None:
    model = fit("als", AlsConfig(n_factors=3), market())
    assert isinstance(model, als.Als)
    y = model.items.astype(float)
    cosine = y @ y.T / np.outer(np.linalg.norm(y, axis=1), np.linalg.norm(y, axis=1))
    np.fill_diagonal(cosine, -1)
    rows, likeness = model.neighbours(np.array([4], np.int32), 2)
    assert rows[0].tolist() == np.argsort(-cosine[4])[:2].tolist()
    np.testing.assert_allclose(likeness[0], np.sort(cosine[4])[::-1][:2], rtol=1e-5)


def test_another_seed_gives_another_model() -> None:
    one, other = (fit("als", AlsConfig(n_factors=4, n_epochs=1), market(), seed).arrays() for seed in (1, 2))
    assert not np.allclose(one["items"], other["items"])


def test_many_threads_may_ask_and_train_at_once() -> None:
    data, config = market(), AlsConfig(n_factors=4, n_epochs=3)
    queries = Queries.of_users(data, np.tile(np.arange(data.n_users), 3))
    expected = fit("als", config, data).score(queries)
    wrong = []

    def train_and_ask() -> None:
        with threads(2):
            for _ in range(3):
                if not np.array_equal(fit("als", config, data).score(queries), expected):
                    wrong.append(1)

    crowd = [Thread(target=train_and_ask) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert not wrong
