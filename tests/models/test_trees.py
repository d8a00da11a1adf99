"""Trees taken over from CatBoost and LightGBM: scored and explained as these libraries would."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from serendip.models.rankers import Groups, Practice
from serendip.models.rankers.boosted import BoostedConfig, fit, restore, spread, told_apart
from serendip.models.rankers.contract import joined
from serendip.models.rankers.trees import Trees
from serendip.models.rankers.with_catboost import trees_of as of_catboost
from serendip.models.rankers.with_lightgbm import trees_of as of_lightgbm

COLORS = ("red", "green", "blue", "grey")


def questions(n: int, seed: int) -> Groups:
    """Twenty candidates each, of which the three best by a score of numbers, gaps and a color are taken."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n * 20, 6)).astype(np.float32)
    x[:, 3] = rng.integers(0, len(COLORS), len(x))
    x[:, 4] = np.abs(x[:, 4])
    x[rng.random(x.shape) < 0.15] = np.nan
    score = np.nan_to_num(x[:, 0], nan=1.5) + np.nan_to_num(x[:, 1]) * np.nan_to_num(x[:, 2]) + 2 * (x[:, 3] == 2)
    best = np.argsort(-score.reshape(n, 20), axis=1)[:, :3] + np.arange(n)[:, None] * 20
    taken = np.zeros(len(x), np.bool_)
    taken[best.ravel()] = True
    return Groups(x, taken, np.arange(0, n * 20 + 1, 20, dtype=np.int64))


@pytest.fixture(scope="module")
def practice() -> Practice:
    return Practice(questions(60, 1), questions(20, 2), tuple("abcdef"), {3: COLORS})


@pytest.fixture(scope="module", params=["catboost", "lightgbm"])
def grown(request, practice) -> tuple[Trees, Any, Any]:
    """Our trees, and the library's own scores (n,) and shares (n, n_columns + 1) of the later questions."""
    learn, check = (spread(groups.features, *told_apart(practice)) for groups in (practice.learn, practice.check))
    taken = practice.learn.taken.astype(np.float32)
    if request.param == "catboost":
        catboost = pytest.importorskip("catboost")
        options = {"loss_function": "YetiRank", "iterations": 40, "depth": 4, "thread_count": 1}
        model = catboost.CatBoost({**options, "logging_level": "Silent", "allow_writing_files": False})
        model.fit(catboost.Pool(learn, taken, group_id=practice.learn.question))
        shares = model.get_feature_importance(catboost.Pool(check), type="ShapValues", thread_count=1)
        return of_catboost(model), model.predict(check), shares
    lightgbm = pytest.importorskip("lightgbm")
    columns = lightgbm.Dataset(learn, taken, group=np.diff(practice.learn.indptr))
    options = {"objective": "lambdarank", "num_leaves": 11, "max_depth": 6, "verbosity": -1, "num_threads": 1}
    model = lightgbm.train(options, columns, 40)
    return of_lightgbm(model), model.predict(check, raw_score=True), model.predict(check, pred_contrib=True)


def test_scores_are_the_library_s_own(grown, practice):
    trees, scores, _ = grown
    check = spread(practice.check.features, *told_apart(practice))
    np.testing.assert_allclose(trees.score(check), scores, atol=1e-5)


def test_shares_are_the_library_s_own_and_sum_to_the_score(grown, practice):
    trees, scores, shares = grown
    own = trees.shares(spread(practice.check.features, *told_apart(practice)))
    np.testing.assert_allclose(own, shares[:, :-1], atol=1e-4)
    assert trees.base == pytest.approx(shares[0, -1], abs=1e-4)
    np.testing.assert_allclose(trees.base + own.sum(axis=1), scores, atol=1e-4)


def test_trees_there_and_back_are_the_same(grown):
    trees = grown[0]
    back = Trees.restore(trees.arrays())
    for name, array in trees.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], array)


def expected(trees: Trees, row: np.ndarray, known: set[int], tree: int, node: int = 0) -> float:
    """What a tree says of a row of which only some columns are known, by its definition."""
    n_inner = trees.feature.shape[1]
    if node >= n_inner:
        return float(trees.leaf[tree, node - n_inner])
    left, right = 2 * node + 1, 2 * node + 2
    column = int(trees.feature[tree, node])
    if column in known:
        goes = row[column] > trees.threshold[tree, node]
        goes |= bool(trees.nan_right[tree, node]) and np.isnan(row[column])
        return expected(trees, row, known, tree, right if goes else left)
    weights = [cover_below(trees, tree, child) for child in (left, right)]
    return float(np.average([expected(trees, row, known, tree, child) for child in (left, right)], weights=weights))


def cover_below(trees: Trees, tree: int, node: int) -> float:
    n_inner = trees.feature.shape[1]
    if node >= n_inner:
        return float(trees.cover[tree, node - n_inner])
    return cover_below(trees, tree, 2 * node + 1) + cover_below(trees, tree, 2 * node + 2)


