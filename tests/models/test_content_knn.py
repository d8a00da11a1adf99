from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Columns, Dataset, Queries
from serendip.data.text import directions, terms_of, tfidf
from serendip.domain import Invalid
from serendip.models import fit
from serendip.models.content_knn import ContentKnn, ContentKnnConfig
from serendip.models.near import keep_best, nearest_vectors, unit_rows
from worlds import ask, took, world

FILMS: list[dict[str, Any]] = [
    {"title": "A war at sea", "tags": ["war", "sea"], "look": [1, 0, 0]},
    {"title": "War, love and war", "tags": ["war"], "look": [2, 0, 1e-3]},
    {"title": "Love in Cádiz", "tags": ["love", "sea"], "look": [0, 1, 0]},
    {"title": "CÁDIZ", "tags": [], "look": None},
    {"title": None, "tags": ["silent"], "look": [0, 0, 0]},
    {"title": "a war at sea", "tags": ["sea", "war"], "look": [-1, 0, 0]},
]


def films(records: list[dict[str, Any]] = FILMS) -> Dataset:
    """Three of the films were taken; the others nobody knows yet."""
    data = world([took(0, 0), took(0, 2), took(1, 1)], len(records))
    return replace(data, item_columns=Columns.of(records))


def fitted(data: Dataset, **settings: Any) -> ContentKnn:
    model = fit("content-knn", ContentKnnConfig(**settings), data)
    assert isinstance(model, ContentKnn)
    return model


def dense(model: ContentKnn, n: int) -> np.ndarray:
    out = np.zeros((n, n))
    for j in range(n):
        own = slice(model.rows.indptr[j], model.rows.indptr[j + 1])
        out[j, model.rows.indices[own]] = model.rows.value[own]
    return out


def twin() -> tuple[np.ndarray, list[str]]:
    """TF-IDF written out: words of two letters and more, in lower case, and tags whole."""
    words = [
        ["war", "at", "sea", "tags:war", "tags:sea"],
        ["war", "love", "and", "war", "tags:war"],
        ["love", "in", "cádiz", "tags:love", "tags:sea"],
        ["cádiz"],
        ["tags:silent"],
        ["war", "at", "sea", "tags:war", "tags:sea"],
    ]
    terms = sorted({word for own in words for word in own})
    t = np.zeros((6, len(terms)))
    for i, own in enumerate(words):
        for j, term in enumerate(terms):
            held = sum(term in other for other in words)
            if n := own.count(term):
                t[i, j] = (1 + np.log(n)) * (1 + np.log(7 / (1 + held)))
    return t / np.linalg.norm(t, axis=1, keepdims=True), terms


