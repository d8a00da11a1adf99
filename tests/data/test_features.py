"""Features see what happened strictly before their moment, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feature_world import COUNTERS, DAY, OTHERS, literally, made_log
from serendip.data import UNKNOWN, Column, Columns, Dataset, Queries, Vocabulary
from serendip.data.features import Features, Stream, counters, parse_features, rows_of, usual_features
from serendip.data.features.coded import coded
from serendip.domain import Invalid

ALL = parse_features((*COUNTERS, *OTHERS))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def asked_at(features: Features, data: Dataset, row: int) -> np.ndarray:
    """A request for the user and the item of one row at its moment."""
    queries = Queries.of_users(data, data.user_ix[row : row + 1], data.at[row : row + 1])
    return features.at(queries, data.item_ix[row : row + 1][None])[0, 0]


@pytest.fixture(params=[counters.DENSE, 0], ids=["every cell", "met cells"])
def _cells(request, monkeypatch):
    monkeypatch.setattr(counters, "DENSE", request.param)


@pytest.mark.usefixtures("_cells")
def test_counters_of_a_log_are_their_definition_written_out():
    data, features = made_log(), parse_features(COUNTERS)
    told = rows_of(features, data, None, rng())
    for column, feature in enumerate(features):
        expected = [
            literally(feature, data, int(user), int(item), int(at))
            for user, item, at in zip(data.user_ix, data.item_ix, data.at, strict=True)
        ]
        np.testing.assert_allclose(told[:, column], expected, rtol=1e-5, err_msg=feature.text)


@pytest.mark.usefixtures("_cells")
def test_a_request_is_told_what_the_log_tells():
    data = made_log()
    told = rows_of(ALL, data, None, rng())
    for row in range(0, len(data), 7):
        features = Features.of(ALL, data.before(int(data.at[row])), rng())
        np.testing.assert_allclose(asked_at(features, data, row), told[row], rtol=1e-5)


def test_what_the_asker_did_since_counts_without_counting_anew():
    """Between ``until`` and the question nobody but the asker did anything."""
    data = made_log()
    until, user = int(data.at[150]), int(data.user_ix[150])
    alone = data.take((data.at < until) | (data.user_ix == user))
    row = np.flatnonzero(alone.at >= until)[-1]
    # Windows end at ``until``; decays and all else go on.
    wanted = [one for one in parse_features(COUNTERS) if one.span is None or one.what == "decayed"]
    stale = Features.of(wanted, alone.before(until), rng())
    fresh = stale.advanced(alone.before(int(alone.at[row])))
    assert stale.until < fresh.until
    np.testing.assert_allclose(asked_at(stale, alone, row), asked_at(fresh, alone, row), rtol=1e-5)
    behind = stale.at(Queries.of_users(alone, alone.user_ix[row : row + 1], until), np.array([[0]]))
    assert asked_at(stale, alone, row)[0] > behind[0, 0, 0]


def test_the_age_of_an_item_is_held_against_the_ages_at_which_the_asker_took_others():
    """Written out: every row's history, each item as old as it was when it was taken."""
    data = made_log()
    told = rows_of(parse_features(["usual(age)", "gap(age)"]), data, None, rng())
    met = [
        min((int(at) for i, at in zip(data.item_ix, data.at, strict=True) if i == item), default=0) for item in range(7)
    ]
    for row, (user, item, now) in enumerate(zip(data.user_ix, data.item_ix, data.at, strict=True)):
        taken = np.flatnonzero((data.user_ix == user) & (data.at < now) & (data.weight > 0))
        usual = np.mean([(data.at[e] - met[data.item_ix[e]]) / DAY for e in taken]) if len(taken) else np.nan
        age = (now - met[item]) / DAY if met[item] < now else np.nan
        np.testing.assert_allclose(told[row], [usual, age - usual], rtol=1e-4, atol=1e-4)


