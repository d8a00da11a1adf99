"""Rules as arrays: what an operator may say, how alike items are, and the order of maximal marginal relevance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serendip.data import Columns, Vocabulary
from serendip.domain import Invalid
from serendip.ranking import Likeness, Masks, Rules, RulesConfig, lifted, mmr
from serendip.ranking.rules import Boost, Diversity, Pin

SHELF = Columns.of(
    [
        {"genre": "drama", "tags": ["war", "love"], "look": [1, 0], "price": 3},
        {"genre": "comedy", "tags": ["love"], "look": [0, 2], "price": 5},
        {"genre": "drama", "tags": ["war"], "look": [3, 4], "price": 9},
        {"tags": []},
    ]
)
ITEMS = Vocabulary(("a", "b", "c", "d"))


def compiled(**rules) -> Rules:
    return Rules.of(RulesConfig(**rules), Masks(SHELF), ITEMS)


def literal_mmr(scores, likeness, n, share):
    """The definition, word by word: of those left, the one of greatest marginal relevance."""
    low, high = min(scores), max(scores)
    relevance = [(s - low) / (high - low) if high > low else s - low for s in scores]
    chosen: list[int] = []
    while len(chosen) < min(n, len(scores)):
        worth = {
            i: (1 - share) * relevance[i] - share * max((likeness[i][j] for j in chosen), default=0.0)
            for i in range(len(scores))
            if i not in chosen
        }
        chosen.append(max(worth, key=lambda i: (worth[i], -i)))
    return chosen


def test_six_items_in_the_order_of_maximal_marginal_relevance():
    # Three alike stand first by score; with a half for difference the others come between.
    scores = np.array([1.0, 0.9, 0.8, 0.5, 0.4, 0.0], np.float32)
    kinds = np.array([0, 0, 0, 1, 1, 2])
    alike = (kinds[:, None] == kinds).astype(np.float32)
    # 0; then 3 (.5 * .5) before 1 (.5 * .9 - .5); 5 (0) before 1 (-.05), 2 (-.1) and 4 (-.3); then 1, 2, 4.
    assert mmr(scores, alike, 6, 0.5).tolist() == [0, 3, 5, 1, 2, 4] == literal_mmr(scores, alike, 6, 0.5)
    assert mmr(scores, alike, 6, 0.0).tolist() == [0, 1, 2, 3, 4, 5]
    assert mmr(scores, alike, 3, 1.0).tolist() == [0, 3, 5]


@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=6),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.integers(1, 7),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_the_order_is_that_of_the_definition(scores, kinds, n, share):
    own = np.array(kinds[: len(scores)])
    alike = (own[:, None] == own).astype(np.float32)
    given_scores = np.array(scores, np.float32)
    assert mmr(given_scores, alike, n, share).tolist() == literal_mmr(given_scores.tolist(), alike, n, share)


def test_what_the_page_holds_already_counts_as_chosen():
    alike = np.eye(2, dtype=np.float32)
    scores = np.array([1, 0.9], np.float32)
    assert mmr(scores, alike, 1, 0.6, near=np.array([1, 0], np.float32)).tolist() == [1]


def test_items_are_alike_by_equal_text_common_entries_or_angle():
    rows = np.arange(4, dtype=np.int32)
    genre, tags, look = (Likeness.of(SHELF, name).between(rows, rows) for name in ("genre", "tags", "look"))
    assert genre.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    # One of two entries in common with a list of one: 1 / sqrt(2 * 1).
    assert tags[0].tolist() == pytest.approx([1, 0.5**0.5, 0.5**0.5, 0])
    assert look[2].tolist() == pytest.approx([0.6, 0.8, 1, 0])


def test_a_boost_adds_spreads_of_the_askers_scores():
    scores = np.array([[1, 3, 1, 3], [5, 5, 5, 5], [np.nan] * 4, [2, -np.inf, 4, -np.inf]], np.float32)
    out, spread = lifted(scores, np.array([2, 0, 0, -1], np.float32))
    # The deviations: 1, none (so 1), nothing said, and 1 of the two that are scored at all.
    assert spread.tolist() == [1, 1, 1, 1]
    np.testing.assert_array_equal(out, [[3, 3, 1, 2], [7, 5, 5, 4], [np.nan] * 4, [4, -np.inf, 4, -np.inf]])


@given(
    st.lists(st.integers(-5, 5), min_size=4, max_size=4),
    st.floats(0.125, 1000),
    st.integers(-1000, 1000),
)
def test_a_boost_means_the_same_in_any_unit(scores, unit, shift):
    lift = np.array([0.75, 0, 0, -0.75], np.float32)
    plain, other = np.array([scores], np.float32), np.array([[unit * s + shift for s in scores]], np.float64)
    first, second = (lifted(one, lift)[0][0] for one in (plain, other.astype(np.float32)))
    for i in range(4):
        for j in range(4):
            if first[i] > first[j] + 1e-2:
                assert second[i] > second[j]


def test_rules_are_compiled_to_rows():
    rules = compiled(
        filter='genre == "drama"',
        boosts=[{"filter": "price > 4", "factor": 2}, {"filter": 'tags has "war"', "factor": -0.5}],
        pins=[{"item": "d", "place": 3}, {"item": "gone", "place": 2}, {"item": "b", "place": 1}],
        diversity={"by": "tags"},
        relax=["hide", "filter"],
    )
    assert rules.passing.tolist() == [True, False, True, False]
    assert rules.lift.tolist() == [-0.5, 2, 1.5, 0]
    assert (rules.pins.tolist(), rules.places.tolist()) == ([1, 3], [0, 2])
    assert rules.share == 0.3
    assert rules.relax == ("hide", "filter")


def test_rules_that_say_nothing_change_nothing():
    rules = compiled(boosts=[Boost(filter="price > 99", factor=3)], diversity=Diversity(by="genre", share=0))
    assert rules.passing is None
    assert rules.lift is None
    assert rules.likeness is None


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"filter": "colour == 'red'"}, "no item has an attribute 'colour'.*the attributes are genre, look, price"),
        ({"boosts": [{"filter": "size > 1", "factor": 1}]}, "no item has an attribute 'size'"),
        ({"diversity": {"by": "colour"}}, "'colour' to be diverse by; there are genre, look, tags"),
        ({"diversity": {"by": "price"}}, "'price' is a number; a slate can be diverse by text"),
    ],
)
def test_rules_about_what_no_item_has_are_refused_naming_what_there_is(rules, message):
    with pytest.raises(Invalid, match=message):
        compiled(**rules)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"filter": "price <"}, "the filter has the end where"),
        ({"filter": ""}, "the filter is empty"),
        ({"boosts": [{"filter": "price", "factor": float("nan")}]}, "finite|number"),
        ({"boosts": [{"filter": "price", "factor": 1000}]}, "less than or equal to 100"),
        ({"pins": [{"item": "a", "place": 0}]}, "greater than 0"),
        ({"pins": [{"item": "a", "place": 1}, {"item": "a", "place": 2}]}, "two pins have the item 'a'"),
        ({"pins": [{"item": "a", "place": 1}, {"item": "b", "place": 1}]}, "two pins have the place 1"),
        ({"diversity": {"by": "genre", "share": 1.5}}, "less than or equal to 1"),
        ({"relax": ["pins"]}, "'hide' or 'filter'"),
        ({"relax": ["hide", "hide"]}, "given up once only"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rules, message):
    with pytest.raises(ValidationError, match=message):
        RulesConfig(**rules)


def test_rules_know_whether_they_depend_on_the_moment():
    assert RulesConfig(boosts=[Boost(filter="date > now - 7 days", factor=1)]).uses_now
    assert not RulesConfig(filter="price > 3", pins=[Pin(item="a", place=1)]).uses_now