def test_words_and_tags_are_weighed_as_their_equation_says() -> None:
    columns = films().item_columns
    assert columns is not None
    counts, terms = terms_of({name: columns.columns[name] for name in ("title", "tags")}, 6)
    expected, words = twin()
    assert list(terms) == words
    np.testing.assert_allclose(tfidf(counts).toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("n_factors", [0, 100])
def test_the_likeness_is_the_cosine_of_tfidf_where_nothing_is_reduced(n_factors: int) -> None:
    x, _ = twin()
    np.testing.assert_allclose(dense(fitted(films(), n_factors=n_factors), 6), x @ x.T * (1 - np.eye(6)), atol=1e-6)


def test_reduced_words_are_compared_in_the_directions_of_the_largest_singular_values() -> None:
    x, _ = twin()
    left, size, _ = np.linalg.svd(x)
    low = left[:, :2] * size[:2]
    unit = low / np.maximum(np.linalg.norm(low, axis=1, keepdims=True), 1e-6)
    expected = np.where(unit @ unit.T > 1e-6, unit @ unit.T, 0) * (1 - np.eye(6))
    ours = dense(fitted(films(), n_factors=2), 6)
    known = np.linalg.norm(low, axis=1) > 1e-3
    np.testing.assert_allclose(ours[np.ix_(known, known)], expected[np.ix_(known, known)], atol=1e-4)


def test_directions_are_the_exact_ones_where_the_largest_stand_out() -> None:
    rng = np.random.default_rng(1)
    strong = rng.standard_normal((300, 8)) * 2.0 ** -np.arange(8) @ rng.standard_normal((8, 200))
    x = strong + 0.001 * rng.standard_normal((300, 200))
    left, size, _ = np.linalg.svd(x)
    found = directions(sparse.csr_array(x.astype(np.float32)), 8, rng)
    np.testing.assert_allclose(found @ found.T, (left[:, :8] * size[:8] ** 2) @ left[:, :8].T, atol=1e-2)


def test_what_two_items_have_in_common_sums_to_the_cosine() -> None:
    model, (x, terms) = fitted(films(), n_factors=0), twin()
    found = model.overlap(1, 0)
    assert {term for term, _ in found} == {"war", "tags:war"}
    assert found[0][1] >= found[1][1]
    assert sum(share for _, share in found) == pytest.approx(float(x[1] @ x[0]), rel=1e-5)
    assert dict(found)["war"] == pytest.approx(x[1, terms.index("war")] * x[0, terms.index("war")], rel=1e-5)
    assert model.overlap(3, 4) == []


def test_a_film_that_nobody_took_is_recommended_like_any_other() -> None:
    data = films()
    scores = fitted(data).score(ask(data, [took(7, 0)]))
    assert scores[0].argmax() == 5  # the same words as the film that was taken, and taken by nobody
    assert np.isfinite(scores).all()


def test_given_vectors_are_compared_by_cosine_and_missing_ones_have_no_neighbours() -> None:
    data = films()
    model = fitted(data, vectors="look")
    rows, likeness = model.neighbours(np.arange(6, dtype=np.int32), 2)
    assert rows[0].tolist() == [1, -1]
    assert likeness[0, 0] == pytest.approx(1, rel=1e-5)
    assert (rows[[2, 3, 4, 5]] == -1).all()  # at right angles, missing, zero, and turned away
    assert np.isnan(model.score(ask(data, [took(0, 3)]))).all()


def test_vectors_that_are_all_missing_tell_nobody_anything() -> None:
    data = films([{"look": [float("nan"), 1.0], "x": "word"}, {"look": [1.0, 2.0]}, {"look": [0.0, 0.0]}])
    assert np.isnan(fitted(data, vectors="look").score(Queries.of_users(data, np.array([0, 1])))).all()


def test_what_cannot_be_learnt_from_is_refused_with_the_way_out() -> None:
    data = world([took(0, 0), took(1, 1)])
    with pytest.raises(Invalid, match="learns from attributes of items, and the data holds none"):
        fitted(data)
    with pytest.raises(Invalid, match="no attribute 'lok'; the attributes are look, tags, title"):
        fitted(films(), vectors="lok")
    with pytest.raises(Invalid, match="'title' is text, not a vector"):
        fitted(films(), vectors="title")
    with pytest.raises(Invalid, match="found no word"):
        fitted(films(), columns="look")


def test_the_nearest_are_those_that_sorting_everything_gives() -> None:
    rng = np.random.default_rng(3)
    unit = unit_rows(rng.standard_normal((700, 12)).astype(np.float32))
    found = nearest_vectors(unit, 9)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -2)
    expected = np.argsort(-likeness, axis=1, kind="stable")[:, :9]
    assert (np.diff(found.indptr) == 9).all()
    assert (found.indices.reshape(700, 9) == expected).mean() > 0.999  # but for equals in single precision
    np.testing.assert_allclose(found.value.reshape(700, 9), np.take_along_axis(likeness, expected, 1), rtol=1e-5)


def test_of_equal_ones_the_first_rows_are_kept() -> None:
    likeness = np.array([[0.5, 0.9, 0.5, 0.5, 0.0, 0.9]], np.float32)
    _, rows, values = keep_best(likeness, 1 + np.arange(len(likeness)), 3, 0.0)  # row 0 of these is itself place 1
    assert rows.tolist() == [5, 0, 2]
    assert values.tolist() == pytest.approx([0.9, 0.5, 0.5])


def test_huge_and_tiny_vectors_have_length_one() -> None:
    unit = unit_rows(np.array([[3e38, 4e38 / 2], [1e-30, 0], [np.inf, 1], [0, 0]], np.float32))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), [1, 1, 0, 0], rtol=1e-6)