def test_an_item_that_only_the_asker_met_is_as_old_as_the_first_time():
    data = made_log()
    until, user = int(data.at[150]), int(data.user_ix[150])
    lone = data.take((data.at < until) & (data.item_ix != 3) | (data.user_ix == user))
    definitions, now = parse_features(["gap(age)", "usual(age)"]), int(lone.at[-1])
    assert (lone.item_ix[(lone.at >= until) & (lone.at < now)] == 3).any()
    queries, among = Queries.of_users(lone.before(now), np.array([user]), now), np.array([[3, 0]], np.int32)
    stale = Features.of(definitions, lone.before(until).take(lone.before(until).item_ix != 3), rng())
    fresh = Features.of(definitions, lone.before(now), rng())
    np.testing.assert_allclose(stale.at(queries, among), fresh.at(queries, among), rtol=1e-5)


def test_a_share_is_the_part_of_the_sources_highest_score():
    data = made_log()
    features = Features.of(parse_features(["share(als)"]), data, rng())
    among = np.array([[0, 1, 2], [0, 1, -1]], np.int32)
    scores = np.array([[1.0, 4.0, np.nan], [-1.0, -2.0, np.nan]], np.float32)
    told = features.at(Queries.of_users(data, np.array([0, 1])), among, {"als": (scores, scores)})[:, :, 0]
    np.testing.assert_array_equal(told, [[0.25, 1, np.nan], [np.nan, np.nan, np.nan]])


def test_a_stranger_is_told_from_the_history_alone():
    data = made_log()
    features = Features.of(ALL, data, rng())
    known = Queries.of_users(data, np.array([2]))
    among = np.arange(7, dtype=np.int32)[None]
    stranger = features.at(replace(known, own=np.array([UNKNOWN], np.int32)), among)[0]
    ours = features.at(known, among)[0]
    own = [i for i, f in enumerate(ALL) if f.entity and f.entity.user == "" and f.what != "column"]
    assert len(own) > 5
    np.testing.assert_allclose(stranger[:, own], ours[:, own], rtol=1e-5)


def test_before_any_data_nothing_is_known_but_columns_and_the_clock():
    data = made_log()
    features = Features.of(ALL, data.before(int(data.at[0])), rng())
    queries = Queries.of_users(data, np.array([0]), int(data.at[0]) - DAY)
    told = dict(zip(features.names, features.at(queries, np.array([[3, -1]]))[0].T, strict=True))
    assert told["count(user)"][0] == told["decayed(item, 12h)"][0] == 0
    assert np.isnan(
        [told[name][0] for name in ("recency(user)", "age(item)", "likeness(item.tags)", "mean(item)")]
    ).all()
    assert told["item.price"][0] == 10
    assert told["hour"][0] == 0
    assert np.isnan([one[1] for one in told.values()]).all()


def test_users_who_came_later_are_counted_and_counters_can_go_back():
    data = made_log()
    few = replace(data.take(data.user_ix < 4), users=Vocabulary(data.users.ids[:4]))
    few = replace(few, user_columns=data.user_columns.take(np.arange(4)))
    grown = Features.of(ALL, few, rng()).advanced(data)
    ours = Features.of(parse_features(COUNTERS), data, rng())
    among = np.arange(7, dtype=np.int32)[None]
    queries = replace(Queries.of_users(data, np.array([4])), profile=None)
    of_columns = [i for i, name in enumerate(COUNTERS) if "user." in name]
    told, expected = grown.at(queries, among)[0][:, : len(COUNTERS)], ours.at(queries, among)[0]
    np.testing.assert_allclose(np.delete(told, of_columns, 1), np.delete(expected, of_columns, 1), rtol=1e-6)
    early = data.before(int(data.at[100]))
    again = ours.advanced(early).at(Queries.of_users(data, np.array([1]), early.now), among)
    first = Features.of(parse_features(COUNTERS), early, rng())
    np.testing.assert_array_equal(again, first.at(Queries.of_users(data, np.array([1]), early.now), among))


