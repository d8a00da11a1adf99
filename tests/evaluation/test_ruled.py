"""Measured as it is served: the rules of a scenario act in a comparison too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from serendip.data import Columns, Dataset
from serendip.domain import InteractionKind, Invalid, micros
from serendip.evaluation import compare, metrics, time_split
from serendip.evaluation.measure import measure
from serendip.evaluation.rounds import frozen
from serendip.evaluation.ruled import Ruled
from serendip.pipeline import PipelineConfig
from serendip.ranking import Likeness, RulesConfig
from worlds import BUY, NOON, VIEW, market, took, world

POPULAR = PipelineConfig.parse("popular")


def shelf(n: int, **more) -> Columns:
    """Items whose colour is that of their number, with further columns by item."""
    return Columns.of(
        [{"colour": ("black", "white")[i % 2]} | {k: v.get(i) for k, v in more.items()} for i in range(n)]
    )


def town(**more) -> Dataset:
    """Ten users: item 0 was taken by all, 1 by nine, and so on down to 5; then each takes one they had not."""
    past = [took(user, item, 100 + item + user / 100) for item in range(6) for user in range(10 - item)]
    # User 5 lacks item 5, user 6 items 4 and 5, and so on.
    later = [took(user, item, 10) for user, item in ((5, 5), (6, 4), (7, 3), (8, 2), (9, 1))]
    data = world([*past, *later], 6)
    return replace(data, item_columns=shelf(6, **more))


def asked(data: Dataset, rules: RulesConfig | None = None, k: int = 3, likeness: Likeness | None = None):
    ruled = Ruled.of(data, rules)
    rounds = frozen(time_split(data, 5 / len(data)))
    (outcome,) = measure([POPULAR], rounds if ruled is None else ruled.rounds(rounds), k, likeness=likeness)
    return outcome


def test_rules_that_say_nothing_measure_as_none():
    plain, ruled = asked(town()), asked(town(), RulesConfig())
    assert plain.user_ix.tolist() == [5, 6, 7, 8, 9]
    for name, column in plain.metrics.items():
        np.testing.assert_array_equal(column, ruled.metrics[name])


def test_what_the_filter_leaves_out_is_neither_shown_nor_to_be_found():
    outcome = asked(town(), RulesConfig(filter='colour == "white"'))
    # Of 5, 4, 3, 2 and 1 the white ones are asked for; of the white, 1 is the most popular.
    assert outcome.user_ix.tolist() == [5, 7, 9]
    assert outcome.metrics["recall@3"].tolist() == [1, 1, 1]
    assert outcome.catalogue["coverage@3"] == 1


def test_a_filter_about_now_is_asked_at_each_rounds_moment():
    cut = NOON - timedelta(hours=10)
    data = town(date={i: (cut + timedelta(hours=i - 3)).isoformat() for i in range(6)})
    assert asked(data, RulesConfig(filter="date > now")).user_ix.tolist() == [5, 6]
    bare = replace(data, at=None)
    with pytest.raises(Invalid, match="the data has no moments"):
        Ruled.of(bare, RulesConfig(filter="date > now"))


def test_a_boost_changes_what_is_found():
    rules = RulesConfig(boosts=[{"filter": 'colour == "white"', "factor": 5}])
    # User 9 lacks 1..5, user 8 lacks 2..5: first the white of what they lack.
    plain, boosted = asked(town(), k=1), asked(town(), rules, k=1)
    assert plain.metrics["recall@1"].tolist() == [1, 1, 1, 1, 1]
    assert boosted.metrics["recall@1"].tolist() == [1, 0, 1, 0, 1]


def test_kinds_hide_what_the_rules_say():
    data = market()
    assert compare([POPULAR], data, "frozen", rules=RulesConfig(hide=["view"])).notes[0].startswith("under rules: ")
    with_both = compare([POPULAR], data, "frozen", k=5)
    buys_only = compare([POPULAR], data, "frozen", k=5, rules=RulesConfig(hide=["buy"]))
    none = compare([POPULAR], data, "frozen", k=5, rules=RulesConfig(hide=[]))
    # Where less is hidden, more is there to be found; where nothing is, repeats are the thing to beat.
    assert with_both.n_queries <= buys_only.n_queries <= none.n_queries
    assert "again" in none.baselines
    assert "again" in buys_only.baselines
    assert "again" not in with_both.baselines
    with pytest.raises(Invalid, match="no kind of interaction 'look' to hide; the kinds are buy, view"):
        compare([POPULAR], data, "frozen", rules=RulesConfig(hide=["look"]))
    assert (VIEW, BUY) == data.kinds == (InteractionKind("view", weight=0.5), InteractionKind("buy", weight=2.0))


def test_the_diversity_of_a_slate_is_the_mean_difference_of_its_pairs():
    likeness = Likeness.of(Columns.of([{"tags": ["a", "b"]}, {"tags": ["a"]}, {"tags": ["c"]}, {}]), "tags")
    rows = np.array([[0, 1, 2], [0, 1, -1], [2, 3, 0], [1, -1, -1], [-1, -1, -1]], np.int32)
    # 0 and 1 have one of two and of one in common: 1 / sqrt(2); nothing else has anything.
    alike = 0.5**0.5
    assert metrics.diversity(likeness, rows).tolist() == pytest.approx([1 - alike / 3, 1 - alike, 1, 0, 0])
    dense = Likeness(likeness.vectors.toarray())
    assert metrics.diversity(dense, rows).tolist() == pytest.approx(metrics.diversity(likeness, rows).tolist())


def test_diversity_stands_beside_ndcg():
    data = market()
    data = replace(data, item_columns=shelf(data.n_items))
    rules = RulesConfig(diversity={"by": "colour", "share": 0.9})
    plain = compare([POPULAR], data, "frozen", metrics=["ndcg@2", "diversity@2"], diverse_by="colour")
    diverse = compare([POPULAR], data, "frozen", metrics=["ndcg@2", "diversity@2"], rules=rules)
    first, second = (table.row("popular").metrics["diversity@2"] for table in (plain, diverse))
    # One of each colour, to everybody who lacks one of each.
    assert first.mean < 0.7 < second.mean
    assert first.high < second.low
    assert f"under rules: {rules.model_dump_json(exclude_defaults=True)}" in diverse.notes
    with pytest.raises(Invalid, match="diversity needs an attribute"):
        compare([POPULAR], data, "frozen", metrics=["diversity@4"])
    with pytest.raises(Invalid, match=r"no item has an attribute 'size'.*there are colour"):
        compare([POPULAR], data, "frozen", diverse_by="size")


def test_the_measured_slate_is_the_served_one():
    data = town()
    rules = RulesConfig(pins=[{"item": "i5", "place": 1}])
    outcome = asked(data, rules, k=1)
    # Everybody sees i5 but those who have it: only user 5 is looking for it.
    assert outcome.metrics["recall@1"].tolist() == [1, 0, 0, 0, 0]
    assert micros(NOON) > outcome.moment[0]
