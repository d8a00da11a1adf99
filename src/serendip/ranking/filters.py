"""Which items a filter expression lets pass; the grammar is told in ``grammar``."""

from __future__ import annotations

import numpy as np

from serendip.data import Column, Columns
from serendip.domain import Invalid
from serendip.ranking.grammar import And, Compare, Filter, Flag, Has, Not, OneOf, Or, Value, parse
from serendip.ranking.top import Mask

Term = Compare | OneOf | Has | Flag

COMPARE = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def mask(tree: Filter, columns: Columns) -> Mask:
    """Which items pass, of shape (n_items,)."""
    if not columns.n_rows:
        return np.zeros(0, np.bool_)
    match tree:
        case And(parts):
            return np.asarray(np.logical_and.reduce([mask(part, columns) for part in parts]))
        case Or(parts):
            return np.asarray(np.logical_or.reduce([mask(part, columns) for part in parts]))
        case Not(part):
            return ~mask(part, columns)
        case Compare(name, operator, value, place):
            return _compared(_column(columns, name, place), columns, tree, operator, value)
        case OneOf(name, values, place):
            column = _column(columns, name, place)
            return np.asarray(np.logical_or.reduce([_compared(column, columns, tree, "==", value) for value in values]))
        case Has(name, value, place):
            column = _column(columns, name, place)
            return column.lists.has(value) if column.lists is not None else _none(column, columns, tree, "a list")
        case Flag(name, place):
            return _compared(_column(columns, name, place), columns, tree, "==", True)


def _column(columns: Columns, name: str, place: int) -> Column:
    if name not in columns.columns:
        known = ", ".join(sorted(columns.columns)) or "none"
        raise Invalid(
            f"no item has an attribute {name!r} (character {place} of the filter); the attributes are {known}",
            field="filter",
        )
    return columns.columns[name]


def _compared(column: Column, columns: Columns, term: Term, operator: str, value: Value) -> Mask:
    if isinstance(value, bool):
        if column.flags is None:
            return _none(column, columns, term, "true or false")
        if operator not in ("==", "!="):
            raise Invalid(f"true and false have no order; compare {term.name!r} with == or !=", field="filter")
        wanted = int(value) if operator == "==" else 1 - int(value)
        return np.asarray(column.flags == wanted)
    if isinstance(value, str):
        if column.texts is None:
            return _none(column, columns, term, "text")
        return column.texts.compared(operator, value)
    if column.numbers is None:
        return _none(column, columns, term, "a number")
    return np.asarray(COMPARE[operator](column.numbers, value) & ~np.isnan(column.numbers))


def _none(column: Column, columns: Columns, term: Term, wanted: str) -> Mask:
    """No item, where the attribute has no value at all; Invalid where its values are all of another type."""
    if not column.empty:
        hint = f'; write {term.name} has "x"' if column.lists is not None else ""
        raise Invalid(
            f"{term.name!r} (character {term.place} of the filter) is {column.what}, not {wanted}{hint}", field="filter"
        )
    return np.zeros(columns.n_rows, np.bool_)


__all__ = ["Filter", "mask", "parse"]
