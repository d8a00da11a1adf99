from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Queries
from serendip.models import als, fit
from serendip.models.als import AlsConfig, extra_confidence, fold_in, gram, half_step, halved, sureness
from serendip.models.kernels.als import PIECE, solve_spd, solve_white_rows, step_white_rows
from serendip.models.kernels.item_item import Csr
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
    """Eq. 4 as it is printed: x_u = (Y' C_u Y + lambda_u I)^-1 Y' C_u p_u, with C_u and p_u written out in full."""
    dense, x = r.toarray(), []
    for row in dense:
        grown = row if config.growth == "linear" else np.log(1 + row)
        c_u, p_u = np.diag(config.unobserved_weight + config.confidence * grown), (row > 0).astype(float)
        met = (row > 0).sum() + config.unobserved_weight * len(y)
        ridge = config.regularization * met**config.frequency_scaling
        x.append(np.linalg.inv(y.T @ c_u @ y + ridge * np.eye(y.shape[1])) @ y.T @ c_u @ p_u)
    return np.array(x)


def factors(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)


WEIGHTS = pytest.mark.parametrize(
    "weights", [{}, {"unobserved_weight": 0.2, "frequency_scaling": 0.8}], ids=["hu", "rendle"]
)


@WEIGHTS
@pytest.mark.parametrize("growth", ["linear", "log"])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_a_history_is_folded_in_exactly(k: int, growth: str, weights: dict[str, float]) -> None:
    config = AlsConfig(n_factors=k, regularization=0.3, confidence=1.7, growth=growth, **weights)
    y, r = factors(5, k), Csr.of(SIX)
    empty = 0.3 * (config.unobserved_weight * 5) ** config.frequency_scaling
    base = config.unobserved_weight * y.T.astype(float) @ y.astype(float) + empty * np.eye(k)
    x = fold_in(r.indptr, r.indices, r.value, y, base, np.ones(5, np.bool_), config)
    np.testing.assert_allclose(x, literal_rows(SIX, y.astype(float), config), rtol=1e-10, atol=1e-12)


@WEIGHTS
@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_a_half_step_solves_every_row(k: int, solver: str, weights: dict[str, float]) -> None:
    # As many conjugate steps as factors: exact but for rounding.
    config = AlsConfig(n_factors=k, regularization=0.5, confidence=2, solver=solver, n_cg_steps=k + 2, **weights)
    y, x, r = factors(5, k), factors(6, k, 1), Csr.of(SIX)
    half_step(r, extra_confidence(r.value, config).astype(np.float32), y, x, config, [0, 2, 6])
    np.testing.assert_allclose(x, literal_rows(SIX, y.astype(float), config), rtol=1e-4, atol=1e-4)


def literal_systems(dense: np.ndarray, z: np.ndarray, spectrum: np.ndarray, ridge: np.ndarray, unseen: float):  # type: ignore[no-untyped-def]
    """A_u = diag(spectrum + ridge_u) + Z' W Z and b_u = Z'(c_0 + w) over the row's own columns, for every row."""
    for row, own_ridge in zip(dense, ridge, strict=True):
        yield np.diag(spectrum + own_ridge) + (z.T * row) @ z, z.T @ ((unseen + row) * (row > 0))


def long_and_short(n: int) -> tuple[np.ndarray, Csr]:
    """Rows of 0 to n - 1 columns, with weights."""
    weight = np.random.default_rng(1).uniform(0.1, 3, (n, n)).astype(np.float32)
    dense = np.where(np.arange(n)[:, None] > np.arange(n), weight, 0).astype(float)
    return dense, Csr.of(sparse.csr_array(dense))


