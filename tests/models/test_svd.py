from __future__ import annotations

import numpy as np
import pytest

from serendip.data import Queries
from serendip.domain import Invalid
from serendip.models import Explains, fit, kind_of
from serendip.models.answers import inner_scores
from serendip.models.kernels.descent import STRIDE, WINDOW, aligned, by_block, deal, descend, n_groups, sow
from serendip.models.kernels.lanes import LANES
from serendip.models.parallel import threads
from serendip.models.ratings import Ratings, biases, latest, ratings_of, ridge_rows
from serendip.models.svd import SvdConfig, learn
from worlds import ask, took, world

SIX = Ratings(
    np.array([0, 0, 1, 2, 2, 3], np.int32),
    np.array([0, 2, 1, 0, 1, 2], np.int32),
    np.array([1.0, -0.5, 0.25, 2.0, -1.0, 0.0], np.float32),
)


def two_tastes(n_users: int = 40, n_items: int = 20) -> list:
    """Everybody gives 5 to the items of their own colour and 1 to the others, and leaves out four items."""
    return [
        took(user, item, value=5.0 if user % 2 == item % 2 else 1.0)
        for user in range(n_users)
        for item in range(n_items)
        if (item - user) % 5
    ]


def test_biases_are_a_ridge_regression() -> None:
    # Of the ratings less their mean on a column for every user and every item.
    columns = np.hstack([np.eye(4)[SIX.user_ix], np.eye(3)[SIX.item_ix]])
    wanted = np.linalg.solve(columns.T @ columns + 3 * np.eye(7), columns.T @ (SIX.value - SIX.value.mean()))
    mean, b_u, b_i = biases(SIX, (4, 3), 3.0)
    assert mean == pytest.approx(SIX.value.mean())
    np.testing.assert_allclose(np.concatenate([b_u, b_i]), wanted, rtol=1e-4, atol=1e-6)


