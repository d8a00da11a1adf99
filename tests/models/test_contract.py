"""What every kind of model promises, over a table of kinds and configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import worlds
from serendip.data import UNKNOWN, Dataset, Queries
from serendip.domain import Interaction, InteractionKind, Invalid, micros
from serendip.models import KINDS, Explains, HasFactors, HasNeighbours, Model, Predicts, fit, kind_of, restore
from serendip.models.parallel import threads
from worlds import DISLIKE, NOON, rated, worth

SMALL = {"n_factors": 4, "n_epochs": 4, "regularization": 0.5}
STEEP = {"n_factors": 4, "n_epochs": 8, "learning_rate": 0.05, "init_sigma": 0.3}
NEXT = {"n_factors": 8, "n_epochs": 4, "learning_rate": 0.02, "batch_size": 8, "held_out": 0.0}
HELD = {**NEXT, "held_out": 0.4, "patience": 1, "n_epochs": 12}
NET = {"hidden": (8, 4), "n_factors": 3, "n_epochs": 4, "learning_rate": 0.02, "n_text": 4}
TOWERS = {"n_factors": 6, "n_epochs": 4, "n_negatives": 256, "learning_rate": 0.05, "n_text": 4, "batch_size": 8}
TAGS = {"n_factors": 3, "n_epochs": 8, "learning_rate": 0.05, "init_sigma": 0.3}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("random", {}),
    ("popularity", {}),
    ("popularity", {"half_life_days": 3.0}),
    ("popularity", {"window_days": 7.0}),
    ("again", {}),
    ("again", {"ties": "latest", "half_life_days": 20.0}),
    ("again", {"by": "latest"}),
    ("item-knn", {}),
    ("random", {}),
    ("item-knn", {"n_neighbours": 3, "shrinkage": 3.0, "min_support": 2}),
    ("item-knn", {"similarity": "tfidf", "binary": False}),
    ("item-knn", {"similarity": "bm25"}),
    ("item-knn", {"similarity": "rp3beta", "n_neighbours": 5}),
    ("ease", {"regularization": 2.0}),
    ("ease", {"regularization": 2.0, "binary": False}),
    ("als", SMALL),
    ("als", {**SMALL, "growth": "linear", "n_factors": 8}),
    ("als", {**SMALL, "solver": "cg"}),
    ("als", {**SMALL, "unobserved_weight": 0.1, "frequency_scaling": 1.0, "regularization": 0.02}),
    ("als", {**SMALL, "popularity_discount": 0.5}),
    ("svd", STEEP),
    ("svd", {**STEEP, "n_factors": 40, "ridge": 1.0}),
    ("nmf", {"n_factors": 4}),
    ("nmf", {"n_factors": 20, "ridge": 1.0}),
    ("user-knn", {}),
    ("user-knn", {"similarity": "tfidf", "n_neighbours": 3, "shrinkage": 2.0, "binary": False}),
    ("content-knn", {}),
    ("content-knn", {"n_factors": 3, "n_neighbours": 4, "binary": False}),
    ("content-knn", {"vectors": "look"}),
    ("segments", {}),
    ("segments", {"n_segments": 2, "columns": "R|F|M"}),
    ("profile-knn", {}),
    ("profile-knn", {"columns": "age|hobbies", "n_neighbours": 3, "binary": False}),
    ("tag-popularity", {}),
    ("tag-popularity", {"half_life_days": 3.0, "column": "title"}),
    ("two-tower", TOWERS),
    ("two-tower", {**TOWERS, "n_layers": 1, "shared": False, "vectors": "look", "binary": False}),
    ("mlp", {**NET, "price": "cost"}),
    (
        "mlp",
        {
            **NET,
            "hidden": 6,
            "vectors": "look",
            "said": "said",
            "positive": 4.0,
            "unmet": 0,
            "popularity": False,
            "n_factors": 0,
        },
    ),
    ("tag-svd", TAGS),
    ("tag-svd", {**TAGS, "clusters": {"even": "colour", "odd": "colour", "third-0": "third", "third-1": "other"}}),
    ("sequence", NEXT),
    ("sequence", {**NEXT, "n_negatives": 3, "n_layers": 1, "max_length": 3, "temperature": 0.5}),
    ("sequence", HELD),
]
EVERY = pytest.mark.parametrize(
    ("kind", "settings"), CASES, ids=["-".join([kind, *map(str, settings.values())]) for kind, settings in CASES]
)


def those(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("kind", "settings"), [case for case in CASES if case[0] in kinds], ids=str)


PERSONAL = pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (kind, settings)
        for kind, settings in CASES
        if KINDS[kind].personal
        and not KINDS[kind].by_profile
        and kind != "two-tower"  # by both
        and settings.get("columns") != "R|F|M"
    ],
    ids=str,
)
"""Those whose answer is in the history, and not in the profile."""
COLLABORATIVE = those("item-knn", "ease", "als")
KNOWING = those("item-knn", "ease", "als", "svd", "nmf", "user-knn", "sequence")
SUMMING = those("again", "item-knn", "ease", "als", "user-knn", "content-knn")
EXPLAINING = those("again", "item-knn", "ease", "als", "svd", "nmf", "user-knn", "content-knn", "tag-svd")
RATING = those(*(name for name, kind in KINDS.items() if kind.rates))


def took(user: int, item: int, hours_ago: float = 1.0, kind: str = "interaction") -> Interaction:
    """As in every world, and with a rating, for the kinds that learn from these."""
    return worlds.took(user, item, hours_ago, kind, worth(user, item))


def checkerboard(untouched: int = 0) -> Dataset:
    return worlds.described(rated(worlds.checkerboard(untouched=untouched)))


def market() -> Dataset:
    return worlds.described(rated(worlds.market()))


def mall() -> Dataset:
    """Of more users than training holds out at the least, and of more items than it draws."""
    events = [
        took(user, (37 * user * (turn + 1) + turn * turn) % 400, 8 - turn) for user in range(220) for turn in range(7)
    ]
    return worlds.described(rated(worlds.world(events, 400)))


def world(
    events: Sequence[Interaction],
    n_items: int | None = None,
    kinds: tuple[InteractionKind, ...] = (InteractionKind("interaction"),),
) -> Dataset:
    return worlds.described(worlds.world(events, n_items, kinds))


def ask(data: Dataset, *histories: Sequence[Interaction]) -> Queries:
    """These histories; whoever has one is user 0 of the data, with that profile, and who has none is nobody."""
    rows = np.array([0 if len(history) else UNKNOWN for history in histories], np.int32)
    names = [data.users.ids[row] if row == 0 and data.n_users else None for row in rows]
    queries = Queries.of(histories, data.items, NOON, data.kinds, names, data.users)
    return queries if data.user_columns is None else replace(queries, profile=data.user_columns.take(rows))


def trained(kind: str, settings: dict[str, Any], data: Dataset, seed: int = 0) -> Model:
    return fit(kind, kind_of(kind).config(**settings), data, seed)


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


@pytest.fixture(scope="module", params=[checkerboard, market], ids=["checkerboard", "market"])
def data(request: pytest.FixtureRequest) -> Dataset:
    return request.param()


def test_every_kind_is_in_the_table() -> None:
    assert {kind for kind, _ in CASES} == set(KINDS)


@EVERY
def test_scores_are_finite_and_have_a_row_a_query_and_a_column_an_item(kind, settings, data) -> None:
    scores = trained(kind, settings, data).score(everybody(data))
    assert scores.shape == (data.n_users, data.n_items)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@EVERY
def test_scores_among_some_items_are_those_columns(kind, settings, data) -> None:
    model, queries = trained(kind, settings, data), everybody(data)
    full = model.score(queries)
    some = np.array([5, 0, 3], np.int32)
    np.testing.assert_allclose(model.score(queries, some), full[:, some], rtol=1e-5, atol=1e-6)
    each = (np.arange(len(queries))[:, None] + [0, 2]).astype(np.int32) % data.n_items
    np.testing.assert_allclose(model.score(queries, each), np.take_along_axis(full, each, 1), rtol=1e-5, atol=1e-6)


@EVERY
def test_padding_scores_lowest_and_nobody_to_tell_stays_nan(kind, settings, data) -> None:
    model = trained(kind, settings, data)
    scores = model.score(ask(data, [took(0, 2, kind=data.kinds[0].name)], []), np.array([[3, -1], [-1, 2]], np.int32))
    assert np.isfinite(scores[0, 0])
    assert scores[0, 1] == -np.inf
    assert not KINDS[kind].personal or np.isnan(scores[1]).all()


@EVERY
def test_a_batch_answers_as_each_query_alone(kind, settings, data) -> None:
    model = trained(kind, settings, data)
    queries = everybody(data).take(np.tile(np.arange(data.n_users), 4))  # many enough for several threads
    together = model.score(queries)
    for q in (0, 3, data.n_users + 1):
        alone = model.score(queries.take(np.array([q])))
        np.testing.assert_allclose(together[q], alone[0], rtol=1e-5, atol=1e-6)


@EVERY
def test_records_are_answered_like_the_columns_they_became(kind, settings) -> None:
    board = checkerboard()
    model = trained(kind, settings, board)
    by_record = ask(board, [took(0, 2, 36), took(0, 4, 35), took(0, 6, 34)])
    said = everybody(board).event_columns
    assert said is not None
    by_record = replace(by_record, event_columns=said.take(np.arange(3)))
    np.testing.assert_allclose(model.score(by_record), model.score(everybody(board))[:1], rtol=1e-5)


@EVERY
def test_the_same_seed_gives_the_same_model_with_one_thread_or_two(kind, settings, data) -> None:
    with threads(1):
        one = trained(kind, settings, data, seed=7).arrays()
    with threads(2):
        two = trained(kind, settings, data, seed=7).arrays()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


@EVERY
def test_a_model_comes_back_from_its_arrays_saved_to_files(kind, settings, data, tmp_path) -> None:
    model = trained(kind, settings, data)
    for name, array in model.arrays().items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=False)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in model.arrays()}
    back = restore(kind, kind_of(kind).config(**settings), mapped)
    np.testing.assert_array_equal(back.score(everybody(data)), model.score(everybody(data)))
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], array, err_msg=name)


@EVERY
def test_a_model_cannot_be_written_to(kind, settings) -> None:
    model = trained(kind, settings, checkerboard())
    with pytest.raises(AttributeError):
        model.anything = 1  # type: ignore[attr-defined]
    for name, array in model.arrays().items():
        assert not array.flags.writeable or model.arrays()[name] is not array  # else it is a copy


@PERSONAL
def test_an_empty_history_is_told_nothing(kind, settings) -> None:
    board = checkerboard()
    scores = trained(kind, settings, board).score(ask(board, [], [took(0, 2)], [took(0, 99)]))
    assert np.isnan(scores[[0, 2]]).all()
    assert np.isfinite(scores[1]).all()


@PERSONAL
def test_a_history_of_dislikes_is_told_nothing(kind, settings) -> None:
    data = world([took(u, i) for u in range(4) for i in range(3)], 4, (InteractionKind("interaction"), DISLIKE))
    scores = trained(kind, settings, data).score(ask(data, [took(0, 2, kind="dislike")]))
    assert np.isnan(scores).all()


@KNOWING
def test_an_item_that_nobody_took_tells_nothing(kind, settings) -> None:
    board = checkerboard(untouched=1)
    model = trained(kind, settings, board)
    scores = model.score(ask(board, [took(0, 8)], [took(0, 8), took(0, 2)], [took(0, 2)]))
    assert np.isnan(scores[0]).all()
    np.testing.assert_allclose(scores[1], scores[2], rtol=1e-6)


@those("item-knn", "ease", "als", "user-knn")
def test_the_item_of_my_colour_that_i_missed_comes_first(kind, settings) -> None:
    board = checkerboard()
    scores = trained(kind, settings, board).score(everybody(board))
    scores[board.user_ix, board.item_ix] = -np.inf
    assert scores.argmax(axis=1).tolist() == [range(user % 2, 8, 2)[user // 2 % 4] for user in range(board.n_users)]


@SUMMING
def test_explanations_sum_to_the_score(kind, settings, data) -> None:
    model = trained(kind, settings, data)
    assert isinstance(model, Explains)
    queries = everybody(data)
    scores = model.score(queries)
    asked = (np.arange(len(queries))[:, None] + [0, 3, 4]).astype(np.int32) % data.n_items
    for q, shares in enumerate(model.explain(queries, asked)):
        assert shares.shape == (3, queries.indptr[q + 1] - queries.indptr[q])
        np.testing.assert_allclose(shares.sum(axis=1), scores[q, asked[q]], rtol=1e-5, atol=1e-5 * np.abs(scores).max())


@EXPLAINING
def test_a_dislike_and_a_replaced_rating_have_no_share(kind, settings) -> None:
    kinds = (InteractionKind("rating", mode="latest"), DISLIKE)
    data = world([took(u, i, 5, "rating") for u in range(5) for i in range(4) if u != i], 4, kinds)
    model = trained(kind, settings, data)
    assert isinstance(model, Explains)
    history = [took(9, 0, 4, "rating"), took(9, 1, 3, "dislike"), took(9, 0, 2, "rating"), took(9, 2, 1, "rating")]
    shares = model.explain(ask(data, history), np.array([[0, 3]], np.int32))[0]
    assert not shares[:, [0, 1]].any()
    assert np.isfinite(shares).all()


@EXPLAINING
def test_an_empty_history_is_explained_by_nothing(kind, settings) -> None:
    board = checkerboard()
    model = trained(kind, settings, board)
    assert isinstance(model, Explains)
    assert model.explain(ask(board, []), np.array([[0, 3]], np.int32))[0].shape == (2, 0)


@COLLABORATIVE
def test_neighbours_are_others_best_first_and_of_ones_own_colour(kind, settings) -> None:
    board = checkerboard(untouched=1)
    model = trained(kind, settings, board)
    assert isinstance(model, HasNeighbours)
    of = np.arange(9, dtype=np.int32)
    rows, likeness = model.neighbours(of, 9)
    assert rows.shape == likeness.shape == (9, 9)
    for item in range(8):
        found = rows[item][rows[item] >= 0]
        assert item not in found
        assert 8 not in found
        assert (found[:1] % 2 == item % 2).all()
        assert len(set(found.tolist())) == len(found)
        assert (np.diff(likeness[item][: len(found)]) <= 0).all()
        assert (likeness[item][: len(found)] > 0).all()
    assert (rows[8] == -1).all()


@those("als", "svd", "nmf", "sequence", "two-tower")
def test_inner_products_of_factors_are_the_scores(kind, settings, data) -> None:
    model = trained(kind, settings, data)
    assert isinstance(model, HasFactors)
    vectors, items = model.factors(everybody(data))
    np.testing.assert_allclose(vectors @ items.T, model.score(everybody(data)), rtol=1e-5, atol=1e-6)
    assert np.isnan(model.factors(ask(data, []))[0]).all()


@RATING
def test_a_prediction_is_the_score_held_within_the_scale(kind, settings, data) -> None:
    model, queries = trained(kind, settings, data), everybody(data)
    assert isinstance(model, Predicts)
    items = (np.arange(len(queries))[:, None] + [0, 2]).astype(np.int32) % data.n_items
    wanted = np.clip(np.take_along_axis(model.score(queries), items, 1), data.value.min(), data.value.max())
    np.testing.assert_allclose(model.predict(queries, items), wanted, rtol=1e-5)
    assert np.isnan(model.predict(ask(data, []), items[:1])).all()


@RATING
def test_a_history_without_values_is_told_nothing(kind, settings, data) -> None:
    name = data.kinds[0].name
    silent = [worlds.took(0, 2, kind=name), worlds.took(0, 4, kind=name, value=float("nan"))]
    scores = trained(kind, settings, data).score(ask(data, silent, [*silent, took(0, 2, kind=name)]))
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1]).all()


@RATING
def test_only_the_latest_rating_of_an_item_counts(kind, settings) -> None:
    board = checkerboard()
    model = trained(kind, settings, board)
    changed = [worlds.took(0, 2, 9, value=1), worlds.took(0, 4, 8, value=3), worlds.took(0, 2, 7, value=5)]
    np.testing.assert_array_equal(*model.score(ask(board, changed, changed[1:])))
    rated_twice = world([*(took(u, i, 9) for u in range(4) for i in range(3)), worlds.took(0, 0, 1, value=2)])
    once = rated_twice.take(np.arange(len(rated_twice)) > 0)
    for name, array in trained(kind, settings, rated_twice).arrays().items():
        np.testing.assert_array_equal(array, trained(kind, settings, once).arrays()[name], err_msg=name)


@RATING
def test_data_without_a_value_is_refused_with_the_way_out(kind, settings) -> None:
    with pytest.raises(Invalid, match=f"{kind} learns from ratings, and no interaction carries a value; import"):
        trained(kind, settings, worlds.described(worlds.checkerboard()))


@RATING
@pytest.mark.parametrize("value", [np.inf, 1e7])
def test_values_beyond_single_precision_are_refused(kind, settings, value) -> None:
    with pytest.raises(Invalid, match="takes values from"):
        trained(kind, settings, world([took(0, 0), worlds.took(1, 0, value=value)]))


@RATING
@pytest.mark.parametrize("value", [0.0, 1e-6, 7.0, 1e6])
def test_ratings_that_are_all_equal_are_predicted_again(kind, settings, value) -> None:
    data = world([worlds.took(u, i, value=value) for u in range(6) for i in range(4) if u != i])
    np.testing.assert_allclose(trained(kind, settings, data).score(everybody(data)), value, rtol=1e-3)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.rates])
def test_a_rating_far_off_is_a_finite_model_or_a_refusal(kind: str) -> None:
    data = world([*(took(u, i) for u in range(200) for i in range(5)), worlds.took(0, 5, value=1e6)])
    try:
        model = trained(kind, {}, data)
    except Invalid:
        return
    assert np.isfinite(model.score(everybody(data))).all()


TURNS: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {
    ("popularity", "half_life_days"): ({}, {"half_life_days": 5.0}),
    ("popularity", "window_days"): ({}, {"window_days": 5.0}),
    ("again", "by"): ({}, {"by": "latest"}),
    ("again", "ties"): ({}, {"ties": "latest"}),
    ("again", "half_life_days"): ({}, {"half_life_days": 5.0}),
    ("item-knn", "similarity"): ({}, {"similarity": "tfidf"}),
    ("item-knn", "n_neighbours"): ({}, {"n_neighbours": 1}),
    ("item-knn", "shrinkage"): ({}, {"shrinkage": 5.0}),
    ("item-knn", "min_support"): ({}, {"min_support": 3}),
    ("item-knn", "binary"): ({}, {"binary": False}),
    ("item-knn", "k1"): ({"similarity": "bm25", "binary": False}, {"k1": 0.1}),
    ("item-knn", "b"): ({"similarity": "bm25"}, {"b": 0.1}),
    ("item-knn", "alpha"): ({"similarity": "rp3beta"}, {"alpha": 0.5}),
    ("item-knn", "beta"): ({"similarity": "rp3beta"}, {"beta": 0.1}),
    ("ease", "regularization"): ({}, {"regularization": 1.0}),
    ("ease", "binary"): ({}, {"binary": False}),
    ("als", "n_factors"): (SMALL, {"n_factors": 5}),
    ("als", "n_epochs"): (SMALL, {"n_epochs": 2}),
    ("als", "regularization"): (SMALL, {"regularization": 2.0}),
    ("als", "confidence"): (SMALL, {"confidence": 3.0}),
    ("als", "popularity_discount"): (SMALL, {"popularity_discount": 0.5}),
    ("als", "growth"): (SMALL, {"growth": "linear"}),
    ("als", "solver"): (SMALL, {"solver": "cg"}),
    ("als", "frequency_scaling"): (SMALL, {"frequency_scaling": 0.5}),
    ("als", "unobserved_weight"): (SMALL, {"unobserved_weight": 0.2}),
    ("als", "init_sigma"): ({**SMALL, "n_epochs": 1}, {"init_sigma": 1.0}),
    ("als", "n_cg_steps"): ({**SMALL, "solver": "cg"}, {"n_cg_steps": 1}),
    ("svd", "n_factors"): (STEEP, {"n_factors": 5}),
    ("svd", "n_epochs"): (STEEP, {"n_epochs": 9}),
    ("svd", "learning_rate"): (STEEP, {"learning_rate": 0.02}),
    ("svd", "regularization"): (STEEP, {"regularization": 0.3}),
    ("svd", "init_sigma"): (STEEP, {"init_sigma": 0.2}),
    ("svd", "ridge"): (STEEP, {"ridge": 1.0}),
    ("svd", "bias_ridge"): (STEEP, {"bias_ridge": 1.0}),
    ("nmf", "n_factors"): ({"ridge": 1.0}, {"n_factors": 3}),
    ("nmf", "n_epochs"): ({"ridge": 1.0}, {"n_epochs": 2}),
    ("nmf", "ridge"): ({"ridge": 1.0}, {"ridge": 0.5}),
    ("nmf", "bias_ridge"): ({"ridge": 1.0}, {"bias_ridge": 0.5}),
    ("user-knn", "similarity"): ({}, {"similarity": "tfidf"}),
    ("user-knn", "n_neighbours"): ({}, {"n_neighbours": 2}),
    ("user-knn", "shrinkage"): ({}, {"shrinkage": 3.0}),
    ("user-knn", "binary"): ({}, {"binary": False}),
    ("content-knn", "vectors"): ({}, {"vectors": "look"}),
    ("content-knn", "columns"): ({}, {"columns": "title"}),
    ("content-knn", "n_factors"): ({"n_factors": 0}, {"n_factors": 2}),
    ("content-knn", "n_neighbours"): ({}, {"n_neighbours": 3}),
    ("content-knn", "binary"): ({}, {"binary": False}),
    ("segments", "n_segments"): ({}, {"n_segments": 2}),
    ("segments", "columns"): ({}, {"columns": ["R", "F", "M"]}),
    ("profile-knn", "columns"): ({}, {"columns": "town"}),
    ("profile-knn", "n_neighbours"): ({}, {"n_neighbours": 2}),
    ("profile-knn", "binary"): ({}, {"binary": False}),
    ("tag-popularity", "column"): ({}, {"column": "title"}),
    ("tag-popularity", "half_life_days"): ({}, {"half_life_days": 3.0}),
    ("tag-popularity", "window_days"): ({}, {"window_days": 7.0}),
    ("two-tower", "n_factors"): (TOWERS, {"n_factors": 5}),
    ("two-tower", "n_layers"): (TOWERS, {"n_layers": 2}),
    ("two-tower", "shared"): (TOWERS, {"shared": False}),
    ("two-tower", "vectors"): (TOWERS, {"vectors": "look"}),
    ("two-tower", "item_columns"): (TOWERS, {"item_columns": "title"}),
    ("two-tower", "n_text"): (TOWERS, {"n_text": 0}),
    ("two-tower", "user_columns"): (TOWERS, {"user_columns": "town"}),
    ("two-tower", "binary"): (TOWERS, {"binary": False}),
    ("two-tower", "n_negatives"): (TOWERS, {"n_negatives": 5000}),
    ("two-tower", "negatives_power"): (TOWERS, {"negatives_power": 0.0}),
    ("two-tower", "temperature"): (TOWERS, {"temperature": 0.5}),
    ("two-tower", "target_share"): (TOWERS, {"target_share": 0.2}),
    ("two-tower", "id_dropout"): (TOWERS, {"id_dropout": 0.6}),
    ("two-tower", "regularization"): (TOWERS, {"regularization": 1.0}),
    ("two-tower", "learning_rate"): (TOWERS, {"learning_rate": 0.01}),
    ("two-tower", "batch_size"): (TOWERS, {"batch_size": 4}),
    ("two-tower", "n_epochs"): (TOWERS, {"n_epochs": 2}),
    ("two-tower", "patience"): ({**TOWERS, "n_epochs": 12, "patience": 9, "learning_rate": 0.3}, {"patience": 1}),
    ("mlp", "vectors"): (NET, {"vectors": "look"}),
    ("mlp", "said"): (NET, {"said": "said"}),
    ("mlp", "item_columns"): (NET, {"item_columns": "title"}),
    ("mlp", "n_text"): (NET, {"n_text": 1}),
    ("mlp", "price"): (NET, {"price": "cost"}),
    ("mlp", "popularity"): (NET, {"popularity": False}),
    ("mlp", "positive"): (NET, {"positive": 4.0}),
    ("mlp", "unmet"): ({**NET, "positive": 4.0}, {"unmet": 0.0}),
    ("mlp", "balanced"): ({**NET, "unmet": 5.0}, {"balanced": False}),
    ("mlp", "hidden"): (NET, {"hidden": "8|4|2"}),
    ("mlp", "n_factors"): (NET, {"n_factors": 0}),
    ("mlp", "dropout"): (NET, {"dropout": 0.5}),
    ("mlp", "regularization"): (NET, {"regularization": 1.0}),
    ("mlp", "learning_rate"): (NET, {"learning_rate": 0.1}),
    ("mlp", "batch_size"): (NET, {"batch_size": 20}),
    ("mlp", "n_epochs"): ({**NET, "learning_rate": 0.1}, {"n_epochs": 1}),
    ("mlp", "patience"): ({**NET, "n_epochs": 12, "learning_rate": 0.1, "patience": 9}, {"patience": 1}),
    ("tag-svd", "column"): (TAGS, {"column": "title"}),
    ("tag-svd", "clusters"): (TAGS, {"clusters": {"even": "a", "odd": "b", "third-0": "a"}}),
    ("tag-svd", "n_factors"): (TAGS, {"n_factors": 5}),
    ("tag-svd", "n_epochs"): (TAGS, {"n_epochs": 9}),
    ("tag-svd", "learning_rate"): (TAGS, {"learning_rate": 0.02}),
    ("tag-svd", "regularization"): (TAGS, {"regularization": 0.8}),
    ("tag-svd", "init_sigma"): (TAGS, {"init_sigma": 0.2}),
    ("tag-svd", "ridge"): (TAGS, {"ridge": 1.0}),
    ("tag-svd", "bias_ridge"): (TAGS, {"bias_ridge": 1.0}),
    ("sequence", "n_factors"): (NEXT, {"n_factors": 4}),
    ("sequence", "n_layers"): (NEXT, {"n_layers": 1}),
    ("sequence", "n_heads"): (NEXT, {"n_heads": 4}),
    ("sequence", "widening"): (NEXT, {"widening": 1}),
    ("sequence", "max_length"): (NEXT, {"max_length": 2}),
    ("sequence", "dropout"): (NEXT, {"dropout": 0.1}),
    ("sequence", "n_negatives"): (NEXT, {"n_negatives": 2}),
    ("sequence", "temperature"): (NEXT, {"temperature": 0.3}),
    ("sequence", "learning_rate"): (NEXT, {"learning_rate": 0.01}),
    ("sequence", "regularization"): (NEXT, {"regularization": 2.0}),
    ("sequence", "batch_size"): (NEXT, {"batch_size": 4}),
    ("sequence", "n_epochs"): (NEXT, {"n_epochs": 3}),
    ("sequence", "held_out"): (HELD, {"held_out": 0.0}),
    ("sequence", "patience"): (HELD, {"patience": 0}),
}
WIDE = {("two-tower", field) for field in ("n_negatives", "negatives_power", "patience")}
"""Those that turn nothing where items and people are few."""


def test_every_field_of_every_config_is_in_the_table_of_turns() -> None:
    assert set(TURNS) == {(name, field) for name, kind in KINDS.items() for field in kind.config.model_fields}


@pytest.mark.parametrize(("kind", "field"), TURNS)
def test_every_field_turns_something(kind: str, field: str) -> None:
    data = mall() if (kind, field) in WIDE else market()
    before, change = TURNS[kind, field]
    one = trained(kind, before, data).score(everybody(data))
    other = trained(kind, {**before, **change}, data).score(everybody(data))
    assert not np.allclose(one, other, rtol=1e-4, equal_nan=True)


KIND_NAMES = pytest.mark.parametrize("kind", KINDS)


@KIND_NAMES
def test_every_kind_has_a_default_for_every_field(kind: str) -> None:
    assert kind_of(kind).config() == kind_of(kind).config()


@KIND_NAMES
def test_a_field_that_does_not_exist_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="extra"):
        kind_of(kind).config(n_threads=2)


DEGENERATE = {
    "one user": [took(0, item, 9 - item) for item in range(5)],
    "one item": [took(user, 0, 9 - user) for user in range(5)],
    "one event": [took(0, 0)],
    "one giant user": [*(took(0, item, 500 - item) for item in range(300)), took(1, 0), took(1, 1)],
    "all equal": [took(user, item) for user in range(6) for item in range(4)],
    "the same event a thousand times": [took(0, 0)] * 1000,
    "nobody shares an item": [took(user, user) for user in range(5)],
}


@KIND_NAMES
@pytest.mark.parametrize("events", DEGENERATE.values(), ids=DEGENERATE)
def test_odd_data_gives_rows_wholly_finite_or_wholly_nan(kind: str, events: list) -> None:
    data = world(events)
    if kind == "sequence" and len(np.unique(data.user_ix)) == len(data):
        with pytest.raises(Invalid, match="in no history does one thing follow another; record or import"):
            trained(kind, {}, data)
        return
    scores = trained(kind, {}, data).score(everybody(data))
    finite = np.isfinite(scores)
    assert (finite.all(axis=1) | np.isnan(scores).all(axis=1)).all()
    assert kind in ("item-knn", "ease", "user-knn", "content-knn", "profile-knn") or finite.all()


def test_more_factors_than_users_or_items_is_a_fit() -> None:
    data = world([took(0, 0), took(1, 1), took(1, 0)])
    for solver in ("exact", "cg"):
        assert np.isfinite(trained("als", {"n_factors": 50, "solver": solver}, data).score(everybody(data))).all()


@KIND_NAMES
def test_no_events_is_refused_with_the_way_out(kind: str) -> None:
    with pytest.raises(Invalid, match=f"{kind} has nothing to learn from.*import some first"):
        trained(kind, {}, world([], 3))


@KIND_NAMES
def test_only_negative_events_is_refused_with_the_way_out(kind: str) -> None:
    data = world([took(0, 0, kind="dislike"), took(1, 1, kind="dislike")], kinds=(DISLIKE,))
    with pytest.raises(Invalid, match="all 2 interactions are negative or weigh 0; declare a weight above 0"):
        trained(kind, {}, data)


@KIND_NAMES
@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, 1e30])
def test_weights_that_are_no_weights_are_refused(kind: str, weight: float) -> None:
    data = world([took(0, 0), took(0, 1)], kinds=(InteractionKind("interaction", weight=weight),))
    with pytest.raises(Invalid, match="takes weights from 0 to 1e"):
        trained(kind, {}, data)


@KIND_NAMES
@pytest.mark.parametrize("weight", [1e-20, 1e6])
def test_the_smallest_and_the_largest_weights_give_finite_scores(kind: str, weight: float) -> None:
    kinds = (InteractionKind("interaction", weight=weight), InteractionKind("other"))
    events = [took(u, i, 9, k) for u in range(6) for i in range(6) for k in ("interaction", "other") if (u + i) % 3]
    data = world(events, kinds=kinds)
    for settings in [{}, {"solver": "cg"}] if kind == "als" else [{}]:
        assert np.isfinite(trained(kind, settings, data).score(everybody(data))).all()
    if kind == "item-knn":
        for settings in ({"binary": False}, {"binary": False, "similarity": "rp3beta"}):
            assert np.isfinite(trained(kind, settings, data).score(everybody(data))).all()


@KIND_NAMES
def test_data_without_moments_is_learnt_from(kind: str) -> None:
    board = checkerboard()
    data = worlds.described(Dataset.of(board.user_ix, board.item_ix, board.users, board.items, value=board.value))
    assert np.isfinite(trained(kind, {}, data).score(everybody(data))).all()


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    known = ", ".join(sorted(KINDS))
    with pytest.raises(Invalid, match=f"no model of kind 'alps'; the kinds are {known}$"):
        kind_of("alps")


@EVERY
def test_what_happens_after_the_cut_changes_nothing(kind, settings) -> None:
    data = market()
    until = micros(NOON) - 20 * 24 * 3_600_000_000
    early = data.before(until)
    known = trained(kind, settings, early)
    np.testing.assert_array_equal(
        known.score(Queries.of_users(data, np.arange(data.n_users), until)),
        known.score(Queries.of_users(early, np.arange(data.n_users))),
    )
