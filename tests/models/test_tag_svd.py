from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Columns, Dataset, Queries
from serendip.domain import Invalid
from serendip.models import fit, kind_of, svd
from serendip.models.kernels.item_item import Csr
from serendip.models.tag_svd import TagSvd, averaged
from serendip.pipeline import PipelineConfig
from serendip.pipeline import fit as fit_pipeline
from worlds import ask, took, world

CLUSTERS = {"IA": "Innovación", "Blockchain": "Innovación", "Moda": "Estilo de vida", "Gaming": "Gaming"}
EVENTS: list[dict[str, Any]] = [
    {"tags": ["IA", "Blockchain"]},
    {"tags": ["Moda"]},
    {"tags": ["Gaming", "IA", "Moda"]},
    {"tags": ["Música"]},
    {"tags": []},
    {"tags": ["Gaming"]},
]
JOINED = [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1), (2, 5), (3, 2), (3, 0), (3, 5), (4, 3), (5, 4), (6, 1), (6, 2)]


def meeting() -> Dataset:
    """Seven people and six events; those that users 4 and 5 joined have no tag that is in the table."""
    data = world([took(u, e) for u, e in JOINED], len(EVENTS))
    return replace(data, item_columns=Columns.of(EVENTS))


def fitted(data: Dataset, seed: int = 0, **settings: Any) -> TagSvd:
    model = fit("tag-svd", kind_of("tag-svd").config(**settings), data, seed)
    assert isinstance(model, TagSvd)
    return model


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


def test_the_worked_example_two_expectations_are_averaged() -> None:
    one_of_each = Csr(np.array([0, 2]), np.array([0, 1], np.int32), np.ones(2, np.float32))
    expected = np.array([[2.7, 1.5]], np.float32)
    assert averaged(expected, one_of_each)[0, 0] == pytest.approx(2.1)
    # Two tags of the first cluster: (2 * 2.7 + 1.5) / 3.
    assert averaged(expected, one_of_each._replace(value=np.array([2, 1], np.float32)))[0, 0] == pytest.approx(2.3)


def test_an_event_with_two_tags_of_a_cluster_counts_twice() -> None:
    names, have, _ = fitted(meeting(), clusters=CLUSTERS).interests(everybody(meeting()))
    assert names == ("Estilo de vida", "Gaming", "Innovación")
    assert have.tolist() == [[1, 0, 2], [1, 1, 3], [1, 1, 0], [1, 2, 3], [0, 0, 0], [0, 0, 0], [2, 1, 1]]


def test_without_a_table_every_tag_is_its_own_cluster() -> None:
    names, have, _ = fitted(meeting()).interests(everybody(meeting()))
    assert names == ("Blockchain", "Gaming", "IA", "Moda", "Música")
    assert have[0].tolist() == [1, 0, 1, 1, 0]


def test_scores_are_the_averages_of_what_an_svd_of_the_counts_expects() -> None:
    data = meeting()
    model = fitted(data, seed=3, clusters=CLUSTERS, n_factors=4)
    names, have, expected = model.interests(everybody(data))
    user_ix, cluster_ix = np.nonzero(have)
    ratings = Dataset.of(user_ix, cluster_ix, data.users, model.names, value=have[user_ix, cluster_ix])
    config = svd.SvdConfig(n_factors=4, regularization=0.1)
    plain = svd.fit(config, ratings, np.random.default_rng(3))
    r_hat = plain.score(Queries.of_users(ratings, np.arange(data.n_users)))
    np.testing.assert_allclose(expected, r_hat, rtol=1e-5)
    scores = model.score(everybody(data))
    for u in range(data.n_users):
        for e, event in enumerate(EVENTS):
            w = np.array([sum(CLUSTERS.get(tag) == name for tag in event["tags"]) for name in names])
            if np.isnan(r_hat[u]).any():
                assert np.isnan(scores[u, e])
            elif w.sum():
                assert scores[u, e] == pytest.approx(float(w @ r_hat[u] / w.sum()), rel=1e-5)
            else:
                assert scores[u, e] == 0


