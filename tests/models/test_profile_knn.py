from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serendip.data import UNKNOWN, Columns, Dataset, Queries
from serendip.domain import Invalid
from serendip.models import fit, kind_of
from serendip.models.profile_knn import ProfileKnn
from serendip.models.profiles import LIMIT
from worlds import NOON, ask, took, world

PEOPLE: list[dict[str, Any]] = [
    {"age": 20, "gender": "f", "hobbies": ["chess", "swimming"], "student": True},
    {"age": 30, "gender": "m", "hobbies": ["chess"], "student": False},
    {"age": 40, "gender": "x", "hobbies": ["golf", "golf"], "name": "nobody else"},
    {"age": None, "gender": "f", "hobbies": ["swimming", "chess"], "student": True},
    {},
]


def town(people: list[dict[str, Any]] = PEOPLE) -> Dataset:
    """User ``u`` took item ``u``, and user 1 the items 0 and 1."""
    data = world([*(took(u, u) for u in range(len(people))), took(1, 0)])
    return replace(data, user_columns=Columns.of(people))


def fitted(data: Dataset, **settings: Any) -> ProfileKnn:
    model = fit("profile-knn", kind_of("profile-knn").config(**settings), data)
    assert isinstance(model, ProfileKnn)
    return model


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


def newcomer(data: Dataset, **profile: Any) -> Queries:
    return replace(ask(data, []), profile=Columns.of([profile]))


def twin() -> np.ndarray:
    """Vectors written out: age scaled; f (m and x are one person's own); student yes; chess, swimming."""
    ages = np.array([20, 30, 40])
    scaled = (ages - 30) / ages.std()
    x = np.zeros((5, 5))
    x[:3, 0] = scaled
    x[[0, 3], 1] = 1
    x[[0, 3], 2] = 1
    x[[0, 1, 3], 3] = 1
    x[[0, 3], 4] = 1
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def test_likeness_is_the_cosine_of_scaled_numbers_and_hot_words() -> None:
    x = twin()
    rows, likeness = fitted(town()).people(everybody(town()), 4)
    for q in range(5):
        cosine = x @ x[q]
        cosine[q] = 0
        expected = [u for u in np.argsort(-cosine, kind="stable") if cosine[u] > 1e-6]
        assert rows[q][rows[q] != UNKNOWN].tolist() == expected
        np.testing.assert_allclose(likeness[q, : len(expected)], cosine[expected], rtol=1e-5)
    assert (rows[4] == UNKNOWN).all()


def test_an_item_scores_the_likenesses_of_those_who_took_it() -> None:
    data, x = town(), twin()
    scores = fitted(data).score(everybody(data))
    alike = np.maximum(x @ x.T, 0) * (1 - np.eye(5))
    taken = data.matrix().toarray() > 0
    np.testing.assert_allclose(scores[[0, 1, 3]], (alike @ taken)[[0, 1, 3]], rtol=1e-5, atol=1e-6)
    assert np.isnan(scores[4]).all()


def test_a_newcomer_with_a_profile_is_answered_and_one_without_is_not() -> None:
    data = town()
    model = fitted(data)
    scores = model.score(newcomer(data, hobbies=["swimming"], gender="f", shoe=44, age="old"))
    assert set(np.argsort(-scores[0])[:2].tolist()) == {0, 3}
    assert np.isnan(model.score(newcomer(data, hobbies=["golf"]))).all()
    assert np.isnan(model.score(ask(data, [took(0, 0)]))).all()


def test_of_people_who_are_all_alike_nobody_gets_oneself_and_the_first_come_first() -> None:
    data = town([{"gender": "f", "age": 30}] * 5)
    rows, likeness = fitted(data).people(everybody(data), 2)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]
    np.testing.assert_allclose(likeness, 1, rtol=1e-6)


def test_one_is_left_out_though_only_the_name_says_who_asks() -> None:
    data = town([{"gender": "f"}] * 5)
    model = fitted(data)
    asked = Queries.of([[]], data.items, NOON, data.kinds, ["u1"])
    rows, _ = model.people(replace(asked, profile=Columns.of([{"gender": "f"}])), 9)
    assert rows[0].tolist() == [0, 2, 3, 4, -1]


def test_people_who_took_nothing_are_found_but_take_no_place_among_those_who_recommend() -> None:
    data = town([{"gender": "f"}] * 5).take(np.array([4]))  # only user 4 took anything
    model = fitted(data, n_neighbours=1)
    assert model.people(everybody(data), 1)[0].ravel().tolist() == [1, 0, 0, 0, 0]
    assert model.score(everybody(data))[:4].argmax(axis=1).tolist() == [4] * 4


def test_numbers_that_are_all_equal_say_nothing_and_one_far_off_is_held_back() -> None:
    equal = town([{"age": 0.1, "gender": g} for g in "aabbb"])
    np.testing.assert_array_equal(fitted(equal).encoder.vectors(equal.user_columns)[:, 0], 0)  # type: ignore[arg-type]
    far = town([{"age": age} for age in (*range(99), 1e300)])
    model = fitted(far)
    assert np.isfinite(model.unit).all()
    assert model.encoder.vectors(Columns.of([{"age": 1e300}])).tolist() == [[1.0]]
    assert LIMIT == 3


def test_what_cannot_be_learnt_from_is_refused_with_the_way_out() -> None:
    with pytest.raises(Invalid, match="learns from attributes of users, and the data holds none"):
        fitted(replace(town(), user_columns=None))
    with pytest.raises(Invalid, match="nothing that two people could have in common"):
        fitted(town([{"name": f"n{u}"} for u in range(5)]))
    with pytest.raises(Invalid, match="no attribute 'height'"):
        fitted(town(), columns="height")
