"""Rules before top-k: the same pipeline, with what an operator wants besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serendip import pipeline as pipelines
from serendip.data import Arrays, Columns, Dataset, Floats, ItemLists, ItemRows, Queries
from serendip.domain import InteractionKind
from serendip.pipeline import BOOST, PIN, Pipeline, PipelineConfig, Source, SourceConfig
from serendip.ranking import NOTHING, Masks, Rules, RulesConfig
from worlds import DISLIKE, ask, checkerboard, took, world

SPECS = ("popular", "item-knn", "ease", "als", "item-knn+popular-7-days*0.3", "again+item-knn*0.5+popular")
HISTORIES = ([took(0, 2), took(0, 4)], [took(1, 3)], [], [took(2, 6, 5), took(2, 0, 4), took(2, 2, 3)])
HIDDEN = ItemLists.of([[0], [], [1, 2], [3]])
N_ITEMS = 9
SHELF = Columns.of(
    [{"colour": ("black", "white")[i % 2], "size": i, "tags": [f"third-{i % 3}"]} for i in range(N_ITEMS)]
)


@pytest.fixture(scope="module")
def board() -> Dataset:
    return checkerboard(untouched=1)


@pytest.fixture(scope="module")
def fitted(board) -> dict[str, Pipeline]:
    return {spec: pipelines.fit(PipelineConfig.parse(spec), board, seed=3) for spec in SPECS}


def rules_for(pipeline: Pipeline, **rules) -> Rules:
    columns = Columns.of([{"colour": ("black", "white")[i % 2], "size": i} for i in range(len(pipeline.items))])
    shelf = SHELF if len(pipeline.items) == N_ITEMS else columns
    return Rules.of(RulesConfig(**rules), Masks(shelf), pipeline.items)


@dataclass(frozen=True)
class Told:
    """A model that says what it is told, to everybody."""

    row: Floats

    def score(self, queries: Queries, among: ItemRows | None = None) -> Floats:
        assert among is None
        return np.tile(self.row, (len(queries), 1))

    def arrays(self) -> Arrays:
        return {}


def of_told(*rows: list[float], fallback: list[float] | None = None, kind: str = "als", **config) -> Pipeline:
    """A pipeline of sources that score as told."""
    data = world([took(0, 0)], len(rows[0]))
    sources = tuple(
        Source(SourceConfig(name=f"s{i}", model=kind), Told(np.array(row, np.float32))) for i, row in enumerate(rows)
    )
    last = SourceConfig(name="last", model="als")
    chain = () if fallback is None else (Source(last, Told(np.array(fallback, np.float32))),)
    settings = PipelineConfig(name="told", sources=tuple(s.config for s in sources), fallback=(), **config)
    return Pipeline(settings, data.items, data.kinds, sources, chain)


def one(pipeline: Pipeline, n: int, hidden: list[int] = [], allowed=None, **rules):  # noqa: B006
    """The answer to somebody without history."""
    queries = Queries.of([[]], pipeline.items, took(0, 0, 0).at, pipeline.kinds)
    return pipeline.answer(queries, n, ItemLists.of([hidden]), allowed, rules_for(pipeline, **rules))


def rows(answers) -> list[int]:
    return [int(row) for row in answers.rows[0] if row != NOTHING]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(SPECS), st.integers(1, 9), st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS))
def test_rules_that_say_nothing_answer_as_no_rules(fitted, board, spec, n, let):
    pipeline, allowed = fitted[spec], np.array(let)
    plain = pipeline.answer(ask(board, *HISTORIES), n, HIDDEN, allowed)
    none = rules_for(pipeline, boosts=[{"filter": "size > 99", "factor": 5}], diversity={"by": "tags", "share": 0})
    ruled = pipeline.answer(ask(board, *HISTORIES), n, HIDDEN, allowed, none)
    all_pass = rules_for(pipeline, filter="size >= 0", relax=["filter"])
    filtered = pipeline.answer(ask(board, *HISTORIES), n, HIDDEN, allowed, all_pass)
    for name in ("rows", "scores", "source"):
        np.testing.assert_array_equal(getattr(ruled, name), getattr(plain, name))
        np.testing.assert_array_equal(getattr(filtered, name), getattr(plain, name))
    assert plain.relaxed == ruled.relaxed == ((),) * 4


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_answers_as_each_alone_under_rules(spec, fitted, board):
    pipeline = fitted[spec]
    rules = rules_for(
        pipeline,
        filter="size < 8",
        boosts=[{"filter": 'colour == "white"', "factor": 0.5}],
        pins=[{"item": "i1", "place": 2}, {"item": "i3", "place": 4}],
        diversity={"by": "tags", "share": 0.4},
        relax=["filter", "hide"],
    )
    together = pipeline.answer(ask(board, *HISTORIES), 8, HIDDEN, None, rules)
    for q, history in enumerate(HISTORIES):
        alone = pipeline.answer(ask(board, history), 8, ItemLists.of([HIDDEN[q]]), None, rules)
        np.testing.assert_allclose(together.scores[q], alone.scores[0], rtol=1e-4, atol=1e-5)
        assert together.relaxed[q] == alone.relaxed[0]
        # On this board, items that als should find equal differ by the last bits of a product.
        if spec != "als":
            assert together.rows[q].tolist() == alone.rows[0].tolist()
            assert together.source[q].tolist() == alone.source[0].tolist()


@pytest.mark.parametrize("spec", SPECS)
def test_a_page_is_full_whenever_the_filter_leaves_enough(spec, fitted, board):
    pipeline = fitted[spec]
    rules = rules_for(pipeline, filter='colour == "white"')
    answers = pipeline.answer(ask(board, *HISTORIES), 3, HIDDEN, None, rules)
    # Of the four white items, the third asker has one hidden and so has the fourth.
    assert all((row % 2 == 1).all() and (row != NOTHING).all() for row in answers.rows)
    assert not answers.exhausted.any()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(-4, 4), min_size=6, max_size=6), min_size=1, max_size=2),
    st.lists(st.sampled_from([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0]), min_size=2, max_size=2),
    st.integers(1, 6),
    st.sampled_from(["zscore", "rrf"]),
    st.integers(1, 6),
)
def test_a_larger_boost_never_shows_fewer_of_its_items(tables, factors, n, merge, n_candidates):
    pipeline = of_told(*tables, merge=merge, n_candidates=n_candidates)
    low, high = sorted(factors)
    counts = [
        sum(row % 2 for row in rows(one(pipeline, n, boosts=[{"filter": 'colour == "white"', "factor": factor}])))
        for factor in (low, high)
    ]
    assert counts[0] <= counts[1]


def test_a_boosted_item_that_no_source_has_among_its_best_joins_the_candidates():
    pipeline = of_told([9, 8, 7, 6, 0, 0], [8, 9, 7, 6, 0, 0], n_candidates=2)
    assert rows(one(pipeline, 2)) in ([0, 1], [1, 0])
    assert rows(one(pipeline, 1, boosts=[{"filter": "size == 5", "factor": 20}])) == [5]


def test_a_score_says_what_the_boost_added():
    pipeline = of_told([3, 1, 1, 3])
    rules = rules_for(pipeline, boosts=[{"filter": 'colour == "white"', "factor": 0.5}])
    queries = Queries.of([[]], pipeline.items, took(0, 0, 0).at, pipeline.kinds)
    answers = pipeline.answer(queries, 4, rules=rules)
    # The deviation of 3, 1, 1, 3 is 1.
    assert (rows(answers), answers.scores[0].tolist()) == ([3, 0, 1, 2], [3.5, 3, 1.5, 1])
    explained = pipeline.explain(queries, answers, rules=rules)[0]
    assert [parts for parts, _, _ in explained] == [{"s0": 3, BOOST: 0.5}, None, {"s0": 1, BOOST: 0.5}, None]


@pytest.mark.parametrize("spec", SPECS)
def test_the_parts_sum_to_the_score_under_all_rules(spec, fitted, board):
    pipeline, queries = fitted[spec], ask(board, *HISTORIES)
    rules = rules_for(
        pipeline,
        filter="size < 5",
        boosts=[{"filter": 'colour == "white"', "factor": 0.5}],
        pins=[{"item": "i1", "place": 2}],
        diversity={"by": "colour", "share": 0.4},
        n_candidates=6,
        relax=["hide", "filter"],
    )
    answers = pipeline.answer(queries, 9, HIDDEN, None, rules)
    assert (answers.stage == 2).any()
    explained = pipeline.explain(queries, answers, HIDDEN, None, rules)
    n_told = 0
    for q, places in enumerate(explained):
        for place, (parts, _, _) in enumerate(places):
            if parts is not None:
                assert sum(parts.values()) == pytest.approx(answers.scores[q, place], abs=1e-5)
            if len(pipeline.sources) > 1 and answers.source[q, place] == 0 and answers.rows[q, place] != NOTHING:
                assert {s.config.name for s in pipeline.sources} <= parts.keys()
                n_told += 1
    assert n_told or len(pipeline.sources) == 1


def test_diversity_chooses_among_more_than_are_shown():
    pipeline = of_told([9, 1, 8.5, 0.5, 8, 0])
    # Black are 0, 2, 4; white 1, 3, 5.
    assert rows(one(pipeline, 2)) == [0, 2]
    assert rows(one(pipeline, 2, diversity={"by": "colour", "share": 0.9})) == [0, 1]
    assert rows(one(pipeline, 2, diversity={"by": "colour", "share": 0.9}, n_candidates=3)) == [0, 2]


def test_the_fallback_is_diverse_from_what_stands_above_it():
    pipeline = of_told([0, 5, 0, 0, 0, 0], fallback=[1, 9, 2, 8, 3, 7], kind="item-knn")
    assert rows(one(pipeline, 3)) == [1, 3, 5]
    assert rows(one(pipeline, 3, diversity={"by": "colour", "share": 0.9})) == [1, 4, 3]


def test_vectors_are_searched_for_what_diversity_chooses_from(monkeypatch, fitted, board):
    rules = rules_for(fitted["als"], diversity={"by": "tags", "share": 0.5}, filter="size != 4")
    dense = fitted["als"].answer(ask(board, *HISTORIES), 4, HIDDEN, None, rules)
    monkeypatch.setattr("serendip.pipeline.answering.MANY", 0)
    searched = fitted["als"].answer(ask(board, *HISTORIES), 4, HIDDEN, None, rules)
    np.testing.assert_allclose(searched.scores, dense.scores, rtol=1e-4, atol=1e-5)


def test_a_pin_stands_at_its_place_once():
    pipeline = of_told([9, 8, 7, 6, 5, 4])
    pins = [{"item": "i5", "place": 1}, {"item": "i0", "place": 3}]
    answers = one(pipeline, 4, pins=pins)
    assert rows(answers) == [5, 1, 0, 2]
    queries = Queries.of([[]], pipeline.items, took(0, 0, 0).at, pipeline.kinds)
    places = pipeline.slate_items(queries, answers, 0)
    assert [(place.source, place.score) for place in places] == [(PIN, 0), ("s0", 8), (PIN, 0), ("s0", 7)]
    # A pin beyond the page is an item like any other.
    assert rows(one(pipeline, 2, pins=pins)) == [5, 0]


@pytest.mark.parametrize("rule", [{"filter": "size != 5"}, {}])
def test_a_pin_is_not_shown_where_it_may_not_be(rule):
    pipeline = of_told([9, 8, 7, 6, 5, 4])
    pins = [{"item": "i5", "place": 1}, {"item": "unheard-of", "place": 2}]
    hidden, allowed = ([], None) if rule else ([5], None)
    assert rows(one(pipeline, 3, hidden, allowed, pins=pins, **rule)) == [0, 1, 2]
    assert rows(one(pipeline, 3, [], np.arange(6) != 5, pins=pins)) == [0, 1, 2]


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.integers(0, 5), max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.permutations(range(6)).map(lambda order: order[:3]),
    st.integers(1, 7),
    st.lists(st.sampled_from(["hide", "filter"]), max_size=2, unique=True),
)
def test_pins_never_double_an_item_nor_show_what_is_hidden(hidden, let, pinned, n, relax):
    pipeline = of_told([9, 8, 7, 6, 5, 4], fallback=[1, 2, 3, 4, 5, 6])
    pins = [{"item": f"i{row}", "place": place + 1} for place, row in enumerate(pinned)]
    allowed = np.array(let)
    answers = one(pipeline, n, hidden, allowed, pins=pins, filter='colour == "white"', relax=relax)
    shown = rows(answers)
    assert len(set(shown)) == len(shown)
    assert allowed[shown].all()
    for row, source in zip(answers.rows[0], answers.source[0], strict=True):
        assert source >= 0 or (row not in hidden and row % 2 == 1)
    may = {row for row in range(6) if let[row]}
    kept = {row for row in may if row not in hidden or "hide" in relax} & {
        row for row in may if row % 2 or "filter" in relax
    }
    assert len(shown) == min(n, len(kept)), "a page is full whenever it can be"


def test_rules_are_given_up_in_their_order_and_only_as_far_as_the_page_is_short():
    pipeline = of_told([9, 8, 7, 6, 5, 4])
    white, hidden = 'colour == "white"', [1, 2]
    for n, relax, expected, broken in (
        (2, ["hide", "filter"], [3, 5], ()),
        (3, ["hide", "filter"], [3, 5, 1], ("hide",)),
        (4, ["hide", "filter"], [3, 5, 1, 0], ("hide", "filter")),
        (3, ["filter", "hide"], [3, 5, 0], ("filter",)),
        (5, ["filter", "hide"], [3, 5, 0, 4, 1], ("filter", "hide")),
        (4, ["hide"], [3, 5, 1], ("hide",)),
        (4, [], [3, 5], ()),
    ):
        answers = one(pipeline, n, hidden, filter=white, relax=relax)
        assert rows(answers) == expected, (n, relax)
        assert answers.relaxed == (broken,), (n, relax)
        assert answers.exhausted[0] == (len(expected) < n)


def test_what_was_disliked_stays_hidden_when_hiding_is_given_up():
    kinds = (InteractionKind("interaction"), DISLIKE)
    data = world([took(0, 0), took(0, 1, kind="dislike")], 3, kinds)
    pipeline = pipelines.fit(PipelineConfig.parse("popular"), data)
    history = [took(0, 0), took(0, 1, kind="dislike")]
    rules = rules_for(pipeline, relax=["hide"])
    answers = pipeline.answer(ask(data, history), 3, ItemLists.of([[0, 1, 2]]), None, rules)
    assert set(rows(answers)) == {0, 2}
    told = pipeline.answer(ask(data, history), 3, ItemLists.of([[0, 1, 2]]), None, rules, ItemLists.of([[2]]))
    assert set(rows(told)) == {0, 1}


def test_places_that_are_reserved_are_not_filled_by_giving_up_rules():
    pipeline = of_told([9, 8, 7, 6])
    queries = Queries.of([[], []], pipeline.items, took(0, 0, 0).at, pipeline.kinds)
    rules = rules_for(pipeline, filter='colour == "white"', relax=["filter"])
    answers = pipeline.answer(queries, 4, None, None, rules, reserved=np.array([1, 0]))
    assert answers.filled.tolist() == [3, 4]
    assert answers.rows[0].tolist() == [1, 3, 0, NOTHING]
