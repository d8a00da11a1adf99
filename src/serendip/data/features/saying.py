"""What a feature says to the person who asks, such as "you liked sport 9 times"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serendip.data.features.definition import ANY, CLOCK, OF_SOURCE, OWN, Feature, parse_feature
from serendip.data.features.meaning import span_words
from serendip.domain import Invalid

CHOSE, CHOSEN = "chose", "chosen"
VERBS = {
    "view": "viewed",
    "click": "clicked",
    "open": "opened",
    "like": "liked",
    "rate": "rated",
    "rating": "rated",
    "stars": "rated",
    "review": "reviewed",
    "cart": "put {} into the cart",
    "purchase": "bought",
    "buy": "bought",
    "order": "ordered",
    "play": "played",
    "watch": "watched",
    "read": "read",
    "join": "joined",
    "participation": "joined",
}
"""What was done to an item, by the kind of interaction; another kind is named beside ``chosen``."""

TOGETHER = "those who chose what you chose also chose it"
BY_KIND = {
    "again": "you chose it before",
    "item-knn": TOGETHER,
    "user-knn": TOGETHER,
    "ease": TOGETHER,
    "als": TOGETHER,
    "two-tower": TOGETHER,
    "sequence": "it often follows what you chose",
    "svd": "people with your taste rate it well",
    "nmf": "people with your taste rate it well",
    "mlp": "its text and price suit you",
    "content-knn": "it is like what you chose",
    "profile-knn": "it suits your profile",
    "tag-svd": "it has what you often choose",
    "tag-popularity": "it is popular within what you like",
    "segments": "people like you choose it",
    "popularity": "it is popular",
}
"""What it means that a model puts an item among its best."""

_POPULAR = re.compile(r"popular-(?P<days>\d+)-days")
_PART = re.compile(r"\[\d+\]$")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class About:
    """Whom and what a feature was told of, and by whom."""

    item: Mapping[str, Any]
    """The item's columns."""
    user: Mapping[str, Any]
    """The user's columns."""
    models: Mapping[str, str]
    """The kind of model of each candidate source."""

    def named(self, column: str) -> str:
        """An item's column in words: ``sport``, or ``year 1999`` where the value alone says little."""
        value = self.item.get(column)
        if isinstance(value, list | tuple):
            words = [str(one) for one in value]
            return f"{' or '.join(words[:2])}{' and the like' if len(words) > 2 else ''}" if words else f"its {column}"
        if isinstance(value, str) and len(value) > 2 and not value.isdigit():
            return value if len(value) <= 40 else f"its {column}"
        return f"its {column}" if value is None else f"{column} {_plain(value)}"


def saying(name: str, value: float | None, about: About) -> str | None:
    """What the feature called ``name``, which was ``value``, says; None where there is nothing to say of it."""
    try:
        feature = parse_feature(_PART.sub("", name))
    except Invalid:
        return None
    if feature.what in CLOCK:
        return None if value is None else _of_moment(feature.what, int(value))
    if feature.what in OF_SOURCE:
        silent = value is None or (feature.what != "rank" and value <= 0)
        return None if silent or feature.source is None else of_source(feature.source, about.models)
    if feature.column is not None or feature.what in ("gap", "usual"):
        return _of_column(feature, value, about)
    return _of_events(feature, value, about)


def of_source(source: str, models: Mapping[str, str]) -> str:
    """What it means that a candidate source puts an item among its best."""
    if (window := _POPULAR.fullmatch(source)) is not None:
        return f"it was popular in the last {_many(int(window['days']), 'day').removeprefix('1 ')}"
    return BY_KIND.get(models.get(source, source), f"{source} found it")


def _of_moment(what: str, value: int) -> str:
    match what:
        case "hour":
            return f"it is {value}:00 (UTC)"
        case "weekday":
            return f"it is {WEEKDAYS[value % 7]}"
        case "day":
            return f"it is day {value} of the month"
        case _:
            return f"it is {MONTHS[(value - 1) % 12]}"


