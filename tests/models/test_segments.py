from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from serendip.data import Columns, Dataset, Queries
from serendip.domain import Invalid
from serendip.models import fit, kind_of
from serendip.models.kernels.kmeans import cluster, nearest, silhouette
from serendip.models.segments import NOBODY, Segments
from worlds import ask, market, rated, took, world

RICH = [{"R": 10 + u % 3, "F": 100 + 5 * u, "M": 5000.0 + 800 * u} for u in range(6)]
POOR = [{"R": 200 + 9 * u, "F": 10 + u % 3, "M": 20.0 + 3 * u} for u in range(6)]


def fitted(data: Dataset, seed: int = 0, **settings) -> Segments:
    model = fit("segments", kind_of("segments").config(**settings), data, seed)
    assert isinstance(model, Segments)
    return model


def shop() -> Dataset:
    """Users 0 to 5 are rich and took item 0 and, two of them, item 1; 6 to 11 are poor and took item 2."""
    events = [*(took(u, 0) for u in range(6)), took(0, 1), took(1, 1), *(took(u, 2) for u in range(6, 12))]
    data = world(events, 4)
    row = [int(user[1:]) for user in data.users.ids]
    return replace(data, user_columns=Columns.of([[*RICH, *POOR][u] for u in row]))


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


def test_what_ones_own_group_took_is_recommended() -> None:
    data = shop()
    model = fitted(data, columns="R|F|M", n_segments=2)
    scores = model.score(everybody(data))
    rich = np.array([int(user[1:]) < 6 for user in data.users.ids])
    assert (scores[rich] == [6, 2, 0, 0]).all()
    assert (scores[~rich] == [0, 0, 6, 0]).all()


def test_money_is_grouped_by_its_logarithm_so_that_one_who_spends_much_is_no_group() -> None:
    data = shop()
    records = [*RICH, *POOR]
    records[0] = {**records[0], "M": 1e9}
    row = [int(user[1:]) for user in data.users.ids]
    model = fitted(replace(data, user_columns=Columns.of([records[u] for u in row])), columns="R|F|M", n_segments=2)
    assert np.bincount(model.label).tolist() == [6, 6]


def test_a_newcomer_is_grouped_by_the_profile_or_by_the_events() -> None:
    data = shop()
    model = fitted(data, columns="R|F|M", n_segments=2)
    asked = replace(ask(data, [], []), profile=Columns.of([{"R": 11, "F": 90, "M": 5000}, {"R": 11, "F": 90}]))
    scores = model.score(asked)
    assert scores[0].tolist() == [6, 2, 0, 0]
    assert np.isnan(scores[1]).all()
    by_events = fitted(market())
    assert np.isfinite(by_events.score(ask(market(), [took(0, 3, 5, "view")]))).all()


def test_recency_frequency_and_money_are_those_of_the_events_as_of_the_moment() -> None:
    data = rated(world([took(0, 0, 24 * 9), took(0, 1, 24 * 3), took(0, 1, 24 * 2), took(1, 0, 24 * 30)]))
    model = fitted(data, n_segments=1)
    r, f, m = np.log1p([[2, 30], [3, 1], [float(np.nansum(data.value[:3])), float(data.value[3])]])
    np.testing.assert_allclose(model.mean, [r.mean(), f.mean(), m.mean()], rtol=1e-5)
    np.testing.assert_allclose(model.scale, [r.std(), f.std(), m.std()], rtol=1e-5)
    plain = fitted(replace(data, value=np.full(4, np.nan, np.float32)), n_segments=1)
    assert plain.mean[2] == pytest.approx(np.log1p([3, 1]).mean())  # weights, where no event has a value


def test_nobody_is_grouped_without_events_and_the_answer_is_left_to_the_fallback() -> None:
    data = world([took(0, 0), took(1, 0), took(1, 1)])
    model = fitted(data.take(np.array([1, 2])))
    assert model.label.tolist() == [NOBODY, 0]
    assert np.isnan(model.score(ask(data, []))).all()


