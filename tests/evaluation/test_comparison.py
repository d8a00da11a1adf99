"""Comparisons: what every table holds, and that it can be kept."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime
from operator import ge, gt

import numpy as np
import pytest

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import Dataset
from serendip.domain import InteractionKind, Invalid, NotFound, micros
from serendip.evaluation import Fits, Split, Table, compare, frozen, k_folds, measure, parse_metrics, time_split
from serendip.evaluation.measure import tail_items
from serendip.pipeline import PipelineConfig
from worlds import NOON, took, world

BASELINES = {"random", "popular", "popular-7-days", "item-knn"}


def village(n_users: int = 40, n_items: int = 60, n_days: int = 40, hides: bool = True) -> Dataset:
    """Everybody takes a few items a day, of low numbers more often; tastes by halves of the catalogue."""
    rng = np.random.default_rng(11)
    events = []
    for day in range(n_days):
        for user in range(n_users):
            for _ in range(rng.integers(0, 3)):
                item = int(min(n_items // 2 - 1, rng.exponential(6))) * 2 + user % 2
                events.append(took(user, item, hours_ago=24 * (n_days - day) - float(rng.random() * 23)))
    return world(events, n_items, kinds=(InteractionKind("interaction", hides=hides),))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return village()


@pytest.fixture(scope="module")
def table(data) -> Table:
    return compare([PipelineConfig.parse("item-knn+popular*0.2")], data)


def test_every_table_holds_the_baselines(table):
    assert {row.name for row in table.rows} == BASELINES | {"item-knn+popular*0.2"}
    assert dict(table.baselines) == {name: name for name in BASELINES}


def test_again_is_a_baseline_where_repeats_are_wanted():
    table = compare([], village(hides=False), "frozen")
    assert table.baselines["again"] == "again"
    assert {row.name for row in table.rows} == BASELINES | {"again"}


def test_rows_stand_best_first_and_differ_from_every_other(table):
    means = [row.metrics["ndcg@10"].mean for row in table.rows]
    assert means == sorted(means, reverse=True)
    for row in table.rows:
        assert set(row.vs) == {other.name for other in table.rows} - {row.name}
        for name, gap in row.vs.items():
            other = table.row(name)
            assert gap.difference == pytest.approx(row.metrics["ndcg@10"].mean - other.metrics["ndcg@10"].mean)
            assert gap.low <= gap.difference <= gap.high
            assert gap.low == pytest.approx(-other.vs[row.name].high)


def test_a_table_survives_json(table):
    assert Table.from_dict(json.loads(json.dumps(table.to_dict()))) == table


def test_a_table_says_what_was_measured(table, data):
    assert (table.protocol, table.split, table.metric, table.parity_only) == ("replayed", "time", "ndcg@10", False)
    assert table.n_queries > table.n_users
    assert table.cut is not None
    assert table.until == NOON.isoformat()
    assert table.row("popular").models == ("popularity",)
    assert not table.row("popular").personal
    assert table.row("item-knn").personal


def test_an_unknown_row_is_not_found(table):
    with pytest.raises(NotFound, match="no row 'als'; its rows are"):
        table.row("als")


def test_a_personal_pipeline_wins_where_tastes_differ(table):
    best = table.row("item-knn")
    assert best.vs["random"].low > 0
    assert best.vs["popular"].low > 0


def test_a_constant_model_measures_like_random(data):
    # Expected nDCG of random: of n candidates each is shown at a place with chance 1/n, so every place of the ideal
    # sum is a hit with chance n_relevant/n.
    turn = next(frozen(time_split(data)))
    (outcome,) = measure([PipelineConfig.parse("random")], [turn])
    discount = 1 / np.log2(np.arange(10) + 2)
    _, hidden = turn.ask(slice(0, len(turn.user_ix)))
    n_relevant, n_hidden = np.diff(turn.relevant.indptr), np.diff(hidden.indptr)
    chance = n_relevant / (turn.allowed.sum() - n_hidden)
    expected = chance * discount.sum() / np.cumsum(discount)[np.minimum(n_relevant, 10) - 1]
    many = [
        measure([PipelineConfig.parse("random")], [salted(turn, salt)])[0].metrics["ndcg@10"].mean()
        for salt in range(60)
    ]
    assert np.mean(many) == pytest.approx(expected.mean(), abs=4 * np.std(many) / np.sqrt(60))
    assert outcome.catalogue["coverage@10"] > 0.9


def salted(turn, salt: int):
    """The same round asked by people of other names."""
    users = type(turn.known.users)(tuple(f"{name}-{salt}" for name in turn.known.users))
    return replace(turn, known=replace(turn.known, users=users))


def test_data_without_moments_cannot_be_cut_but_can_be_compared_for_parity(data):
    bare = Dataset.of(data.user_ix, data.item_ix, data.users, data.items, kinds=data.kinds)
    with pytest.raises(Invalid, match="no moments"):
        compare([], bare)
    table = compare([], bare, "frozen", "leave-last-out")
    assert "popular-7-days is left out: the data has no moments" in table.notes
    assert set(table.baselines) == BASELINES - {"popular-7-days"}
    assert table.parity_only
    assert any("for comparing with papers" in note for note in table.notes)


def test_a_split_may_be_given_as_its_text_or_ready_made(data):
    wide = compare([], data, "frozen", "time:0.3")
    assert wide == compare([], data, "frozen", fraction=0.3)
    cut = time_split(data, 0.3)
    known = np.isin(cut.test.item_ix, cut.train.item_ix)
    given = compare([], data, "frozen", Split("given", cut.train, cut.test.take(known)))
    assert given.rows == wide.rows


def test_in_parts_that_are_not_cut_in_time_new_items_are_to_be_found_and_missed():
    data = world([took(0, 0, 9), took(1, 1, 8), took(0, 1, 7), took(0, 2, 6)])
    split = Split("given", data.take(slice(0, 2)), data.take(slice(2, 4)))
    # u0 is shown i1 alone, the only item that was known and not met; i2, one of two to be found, cannot be.
    row = compare([], data, "frozen", split).row("popular")
    assert row.metrics["recall@10"].mean == 0.5


def test_a_table_holds_the_metrics_it_is_asked_for_each_at_its_own_length(data):
    split = time_split(data, 0.3)
    table = compare([], data, "frozen", split, metrics=("recall@20", "hit@3", "coverage@5", "map"))
    row = table.row("popular")
    assert (set(row.metrics), set(row.catalogue)) == ({"recall@20", "hit-rate@3", "map@10"}, {"coverage@5"})
    assert table.metric == "recall@20"
    for name, k in (("recall@20", 20), ("hit-rate@3", 3), ("map@10", 10)):
        alone = compare([], data, "frozen", split, k=k).row("popular")
        assert row.metrics[name] == alone.metrics[name]


@pytest.mark.parametrize("name", ["recal@20", "recall@0", "recall@ten", "recall@99999", "recall@-1", "ndcg@"])
def test_a_metric_that_there_is_not_is_refused_by_name(name):
    with pytest.raises(Invalid, match=name):
        parse_metrics([name])


def test_only_the_candidates_of_each_user_are_ranked_and_the_table_says_so():
    data = world([took(0, 0, 9), took(1, 1, 8), took(1, 2, 7), took(1, 3, 6), took(2, 3, 5), took(0, 1, 4), took(2, 1)])
    split = Split("given", data.take(slice(0, 5)), data.take(slice(5, 7)))
    # u0 has the candidates i1 and i2, found at the first place or the second; u2 has none and is not asked.
    candidates = Dataset.of(np.array([0, 0]), np.array([1, 2]), data.users, data.items)
    table = compare([], data, "frozen", split, candidates=candidates)
    assert table.sampled
    assert table.n_queries == 1
    assert any(note.startswith("sampled") for note in table.notes)
    assert all(row.metrics["recall@10"].mean == 1 for row in table.rows)
    assert not compare([], data, "frozen", split).sampled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "magic"}, "no protocol 'magic'"),
        ({"split": "odd-days"}, "'odd-days' is no split"),
        ({"split": "time:many"}, "'time:many' is no split"),
        ({"split": "last-out:0.1"}, "is no split"),
        ({"split": "random:0.2:x"}, "is no split"),
        ({"split": "time:0.1:3"}, "is no split"),
        ({"split": "time:nan"}, "is no split"),
        ({"split": "random"}, "no cut to replay"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(data, arguments, message):
    with pytest.raises(Invalid, match=message):
        compare([], data, **arguments)


def test_two_pipelines_of_one_name_are_refused(data):
    with pytest.raises(Invalid, match="same name"):
        compare([PipelineConfig.parse("item-knn"), PipelineConfig.parse("item-knn", {"n_neighbours": 3})], data)


def test_a_baseline_whose_name_is_taken_by_other_settings_stays_in_the_table(data):
    table = compare([PipelineConfig.parse("item-knn", {"n_neighbours": 3})], data, "frozen")
    assert table.baselines["item-knn"] == "plain item-knn"
    assert {"item-knn", "plain item-knn"} <= {row.name for row in table.rows}


def test_nothing_to_ask_is_said_so():
    with pytest.raises(Invalid, match="nothing can be measured"):
        compare([], world([took(user, user, 40 - user) for user in range(20)]))


def test_each_distinct_model_is_fitted_once_at_the_cut_and_trends_at_every_window(data, monkeypatch):
    fitted: list[tuple[str, int]] = []
    honest = models.fit

    def counting(kind, config, data, seed=0):
        fitted.append((f"{kind} {config.model_dump_json()}", data.now))
        return honest(kind, config, data, seed)

    monkeypatch.setattr(models, "fit", counting)
    fits = Fits()
    configs = [PipelineConfig.parse("item-knn+popular"), PipelineConfig.parse("item-knn*0.5+popular")]
    table = compare(configs, data, fits=fits)
    cut = micros(datetime.fromisoformat(table.cut))
    assert len(fitted) == len(set(fitted))
    at_cut = [name for name, now in fitted if now == cut]
    later = {name.split()[0] for name, now in fitted if now > cut}
    assert sum(name.startswith("item-knn") for name in at_cut) == 1
    assert later == {"popularity"}
    before = len(fitted)
    compare(configs, data, "frozen", fits=fits)
    assert len(fitted) == before


def test_refresh_refits_everything_on_its_timetable(data, monkeypatch):
    moments: list[int] = []
    honest = models.fit

    def counting(kind, config, data, seed=0):
        if kind == "item-knn":
            moments.append(data.now)
        return honest(kind, config, data, seed)

    monkeypatch.setattr(models, "fit", counting)
    compare([], data, refresh_days=2)
    gaps = np.diff(moments) / 86_400_000_000
    assert len(moments) > 1
    assert (gaps == 2).all()


@pytest.mark.parametrize("asked", [{"protocol": "frozen"}, {"protocol": "frozen", "split": "random"}])
def test_a_refresh_that_nothing_would_come_of_is_refused(data, asked):
    with pytest.raises(Invalid, match="everybody is asked at one moment, so nothing is fitted again"):
        compare([], data, refresh_days=1, **asked)


def test_a_measurement_shows_what_the_pipeline_answers(data):
    split = time_split(data)
    turn = next(frozen(split))
    config = PipelineConfig.parse("item-knn+popular")
    (outcome,) = measure([config], [turn], k=5)
    fitted = pipelines.fit(config, split.train)
    queries, hidden = turn.ask(slice(0, len(turn.user_ix)))
    rows = fitted.answer(queries, 5, hidden, turn.allowed).rows
    for q in range(len(queries)):
        found = len(set(rows[q]) & set(turn.relevant[q]))
        assert outcome.metrics["recall@5"][q] == pytest.approx(found / len(turn.relevant[q]))
        assert outcome.metrics["hit-rate@5"][q] == (found > 0)
    assert outcome.n_events.tolist() == np.bincount(split.train.user_ix)[turn.user_ix].tolist()


def test_batches_do_not_change_the_numbers(data, monkeypatch):
    config = PipelineConfig.parse("item-knn")
    whole = measure([config], frozen(time_split(data)))[0]
    monkeypatch.setattr(sys.modules[measure.__module__], "CELLS", 3 * data.n_items)
    parts = measure([config], frozen(time_split(data)))[0]
    np.testing.assert_allclose(whole.metrics["ndcg@10"], parts.metrics["ndcg@10"])
    assert whole.catalogue == pytest.approx(parts.catalogue)


def test_the_tail_holds_the_least_met_items_with_a_fifth_of_all_meetings():
    # 20 meetings: a fifth is 4, which items 0, 3 and 2 hold with 0 + 1 + 2; item 4 would make it 6.
    assert tail_items(np.array([0, 14, 2, 1, 3])).tolist() == [True, False, True, True, False]


def test_slices_tell_newcomers_and_the_tail():
    events = [took(user, item, 400 - user) for user in range(30) for item in (user % 3, 3 + user % 5)]
    events += [took(user, 5 + user % 3, 20 - user / 10) for user in range(10)]
    table = compare([], world(events), "frozen")
    assert table.rows[0].slices["newcomers"].n_queries == table.n_queries


def test_progress_is_told(data):
    said: list[str] = []
    compare([], data, "frozen", progress=said.append)
    assert "fitting item-knn" in said
    assert said[-1].startswith("asked ")


def test_auc_is_of_the_whole_ranking_and_only_where_it_is_asked_for(data, table):
    assert "auc" not in table.row("popular").metrics
    of_all = compare([], data, "frozen", metrics=["auc", "ndcg@10"])
    assert (of_all.metric, list(of_all.row("popular").metrics)) == ("auc", ["ndcg@10", "auc"])
    turn = next(frozen(time_split(data)))
    (outcome,) = measure([PipelineConfig.parse("popular")], [turn], whole=True)
    queries, hidden = turn.ask(slice(0, len(turn.user_ix)))
    score = models.fit("popularity", models.kind_of("popularity").config(), turn.known).score(queries)[0]
    for q in (0, 3, 7):
        shown = set(np.flatnonzero(turn.allowed).tolist()) - set(hidden[q].tolist())
        right = set(turn.relevant[q].tolist())
        pairs = [(i, j) for i in right for j in shown - right]
        surely, perhaps = (np.mean([better(score[i], score[j]) for i, j in pairs]) for better in (gt, ge))
        assert surely - 1e-9 <= outcome.metrics["auc"][q] <= perhaps + 1e-9
    chance = [PipelineConfig.parse("random")]
    many = [measure(chance, [salted(turn, salt)], whole=True)[0].metrics["auc"].mean() for salt in range(60)]
    assert np.mean(many) == pytest.approx(0.5, abs=4 * np.std(many) / np.sqrt(60))


def test_lists_over_folds_ask_every_event_once_and_keep_a_users_folds_together(data):
    table = compare([], data, "frozen", "kfold:3:2", metrics=["recall@10", "coverage@10"])
    one = [compare([], data, "frozen", fold, metrics=["recall@10", "coverage@10"]) for fold in k_folds(data, 3, 2)]
    assert (table.split, table.parity_only, table.n_users) == ("kfold", True, 40)
    assert table.n_queries == sum(part.n_queries for part in one)
    for name in ("popular", "item-knn"):
        means = [part.row(name).metrics["recall@10"].mean for part in one]
        sizes = [part.n_queries for part in one]
        assert table.row(name).metrics["recall@10"].mean == pytest.approx(np.average(means, weights=sizes))
        wide = [part.row(name).catalogue["coverage@10"] for part in one]
        assert table.row(name).catalogue["coverage@10"] == pytest.approx(np.mean(wide))
    with pytest.raises(Invalid, match="no cut to replay from"):
        compare([], data, "replayed", "kfold:3")


@pytest.mark.parametrize("given", ["auc@10", "rmse@5"])
def test_what_knows_no_places_takes_none(given):
    with pytest.raises(Invalid, match="knows no places"):
        parse_metrics([given])
