"""The one object: candidates, merging, fallback, reasons; the same in every place that asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serendip import pipeline as pipelines
from serendip.data import Arrays, Dataset, Floats, ItemLists, ItemRows, Queries
from serendip.domain import HISTORY_LIMIT, Interaction, Invalid
from serendip.models import KINDS
from serendip.pipeline import Answers, Pipeline, PipelineConfig, Source, SourceConfig
from serendip.ranking import NOTHING, top
from worlds import NOON, ask, checkerboard, described, rated, took, world

SPECS = (
    "popular",
    "popular-7-days",
    "random",
    "again",
    "item-knn",
    "ease",
    "als",
    "item-knn+popular-7-days*0.3",
    "again+item-knn*0.5+popular",
)
HISTORIES = ([took(0, 2), took(0, 4)], [took(1, 3)], [], [took(2, 6, 5), took(2, 0, 4), took(2, 2, 3)])


@pytest.fixture(scope="module")
def board() -> Dataset:
    return checkerboard(untouched=1)


@pytest.fixture(scope="module")
def fitted(board) -> dict[str, Pipeline]:
    return {spec: pipelines.fit(PipelineConfig.parse(spec), board, seed=3) for spec in SPECS}


@dataclass(frozen=True)
class Told:
    """A model that says what it is told, to everybody."""

    row: Floats

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        assert among is None
        return np.tile(self.row, (len(queries), 1))

    def arrays(self) -> Arrays:
        return {}


def told(name: str, row: list[float], weight: float = 1.0, kind: str = "als", scale: str = "linear") -> Source:
    """A source that scores as told; of a ``kind`` whose rules about silence it keeps."""
    config = SourceConfig(name=name, model=kind, weight=weight, scale=scale)
    return Source(config, Told(np.array(row, np.float32)))


def of_sources(data: Dataset, *sources: Source, fallback: tuple[Source, ...] = (), **config) -> Pipeline:
    settings = PipelineConfig(name="told", sources=tuple(source.config for source in sources), fallback=(), **config)
    return Pipeline(settings, data.items, data.kinds, sources, fallback)


def four(data_of_items: int = 4) -> Dataset:
    return world([took(0, 0)], data_of_items)


NAN = float("nan")


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_answers_as_each_alone(spec, fitted, board):
    pipeline = fitted[spec]
    hidden = ItemLists.of([[0], [], [1, 2], [3]])
    together = pipeline.answer(ask(board, *HISTORIES), 5, hidden)
    for q, history in enumerate(HISTORIES):
        alone = pipeline.answer(ask(board, history), 5, ItemLists.of([hidden[q]]))
        np.testing.assert_allclose(together.scores[q], alone.scores[0], rtol=1e-4, atol=1e-6)
        assert together.source[q].tolist() == alone.source[0].tolist()
        # On this board, items that als should find equal differ by the last bits of a product.
        if spec != "als":
            assert together.rows[q].tolist() == alone.rows[0].tolist()


@pytest.mark.parametrize("spec", SPECS)
def test_arrays_there_and_back_answer_the_same(spec, fitted, board):
    pipeline = fitted[spec]
    back = pipelines.restore(pipeline.config, pipeline.kinds, pipeline.arrays())
    before, after = (one.answer(ask(board, *HISTORIES), 6) for one in (pipeline, back))
    assert back.items == pipeline.items
    for name in ("rows", "scores", "source"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_pipeline(spec, fitted, board):
    again = pipelines.fit(PipelineConfig.parse(spec), board, seed=3)
    for name, array in fitted[spec].arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_hidden_or_not_allowed_is_never_shown_and_its_place_is_filled(spec, fitted, board):
    allowed = np.ones(board.n_items, np.bool_)
    allowed[[5, 7]] = False
    hidden = ItemLists.of([[0, 2, 4]])
    answers = fitted[spec].answer(ask(board, HISTORIES[0]), 3, hidden, allowed)
    assert not set(answers.rows[0]) & {0, 2, 4, 5, 7}
    assert not answers.exhausted[0]


@pytest.mark.parametrize("spec", SPECS)
def test_a_mask_for_each_asker_acts_on_that_asker_in_the_fallback_too(spec, fitted, board):
    masks = np.zeros((3, board.n_items), np.bool_)
    masks[0, [1, 3]] = masks[1, [2, 4]] = masks[2, [0]] = True
    rows = fitted[spec].answer(ask(board, *HISTORIES[:3]), 2, None, masks).rows
    assert [set(row) for row in rows] == [{1, 3}, {2, 4}, {0, NOTHING}]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0, 1, 2.5, -1, NAN]), min_size=4, max_size=4), min_size=2, max_size=3),
    st.integers(1, 6),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(["zscore", "rrf"]),
)
def test_a_merged_slate_is_what_sorting_the_summed_parts_gives(rows, n, hidden, merge):
    data = four()
    rows = [row if all(v == v for v in row) else [NAN] * 4 for row in rows]
    pipeline = of_sources(data, *(told(f"s{i}", row, i + 1) for i, row in enumerate(rows)), merge=merge)
    queries = ask(data, [took(0, 0)])
    answers = pipeline.answer(queries, n, ItemLists.of([hidden]))
    candidates = [i for i in range(4) if i not in hidden]
    speaking = [(i + 1, np.array(row)[candidates]) for i, row in enumerate(rows) if row[0] == row[0]]
    if not speaking:
        assert (answers.rows == NOTHING).all()
        return
    total = np.zeros(len(candidates), np.float32)
    for weight, said in speaking:
        if merge == "zscore":
            total += np.float32(weight) * ((said - said.mean()) / (said.std() or 1)).astype(np.float32)
        else:
            order = top(np.array([np.array(rows[weight - 1])], np.float32), 4, data.items.hashes, queries.salt)
            ranks = [[r for r in order.rows[0] if r not in hidden].index(c) + 1 for c in candidates]
            total += np.float32(weight) * (1 / (60 + np.array(ranks))).astype(np.float32)
    expected = -np.sort(-total)[:n]
    filled = answers.rows[0][answers.rows[0] != NOTHING]
    assert len(filled) == min(n, len(candidates))
    np.testing.assert_allclose(answers.scores[0, : len(filled)], expected, atol=1e-5)
    np.testing.assert_allclose(total[[candidates.index(row) for row in filled]], expected, atol=1e-5)


def test_zscore_adds_standard_scores_by_weight():
    data = four()
    pipeline = of_sources(data, told("a", [3, 1, 1, 3], 2), told("b", [0, 4, 0, 4], 1))
    answers = pipeline.answer(ask(data, []), 4)
    # Each source's standard scores are 1 and -1: 2 (a) + 1 (b).
    assert answers.rows[0].tolist()[0] == 3
    assert dict(zip(answers.rows[0].tolist(), answers.scores[0].tolist(), strict=True)) == pytest.approx(
        {3: 3, 0: 1, 1: -1, 2: -3}
    )


def test_an_item_that_a_source_is_silent_about_counts_as_its_lowest():
    data = four()
    # item-knn is silent where it says 0: items 1, 2 and 3 are equal to it, below the item that it knows at all.
    pipeline = of_sources(data, told("a", [2, 0, 0, 0], kind="item-knn"), told("b", [0, 1, 2, 3], 0.1))
    answers = pipeline.answer(ask(data, []), 4)
    assert answers.rows[0].tolist() == [0, 3, 2, 1]
    # -inf is silence for every kind; the lowest that is said is 1.
    pipeline = of_sources(data, told("a", [2, 1, -np.inf, -np.inf]), told("b", [0, 0, 0, 1], 0.01))
    assert pipeline.answer(ask(data, []), 2).rows[0].tolist() == [0, 3]


def test_log_tames_counts():
    data = four()
    linear = of_sources(data, told("a", [1000, 10, 9, 0]), told("b", [0, 0, 1, 0], 0.5))
    log = of_sources(data, told("a", [1000, 10, 9, 0], scale="log"), told("b", [0, 0, 1, 0], 0.01))
    assert linear.answer(ask(data, []), 4).rows[0, :2].tolist() == [0, 2]
    assert log.answer(ask(data, []), 4).rows[0].tolist() == [0, 1, 2, 3]


def test_rrf_adds_weights_over_60_and_the_rank():
    data = four()
    pipeline = of_sources(data, told("a", [4, 3, 2, 1], 2), told("b", [1, 2, 3, 4], 1), merge="rrf")
    scores = pipeline.answer(ask(data, []), 4).scores[0]
    assert scores[0] == pytest.approx(2 / 61 + 1 / 64)
    assert scores[-1] == pytest.approx(2 / 64 + 1 / 61)


def test_only_the_best_of_each_source_join_the_union():
    data = four()
    pipeline = of_sources(data, told("a", [4, 3, 2, 1]), told("b", [4, 3, 1, 2]), n_candidates=2)
    assert sorted(pipeline.answer(ask(data, []), 2).rows[0].tolist()) == [0, 1]
    # Asked for more, every source brings more.
    assert not pipeline.answer(ask(data, []), 4).exhausted[0]


def test_places_left_are_filled_down_the_chain_and_name_their_source():
    data = four()
    quiet = told("quiet", [0, 5, 0, 0], kind="item-knn")
    chain = (told("first", [0, 9, 7, 0], kind="item-knn"), told("second", [1, 2, 3, 4]))
    pipeline = of_sources(data, quiet, fallback=chain)
    answers = pipeline.answer(ask(data, []), 4)
    assert answers.rows[0].tolist() == [1, 2, 3, 0]
    assert [pipeline.names[place] for place in answers.source[0]] == ["quiet", "first", "second", "second"]
    assert answers.scores[0].tolist() == [5, 7, 4, 1]


def test_somebody_without_history_gets_the_fallback(fitted, board):
    pipeline = fitted["item-knn"]
    answers = pipeline.answer(ask(board, []), 3)
    assert {pipeline.names[place] for place in answers.source[0]} == {"popular-7-days"}
    popular = fitted["popular-7-days"].answer(ask(board, []), 3)
    assert answers.rows.tolist() == popular.rows.tolist()


def test_an_answer_is_exhausted_when_fewer_items_qualify_than_were_asked_for():
    data = four()
    pipeline = of_sources(data, told("a", [4, 3, 2, 1]))
    answers = pipeline.answer(ask(data, [], []), 3, ItemLists.of([[0, 1], [0]]))
    assert answers.exhausted.tolist() == [True, False]
    assert answers.rows[0].tolist() == [2, 3, NOTHING]
    assert pipeline.answer(ask(data, []), 9).rows.shape == (1, 9)


@pytest.mark.parametrize("spec", SPECS)
def test_the_parts_of_an_explanation_sum_to_the_score(spec, fitted, board):
    pipeline, queries = fitted[spec], ask(board, *HISTORIES)
    hidden = ItemLists.of([[0], [], [1, 2], [3]])
    answers = pipeline.answer(queries, 4, hidden)
    explained = pipeline.explain(queries, answers, hidden)
    for q, places in enumerate(explained):
        for place, (parts, shares, _) in enumerate(places):
            if answers.source[q, place]:
                assert (parts, shares) == (None, None)
                continue
            if parts is not None:
                assert sum(parts.values()) == pytest.approx(answers.scores[q, place], abs=1e-5)
                assert list(parts) == [source.config.name for source in pipeline.sources]
            if shares is not None:
                assert len(shares) == len(HISTORIES[q])


@pytest.mark.parametrize("spec", ["item-knn", "again", "ease"])
def test_the_shares_of_events_sum_to_the_score_where_there_is_one_source(spec, fitted, board):
    pipeline, queries = fitted[spec], ask(board, *HISTORIES)
    answers = pipeline.answer(queries, 4)
    for q, places in enumerate(pipeline.explain(queries, answers)):
        for place, (_, shares, _) in enumerate(places):
            if not answers.source[q, place]:
                assert shares is not None
                assert shares.sum() == pytest.approx(answers.scores[q, place], rel=1e-4, abs=1e-6)


def test_a_slate_has_ids_sources_and_the_strongest_reasons(fitted, board):
    pipeline, queries = fitted["item-knn"], ask(board, HISTORIES[0])
    answers = pipeline.answer(queries, 8, ItemLists.of([[2, 4]]))
    items = pipeline.slate_items(queries, answers, 0, pipeline.explain(queries, answers, ItemLists.of([[2, 4]]))[0])
    # u0 took i2 and i4 of the even items; i0 and i6 are like both, and the rest is filled up.
    assert {items[0].item, items[1].item} == {"i0", "i6"}
    assert items[0].source == "item-knn"
    assert {reason.item for reason in items[0].reasons} == {"i2", "i4"}
    assert sum(reason.share for reason in items[0].reasons) == pytest.approx(items[0].score, rel=1e-5)
    assert items[2].source == "popular-7-days"
    assert items[2].reasons == ()


def test_the_last_click_changes_the_next_answer(fitted, board):
    pipeline = fitted["item-knn"]
    before, after = (
        pipeline.answer(ask(board, history), 3).rows[0].tolist()
        for history in ([took(9, 2, 2)], [took(9, 2, 2), took(9, 3, 1)])
    )
    assert {row % 2 for row in before} == {0}
    assert {row % 2 for row in after} == {0, 1}


def test_refreshed_refits_trends_and_keeps_the_rest(board, fitted):
    pipeline = fitted["item-knn+popular-7-days*0.3"]
    more = world([took(user, 8, 0.5) for user in range(5)], board.n_items)
    fresh = pipeline.refreshed(more)
    assert fresh.sources[0] is pipeline.sources[0]
    assert fresh.sources[1].model.arrays()["totals"].argmax() == 8
    assert fresh.answer(ask(board, []), 1).rows.tolist() == [[8]]
    nothing = pipeline.refreshed(board.take(slice(0, 0)))
    assert nothing.sources == pipeline.sources


def test_neighbours_name_who_said_so(fitted, board):
    name, rows, _ = fitted["again+item-knn*0.5+popular"].neighbours(np.array([2], np.int32), 2)
    assert name == "item-knn"
    assert {row % 2 for row in rows[0]} == {0}
    with pytest.raises(Invalid, match="knows no likeness"):
        fitted["popular"].neighbours(np.array([2], np.int32), 2)


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("psychic", {}, "no model of kind 'psychic'"),
        ("als*much", {}, "the weight 'much' of 'als' is not a number; write for example als\\*0.5"),
        ("als*0", {}, "must be above 0"),
        ("als*-1", {}, "must be above 0"),
        ("als*nan", {}, "must be above 0"),
        ("popular-soon", {}, "no window of popularity"),
        ("popular-0-days", {}, "no window of popularity"),
        ("item-knn", {"colour": 1}, "no setting 'colour'; it has"),
        ("item-knn", {"n_neighbours": -1}, "item-knn: n_neighbours: "),
        ("", {}, "no model of kind ''"),
        ("als(n_factors)", {}, "cannot be read; write for example als"),
        ("als(n_factors=32", {}, "is no source"),
        ("als(n_factors=many)", {}, "als: n_factors: "),
        ("als(colour=1)", {}, "als: colour: .*the settings of als are"),
        ("als+als*2", {}, "names a source twice"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused_with_what_to_write(spec, settings, message):
    with pytest.raises(Invalid, match=message):
        PipelineConfig.parse(spec, settings)


def test_a_spec_says_sources_weights_and_settings():
    config = PipelineConfig.parse("again + item-knn*0.5+popular-14-days", {"n_neighbours": 7})
    assert [(one.name, one.model, one.weight) for one in config.sources] == [
        ("again", "again", 1.0),
        ("item-knn", "item-knn", 0.5),
        ("popular-14-days", "popularity", 1.0),
    ]
    assert config.sources[1].settings == {"n_neighbours": 7}
    assert config.sources[2].settings == {"window_days": 14.0}
    assert PipelineConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_source_of_a_spec_may_bring_its_own_settings():
    config = PipelineConfig.parse("again(half_life_days=180, by=frequency) * 2 + als*0.2+popular", {"n_factors": 8})
    assert config.sources[0].name == "again"
    assert config.sources[0].weight == 2
    assert config.sources[0].model_settings() == KINDS["again"].config(half_life_days=180)
    assert config.sources[1].settings == {"n_factors": 8}
    assert PipelineConfig.parse("als(n_factors=16)", {"n_factors": 8}).sources[0].model_settings().n_factors == 16


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_stand_in_a_pipeline(kind, board):
    config = PipelineConfig(name=kind, sources=(SourceConfig(name=kind, model=kind),))
    answers = pipelines.fit(config, described(rated(board))).answer(ask(board, *HISTORIES), 3)
    assert isinstance(answers, Answers)
    assert not answers.exhausted.any()


def test_queries_of_ids_become_rows(fitted, board):
    pipeline = fitted["item-knn"]
    queries = pipeline.queries([[took(0, 2), took(0, 999)]], NOON, ["ann"])
    assert queries.item_ix.tolist() == [2]
    assert len(queries) == 1


@pytest.mark.parametrize("n_askers", [4, 40])
def test_a_model_of_vectors_answers_the_same_without_a_score_for_every_item(monkeypatch, fitted, board, n_askers):
    asked = ask(board, *(HISTORIES[q % len(HISTORIES)] for q in range(n_askers)))
    pipeline, hidden = fitted["als"], ItemLists.of([[2, 4]] * n_askers)
    allowed = np.arange(len(board.items)) != 1
    dense = pipeline.answer(asked, 5, hidden, allowed)
    monkeypatch.setattr("serendip.pipeline.answering.MANY", 0)
    searched = pipeline.answer(asked, 5, hidden, allowed)
    np.testing.assert_array_equal(searched.rows, dense.rows)
    np.testing.assert_array_equal(searched.source, dense.source)
    np.testing.assert_allclose(searched.scores, dense.scores, rtol=1e-5, atol=1e-6)


def test_many_askers_of_a_model_of_vectors_are_answered_to_the_bit_as_each_alone(monkeypatch, fitted, board):
    monkeypatch.setattr("serendip.pipeline.answering.MANY", 0)
    histories = [[took(q, (q + i) % 8) for i in range(1 + q % 3)] for q in range(40)]
    together = fitted["als"].answer(ask(board, *histories), 5)
    for q, history in enumerate(histories):
        alone = fitted["als"].answer(ask(board, history), 5)
        np.testing.assert_array_equal(together.rows[q], alone.rows[0])
        np.testing.assert_array_equal(together.scores[q], alone.scores[0])


@pytest.mark.parametrize("spec", SPECS)
def test_whole_rows_are_scored_some_askers_at_a_time_with_the_same_answer(monkeypatch, spec, fitted, board):
    asked = ask(board, *HISTORIES, *HISTORIES)
    hidden = ItemLists.of([[q % 8] for q in range(8)])
    allowed = np.array([[(item + q) % 4 > 0 for item in range(len(board.items))] for q in range(8)])
    whole = fitted[spec].answer(asked, 5, hidden, allowed)
    monkeypatch.setattr("serendip.pipeline.answering.CELLS", 3 * len(board.items))
    parts = fitted[spec].answer(asked, 5, hidden, allowed)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_array_equal(parts.source, whole.source)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-6)


@pytest.mark.parametrize("kind", ["als", "svd", "nmf"])
def test_every_model_of_vectors_is_searched_as_all_its_scores_are_ranked(monkeypatch, kind):
    data = rated(checkerboard())
    pipeline = pipelines.fit(PipelineConfig.parse(kind), data, seed=3)
    queries = Queries.of_users(data, np.arange(data.n_users))
    dense = pipeline.answer(queries, 4)
    monkeypatch.setattr("serendip.pipeline.answering.MANY", 0)
    pipeline.prepare()
    searched = pipeline.answer(queries, 4)
    np.testing.assert_allclose(searched.scores, dense.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(searched.source, dense.source)


def test_what_is_prepared_for_searching_outlives_a_refresh_of_trends(monkeypatch, fitted, board):
    monkeypatch.setattr("serendip.pipeline.answering.MANY", 0)
    pipeline = fitted["als"]
    pipeline.prepare()
    assert pipeline.refreshed(board).sources[0].catalogue is pipeline.sources[0].catalogue


def test_a_bare_history_is_the_queries_of_its_events_a_second_apart(fitted, board):
    history = [board.items.ids[2], "unheard-of", board.items.ids[4], board.items.ids[2]]
    bare = fitted["als"].bare_queries(history)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    events = [Interaction("", item, epoch + timedelta(seconds=place)) for place, item in enumerate(history)]
    told = fitted["als"].queries([events], epoch + timedelta(days=1))
    for name in ("indptr", "item_ix", "weight", "kind", "value", "at", "moment", "salt", "own", "kinds"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(told, name), err_msg=name)


def test_the_end_of_a_bare_history_counts_however_long_it_is(fitted, board):
    bare = fitted["als"].bare_queries([board.items.ids[1]] * 100_000 + [board.items.ids[3]])
    assert len(bare.item_ix) == HISTORY_LIMIT
    assert bare.item_ix[-1] == 3
    assert (bare.at < bare.moment).all()
