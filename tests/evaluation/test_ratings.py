from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import Dataset, Queries
from serendip.domain import Invalid, NotFound
from serendip.evaluation import (
    RatingTable,
    Table,
    compare,
    evaluate,
    k_folds,
    measure_ratings,
    metrics,
    parse_folds,
)
from serendip.evaluation import ratings as measured
from serendip.evaluation.ratings import predict_pairs
from serendip.models import Predicts, fit
from serendip.models.popularity import PopularityConfig
from serendip.models.svd import SvdConfig
from serendip.pipeline import PipelineConfig
from worlds import checkerboard, rated, took, world


def test_errors_of_ratings_are_as_counted_by_hand():
    # Off by 1, 0 and -2: squares 1, 0 and 4.
    predicted, actual = np.array([4.0, 3.0, 1.0]), np.array([3.0, 3.0, 3.0])
    assert metrics.rmse(predicted, actual) == pytest.approx((5 / 3) ** 0.5)
    assert metrics.mae(predicted, actual) == pytest.approx(1.0)


@given(errors=st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_the_mean_error_is_at_most_its_root_mean_square_and_that_at_most_the_largest(errors):
    wrong, nothing = np.array(errors), np.zeros(len(errors))
    assert metrics.mae(wrong, nothing) <= metrics.rmse(wrong, nothing) + 1e-9
    assert metrics.rmse(wrong, nothing) <= abs(wrong).max() + 1e-9
    assert metrics.rmse(wrong[::-1], nothing) == pytest.approx(metrics.rmse(wrong, nothing))


def test_no_ratings_have_no_error():
    for metric in (metrics.rmse, metrics.mae):
        with pytest.raises(Invalid, match="0 predictions cannot be held against 0 ratings"):
            metric(np.empty(0), np.empty(0))


def test_every_event_is_in_the_test_of_one_fold_and_the_seed_says_which():
    data = rated(checkerboard())
    folds = list(k_folds(data, 5, 3))
    pairs = [(u, i) for fold in folds for u, i in zip(fold.test.user_ix, fold.test.item_ix, strict=True)]
    assert sorted(pairs) == sorted(zip(data.user_ix, data.item_ix, strict=True))
    assert {len(fold.test) for fold in folds} <= {len(data) // 5, len(data) // 5 + 1}
    assert all(len(fold.train) + len(fold.test) == len(data) and fold.parity_only for fold in folds)
    again, other = next(k_folds(data, 5, 3)), next(k_folds(data, 5, 4))
    np.testing.assert_array_equal(folds[0].test.item_ix, again.test.item_ix)
    assert folds[0].test.item_ix.tolist() != other.test.item_ix.tolist()


def test_folds_are_written_with_their_number_and_seed():
    assert parse_folds("kfold") == (5, 0)
    assert parse_folds("kfold:3") == (3, 0)
    assert parse_folds("kfold:3:7") == (3, 7)
    assert parse_folds("kfold:3", seed=9) == (3, 9)
    for wrong in ("kfolds:3", "kfold:x", "kfold:-1", "kfold:2:3:4", "kfold:"):
        with pytest.raises(Invalid, match="no split into folds"):
            parse_folds(wrong)
    with pytest.raises(Invalid, match="cannot be dealt into 1 folds"):
        k_folds(checkerboard(), 1)


def test_pairs_are_predicted_as_one_by_one(monkeypatch):
    monkeypatch.setattr(measured, "CELLS", 5)
    data = rated(checkerboard())
    model = fit("svd", SvdConfig(n_factors=3), data)
    assert isinstance(model, Predicts)
    user_ix, item_ix = np.array([3, 0, 3, 7, 3, 0], np.int32), np.array([1, 2, 3, 4, 5, 6], np.int32)
    told = predict_pairs(model, data, user_ix, item_ix)
    for n in range(6):
        alone = model.predict(Queries.of_users(data, user_ix[n : n + 1]), item_ix[None, n : n + 1])
        assert told[n] == pytest.approx(float(alone[0, 0]), rel=1e-5)


def test_a_model_of_ratings_beats_the_mean_where_people_differ_and_newcomers_get_the_biases():
    events = [took(u, i, value=5.0 - u % 3) for u in range(30) for i in range(10)]
    data = world([*events, took(30, 0, value=4.0)])
    mean, biased, svd = measure_ratings([("svd", SvdConfig(n_factors=2))], k_folds(data, 3))
    assert (mean.name, biased.name, svd.name) == ("mean", "biases", "svd")
    assert len(svd.rmse_of_folds) == 3
    assert svd.rmse == pytest.approx(np.mean(svd.rmse_of_folds))
    assert svd.rmse < 0.5 * mean.rmse
    assert svd.mae <= svd.rmse
    assert svd.silent == pytest.approx(1 / 301, rel=0.1)  # u30 when its one rating is asked for
    assert mean.silent == 0


def opinions() -> Dataset:
    """Thirty users of three tempers, each with ten items; by the hour."""
    return world([took(u, i, 300 - 10 * u - i, value=5.0 - u % 3 + (i % 2)) for u in range(30) for i in range(10)])


def told(*specs: str, split: str = "kfold:3:1", **more) -> RatingTable:
    table = evaluate([PipelineConfig.parse(spec, more) for spec in specs], opinions(), split)
    assert isinstance(table, RatingTable)
    return table


def test_models_of_ratings_are_measured_over_folds_with_intervals_that_hold_the_mean():
    table = told("svd", "nmf", n_factors=2)
    assert {row.name for row in table.rows} == {"mean", "biases", "svd", "nmf"}
    assert (table.split, table.n_folds, table.n_ratings, table.n_users, table.metric) == ("kfold", 3, 300, 30, "rmse")
    assert [row.rmse for row in table.rows] == sorted(row.rmse for row in table.rows)
    for row in table.rows:
        for name, one in row.metrics.items():
            assert one.low <= one.mean <= one.high
            assert one.mean == pytest.approx(np.mean(row.folds[name]))
        assert set(row.vs) == {other.name for other in table.rows} - {row.name}
        for other, gap in row.vs.items():
            assert gap.difference == pytest.approx(row.rmse - table.row(other).rmse)
            assert gap.low == pytest.approx(-table.row(other).vs[row.name].high)
    assert table.row("svd").vs["mean"].high < 0
    assert RatingTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table
    assert str(table).splitlines()[0] == "ratings, split kfold, 3 folds: 300 ratings of 30 users"
    with pytest.raises(NotFound, match="no row 'als'"):
        table.row("als")


def test_errors_of_a_fold_are_those_of_its_own_ratings():
    fold = next(k_folds(opinions(), 3, 1))
    mean = measure_ratings([], [fold])[0]
    wrong = fold.test.value - fold.train.value.mean()
    assert mean.rmse == pytest.approx(np.sqrt(np.mean(wrong**2)), rel=1e-6)
    assert mean.mae == pytest.approx(np.mean(abs(wrong)), rel=1e-6)


@pytest.mark.parametrize("split", ["time:0.2", "random:0.2:3", "last-out"])
def test_ratings_are_measured_over_every_split(split):
    table = told("svd", split=split)
    assert table.n_folds == 1
    assert table.parity_only == (split != "time:0.2")
    biased = table.row("biases")
    if split == "time:0.2":
        # The last six users did everything after the cut: their ratings are answered by the biases of the items.
        assert table.row("svd").silent == 1
        assert table.row("svd").rmse == biased.rmse
        assert any("the biases answer" in note for note in table.notes)
    else:
        assert table.row("svd").silent == 0


def test_lists_and_ratings_are_not_asked_for_in_one_table():
    svd, ease = PipelineConfig.parse("svd"), PipelineConfig.parse("ease")
    data = opinions()
    with pytest.raises(Invalid, match=r"mae is of predicted ratings and ndcg@10 of ranked lists; ask for one"):
        evaluate([svd], data, "kfold:3", metrics=["mae", "ndcg@10"])
    with pytest.raises(Invalid, match="ease does not predict ratings; those that do are"):
        evaluate([ease], data, "kfold:3", metrics=["rmse"])
    with pytest.raises(Invalid, match="merges several models"):
        evaluate([PipelineConfig.parse("svd+nmf")], data, "kfold:3", metrics=["rmse"])
    with pytest.raises(Invalid, match="two pipelines have the same name"):
        evaluate([svd, svd], data, "kfold:3")
    with pytest.raises(Invalid, match="cannot be replayed"):
        evaluate([svd], data, "time:0.2", protocol="replayed")
    with pytest.raises(Invalid, match="rmse is of predicted ratings, not of lists"):
        compare([svd], data, "frozen", metrics=["rmse"])
    assert isinstance(evaluate([svd], data, "random:0.2", metrics=["ndcg@5"]), Table)
    assert isinstance(evaluate([svd, ease], data, "random:0.2"), Table)


def test_a_model_without_ratings_is_refused_with_those_that_have_them():
    with pytest.raises(Invalid, match=r"popularity does not predict ratings; those that do are .*svd"):
        measure_ratings([("popularity", PopularityConfig())], [])
    with pytest.raises(Invalid, match="no fold"):
        measure_ratings([], [])
