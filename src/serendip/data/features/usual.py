"""The features that are taken where none are declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from serendip.data.columns import Column, Columns
from serendip.data.dataset import Dataset
from serendip.data.features.definition import OF_SOURCE, Feature, parse_features

MOST_KINDS = 3
"""Kinds of interactions that are told apart, the commonest first."""
FEW_WORDS = 200
"""A text of no more different words is a category."""
LONG_TEXT = 40
"""Characters on average from which on a text is told by its words."""
N_COMPONENTS = 8

ALWAYS = (
    *(f"count(item, {span})" for span in ("1d", "3d", "7d", "14d", "30d", "90d")),
    *("count(item)", "decayed(item, 3d)", "trend(item, 3d/7d)", "trend(item, 7d/30d)", "recency(item)", "age(item)"),
    *("count(user)", "count(user, 7d)", "recency(user)", "age(user)", "gap(age)", "usual(age)"),
    *("count(user x item)", "decayed(user x item, 30d)", "decayed(user x item, 180d)", "recency(user x item)"),
    "age(user x item)",
    *("hour", "weekday"),
)


def usual_features(data: Dataset, sources: Sequence[str] = ()) -> tuple[Feature, ...]:
    """A good general set for the kinds and columns of ``data``, and what each of ``sources`` says."""
    lines = [*ALWAYS, *_of_kinds(data)]
    if np.isfinite(data.value).any():
        lines += ["mean(item)", "mean(user)"]
    lines += _of_items(data.item_columns)
    lines += _of_users(data.user_columns)
    lines += [f"{what}({source})" for source in sources for what in OF_SOURCE]
    return parse_features(dict.fromkeys(lines))


def _of_kinds(data: Dataset) -> Iterator[str]:
    """Counts of the commonest kinds, and each one's share of the commonest."""
    n_events = np.bincount(data.kind, minlength=len(data.kinds))
    common = [int(kind) for kind in np.argsort(-n_events, kind="stable")[:MOST_KINDS] if n_events[kind]]
    names = [data.kinds[kind].name for kind in common]
    if len(names) < 2 or any(" " in name or set(name) & set("(),/") for name in names):
        return
    for name in names:
        yield from (f"count(item, {name}, 7d)", f"count(user, {name})", f"decayed(item, {name}, 3d)")
    for name in names[1:]:
        yield from (f"rate({entity}, {name}/{names[0]})" for entity in ("item", "user"))
        yield f"rate(item, {name}/{names[0]}, 7d)"


def _of_items(columns: Columns | None) -> Iterator[str]:
    for name, column in _named(columns):
        if column.vectors is not None:
            yield f"likeness(item.{name})"
        elif column.lists is not None:
            yield from (f"likeness(item.{name})", f"count(user x item.{name})")
        elif column.texts is not None:
            n_words = len(column.texts.words)
            if 1 < n_words <= FEW_WORDS:
                yield from (f"item.{name}", f"count(user x item.{name})", f"decayed(user x item.{name}, 30d)")
                yield f"count(item.{name}, 7d)"
            elif n_words > FEW_WORDS and np.mean([len(word) for word in column.texts.words]) >= LONG_TEXT:
                yield from (f"length(item.{name})", f"text(item.{name}, {N_COMPONENTS})", f"likeness(item.{name})")
        elif column.numbers is not None:
            yield from (f"item.{name}", f"gap(item.{name})", f"usual(item.{name})")
        elif column.flags is not None:
            yield f"item.{name}"


def _of_users(columns: Columns | None) -> Iterator[str]:
    for name, column in _named(columns):
        if column.texts is not None and 1 < len(column.texts.words) <= FEW_WORDS:
            yield from (f"user.{name}", f"decayed(user.{name} x item, 30d)")
        elif column.texts is None and (column.numbers is not None or column.flags is not None):
            yield f"user.{name}"


def _named(columns: Columns | None) -> list[tuple[str, Column]]:
    """The columns whose names can be written in a feature."""
    found = {} if columns is None else columns.columns
    return [(name, one) for name, one in found.items() if name and not set(name) & set(" \t\n(),/")]