@pytest.mark.parametrize("k", [16, 64, 144])
def test_a_conjugate_step_is_the_textbooks_after_scaling(k: int) -> None:
    dense, r = long_and_short(41)
    z, x = 0.3 * factors(41, k), factors(41, k, 1)
    spectrum, ridge = np.linspace(0.5, 3, k, dtype=np.float32), np.linspace(0.2, 1, 41, dtype=np.float32)
    expected = x.astype(float)
    for u, (a, b) in enumerate(literal_systems(dense, z.astype(float), spectrum, ridge, 0.7)):
        scale = (spectrum + ridge[u]) ** -0.5
        a, b, own = a * scale * scale[:, None], b * scale, expected[u] / scale
        residual = b - a @ own
        p = residual.copy()
        for _ in range(2):
            length = residual @ residual / (p @ a @ p)
            own += length * p
            fresh = residual - length * (a @ p)
            p = fresh + (fresh @ fresh) / (residual @ residual) * p
            residual = fresh
        expected[u] = own * scale if dense[u].any() else 0
    step_white_rows(r.indptr, r.indices, r.value, z, spectrum, ridge, np.float32(0.7), 2, x)
    np.testing.assert_allclose(x, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("k", [16, 32, 96])
def test_short_rows_are_solved_in_their_dual_and_long_ones_as_they_are(k: int) -> None:
    # The longest rows are gathered in more than one piece.
    n = PIECE + 40
    dense, r = long_and_short(n)
    z, x = 0.3 * factors(n, k), np.full((n, k), np.nan, np.float32)
    spectrum, ridge = np.linspace(0.5, 3, k, dtype=np.float32), np.linspace(0.2, 1, n, dtype=np.float32)
    solve_white_rows(r.indptr, r.indices, r.value, z, spectrum, ridge, np.float32(0.7), x)
    for u, (a, b) in enumerate(literal_systems(dense, z.astype(float), spectrum, ridge, 0.7)):
        np.testing.assert_allclose(x[u], np.linalg.solve(a, b), rtol=1e-3, atol=1e-4)


def test_factors_in_bfloat16_are_the_nearest_of_eight_bits() -> None:
    z = np.array([[1, 1 + 2**-8, 1 + 3 * 2**-8, -3.14159, 0, 1e-30, 2**-9, 255.9]], np.float32)
    bits = halved(z)
    # Halfway from 1 to its neighbour is even below, halfway from there to the next above.
    expected = [1, 1, 1 + 2**-6, -3.140625, 0, 1e-30, 2**-9, 256]
    np.testing.assert_allclose((bits.astype(np.uint32) << 16).view(np.float32)[0], expected, rtol=2**-8)
    assert (bits.astype(np.uint32) << 16).view(np.float32)[0, :4].tolist() == expected[:4]


def test_cg_of_factors_in_bfloat16_comes_as_near_as_they_are() -> None:
    dense, r = long_and_short(40)
    z, x = 0.3 * factors(40, 16), np.zeros((40, 16), np.float32)
    ones, zeros = np.ones(16, np.float32), np.zeros(40, np.float32)
    rounded = (halved(z).astype(np.uint32) << 16).view(np.float32)
    step_white_rows(r.indptr, r.indices, r.value, halved(z), ones, zeros, np.float32(1), 20, x)
    for u, (a, b) in enumerate(literal_systems(dense, rounded.astype(float), ones, zeros, 1)):
        np.testing.assert_allclose(x[u], np.linalg.solve(a, b), rtol=1e-3, atol=1e-4)


def test_ials_counts_the_pairs_that_met_twice_which_is_another_lambda() -> None:
    # Rendle et al.: x_u = (w Y_u'Y_u + alpha_0 Y'Y + lambda I)^-1 Y_u' w. With t = (1 + alpha_0 / w)^1/2 and factors
    # t Y, ours are t x_u.
    y, r, w, unseen, ridge = factors(5, 3).astype(float), SIX.toarray() > 0, 2.0, 0.3, 0.7
    t = np.sqrt(1 + unseen / w)
    config = AlsConfig(
        n_factors=3, growth="linear", confidence=w, unobserved_weight=unseen, regularization=ridge * t**2
    )
    ours = literal_rows(sparse.csr_array(r.astype(float)), y * t, config)
    theirs = [
        np.linalg.solve(w * y[own].T @ y[own] + unseen * y.T @ y + ridge * np.eye(3), w * y[own].sum(axis=0))
        for own in r
    ]
    np.testing.assert_allclose(ours, np.array(theirs) * t, rtol=1e-9)


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


@WEIGHTS
@pytest.mark.parametrize("growth", ["linear", "log"])
def test_a_model_answers_with_the_exact_half_step_against_its_items(growth: str, weights: dict[str, float]) -> None:
    data = market()
    config = AlsConfig(n_factors=6, regularization=2, growth=growth, solver="cg", **weights)
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


@WEIGHTS
def test_shares_follow_the_papers_decomposition(weights: dict[str, float]) -> None:
    data = checkerboard()
    config = AlsConfig(n_factors=3, regularization=0.7, confidence=2, growth="linear", **weights)
    model = fit("als", config, data)
    assert isinstance(model, als.Als)
    history = [took(0, 2, 5), took(0, 4, 4), took(0, 2, 3)]
    queries = ask(data, history)
    share = model.explain(queries, np.array([[0, 6]], np.int32))[0]
    y, unseen = model.items.astype(float), config.unobserved_weight
    ridge = 0.7 * (2 + unseen * len(y)) ** config.frequency_scaling
    c = np.full(8, unseen)
    c[2], c[4] = unseen + 2 * 2, unseen + 2 * 1  # i2 was taken twice
    w_u = np.linalg.inv(y.T @ np.diag(c) @ y + ridge * np.eye(3))
    for place, item in enumerate((0, 6)):
        of_2, of_4 = (float(y[item] @ w_u @ y[j]) * c[j] for j in (2, 4))
        np.testing.assert_allclose(share[place], [of_2 / 2, of_4, of_2 / 2], rtol=1e-5)
    np.testing.assert_allclose(share.sum(axis=1), model.score(queries)[0, [0, 6]], rtol=1e-5)


def test_pairs_with_popular_items_are_trusted_less_and_all_together_as_much() -> None:
    # Five pairs: 1/1 + 4 / sqrt(4) = 3 of them are left, and made 5 again.
    sure = sureness(np.array([1, 4, 0]), AlsConfig(popularity_discount=0.5))
    np.testing.assert_allclose(sure, [5 / 3, 5 / 6, 5 / 3], rtol=1e-6)


def test_what_was_fitted_with_a_discount_no_half_step_written_out_would_change() -> None:
    config = AlsConfig(n_factors=2, n_epochs=300, regularization=0.5, growth="linear", popularity_discount=0.7)
    data = market()
    model = fit("als", config, data)
    assert isinstance(model, als.Als)
    r, y = data.matrix().toarray().astype(float), model.items.astype(float)
    w = config.confidence * r * sureness((r > 0).sum(axis=0), config)
    ridge = config.regularization * np.eye(2)

    def solved(z: np.ndarray, extra: np.ndarray) -> np.ndarray:
        rows = [np.linalg.solve(z.T @ np.diag(1 + row) @ z + ridge, z.T @ ((1 + row) * (row > 0))) for row in extra]
        return np.array(rows)

    x = solved(y, w)
    np.testing.assert_allclose(model.factors(Queries.of_users(data, np.arange(data.n_users)))[0], x, atol=1e-5)
    np.testing.assert_allclose(solved(x, w.T), y, atol=1e-3)


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
