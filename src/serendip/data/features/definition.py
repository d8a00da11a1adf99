"""What can be known before a moment, and how it is written, such as ``count(user x item.topic, like, 7d)``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from serendip.domain import Invalid

ANY = ""
"""The kind of interaction that stands for every kind."""

OWN = ""
"""The part of an entity that is the user or the item itself, not a column of it."""

HOUR = 3_600_000_000
"""In microseconds."""

UNITS = {"m": HOUR // 60, "h": HOUR, "d": 24 * HOUR}

COUNTED = ("count", "rate", "decayed", "trend", "mean", "recency", "age")
"""What is told of an entity's events."""
CLOCK = ("hour", "weekday", "day", "month")
"""What is told of the moment alone, in UTC: 0 to 23, 0 (Monday) to 6, 1 to 31, 1 to 12."""
OF_HISTORY = ("likeness", "gap", "usual")
"""What is told of the items of the asker's history, beside the item."""
OF_COLUMN = ("category", "length", "text", *OF_HISTORY)
"""What is told of a column."""
OF_SOURCE = ("score", "rank", "share")
"""What a candidate source says of the item."""

HOW = (
    "count(item), count(user, like, 7d), rate(user x item.topic, like/view), decayed(item, view, 3d), "
    "trend(item, 3d/30d), mean(item), recency(user), age(item), hour, weekday, user.city, item.price, "
    "category(user.exp_group), length(item.text), text(item.text, 16), likeness(item.tags), gap(item.year), "
    "gap(age), usual(item.year), usual(age), score(als), rank(als), share(als)"
)

_CALL = re.compile(r"(?P<what>[a-z]+)\((?P<inner>[^()]*)\)")
_COLUMN = re.compile(r"(?P<of>user|item)\.(?P<name>[^\s(),/]+)")
_SPAN = re.compile(r"(?P<n>\d+(\.\d+)?)(?P<unit>[mhd])")
_MOST_PARTS = 256
_LONGEST = 36_525 * UNITS["d"]
"""A hundred years; sums of moments and spans stay far within 64 bits."""


@dataclass(frozen=True)
class Entity:
    """Whose events are told: each part is OWN, the name of a column, or None where it does not matter."""

    user: str | None = None
    item: str | None = None

    def __str__(self) -> str:
        sides = [("user", self.user), ("item", self.item)]
        return " x ".join(f"{of}.{name}" if name else of for of, name in sides if name is not None) or "all"


@dataclass(frozen=True)
class Feature:
    """One feature: a function of a user, an item and a moment."""

    text: str
    """How it is written, which is its name."""
    what: str
    """One of COUNTED, CLOCK, OF_COLUMN or OF_SOURCE, or ``column``."""
    entity: Entity | None = None
    """Of what is counted, or the side whose column it is."""
    kind: str = ANY
    """Events of this kind alone."""
    base: str = ANY
    """Of a rate, the kind that it is a share of."""
    span: int | None = None
    """A window, or of ``decayed`` a half-life, in microseconds; None: everything."""
    long_span: int | None = None
    """Of a trend, the longer window."""
    column: str | None = None
    source: str | None = None
    """The candidate source that is asked."""
    n_parts: int = 1
    """How many numbers it is."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each of its numbers."""
        return (self.text,) if self.n_parts == 1 else tuple(f"{self.text}[{i}]" for i in range(self.n_parts))

    @property
    def of_asker(self) -> bool:
        """Whether it is the same for every item."""
        return self.what in CLOCK or (self.entity is not None and self.entity.item is None)


def parse_features(lines: Iterable[str]) -> tuple[Feature, ...]:
    """Features as they are written, each once."""
    found = tuple(map(parse_feature, lines))
    names = [feature.text for feature in found]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"the feature {name} is named twice; name it once", field="features")
    return found


@lru_cache(maxsize=4096)
def parse_feature(line: str) -> Feature:
    """One feature, such as ``rate(item, like/view, 7d)``."""
    text = re.sub(r"\s*,\s*", ", ", " ".join(line.split()))
    text = re.sub(r"\(\s*|\s*\)|\s*/\s*", lambda found: found[0].strip(), text)
    if text in CLOCK:
        return Feature(text, text)
    if (column := _COLUMN.fullmatch(text)) is not None:
        return Feature(text, "column", _side(column), column=column["name"])
    call = _CALL.fullmatch(text)
    if call is None:
        raise _unknown(text)
    what, given = call["what"], [part for part in call["inner"].split(", ") if part]
    if what in OF_SOURCE and len(given) == 1:
        return Feature(text, what, source=given[0])
    if what in OF_COLUMN and given:
        return _of_column(text, what, given)
    if what in COUNTED and given:
        return _counted(text, what, given)
    raise _unknown(text)


