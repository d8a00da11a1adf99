"""What columns of users and items say as numbers, whatever the moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serendip.data.columns import Column, Columns
from serendip.data.dataset import Dataset
from serendip.data.features.coded import Coded, coded
from serendip.data.features.definition import ANY, COUNTED, OWN, Feature
from serendip.data.lists import Floats
from serendip.data.text import directions, terms_of, tfidf
from serendip.domain import Invalid

Coding = Mapping[str, Coded]


def named(columns: Columns | None, name: str, of: str, feature: Feature) -> Column:
    """The column of users or items (``of``) that a feature names."""
    found = columns.columns.get(name) if columns is not None else None
    if found is None:
        known = ", ".join(sorted(columns.columns)) if columns is not None and columns.columns else "none"
        raise Invalid(
            f"{feature.text}: {of}s have no attribute {name!r}; they have {known}. Correct the name, or bring the "
            "attribute with the data",
            field="features",
        )
    return found


def is_category(feature: Feature, column: Column) -> bool:
    """Whether a feature's values are codes of words: declared so, or text."""
    if feature.what == "category":
        return True
    return feature.what == "column" and column.texts is not None


def checked(feature: Feature, column: Column) -> None:
    """Invalid where the column is of a type that the feature cannot read."""
    many = column.lists is not None or column.vectors is not None
    plain = column.numbers is not None or column.texts is not None or column.flags is not None
    wanted = {
        "column": (not many or plain, "name a column of numbers or texts; of lists write likeness(...)"),
        "category": (not many or plain, "a category is a text, a number or a flag"),
        "length": (column.texts is not None or column.lists is not None, "only texts and lists have a length"),
        "text": (column.texts is not None or column.lists is not None, "name a column of texts or lists of texts"),
        "gap": (column.numbers is not None, "name a column of numbers"),
        "usual": (column.numbers is not None, "name a column of numbers"),
        "likeness": (many or column.texts is not None, "name a column of texts, lists or vectors"),
    }
    fits, advice = wanted.get(feature.what, (column.vectors is None, "the events of a vector cannot be told apart"))
    if not fits and not column.empty:
        raise Invalid(f"{feature.text}: the attribute is {column.what}; {advice}", field="features")


def values(feature: Feature, column: Column, n_rows: int, words: Coded | None) -> Floats:
    """One number a row, NaN where nothing is known; (n_rows, 1). ``words``: the rows' codes, where it is a category."""
    out = np.full((n_rows, 1), np.nan, np.float32)
    if words is not None:
        out[:, 0] = words.first
    elif feature.what == "length":
        if column.texts is not None:
            sizes = np.array([*map(len, column.texts.words), 0], np.float32)
            out[:, 0] = np.where(column.texts.codes >= 0, sizes[column.texts.codes], np.nan)
        if column.lists is not None:
            size = np.diff(column.lists.codes.indptr)
            out[size > 0, 0] = size[size > 0]
    elif feature.what == "column":
        if column.flags is not None:
            out[column.flags >= 0, 0] = column.flags[column.flags >= 0]
        if column.numbers is not None:
            have = np.isfinite(column.numbers)
            out[have, 0] = column.numbers[have]
    return out


def components(feature: Feature, column: Column, n_rows: int, rng: np.random.Generator) -> Floats:
    """The coordinates of each row's words in the directions that hold most of them; (n_rows, n_parts).

    NaN where a row has no word; 0 in directions that the texts do not have.
    """
    assert feature.column is not None
    out = np.full((n_rows, feature.n_parts), np.nan, np.float32)
    counts, terms = terms_of({feature.column: column}, n_rows)
    if not len(terms):
        return out
    rows = np.diff(counts.indptr) > 0
    found = directions(tfidf(counts), min(feature.n_parts, *counts.shape), rng)
    # A direction may point either way; the largest number of each is made positive, so that no seed turns it round.
    largest = np.abs(found).argmax(axis=0)
    found = found * np.where(found[largest, np.arange(found.shape[1])] < 0, -1, 1)
    out[rows] = 0
    out[rows, : found.shape[1]] = found[rows]
    return out


def check_kinds(definitions: Sequence[Feature], data: Dataset) -> None:
    """Invalid where a feature names a kind of interactions that there is not."""
    names = [kind.name for kind in data.kinds]
    for feature in definitions:
        for kind in (feature.kind, feature.base):
            if kind not in (ANY, *names):
                raise Invalid(
                    f"{feature.text}: there are no interactions of kind {kind!r}; the kinds are {', '.join(names)}",
                    field="features",
                )


def codes_of(definitions: Sequence[Feature], columns: Columns | None, of: str) -> dict[str, Coded]:
    """The codes of the columns that events are counted by, or whose words are values, of users or of items."""
    out: dict[str, Coded] = {}
    for feature in definitions:
        if feature.what in COUNTED and feature.entity is not None:
            name = feature.entity.user if of == "user" else feature.entity.item
            key = name
        elif feature.what in ("column", "category") and feature.of_asker == (of == "user"):
            name = feature.column
            key = category_of(feature)
        else:
            continue
        if name is None or key is None or name == OWN:
            continue
        column = named(columns, name, of, feature)
        checked(feature, column)
        if key not in out and (feature.what in COUNTED or is_category(feature, column)):
            assert columns is not None
            out[key] = coded(column, columns.n_rows)
    return out


def table_of(
    definitions: Sequence[Feature],
    columns: Columns | None,
    of: str,
    n_rows: int,
    codes: Coding,
    rng: np.random.Generator,
) -> Floats:
    """What columns say of users or of items, in the order of the definitions; (n_rows, n_numbers)."""
    parts: list[Floats] = [np.empty((n_rows, 0), np.float32)]
    for feature in definitions:
        if feature.what not in ("column", "category", "length", "text") or feature.of_asker != (of == "user"):
            continue
        assert feature.column is not None
        column = named(columns, feature.column, of, feature)
        checked(feature, column)
        if feature.what == "text":
            parts.append(components(feature, column, n_rows, rng))
        else:
            parts.append(values(feature, column, n_rows, codes.get(category_of(feature))))
    return np.concatenate(parts, axis=1)


def category_of(feature: Feature) -> str:
    """Under which name the words are kept that are a feature's values; no column has a blank in its name."""
    return f"{feature.what} {feature.column}"
