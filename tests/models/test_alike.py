from __future__ import annotations

import numpy as np
import pytest

from serendip.data import Queries
from serendip.models import HasNeighbours, HasUserNeighbours, fit, kind_of
from serendip.models.near import nearest
from serendip.models.parallel import threads
from worlds import ask, market, rated, took

BOTH = pytest.mark.parametrize("kind", ["svd", "nmf"])


def trained(kind: str, data):
    return fit(kind, kind_of(kind).config(n_factors=4, ridge=0.5), data)


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of every pair of rows, in double precision; 0 where a row is zeros or NaN."""
    left, right = (np.nan_to_num(rows.astype(float)) for rows in (left, right))
    lengths = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
    return np.divide(left @ right.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0)


def test_the_nearest_are_those_of_sorting_all_cosines() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((700, 6)).astype(np.float32)
    vectors[3], vectors[5] = 0, np.nan
    wanted = cosines(vectors, vectors)
    np.fill_diagonal(wanted, 0)
    for n_threads in (1, 2):
        with threads(n_threads):
            rows, likeness = nearest(vectors, np.arange(700, dtype=np.int32), vectors, 10)
        np.testing.assert_allclose(likeness, np.sort(wanted)[:, ::-1][:, :10].clip(0), atol=1e-6)
        known = rows >= 0
        np.testing.assert_allclose(np.take_along_axis(wanted, rows.clip(0), 1)[known], likeness[known], atol=1e-6)
        assert (rows[[3, 5]] == -1).all()
        assert not np.isin(rows, [3, 5]).any()


@BOTH
def test_users_alike_are_others_whose_vectors_point_the_same_way(kind: str) -> None:
    data = rated(market())
    model = trained(kind, data)
    assert isinstance(model, HasUserNeighbours)
    everybody = Queries.of_users(data, np.arange(data.n_users))
    rows, likeness = model.user_neighbours(everybody, everybody, 5)
    vectors = model.factors(everybody)[0][:, 1:-1]
    wanted = cosines(vectors, vectors)
    np.fill_diagonal(wanted, 0)
    np.testing.assert_allclose(likeness, np.sort(wanted)[:, ::-1][:, :5].clip(0), atol=1e-5)
    assert (rows != np.arange(data.n_users)[:, None]).all()


@BOTH
def test_a_stranger_with_a_users_history_is_most_like_that_user(kind: str) -> None:
    data = rated(market())
    model = trained(kind, data)
    everybody = Queries.of_users(data, np.arange(data.n_users))
    indptr, order = data.by_user
    its = [took(0, int(data.item_ix[t]), value=float(data.value[t])) for t in order[indptr[7] : indptr[8]]]
    rows, likeness = model.user_neighbours(ask(data, its, []), everybody, 3)
    assert rows[0, 0] == 7
    assert likeness[0, 0] == pytest.approx(1, abs=1e-5)
    assert (rows[1] == -1).all()


@BOTH
def test_items_alike_leave_out_the_item_itself(kind: str) -> None:
    data = rated(market())
    model = trained(kind, data)
    assert isinstance(model, HasNeighbours)
    of = np.array([4, 0], np.int32)
    rows, likeness = model.neighbours(of, 3)
    wanted = cosines(model.items[of, 1:-1], model.items[:, 1:-1])
    wanted[np.arange(2), of] = 0
    np.testing.assert_allclose(likeness, np.sort(wanted)[:, ::-1][:, :3].clip(0), atol=1e-5)
    assert not (rows == of[:, None]).any()


def test_so_many_that_they_are_sorted_begin_with_those_that_are_kept_one_by_one() -> None:
    vectors = np.random.default_rng(3).standard_normal((700, 6)).astype(np.float32).round(1)
    of = np.arange(5, dtype=np.int32)
    few, many = (nearest(vectors[:5], of, vectors, k) for k in (200, 699))
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one, other[:, :200])
