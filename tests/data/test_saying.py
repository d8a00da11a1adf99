"""What features say to the person who asks."""

from __future__ import annotations

import pytest

from serendip.data.features.saying import About, of_source, saying

ABOUT = About(
    {"topic": "sport", "tags": ("drama", "comedy", "war"), "year": 1999, "section": "3"},
    {"city": "Riga"},
    {"taste": "tag-popularity", "near": "item-knn"},
)
SENTENCES = {
    ("count(user x item.topic, like)", 9.0): "you liked sport 9 times",
    ("count(user x item.topic, like, 7d)", 0.0): "you have not liked sport in the last 7 days",
    ("rate(user x item.topic, like/view)", 0.31): "of 100 times you viewed sport, you liked it 31",
    ("rate(user.city x item.topic, like/view)", 0.2): (
        "of 100 times sport was viewed by people of your city, it was liked 20"
    ),
    ("count(user x item.section)", 1.0): "you chose section 3 once",
    ("count(user x item.tags, view)", 2.0): "you viewed drama or comedy and the like twice",
    ("count(item, cart, 1d)", 3.0): "it was put into the cart 3 times in the last day",
    ("count(user x item, purchase)", 0.0): "you have not bought it yet",
    ("count(item, subscribed)", 1200.0): "it was chosen (subscribed) 1,200 times",
    ("decayed(item, like, 3d)", 0.2): "it was liked hardly ever of late",
    ("trend(item, 1d/7d)", 2.2): "it is chosen more often than before",
    ("trend(item, 1d/7d)", 0.5): "it is chosen less often than before",
    ("recency(user x item, view)", 0.25): "you last viewed it 6 hours ago",
    ("age(item)", 1.2): "it was first chosen 1 day ago",
    ("mean(item)", 4.16): "it is given 4.2 on average",
    ("hour", 14.0): "it is 14:00 (UTC)",
    ("weekday", 6.0): "it is Sunday",
    ("user.city", 4.0): "your city is Riga",
    ("item.year", 1999.0): "its year is 1999",
    ("gap(item.year)", -3.0): "its year is 3 below what you usually choose",
    ("gap(age)", 4.0): "it is 4 days older than what you choose",
    ("likeness(item.tags)", 0.4): "its tags are like those of what you chose",
    ("text(item.text, 12)[3]", 0.2): "of how its text is worded",
    ("score(near)", 0.7): "those who chose what you chose also chose it",
    ("rank(taste)", 2.0): "it is popular within what you like",
    ("rank(popular-3-days)", 1.0): "it was popular in the last 3 days",
}
NOTHING = [("rate(item, like/view)", None), ("score(near)", None), ("score(near)", 0.0), ("user.age", 23.0),
           ("recency(user)", None), ("no feature at all", 1.0), ("other features", 1.0)]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), list(SENTENCES))
def test_a_feature_says_its_fact_and_its_number(name, value):
    assert saying(name, value, ABOUT) == SENTENCES[name, value]


@pytest.mark.parametrize(("name", "value"), NOTHING)
def test_where_nothing_is_known_nothing_is_said(name, value):
    assert saying(name, value, ABOUT) is None


def test_a_source_of_a_kind_without_words_is_named():
    assert of_source("mine", {"mine": "als"}).startswith("those who chose")
    assert of_source("odd", {"odd": "nothing-we-know"}) == "odd found it"
