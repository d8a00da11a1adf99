"""Two stages in one object: a ranker practises on the past, and keeps every rule of a pipeline."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import DAY, UNKNOWN, Columns, Dataset, ItemLists, Queries, Vocabulary, hidden_items
from serendip.data.features import Features, parse_features
from serendip.domain import InteractionKind, Invalid
from serendip.evaluation import compare, judge
from serendip.evaluation.comparison import with_singles
from serendip.models import Model
from serendip.models.contract import ModelConfig
from serendip.models.rankers import boosted
from serendip.pipeline import Pipeline, PipelineConfig, ScenarioConfig, Shown
from serendip.pipeline.merging import Merged
from serendip.pipeline.shown import recoded
from serendip.ranking import Rules
from worlds import ask, took, world

pytest.importorskip("catboost")

N_USERS, N_ITEMS, N_DAYS, TOPICS = 60, 80, 30, ("art", "cars", "food", "law")
FEATURES = ("count(item, 3d)", "count(user x item.topic)", "age(item)", "rank(popular)", "score(item-knn)", "user.town")


def towns(faithful: bool = True) -> Dataset:
    """Sixty people over thirty days; each takes items of one topic alone, or, where nobody is faithful, any."""
    rng = np.random.default_rng(4)
    events = []
    for day in range(N_DAYS):
        for user in range(N_USERS):
            if rng.random() < 0.5:
                item = int(rng.integers(0, N_ITEMS))
                item = item - item % 4 + user % 4 if faithful else item
                events.append(took(user, item, hours_ago=24 * (N_DAYS - day) - float(rng.random() * 20)))
    data = world(sorted(events, key=lambda one: one.at), N_ITEMS)
    topics = Columns.of([{"topic": TOPICS[i % 4]} for i in range(N_ITEMS)])
    homes = Columns.of([{"town": ("North", "South")[int(user[1:]) % 2]} for user in data.users.ids])
    return replace(data, item_columns=topics, user_columns=homes)


def ranked(features: tuple[str, ...] = FEATURES, spec: str = "popular+item-knn", **settings) -> PipelineConfig:
    told = {"n_trees": 40, "depth": 3, "learning_rate": 0.2, "n_negatives": 15, "features": features, **settings}
    return PipelineConfig.parse(f"{spec}:boosted", told).model_copy(update={"n_candidates": 40})


@pytest.fixture(scope="module")
def data() -> Dataset:
    return towns()


@pytest.fixture(scope="module")
def fitted(data) -> Pipeline:
    return pipelines.fit(ranked(), data, seed=3)


def everybody(data: Dataset) -> tuple[Queries, ItemLists]:
    queries = Queries.of_users(data, np.arange(data.n_users))
    return queries, hidden_items(data, queries)


def test_a_batch_is_answered_as_each_alone(fitted, data):
    queries, hidden = everybody(data)
    together = fitted.answer(queries, 5, hidden)
    for q in (0, 7, 31):
        alone = fitted.answer(queries.take(slice(q, q + 1)), 5, ItemLists.of([hidden[q]]))
        np.testing.assert_array_equal(alone.rows[0], together.rows[q])
        np.testing.assert_allclose(alone.scores[0], together.scores[q], rtol=1e-5)


def test_the_same_seed_gives_the_same_arrays_and_they_come_back(fitted, data):
    again = pipelines.fit(ranked(), data, seed=3)
    for name, array in fitted.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array, err_msg=name)
    kept = fitted.arrays()
    assert not any(b"u17" in np.asarray(array).tobytes() for array in kept.values()), "an artifact names nobody"
    back = pipelines.restore(fitted.config, fitted.kinds, kept)
    assert back.users.rows(["u17", "nobody"]).tolist() == [data.users.row("u17"), UNKNOWN]
    queries, hidden = everybody(data)
    np.testing.assert_array_equal(back.answer(queries, 5, hidden).scores, fitted.answer(queries, 5, hidden).scores)


def test_neither_library_is_needed_to_answer_and_to_explain(fitted, data, monkeypatch):
    for name in ("catboost", "lightgbm"):
        monkeypatch.setitem(sys.modules, name, None)
    back = pipelines.restore(fitted.config, fitted.kinds, fitted.arrays())
    queries, hidden = everybody(data)
    answers = back.answer(queries, 3, hidden)
    assert back.explain(queries, answers, hidden)[0][0][0]


def test_people_are_shown_their_own_topic_which_no_source_alone_knows(fitted, data):
    queries, hidden = everybody(data)
    rows = fitted.answer(queries, 3, hidden).rows
    own = np.array([int(user[1:]) % 4 for user in data.users.ids])
    assert np.mean(rows % 4 == own[:, None]) > 0.9


def test_filters_and_what_is_hidden_act_before_the_best_are_taken(fitted, data):
    queries, hidden = everybody(data)
    passing = np.arange(N_ITEMS) >= 60
    answers = fitted.answer(queries, 4, hidden, rules=Rules(passing=passing))
    assert (answers.rows >= 60).all()
    for q in range(len(queries)):
        assert not set(answers.rows[q]) & set(hidden[q])


def test_the_last_click_changes_the_answer_of_a_stranger(fitted, data):
    art, law = ask(data, [took(900, 4, 0.5), took(900, 8, 0.2)]), ask(data, [took(900, 7, 0.5), took(900, 11, 0.2)])
    tops = [fitted.answer(one, 5).rows[0] % 4 for one in (art, law)]
    assert np.mean(tops[0] == 0) > 0.5
    assert np.mean(tops[1] == 3) > 0.5


def test_parts_sum_to_the_score_and_reasons_are_the_events_of_sources(fitted, data):
    queries, hidden = everybody(data)
    answers = fitted.answer(queries, 4, hidden)
    told = fitted.explain(queries, answers, hidden)
    some_reason = False
    for q in range(len(queries)):
        for place in range(4):
            parts, shares, values = told[q][place]
            assert parts is not None
            assert values is not None
            assert values.keys() == parts.keys() - {"base", "other features"}
            assert sum(parts.values()) == pytest.approx(float(answers.scores[q, place]), abs=1e-4)
            some_reason |= shares is not None and bool(np.abs(shares).sum())
    assert some_reason


def test_sources_may_be_fitted_again_while_a_ranker_practises(data):
    def days_of_fits(**settings: float) -> list[int]:
        """At which days item-knn was fitted, counted back from the end."""
        ends: list[int] = []

        def noting(name: str, config: ModelConfig, known: Dataset, seed: int) -> Model:
            if name == "item-knn":
                ends.append(round((data.now - known.now) / DAY))
            return models.fit(name, config, known, seed)

        pipelines.fit(ranked(span_days=12, step_days=1, n_trees=2, **settings), data, 3, noting)
        return ends

    assert days_of_fits() == [0, 12]
    assert days_of_fits(refit_days=5) == [0, 12, 7, 2]


def test_a_refitted_pipeline_asks_fresh_sources_and_keeps_what_its_ranker_learnt(data):
    cut = data.now - 5 * DAY
    early = pipelines.fit(ranked(), data.before(cut), seed=3)
    late, fresh = pipelines.refitted(early, data, seed=3), pipelines.fit(ranked(), data, seed=3)
    for name, array in late.arrays().items():
        learnt = name.startswith("ranker.ranker.")
        np.testing.assert_array_equal(array, (early if learnt else fresh).arrays()[name], err_msg=name)


def test_a_boost_is_a_part_besides_the_features(fitted, data):
    queries, hidden = everybody(data)
    rules = Rules(lift=np.where(np.arange(N_ITEMS) % 4 == 1, 2.0, 0.0).astype(np.float32))
    answers = fitted.answer(queries, 4, hidden, rules=rules)
    fond = data.users.row("u1")
    assert answers.rows[fond, 0] % 4 == 1
    parts = fitted.explain(queries, answers, hidden, rules=rules)[fond][0][0]
    assert parts["boost"] == pytest.approx(float(answers.boost[fond, 0])) != 0
    assert sum(parts.values()) == pytest.approx(float(answers.scores[fond, 0]), abs=1e-4)


def test_features_follow_what_was_recorded_since_of_new_users_too(fitted, data):
    fresh = [took(1000 + n, 70, 0.01) for n in range(30)]
    users = Vocabulary((*data.users.ids, *(f"u{1000 + n}" for n in range(30))))
    grown = Dataset.of(
        np.concatenate([data.user_ix, users.rows([one.user for one in fresh])]),
        np.concatenate([data.item_ix, np.full(30, 70)]),
        users,
        data.items,
        at=np.concatenate([data.at, np.full(30, data.now - 1)]),
        kinds=data.kinds,
    )
    later = fitted.refreshed(replace(grown, until=data.now + 1))
    assert later.users.row("u1007") == users.row("u1007")
    place = later.ranker.features.names.index("count(item, 3d)")
    queries = replace(ask(data, []), moment=np.array([data.now + 1]))
    among = np.array([[70]], np.int32)
    said = {name: (np.zeros((1, 1), np.float32),) * 2 for name in ("popular", "item-knn")}
    before, after = (one.ranker.features.at(queries, among, said)[0, 0, place] for one in (fitted, later))
    assert after >= before + 30
    assert later.answer(Queries.of_users(grown, np.array([users.row("u1000")])), 3).filled.tolist() == [3]


def test_before_all_data_and_beyond_the_days_that_are_kept_the_fallback_answers(fitted, data):
    config = fitted.config.model_copy(update={"past_days": 3})
    kept = pipelines.remembering(replace(fitted, config=config), data)
    days_back = np.array([0, 2, 10, 400])
    queries = Queries.of_users(data, np.arange(4), data.now - days_back * DAY)
    answers = kept.answer(queries, 5)
    assert [kept.names[one] for one in answers.source[:, 0]] == [config.name] * 2 + ["popular-7-days"] * 2
    assert (answers.filled == 5).all()
    # Nothing is explained by a ranker that did not speak.
    assert kept.explain(queries, answers)[2][0][0] is None


def test_a_manifest_says_what_was_practised_and_what_mattered(fitted):
    about = fitted.ranker.about
    assert about["library"].startswith("catboost ")
    practice = about["practice"]
    assert practice["learnt"]["questions"] > 50
    assert practice["checked"]["questions"] > 10
    assert practice["negatives"] == 15
    assert practice["learnt"]["rows"] <= practice["learnt"]["questions"] * 15 + practice["learnt"]["taken"]
    assert 0.4 < practice["candidate_recall"] <= 1
    assert "count(user x item.topic)" in list(about["importances"])[:2]


def test_where_features_tell_more_than_the_sources_the_gate_lets_the_ranker_live(data):
    told = ("count(item, 3d)", "count(user x item.topic)", "age(item)", "rank(popular)")
    config = ranked(told, "popular+popular-7-days")
    table = compare([config], data, fraction=0.3)
    row = table.row(config.name)
    assert row.sources == ("popular", "popular-7-days")
    assert 0.4 < row.catalogue["candidate-recall"] <= 1
    assert "of what was to be found was among the candidates" in str(table)
    verdict = judge(table, row.name, None, repeats=False)
    assert verdict.passed, verdict.sentence
    best = max(row.sources, key=lambda name: table.row(name).metrics["ndcg@10"].mean)
    assert f"{best}, its best single source by +" in verdict.sentence
    assert type(table).from_dict(table.to_dict()) == table


def test_where_they_tell_nothing_the_gate_names_the_source_that_is_as_good(data):
    table = compare([ranked()], towns(faithful=False), fraction=0.3)
    verdict = judge(table, ranked().name, None, repeats=False)
    assert not verdict.passed
    assert ", its best single source (" in verdict.sentence


def test_the_usual_features_are_taken_where_none_are_named(data):
    usual = pipelines.fit(ranked(features=()), data, seed=3)
    assert {"item.topic", "score(popular)", "rank(item-knn)"} <= set(usual.ranker.features.names)


def test_a_source_alone_is_the_row_it_would_be_whoever_declared_the_fallback(data):
    told = {"candidates": ["popular", "als(n_factors=4)"], "ranker": "boosted"}
    lineup = [ScenarioConfig.read(told, "home").pipeline, PipelineConfig.parse("popular")]
    rows, alone = with_singles(lineup)
    assert [row.name for row in rows] == ["popular+als(n_factors=4):boosted", "popular", "als"]
    assert alone == {"popular+als(n_factors=4):boosted": ("popular", "als")}


def refused(config: PipelineConfig, data: Dataset) -> str:
    with pytest.raises(Invalid) as error:
        pipelines.fit(config, data, seed=3)
    return str(error.value)


def test_what_cannot_be_practised_is_refused_in_a_sentence(data):
    assert "the data has no moments" in refused(ranked(), replace(data, at=None))
    assert "windows of 20 days are needed" in refused(ranked(step_days=20), data)
    said = refused(ranked(features=("score(als)",)), data)
    assert "no source 'als'; its sources are popular, item-knn" in said
    assert "items have no attribute 'price'" in refused(ranked(features=("item.price",)), data)
    kinds = (InteractionKind("interaction"), InteractionKind("no", negative=True))
    late = data.at > data.now - 20 * DAY
    disliked = replace(data, kind=late.astype(np.int16), weight=np.where(late, 0, data.weight).astype(np.float32))
    assert "none was taken, so there is no order to learn" in refused(ranked(), replace(disliked, kinds=kinds))


def test_practice_holds_few_rows_of_scores_at_once_and_learns_the_same(fitted, data, monkeypatch):
    held = []

    class Watched(Merged):
        def best(self, queries, *args, **besides):
            held.append(len(queries) * data.n_items)
            return super().best(queries, *args, **besides)

    monkeypatch.setattr("serendip.pipeline.answering.Merged", Watched)
    monkeypatch.setattr("serendip.pipeline.practice.CELLS", 3 * data.n_items)
    again = pipelines.fit(ranked(), data, seed=3)
    assert held
    assert max(held) <= 3 * data.n_items
    for name, array in fitted.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array, err_msg=name)


def test_without_a_library_it_is_said_what_to_install(data, monkeypatch):
    monkeypatch.setattr(boosted, "find_spec", lambda _: None)
    assert 'pip install "serendip[rank]"' in refused(ranked(), data)
    assert 'pip install "serendip[rank-light]"' in refused(ranked(library="lightgbm"), data)


def shown_rows(data: Dataset) -> Shown:
    """Five items a day shown to everybody, of which those of one's own topic are taken."""
    rng = np.random.default_rng(2)
    told = parse_features(("count(item, 3d)", "item.topic", "user.town", "count(user x item.topic)"))
    days = np.arange(N_DAYS // 2, N_DAYS)
    at = np.repeat(data.now - (N_DAYS - days) * DAY, N_USERS * 5)
    user_ix = np.tile(np.repeat(np.arange(N_USERS), 5), len(days)).astype(np.int32)
    item_ix = rng.integers(0, N_ITEMS, len(at)).astype(np.int32)
    log = replace(
        Dataset.of(
            np.concatenate([data.user_ix, user_ix]),
            np.concatenate([data.item_ix, item_ix]),
            data.users,
            data.items,
            at=np.concatenate([data.at, at]),
        ),
        item_columns=data.item_columns,
        user_columns=data.user_columns,
    )
    features = Features.described(told, log, rng)
    own = np.array([int(user[1:]) % 4 for user in data.users.ids])[user_ix]
    label = (item_ix % 4 == own).astype(np.float32)
    rows = features.rows(log, np.arange(len(log)) >= len(data))
    group = (user_ix * N_DAYS + np.repeat(days, N_USERS * 5)).astype(np.int32)
    return Shown(rows, label, group, at, told, features.categories)


def test_a_ranker_practises_on_what_was_shown_where_that_was_logged(data):
    shown = shown_rows(data)
    config = ranked(features=())
    found = pipelines.fit(config, data, seed=3, shown=shown)
    practice = found.ranker.about["practice"]
    assert practice["shown"]
    assert practice["learnt"]["rows"] + practice["checked"]["rows"] < len(shown.at)
    queries, hidden = everybody(data)
    own = np.array([int(user[1:]) % 4 for user in data.users.ids])
    assert np.mean(found.answer(queries, 3, hidden).rows % 4 == own[:, None]) > 0.9
    # Codes are places among words, wherever these stood when the table was built.
    turned = {at: tuple(reversed(words)) for at, words in shown.categories.items()}
    flipped = shown.features.copy()
    for at, words in turned.items():
        flipped[:, at] = len(words) - 1 - flipped[:, at]
    again = replace(shown, features=flipped, categories=turned)
    np.testing.assert_array_equal(recoded(found.ranker.features, again), recoded(found.ranker.features, shown))
    for wrong, said in (
        (replace(shown, label=np.full(len(shown.at), np.nan, np.float32)), "build it with --shown and --positive"),
        (replace(shown, at=shown.at + 400 * DAY), "has no row before"),
        (replace(shown, label=np.zeros(len(shown.at), np.float32)), "no order to learn"),
    ):
        with pytest.raises(Invalid, match=said):
            pipelines.fit(config, data, seed=3, shown=wrong)


def test_a_ranker_with_features_of_its_own_takes_these_of_the_table_and_what_sources_say_is_left_out(data):
    shown = shown_rows(data)
    told = ("user.town", "count(user x item.topic)", "item.topic", "score(popular)", "rank(popular)")
    found = pipelines.fit(ranked(told), data, seed=3, shown=shown)
    assert found.ranker.features.names == told[:3]
    narrow = shown.narrowed(parse_features(told), "boosted")
    np.testing.assert_array_equal(narrow.features, shown.features[:, [2, 3, 1]])
    assert narrow.categories == {0: shown.categories[2], 2: shown.categories[1]}
    with pytest.raises(Invalid, match=r"looks at count\(item, 9d\), which the feature table has not"):
        pipelines.fit(ranked(("item.topic", "count(item, 9d)")), data, seed=3, shown=shown)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("popular:als", "there is no ranker 'als'; the rankers are boosted"),
        ("popular:boosted(depth=99)", "boosted: depth"),
        ("popular:boosted*2", "is no ranker"),
        ("boosted", "name it after them, as in item-knn:boosted"),
    ],
)
def test_a_spec_that_is_wrong_is_refused_by_name(spec, said):
    with pytest.raises(Invalid) as error:
        PipelineConfig.parse(spec)
    assert said in str(error.value)


def test_a_feature_that_is_none_is_refused_where_it_is_written():
    with pytest.raises(Invalid, match="'cont' is no feature"):
        ranked(("cont",))


def test_a_scenario_names_a_ranker_or_one_of_its_models():
    told = {
        "candidates": ["popular", "item-knn"],
        "ranker": "tuned",
        "models": {"tuned": {"kind": "boosted", "depth": 3}},
    }
    config = ScenarioConfig.read(told, "home").pipeline
    assert config.name == "popular+item-knn:tuned"
    assert config.ranker.settings == {"depth": 3}
    assert ScenarioConfig.read({**told, "ranker": "boosted(n_trees=7)"}, "home").pipeline.ranker.settings
    for wrong, said in (
        ({**told, "ranker": "bosted"}, "there is no ranker 'bosted'"),
        ({"ranker": "boosted"}, "ranks candidates, and none are named"),
        ({**told, "ranker": "boosted(depth=0)"}, "depth"),
    ):
        with pytest.raises(Invalid) as error:
            ScenarioConfig.read(wrong, "home")
        assert said in str(error.value)
