"""How features are written."""

import re

import pytest

from serendip.data.features import ANY, Entity, Feature, parse_feature, parse_features
from serendip.data.features.definition import HOUR, HOW
from serendip.domain import Invalid

DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("count(user)", Feature("count(user)", "count", Entity(user=""))),
        ("count( item ,like,7d )", Feature("count(item, like, 7d)", "count", Entity(item=""), "like", ANY, 7 * DAY)),
        (
            "rate(user x item.topic, like/view)",
            Feature("rate(user x item.topic, like/view)", "rate", Entity("", "topic"), "like", "view"),
        ),
        ("decayed(item, 12h)", Feature("decayed(item, 12h)", "decayed", Entity(item=""), span=12 * HOUR)),
        (
            "trend(item, 3d/30d)",
            Feature("trend(item, 3d/30d)", "trend", Entity(item=""), span=3 * DAY, long_span=30 * DAY),
        ),
        ("count(all)", Feature("count(all)", "count", Entity())),
        ("hour", Feature("hour", "hour")),
        ("user.city", Feature("user.city", "column", Entity(user="city"), column="city")),
        ("text(item.text, 2)", Feature("text(item.text, 2)", "text", Entity(item="text"), column="text", n_parts=2)),
        ("score(als)", Feature("score(als)", "score", source="als")),
    ],
)
def test_a_feature_is_read_as_it_is_written(line, expected):
    assert parse_feature(line) == expected


def test_every_example_of_the_refusal_is_a_feature():
    examples = re.findall(r"[a-z]+\([^()]*\)|[a-z.]+", HOW)
    assert [feature.text for feature in parse_features(examples)] == examples


def test_numbers_of_a_feature_of_several_have_names_of_their_own():
    assert parse_feature("text(item.text, 2)").names == ("text(item.text, 2)[0]", "text(item.text, 2)[1]")


@pytest.mark.parametrize(
    "line",
    [
        "", "clicks", "count()", "count(users)", "count(user x user)", "count(item, like, view, 7d)", "count(item, 0d)",
        "rate(item, like)", "rate(item)", "decayed(item)", "trend(item, 7d)", "trend(item, 7d/3d)", "recency(user, 3d)",
        "text(item.text)", "text(item.text, 0)", "text(title, 4)", "likeness(user.city)", "score()",
        "count(item, 99999999999999d)", "trend(item, 1d/40000d)", f"count(item, {'9' * 400}d)",
    ],
)  # fmt: skip
def test_what_is_no_feature_is_refused_in_a_sentence(line):
    with pytest.raises(Invalid) as refused:
        parse_feature(line)
    assert refused.value.field == "features"


def test_a_feature_named_twice_is_refused():
    with pytest.raises(Invalid, match="count\\(user, like\\) is named twice"):
        parse_features(["count(user,like)", "count(user, like)"])