def test_more_groups_lie_closer_and_the_curve_shows_where_it_bends() -> None:
    model = fitted(shop(), columns="R|F|M", n_segments=2)
    assert len(model.inertia) == len(model.silhouettes) == 10
    assert (np.diff(model.inertia) <= 1e-9).all()
    assert model.inertia[1] < 0.2 * model.inertia[0]
    assert np.nanargmax(model.silhouettes) + 1 == 2
    assert np.isnan(model.silhouettes[0])


def test_the_centres_are_the_best_there_are_where_all_groupings_can_be_tried() -> None:
    x = np.random.default_rng(5).standard_normal((8, 2))
    best = min(
        sum(
            ((x[labels == c] - x[labels == c].mean(axis=0)) ** 2).sum() for c in range(3) if (labels == c).any()
        )
        for labels in map(np.array, product(range(3), repeat=8))
    )  # fmt: skip
    assert cluster(x, 3, np.random.default_rng(0)).inertia == pytest.approx(best)


def test_every_row_goes_to_its_nearest_centre() -> None:
    rng = np.random.default_rng(2)
    x, centres = rng.standard_normal((200, 3)), rng.standard_normal((7, 3))
    away = ((x[:, None] - centres) ** 2).sum(axis=2)
    label, distance = nearest(x, centres)
    assert (label == away.argmin(axis=1)).all()
    np.testing.assert_allclose(distance, away.min(axis=1))


def test_the_silhouette_of_four_points_is_as_by_hand() -> None:
    # Distances on a line: 0, 1 | 4, 6. a: 1, 1, 2, 2; b: 5, 4, 3.5, 5.5.
    by_hand = np.mean([(5 - 1) / 5, (4 - 1) / 4, (3.5 - 2) / 3.5, (5.5 - 2) / 5.5])
    x, label = np.array([[0.0], [1.0], [4.0], [6.0]]), np.array([0, 0, 1, 1], np.int32)
    assert silhouette(x, label, np.random.default_rng(0)) == pytest.approx(by_hand)
    assert silhouette(x[:3], label[:3], np.random.default_rng(0)) == pytest.approx(np.mean([3 / 4, 2 / 3, 0]))


def test_people_who_are_all_equal_are_one_group() -> None:
    data = world([took(u, i) for u in range(5) for i in range(3)])
    model = fitted(data, n_segments=4)
    assert len(model.centres) == 1
    assert model.score(everybody(data)).tolist() == [[5, 5, 5]] * 5


def test_what_cannot_be_learnt_from_is_refused_with_the_way_out() -> None:
    with pytest.raises(Invalid, match="learns from attributes of users"):
        fitted(market(), columns="R")
    with pytest.raises(Invalid, match="no attribute 'Q'; the attributes are F, M, R"):
        fitted(shop(), columns="Q")
    texts = replace(shop(), user_columns=Columns.of([{"R": "x"}] * 12))
    with pytest.raises(Invalid, match="'R' is text, not a number"):
        fitted(texts, columns="R")
    halves = replace(shop(), user_columns=Columns.of([{"R": 1.0} if u % 2 else {"F": 1.0} for u in range(12)]))
    with pytest.raises(Invalid, match="no user has all of R, F"):
        fitted(halves, columns="R|F")


def test_a_history_without_moments_has_no_recency_whoever_asks_beside_it() -> None:
    model = fitted(shop())
    bare = replace(everybody(shop()).take(np.arange(2)), at=np.zeros(0, np.int64))
    bare = replace(bare, at=np.arange(len(bare.item_ix)) * 1_000_000, moment=np.full(2, 86_400_000_000))
    both, alone = model._features(bare), model._features(bare.take(np.array([1])))
    np.testing.assert_array_equal(both[1], alone[0])
    assert both[:, 0].tolist() == [0, 0]


def test_rows_that_differ_by_less_than_squares_can_tell_are_one_group() -> None:
    found = cluster(np.array([[0.0], [1e-200], [0.0]]), 2, np.random.default_rng(0))
    assert len(found.centres) == 1
    assert found.label.tolist() == [0, 0, 0]