def _of_column(text: str, what: str, given: list[str]) -> Feature:
    if what in ("gap", "usual") and given == ["age"]:
        return Feature(text, what, Entity(item=OWN))
    column = _COLUMN.fullmatch(given[0])
    if column is None:
        raise Invalid(f"{text}: {given[0]!r} is no column; write user.NAME or item.NAME", field="features")
    if what in OF_HISTORY and column["of"] == "user":
        raise Invalid(f"{text}: it compares an item with the history; name a column of items", field="features")
    n_parts = 1
    if what == "text":
        n_parts = int(given[1]) if len(given) == 2 and given[1].isdigit() else 0
        if not 1 <= n_parts <= _MOST_PARTS:
            raise Invalid(f"{text}: say how many numbers, 1 to {_MOST_PARTS}: text({given[0]}, 16)", field="features")
    elif len(given) > 1:
        raise _unknown(text)
    return Feature(text, what, _side(column), column=column["name"], n_parts=n_parts)


def _counted(text: str, what: str, given: list[str]) -> Feature:
    """An entity, then a kind or a share of kinds, then a span of time; the last two in any order, where they belong."""
    entity, kind, base, span, long_span = _entity(given[0], text), ANY, ANY, None, None
    if len(given) > 3:
        raise _unknown(text)
    for part in given[1:]:
        left, slash, right = part.partition("/")
        if _SPAN.fullmatch(left) is not None:
            if span is not None or bool(slash) != (what == "trend"):
                raise _unknown(text)
            span, long_span = _micros(left, text), _micros(right, text) if slash else None
        else:
            if kind or bool(slash) != (what == "rate") or (slash and not right):
                raise _unknown(text)
            kind, base = left, right
    if what == "rate" and not kind:
        raise Invalid(f"{text}: a rate is a share of two kinds; write for example rate(item, like/view)", "features")
    if (span is None and what in ("decayed", "trend")) or (span is not None and what in ("mean", "recency", "age")):
        raise Invalid(f"{text}: {_spans(what)}", field="features")
    if span is not None and long_span is not None and not span < long_span:
        raise Invalid(f"{text}: the first window must be shorter than the second", field="features")
    return Feature(text, what, entity, kind, base, span, long_span)


def _spans(what: str) -> str:
    wanted = {"decayed": "a half-life, such as decayed(item, 3d)", "trend": "two windows, such as trend(item, 3d/30d)"}
    return f"it needs {wanted[what]}" if what in wanted else "it knows no window"


def _entity(said: str, text: str) -> Entity:
    """``user``, ``item.topic``, ``user.city x item.topic`` or ``all``."""
    if said == "all":
        return Entity()
    sides: dict[str, str] = {}
    for part in said.split(" x "):
        column = _COLUMN.fullmatch(part)
        of, name = (column["of"], column["name"]) if column is not None else (part, OWN)
        if of not in ("user", "item") or of in sides:
            raise Invalid(
                f"{text}: {said!r} has no events; write user, item, a column of them, one of each with x between, "
                "or all",
                field="features",
            )
        sides[of] = name
    return Entity(sides.get("user"), sides.get("item"))


def _side(column: re.Match[str]) -> Entity:
    return Entity(user=column["name"]) if column["of"] == "user" else Entity(item=column["name"])


def _micros(said: str, text: str) -> int:
    try:
        return span_of(said)
    except Invalid as error:
        raise Invalid(f"{text}: {error}", field="features") from None


def span_of(said: str, field: str = "features") -> int:
    """Microseconds of ``7d``, ``12h`` or ``30m``."""
    found = _SPAN.fullmatch(said)
    micros = 0.0 if found is None else float(found["n"]) * UNITS[found["unit"]]
    if not 0.5 < micros <= _LONGEST:
        most = f" of at most {_LONGEST // UNITS['d']} days" if micros > _LONGEST else ""
        raise Invalid(f"{said!r} is no span of time{most}; write for example 7d, 12h or 30m", field=field)
    return round(micros)


def _unknown(text: str) -> Invalid:
    return Invalid(f"{text!r} is no feature; features are written {HOW}", field="features")