def test_shares_are_shapley_s_by_their_definition():
    rng, n = np.random.default_rng(5), 4
    trees = Trees.empty(3, 3)
    trees.feature[:] = rng.integers(0, n, trees.feature.shape)
    trees.threshold[:] = rng.normal(size=trees.threshold.shape)
    trees.nan_right[:] = rng.random(trees.nan_right.shape) < 0.5
    trees.leaf[:], trees.cover[:] = rng.normal(size=trees.leaf.shape), rng.integers(1, 9, trees.leaf.shape)
    rows = rng.normal(size=(5, n)).astype(np.float32)
    rows[0, 1] = rows[3, 2] = np.nan
    wanted = np.zeros(rows.shape)
    for r, row in enumerate(rows):
        for column in range(n):
            others = [k for k in range(n) if k != column]
            for size in range(n):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                for some in combinations(others, size):
                    for tree in range(3):
                        more = expected(trees, row, {*some, column}, tree)
                        wanted[r, column] += weight * (more - expected(trees, row, set(some), tree))
    np.testing.assert_allclose(trees.shares(rows), wanted, atol=1e-12)


def test_a_missing_value_goes_where_the_node_sends_it_whatever_the_shape_of_the_tree():
    trees = Trees.empty(1, 1)
    trees.feature[:], trees.threshold[:], trees.leaf[:] = 0, 0.5, [[1.0, 2.0]]
    x = np.array([[0.0], [1.0], [np.nan]], np.float32)
    assert trees.score(x).tolist() == [1.0, 2.0, 1.0]
    trees.nan_right[:] = True
    assert trees.score(x).tolist() == [1.0, 2.0, 2.0]
    crooked = Trees.empty(1, 2)
    crooked.feature[:], crooked.threshold[:] = [[0, 1, 0]], [[0.5, 0.5, 2.0]]
    crooked.nan_right[:], crooked.leaf[:] = [[True, False, True]], [[1.0, 2.0, 3.0, 4.0]]
    both = np.array([[0.0, 1.0], [1.0, 1.0], [np.nan, 1.0], [0.0, np.nan]], np.float32)
    assert not crooked.oblivious
    assert crooked.score(both).tolist() == [2.0, 3.0, 4.0, 1.0]


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_words_are_told_apart_and_weak_features_are_left_out(library, practice):
    pytest.importorskip(library)
    config = BoostedConfig(library=library, n_trees=60, depth=4, learning_rate=0.2, drop=0.05)
    found = fit(config, practice, np.random.default_rng(0))
    assert found.about["importances"]["d"] > 0.1
    assert {"e", "f"} <= set(found.about["dropped"])
    assert found.about["importances"]["f"] == 0
    x = practice.check.features
    changed = x.copy()
    changed[:, 5] = np.nan
    np.testing.assert_array_equal(found.score(changed), found.score(x))
    base, shares = found.shares(x)
    np.testing.assert_allclose(base + shares.sum(axis=1), found.score(x), atol=1e-4)
    again = restore(config, found.arrays())
    np.testing.assert_array_equal(again.score(x), found.score(x))
    assert len(found.about["curves"]["ndcg@10"]) >= found.about["n_trees"]
    assert 0.5 < max(found.about["curves"]["auc"]) <= 1


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_the_later_questions_say_when_to_stop_and_are_then_learnt_from_too(library, practice):
    pytest.importorskip(library)
    config = BoostedConfig(library=library, n_trees=60, depth=4, learning_rate=0.2, patience=10)
    every = fit(config, practice, np.random.default_rng(0))
    early = fit(config.model_copy(update={"learn_all": False}), practice, np.random.default_rng(0))
    assert every.about["curves"] == early.about["curves"]
    assert every.about["n_trees"] == early.about["n_trees"] == 1 + int(np.argmax(every.about["curves"]["ndcg@10"]))
    # Trees keep how much they were grown on: the one both groups' questions, the other the earlier alone.
    assert every.trees.cover[0].sum() > early.trees.cover[0].sum()
    later = questions(200, 9)
    assert hits_among_five(every.score(later.features), later) > 0.9


def test_questions_are_thinned_to_what_was_taken_and_some_others():
    whole = questions(30, 4)
    some = whole.thinned(5, np.random.default_rng(0))
    assert np.diff(some.indptr).tolist() == [8] * 30
    assert some.taken.sum() == whole.taken.sum()
    assert whole.most_negatives == 17
    np.testing.assert_array_equal(whole.thinned(17, np.random.default_rng(0)).features, whole.features)
    both = joined(whole, some)
    assert len(both) == 60
    np.testing.assert_array_equal(both.features[both.indptr[30] : both.indptr[31]], some.features[:8])


def hits_among_five(scores: np.ndarray, groups: Groups) -> float:
    """The share of questions of which one of the five best was taken, question by question."""
    found = 0
    for start, stop in zip(groups.indptr[:-1], groups.indptr[1:], strict=True):
        best = np.argsort(-scores[start:stop], kind="stable")[:5]
        found += bool(groups.taken[start:stop][best].any())
    return found / len(groups)


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_growing_can_stop_where_most_have_something_taken_among_five(library, practice):
    pytest.importorskip(library)
    config = BoostedConfig(
        library=library,
        objective="logloss",
        n_trees=150,
        depth=2,
        learning_rate=0.01,
        patience=50,
        stop_by="hit-rate@5",
        learn_all=False,
    )
    found = fit(config, practice, np.random.default_rng(0))
    curve = found.about["curves"]["hit-rate@5"]
    best = int(np.argmax(curve))
    assert found.about["n_trees"] == 25 * (best + 1)
    assert len(curve) == min(best + 3, 6)
    # The curve is rounded, the count by hand is not.
    by_hand = hits_among_five(found.score(practice.check.features), practice.check)
    assert found.about["best"] == {"hit-rate@5": pytest.approx(by_hand, abs=1e-6)}
