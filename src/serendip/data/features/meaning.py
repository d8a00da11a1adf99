"""What a feature tells, in words."""

from __future__ import annotations

from serendip.data.features.definition import ANY, OWN, UNITS, Entity, Feature, parse_feature

_PLAIN = {
    "hour": "the hour of the moment, 0 to 23 (UTC)",
    "weekday": "the weekday of the moment, 0 Monday to 6 Sunday (UTC)",
    "day": "the day of the month (UTC)",
    "month": "the month (UTC)",
}


def meaning(feature: Feature) -> str:
    """One line for people."""
    if feature.what in _PLAIN:
        return _PLAIN[feature.what]
    if feature.what == "share":
        return f"the score that the candidate source {feature.source} gives the item, as a part of its highest"
    if feature.source is not None:
        return f"the {feature.what} that the candidate source {feature.source} gives the item"
    if feature.column is not None:
        return _of_column(feature, f"{'user' if feature.of_asker else 'item'}'s {feature.column}")
    assert feature.entity is not None
    whose, events = _whose(feature.entity), _events(feature.kind)
    span = f" in the last {span_words(feature.span)}" if feature.span is not None else " so far"
    match feature.what:
        case "usual":
            return "how many days old items were when the user took them, on average"
        case "gap":
            return "how many days older the item is than items were when the user took them, on average"
        case "count":
            return f"{events} of {whose}{span}"
        case "rate":
            return f"{events} of {whose} for each of the {_events(feature.base)}{span}"
        case "decayed":
            return f"{events} of {whose}, each counting half after {span_words(feature.span)}"
        case "trend":
            return (
                f"{events} of {whose} a day in the last {span_words(feature.span)}, as a multiple of those in the last "
                + (span_words(feature.long_span))
            )
        case "mean":
            return f"the mean value of the {events} of {whose} so far"
        case "recency":
            return f"days since the last of the {events} of {whose}"
        case _:
            return f"days since the first of the {events} of {whose}"


def told_by(name: str) -> str:
    """The same of a feature by its name; of one of several numbers, what they are together."""
    return meaning(parse_feature(name[: name.rindex("[")] if name.endswith("]") else name))


def _of_column(feature: Feature, column: str) -> str:
    return {
        "column": f"the {column}",
        "category": f"the {column}, one of its words",
        "length": f"characters (or entries) of the {column}",
        "text": f"{feature.n_parts} numbers that sum up the words of the {column}",
        "likeness": f"cosine of the {column} with those of the user's history",
        "gap": f"the {column} less the mean of the user's history",
        "usual": f"the mean {column} of the user's history",
    }[feature.what]


def _whose(entity: Entity) -> str:
    parts = [
        f"the {of}" if name == OWN else f"all {of}s of the same {name}"
        for of, name in (("user", entity.user), ("item", entity.item))
        if name is not None
    ]
    return " with ".join(parts) or "everybody"


def _events(kind: str) -> str:
    return "interactions" if kind == ANY else f"interactions {kind!r}"


def span_words(micros: int | None) -> str:
    """``7 days``, ``12 hours``."""
    assert micros is not None
    for unit, words in (("d", "days"), ("h", "hours"), ("m", "minutes")):
        if micros % UNITS[unit] == 0 or unit == "m":
            n = micros / UNITS[unit]
            return f"{n:g} {words if n != 1 else words[:-1]}"
    raise AssertionError("minutes are the last")
