"""What columns of users and items say as numbers, whatever the moment."""

from __future__ import annotations

import numpy as np

from serendip.data.columns import Column, Columns
from serendip.data.features.coded import Coded
from serendip.data.features.definition import Feature
from serendip.data.lists import Floats
from serendip.data.text import directions, terms_of, tfidf
from serendip.domain import Invalid


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