def test_two_newcomers_without_counts_get_the_fallback_and_nobody_an_error() -> None:
    data = meeting()
    fitted_pipeline = fit_pipeline(PipelineConfig.parse("tag-svd", {"clusters": CLUSTERS}), data)
    answers = fitted_pipeline.answer(ask(data, [], [], [took(4, 3)], [took(9, 0)]), 3)
    assert (answers.source[:3] > 0).all()
    assert (answers.rows >= 0).all()
    assert answers.source[3].tolist() == [0, 0, 0]


def test_tags_that_nobody_had_tell_nothing() -> None:
    data = meeting()
    told = Columns.of([*EVENTS[:-1], {"tags": ["Astronomía"]}])
    joined = np.flatnonzero(data.item_ix != 5)
    model = fitted(replace(data.take(joined), item_columns=told))
    scores = model.score(ask(data, [took(9, 5)], [took(9, 0)]))
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1]).all()


def test_an_event_without_a_tag_in_the_table_is_left_to_the_fallback() -> None:
    data = meeting()
    answers = fit_pipeline(PipelineConfig.parse("tag-svd", {"clusters": CLUSTERS}), data).answer(everybody(data), 6)
    for q in (0, 1, 2, 3, 6):
        assert set(answers.rows[q][answers.source[q] > 0].tolist()) == {3, 4}


def test_shares_and_the_means_of_the_clusters_sum_to_the_score() -> None:
    data = meeting()
    model = fitted(data, clusters=CLUSTERS)
    queries = everybody(data).take(np.array([0, 1, 2, 3, 6]))
    scores = model.score(queries)
    asked = np.tile(np.array([0, 1, 2, 5], np.int32), (5, 1))
    means = averaged(model.counts.items[None, :, -1], model.weights)[0]
    for q, shares in enumerate(model.explain(queries, asked)):
        np.testing.assert_allclose(shares.sum(axis=1) + means[asked[q]], scores[q, asked[q]], rtol=1e-4, atol=1e-5)


def test_counts_are_of_events_not_of_how_often_one_was_joined() -> None:
    data = meeting()
    model = fitted(data, clusters=CLUSTERS)
    np.testing.assert_array_equal(
        *model.score(ask(data, [took(9, 0), took(9, 1)], [took(9, 0), took(9, 1), took(9, 0)]))
    )


def test_what_cannot_be_learnt_from_is_refused_with_the_way_out() -> None:
    data = meeting()
    with pytest.raises(Invalid, match="no item has a tag that the table of clusters names"):
        fitted(data, clusters={"Deportes": "Estilo de vida"})
    with pytest.raises(Invalid, match="no item has a tag at all"):
        fitted(replace(data, item_columns=Columns.of([{"tags": [], "x": 1}] * 6)))
    with pytest.raises(Invalid, match="nobody took an item that has a tag"):
        fitted(data.take(np.array([JOINED.index((5, 4))])))
    with pytest.raises(Invalid, match="learns from attributes of items"):
        fitted(replace(data, item_columns=None))
    with pytest.raises(Invalid, match="no attribute 'labels'"):
        fitted(data, column="labels")


def test_tags_may_be_texts() -> None:
    data = replace(meeting(), item_columns=Columns.of([{"tags": "a"}, {"tags": "b"}, {}, {"tags": "a"}, {}, {}]))
    assert fitted(data).names.ids == ("a", "b")


def test_averages_are_those_of_the_equation_written_out() -> None:
    rng = np.random.default_rng(3)
    w = rng.integers(0, 3, (6, 4)).astype(np.float32)
    w[2] = 0
    expected = rng.normal(size=(3, 4)).astype(np.float32)
    expected[0] = 0
    expected[2] = np.nan
    weights = Csr.of(sparse.csr_array(w))
    for least in (0.0, 1e-30):
        found = averaged(expected, weights, least)
        for q in range(3):
            for e in range(6):
                mean = sum(w[e, t] * expected[q, t] for t in range(4) if w[e, t]) / max(w[e].sum(), 1)
                want = mean if mean != 0 or not w[e].any() else least
                np.testing.assert_allclose(found[q, e], want, rtol=1e-6)
