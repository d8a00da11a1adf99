from __future__ import annotations

import numpy as np
import pytest

from serendip.domain import InteractionKind, Invalid
from serendip.models import fit
from serendip.models.ease import Ease, EaseConfig
from worlds import ask, market, took, world


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("l2", [0.5, 30.0])
def test_weights_are_the_closed_form_written_out(l2: float, binary: bool) -> None:
    data = market()
    x = data.matrix().toarray().astype(float)
    if binary:
        x = (x > 0).astype(float)
    p = np.linalg.inv(x.T @ x + l2 * np.eye(11))
    b = np.array([[0 if i == j else -p[i, j] / p[j, j] for j in range(11)] for i in range(11)])
    model = fit("ease", EaseConfig(regularization=l2, binary=binary), data)
    assert isinstance(model, Ease)
    np.testing.assert_allclose(model.weights, b, rtol=1e-3, atol=1e-5)


def test_the_weights_leave_every_user_best_rebuilt() -> None:
    data = market()
    x = (data.matrix().toarray() > 0).astype(float)
    model = fit("ease", EaseConfig(regularization=2), data)
    assert isinstance(model, Ease)

    def cost(b: np.ndarray) -> float:
        return float(((x - x @ b) ** 2).sum() + 2 * (b**2).sum())

    best, rng = model.weights.astype(float), np.random.default_rng(0)
    for _ in range(20):
        nudge = rng.standard_normal((11, 11)) * 0.01 * (1 - np.eye(11))
        assert cost(best + nudge) > cost(best)


def test_a_score_is_the_sum_of_the_rows_of_what_was_taken() -> None:
    data = market()
    model = fit("ease", EaseConfig(regularization=2), data)
    assert isinstance(model, Ease)
    history = [took(0, 3, 3, "view"), took(0, 5, 2, "buy"), took(0, 3, 1, "buy")]
    np.testing.assert_allclose(model.score(ask(data, history))[0], model.weights[3] + model.weights[5], rtol=1e-6)


def test_a_catalogue_beyond_memory_is_refused_by_its_size() -> None:
    with pytest.raises(Invalid, match=r"ease over 1000000 items needs 37\d\d\.\d GiB of memory.*item-knn or als"):
        fit("ease", EaseConfig(), world([took(0, 0)], n_items=1_000_000))


def test_what_single_precision_cannot_solve_is_refused() -> None:
    heavy = (InteractionKind("interaction", weight=1e6), InteractionKind("other"))
    events = [took(u, i, 9, k) for u in range(6) for i in range(6) for k in ("interaction", "other") if (u + i) % 3]
    with pytest.raises(Invalid, match="raise it"):
        fit("ease", EaseConfig(regularization=1e-3, binary=False), world(events, kinds=heavy))


@pytest.mark.parametrize("k", [1, 3, 20])
def test_neighbours_are_the_largest_weights_above_nothing_and_of_equal_ones_the_earlier(k: int) -> None:
    rng = np.random.default_rng(k)
    weights = rng.integers(-3, 4, (150, 150)).astype(np.float32)
    model = Ease(weights, np.ones(150, np.bool_), True)
    of = rng.permutation(150).astype(np.int32)[:100]
    rows, likeness = model.neighbours(of, k)
    for i, item in enumerate(of):
        best = [j for j in np.argsort(-weights[item], kind="stable") if j != item and weights[item, j] > 0][:k]
        assert rows[i].tolist() == best + [-1] * (k - len(best))
        assert likeness[i].tolist() == [*weights[item, best].tolist(), *[0.0] * (k - len(best))]