def test_a_step_is_that_of_the_equations() -> None:
    rng, gamma, decay = np.random.default_rng(1), 0.1, 0.3
    p, q = (rng.standard_normal((n, 2 * LANES)).astype(np.float32) for n in (4, 3))
    wanted = [array.astype(float) for array in (p, q)]
    for u, i, rest in zip(*SIX, strict=True):
        p_u, q_i = wanted[0][u].copy(), wanted[1][i].copy()
        e = rest - p_u @ q_i
        wanted[0][u] = p_u + gamma * (e * q_i - decay * p_u)
        wanted[1][i] = q_i + gamma * (e * p_u - decay * q_i)
    descend(*SIX, p, q, np.float32(gamma), np.float32(1 - gamma * decay), 0, 6)
    for ours, theirs in zip((p, q), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_first_vectors_are_even_around_zero_and_of_the_deviation_asked_for() -> None:
    q = aligned(500, 32)
    assert q.ctypes.data % 64 == 0
    sow(q, 20, 0.3, 7)
    assert not q[:, 20:].any()
    own = q[:, :20]
    assert len(np.unique(own)) > 9900
    # Of 10,000 numbers: three standard errors of the mean, and of the deviation of an even distribution.
    assert abs(own.mean()) < 3 * 0.3 / 100
    assert own.std() == pytest.approx(0.3, rel=3 * 0.0045)
    assert np.abs(own).max() <= np.float32(0.3 * 3**0.5)
    assert np.abs(np.corrcoef(own.T) - np.eye(20)).max() < 0.25


@pytest.mark.parametrize("k", [2, 9])
def test_a_history_is_folded_in_by_least_squares(k: int) -> None:
    # Rows of 0, 1, 5 and 100 columns: the dual system, the primal one, and one longer than a block of rows.
    rng = np.random.default_rng(0)
    y, sizes = rng.standard_normal((100, k + 1)).astype(np.float32), [0, 1, 5, 100]
    indices = np.concatenate([np.arange(n) for n in sizes]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    target, x = rng.standard_normal(indptr[-1]), np.full((4, k), np.nan)
    ridge_rows(indptr, indices, target, y, 0.7, x, 0, 4)
    for u, n in enumerate(sizes):
        own, t = y[:n, :k].astype(float), target[indptr[u] : indptr[u + 1]]
        np.testing.assert_allclose(x[u], np.linalg.inv(own.T @ own + 0.7 * np.eye(k)) @ own.T @ t, rtol=1e-8)


def test_no_two_blocks_of_a_stratum_share_a_user_or_an_item() -> None:
    rng = np.random.default_rng(0)
    user, item = np.divmod(rng.permutation(60 * 40)[:500].astype(np.int32), np.int32(40))
    sizes = np.bincount(user, minlength=60), np.bincount(item, minlength=40)
    numbers, groups = zip(*(deal(size, 4, rng) for size in sizes), strict=True)
    assert sorted(numbers[0]) == list(range(60))
    assert np.bincount(groups[0][user]).min() > 90
    biases = np.arange(60, dtype=np.float32), np.full(40, 0.5, np.float32)
    *dealt, bounds = by_block(user, item, np.arange(500, dtype=np.float32), *biases, numbers, groups, 4)
    came = np.argsort(numbers[0])[dealt[0]]
    event = np.rint(dealt[2] + came + 0.5).astype(int)
    assert sorted(event.tolist()) == list(range(500))
    assert (user[event] == came).all()
    assert (numbers[1][item[event]] == dealt[1]).all()
    for stratum in range(4):
        for rows in dealt[:2]:
            parts = [set(rows[bounds[b] : bounds[b + 1]].tolist()) for b in range(4 * stratum, 4 * stratum + 4)]
            assert sum(map(len, parts)) == len(set().union(*parts))


def test_ratings_of_a_user_are_near_but_not_next_to_each_other() -> None:
    # 600 ratings in one block: two whole windows, whose neighbours come to stand STRIDE apart, and a rest as it was.
    ones, none = np.zeros(600, np.int32), np.zeros(1, np.float32)
    one = (np.zeros(1, np.int32), np.zeros(1, np.int32))
    _, _, rest, bounds = by_block(ones, ones, np.arange(600, dtype=np.float32), none, none, one, one, 1)
    assert bounds.tolist() == [0, 600]
    assert sorted(rest[:WINDOW]) == list(range(WINDOW))
    assert sorted(rest[WINDOW : 2 * WINDOW]) == list(range(WINDOW, 2 * WINDOW))
    np.testing.assert_array_equal(rest[2 * WINDOW :], np.arange(2 * WINDOW, 600))
    assert (np.abs(np.diff(np.argsort(rest)[:WINDOW])) >= STRIDE).all()


def test_many_ratings_are_learnt_from_by_several_threads_with_the_same_result() -> None:
    rng, n = np.random.default_rng(0), 90_000
    assert n_groups(n) == 2
    user, item = np.divmod(rng.permutation(900 * 300)[:n].astype(np.int32), np.int32(300))
    many = Ratings(user, item, rng.standard_normal(n).astype(np.float32))
    learnt = []
    for n_threads in (1, 2):
        with threads(n_threads):
            learnt.append(learn(SvdConfig(n_factors=9, n_epochs=2), many, (900, 300), np.random.default_rng(3)))
    for one, other in zip(*learnt, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_newcomer_of_one_taste_is_told_that_taste() -> None:
    data = world(two_tastes())
    model = fit("svd", SvdConfig(n_factors=4, n_epochs=200, learning_rate=0.02, ridge=0.5), data)
    scores = model.score(ask(data, [took(99, 0, value=5), took(99, 1, value=1), took(99, 3, value=1)]))[0]
    assert scores[4::2].min() > 3.5
    assert scores[5::2].max() < 2.5


def test_ratings_that_were_left_out_are_predicted_better_than_by_the_mean() -> None:
    data = world(two_tastes())
    model = fit("svd", SvdConfig(n_factors=4, n_epochs=200, learning_rate=0.02), data)
    users, items = np.nonzero((np.arange(20) - np.arange(40)[:, None]) % 5 == 0)
    truth = np.where(users % 2 == items % 2, 5.0, 1.0)
    queries = Queries.of_users(data, data.users.rows([f"u{user}" for user in users]))
    rows = data.items.rows([f"i{item}" for item in items]).astype(np.int32)
    told = model.predict(queries, rows[:, None])[:, 0]
    assert np.sqrt(np.mean((told - truth) ** 2)) < 0.5


def test_the_scale_of_ratings_changes_only_the_scale_of_predictions() -> None:
    config = SvdConfig(n_factors=3)
    one, tenfold = (
        world([took(u, i, value=f * ((u * i) % 4 + 1)) for u in range(9) for i in range(6)]) for f in (1, 10)
    )
    small, large = (fit("svd", config, d).score(Queries.of_users(d, np.arange(9))) for d in (one, tenfold))
    np.testing.assert_allclose(10 * small, large, rtol=1e-4)


def test_the_shares_of_ratings_and_the_items_own_part_sum_to_the_score() -> None:
    data = world(two_tastes())
    model = fit("svd", SvdConfig(n_factors=6), data)
    assert isinstance(model, Explains)
    queries = Queries.of_users(data, np.arange(40))
    items = np.tile(np.array([0, 5, 7], np.int32), (40, 1))
    scores = model.score(queries, items)
    for q, shares in enumerate(model.explain(queries, items)):
        np.testing.assert_allclose(shares.sum(axis=1) + model.items[items[q], -1], scores[q], rtol=1e-5)


def test_a_descent_that_runs_away_is_refused_with_the_way_out() -> None:
    data = world([took(u, i, value=float(u * i % 7) ** 6) for u in range(60) for i in range(40)])
    with pytest.raises(Invalid, match="svd ran away with learning_rate=1; lower it"):
        fit("svd", SvdConfig(learning_rate=1, init_sigma=9), data)


def test_of_each_pair_the_last_event_is_kept() -> None:
    rng = np.random.default_rng(0)
    owner, item, at = (rng.integers(0, n, 300).astype(np.int32) for n in (6, 9, 20))
    use = rng.random(300) < 0.7
    last = {}
    for t in np.flatnonzero(use):
        pair = int(owner[t]), int(item[t])
        if pair not in last or at[t] >= at[last[pair]]:
            last[pair] = int(t)
    places, items, indptr = latest(owner, item, at, use, 7, 9)
    assert sorted(places.tolist()) == sorted(last.values())
    np.testing.assert_array_equal(items, item[places])
    np.testing.assert_array_equal(np.repeat(np.arange(7), np.diff(indptr)), owner[places])


def test_events_without_a_value_and_replaced_ratings_are_not_learnt_from() -> None:
    # u0 rates i0 with 2, later with 4; the ratings come in another order.
    data = world([took(0, 0, 1, value=4), took(0, 0, 5, value=2), took(0, 1, 3)])
    assert [column.tolist() for column in ratings_of(data, "svd")] == [[0], [0], [4.0]]


EVENTS = {
    "one rating": [took(0, 0, value=3)],
    "one user": [took(0, item, value=item + 1.0) for item in range(5)],
    "one item": [took(user, 0, value=user + 1.0) for user in range(5)],
    "all equal": [took(user, item, value=2) for user in range(3) for item in range(3)],
    "below zero": [took(0, 0, value=-5), took(1, 1, value=-7)],
    "hardly apart": [took(0, 0, value=1e6), took(0, 1, value=1e6 - 0.0625), took(1, 1, value=1e6)],
    "some without a value": [took(0, 0, value=2), took(0, 1), took(1, 0, value=4), took(1, 1, value=3)],
}


@pytest.mark.parametrize("kind", ["svd", "nmf"])
@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS)
def test_the_poorest_ratings_can_be_learnt_from(kind: str, events: list) -> None:
    data = world(events)
    model = fit(kind, kind_of(kind).config(), data)
    queries = Queries.of_users(data, np.arange(data.n_users))
    told = model.predict(queries, np.tile(np.arange(data.n_items, dtype=np.int32), (data.n_users, 1)))
    rated = [event.value for event in events if event.value is not None]
    assert np.isfinite(told).all()
    assert told.min() >= min(rated)
    assert told.max() <= max(rated)


@pytest.mark.parametrize("kind", ["svd", "nmf"])
@pytest.mark.parametrize("value", [np.inf, -1e30])
def test_ratings_beyond_all_measure_are_refused(kind: str, value: float) -> None:
    data = world([took(0, 0, value=value), took(1, 1, value=1)])
    with pytest.raises(Invalid, match="and the data holds others; scale them"):
        fit(kind, kind_of(kind).config(), data)


def test_scores_of_pairs_are_inner_products() -> None:
    rng = np.random.default_rng(0)
    vectors, items = (rng.standard_normal((n, 5)).astype(np.float32) for n in (600, 30))
    among = rng.integers(-1, 30, (600, 40)).astype(np.int32)
    wanted = np.einsum("qf,qjf->qj", vectors.astype(float), items[among].astype(float))
    np.testing.assert_allclose(inner_scores(vectors, items, among)[among >= 0], wanted[among >= 0], atol=1e-5)