def _of_column(feature: Feature, value: float | None, about: About) -> str | None:
    column, what = feature.column, feature.what
    if column is None:
        return _of_ages(what, value)
    if feature.of_asker:
        own = about.user.get(column)
        return None if own is None else f"your {column} is {_plain(own)}"
    if what == "text":
        return f"of how its {column} is worded"
    if what in ("column", "category"):
        own = about.item.get(column)
        return None if own is None else f"its {column} is {about.named(column).removeprefix(f'{column} ')}"
    if value is None:
        return None
    match what:
        case "length":
            return f"its {column} is {value:,.0f} long"
        case "likeness":
            many = isinstance(about.item.get(column), list | tuple)
            are, those = ("are", "those") if many else ("is", "that")
            return f"its {column} {are} {'like' if value > 0 else 'unlike'} {those} of what you chose"
        case "usual":
            return f"you choose {column} {_plain(value)} on average"
        case _:
            if round(value, 3) == 0:
                return f"its {column} is what you usually choose"
            return f"its {column} is {_plain(abs(value))} {'above' if value > 0 else 'below'} what you usually choose"


def _of_ages(what: str, value: float | None) -> str | None:
    """How old items are, in days."""
    if value is None:
        return None
    if what == "usual":
        return f"you choose what is {_many(round(value), 'day')} old"
    if abs(value) < 1:
        return "it is as new as what you choose"
    return f"it is {_many(round(abs(value)), 'day')} {'older' if value > 0 else 'newer'} than what you choose"


@dataclass(frozen=True)
class _Deed:
    """Somebody did something to something, as sentences are made of it."""

    mine: bool
    """The asker did it, not people."""
    kind: str
    thing: str
    people: str
    """`` by people of your city`` where it matters."""

    @property
    def _verb(self) -> str:
        plain = CHOSE if self.mine else CHOSEN
        return VERBS.get(self.kind, plain if self.kind == ANY else f"{plain} ({self.kind})")

    def said(self, how: str = "", is_: str = "was", before: str = "") -> str:
        """``you liked sport 9 times``, ``it was liked 9 times by people of your city``."""
        verb = f"{before}{self._verb}"
        if self.mine:
            done = verb.format(self.thing) if "{}" in verb else f"{verb} {self.thing}"
            return f"you {done}{how}"
        return f"{self.thing} {is_} {verb.replace('{} ', '')}{how}{self.people}"

    def never(self, since: str) -> str:
        """``you have not liked sport yet``, ``it was not liked in the last 3 days``."""
        verb = VERBS.get(self.kind, CHOSEN if self.kind == ANY else f"{CHOSEN} ({self.kind})")
        if self.mine:
            return f"you have not {verb.format(self.thing) if '{}' in verb else f'{verb} {self.thing}'}{since}"
        return f"{self.thing} was not {verb.replace('{} ', '')}{self.people}{since}"


def _of_events(feature: Feature, value: float | None, about: About) -> str | None:
    """What was done by whom to what, how often and when."""
    entity = feature.entity
    assert entity is not None
    other = entity.item is None
    thing = "something" if other else "it" if entity.item == OWN else about.named(str(entity.item))
    people = f" by people of your {entity.user}" if entity.user else ""
    deed = _Deed(entity.user == OWN, feature.kind, thing, people)
    span = f" in the last {span_words(feature.span).removeprefix('1 ')}" if feature.span is not None else ""
    if value is None:
        return None
    match feature.what:
        case "count":
            n = round(value)
            if n:
                return deed.said(f" {_times(n)}{span}")
            return None if other else deed.never(span or " yet")
        case "decayed":
            return deed.said(f" about {_times(round(value))} of late" if round(value) else " hardly ever of late")
        case "rate":
            based = _Deed(deed.mine, feature.base, thing, people)
            it = _Deed(deed.mine, feature.kind, "it", "")
            return f"of 100 times {based.said(span)}, {it.said(f' {100 * value:.0f}')}"
        case "trend":
            than = "as often as" if 0.9 <= value <= 1.1 else "more often than" if value > 1 else "less often than"
            return deed.said(f" {than} before", is_="is")
        case "mean":
            return f"{'you give' if deed.mine else f'{thing} is given'} {value:.1f} on average"
        case "recency":
            return deed.said(f" {_ago(value)}", before="last ")
        case _:
            return deed.said(f" {_ago(value)}", before="first ")


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def _ago(days: float) -> str:
    if days >= 1:
        return f"{_many(round(days), 'day')} ago"
    if days >= 1 / 24:
        return f"{_many(round(days * 24), 'hour')} ago"
    return f"{_many(max(1, round(days * 1440)), 'minute')} ago"


def _many(n: int, unit: str) -> str:
    return f"{n:,} {unit}{'' if n == 1 else 's'}"


def _plain(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