def test_features_are_kept_as_arrays():
    data = made_log()
    features = Features.of(ALL, data, rng())
    back = Features.restore(ALL, {name: array.copy() for name, array in features.arrays().items()})
    queries, among = Queries.of_users(data, np.arange(6)), np.tile(np.arange(7, dtype=np.int32), (6, 1))
    np.testing.assert_array_equal(features.at(queries, among), back.at(queries, among))
    assert back.categories == features.categories
    assert features.categories[features.names.index("user.city")] == ("Köln", "Riga", "東京")


def test_a_word_that_was_never_seen_has_no_events_and_a_missing_one_tells_nothing():
    data = made_log()
    wanted = parse_features(["count(user.city)", "user.city", "rate(user.city, like/view)"])
    features = Features.of(wanted, data, rng())
    queries = replace(
        Queries.of_users(data, np.array([0, 0])), profile=Columns.of([{"city": "Oslo"}, {"city": None}], ["city"])
    )
    told = features.at(queries, np.array([[0], [0]], np.int32))[:, 0]
    np.testing.assert_array_equal(told, [[0, np.nan, np.nan], [np.nan, np.nan, np.nan]])


def test_words_are_summed_up_alike_whatever_the_seed():
    """A table is built with one seed, and a ranker trained on it asks with another."""
    data, texts = made_log(), parse_features(["text(item.text, 2)"])
    told = [rows_of(texts, data, None, np.random.default_rng(seed)) for seed in (0, 1)]
    np.testing.assert_allclose(*told, atol=1e-4)
    assert np.isfinite(told[0]).any(axis=0).all()


def test_rows_out_of_order_are_told_as_in_order():
    data = made_log()
    shuffled = rng().permutation(len(data))
    told = rows_of(ALL, data, None, rng())
    # Rows of one moment stand in another order then, which nobody sees.
    np.testing.assert_allclose(rows_of(ALL, data.take(shuffled), None, rng()), told[shuffled], rtol=1e-5)


def test_in_batches_and_from_a_later_one_on_a_log_tells_the_same():
    data = made_log()
    features = Features.described(ALL, data, rng())
    emit = rng().random(len(data)) < 0.5
    whole = features.rows(data, emit)
    parts = list(features.batches(data, emit, size=50, start=100))
    assert [int(places.min()) >= 100 for places, _ in parts] == [True] * 3
    np.testing.assert_array_equal(np.concatenate([block for _, block in parts]), whole[-sum(emit[100:]) :])


def test_sources_are_told_by_those_who_ask():
    data = made_log()
    features = Features.of(parse_features(["rank(als)", "score(als)"]), data, rng())
    queries, among = Queries.of_users(data, np.array([1])), np.array([[4, 2]], np.int32)
    said = {"als": (np.array([[0.5, np.nan]], np.float32), np.array([[1, np.nan]], np.float32))}
    np.testing.assert_array_equal(features.at(queries, among, said)[0], [[1, 0.5], [np.nan, np.nan]])
    with pytest.raises(Invalid, match="no candidate source 'als'; there are ease"):
        features.at(queries, among, {"ease": said["als"]})
    with pytest.raises(Invalid, match="not by the log"):
        features.rows(data)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("count(item, buy)", "no interactions of kind 'buy'; the kinds are view, like, stars"),
        ("item.colour", "items have no attribute 'colour'; they have flag, price, tags, text, topic, vector"),
        ("count(user.town)", "users have no attribute 'town'"),
        ("item.tags", "the attribute is a list of texts"),
        ("count(item.vector)", "the attribute is a vector"),
        ("gap(item.topic)", "name a column of numbers"),
        ("text(item.price, 2)", "name a column of texts"),
    ],
)
def test_what_the_data_does_not_have_is_named(line, message):
    with pytest.raises(Invalid, match=message):
        Features.of(parse_features([line]), made_log(), rng())


def test_data_without_moments_is_refused():
    with pytest.raises(Invalid, match="moments"):
        Features.of(parse_features(["count(item)"]), replace(made_log(), at=None), rng())


def test_the_usual_features_suit_any_data():
    data = made_log()
    usual = usual_features(data, ["als"])
    texts = [feature.text for feature in usual]
    assert {"rate(item, like/view)", "mean(item)", "likeness(item.tags)", "item.topic", "score(als)"} <= set(texts)
    bare = replace(data, item_columns=None, user_columns=None, kinds=data.kinds[:1], kind=np.zeros_like(data.kind))
    assert rows_of(usual_features(bare), bare, None, rng()).shape == (len(bare), len(usual_features(bare)))
    assert rows_of(usual_features(data), data, None, rng()).shape[0] == len(data)


STREAMED = parse_features(
    ["count(user)", "count(item, like)", "rate(item, like/view)", "decayed(user, 2d)", "recency(item)", "mean(all)"]
)


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_log_in_pieces_is_told_as_in_one(size):
    data = made_log()
    stream = Stream(STREAMED, data.n_users, data.n_items, n_threads=2)
    parts = [stream.rows(data.take(slice(start, start + size))) for start in range(0, len(data), size)]
    np.testing.assert_allclose(np.concatenate(parts), rows_of(STREAMED, data, None, rng()), rtol=1e-6)


def test_a_piece_out_of_order_is_refused_by_its_row():
    data = made_log()
    stream = Stream(STREAMED, data.n_users, data.n_items)
    stream.rows(data.take(slice(20, 40)))
    with pytest.raises(Invalid, match=r"row 20 \(from 0\) is of 2026-01-01T.*before the row above it"):
        stream.rows(data.take(slice(0, 20)))
    for line in ("count(user, 7d)", "hour", "count(user.city)"):
        with pytest.raises(Invalid, match="a stream"):
            Stream(parse_features([line]), data.n_users, data.n_items)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["a", None, "never seen", "c", "a"], [["a"], None, ["never seen"], ["c"], ["a"]]),
        ([2, None, 7, 0.5, 2], [["2"], None, ["7"], ["0.5"], ["2"]]),
        ([True, None, False, True, None], [["true"], None, ["false"], ["true"], None]),
        ([None, "c", 2, None, True], [None, ["c"], ["2"], None, ["true"]]),
    ],
)
def test_one_word_a_row_is_coded_as_a_list_of_it_is(values, words):
    known = Vocabulary(("c", "a", "b", "0.5", "2", "true"))
    found, want = (coded(Column.of(said), 5, known) for said in (values, words))
    np.testing.assert_array_equal(found.indptr, want.indptr)
    np.testing.assert_array_equal(found.codes, want.codes)
    assert (found.codes.dtype, found.indptr.dtype, found.n_codes) == (want.codes.dtype, want.indptr.dtype, 6)


def test_a_large_counter_of_pairs_takes_three_bytes_a_pair_and_tells_the_same(monkeypatch):
    """One of users and items, of which most never met."""
    data = made_log()
    defined = parse_features(
        ("count(user x item)", "count(user x item.tags, view, 3d)", "rate(user x item, like/view)")
    )
    queries, among = Queries.of_users(data, np.arange(6)), np.tile(np.arange(7, dtype=np.int32), (6, 1))
    dense = Features.of(defined, data, np.random.default_rng(0))
    monkeypatch.setattr(counters, "DENSE", 0)
    some = Features.of(defined, data, np.random.default_rng(0))
    # As it was kept before it was made small.
    wide = {name: array.astype(np.float64) if name.endswith("/a") else array for name, array in some.arrays().items()}
    for one in (some, Features.restore(defined, some.arrays()), Features.restore(defined, wide)):
        np.testing.assert_array_equal(one.at(queries, among), dense.at(queries, among))
        pairs = one.counters[0]
        assert (pairs.a.itemsize, pairs.cells[1].itemsize) == (1, 1)
        assert one.counters[2].a.dtype == np.float64
    assert counters.smallest(np.array([0.0, 256.0])).dtype == np.uint16
    assert counters.smallest(np.array([70_000])).tolist() == [70_000]
