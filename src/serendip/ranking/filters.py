"""Which items a filter expression lets pass; the grammar is told in ``grammar``."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from serendip.data import COMPARE, Column, Columns
from serendip.domain import Invalid
from serendip.ranking.grammar import And, Compare, Filter, Flag, Has, Not, Now, OneOf, Or, Value, parse
from serendip.ranking.top import Mask

Term = Compare | OneOf | Has | Flag

KEPT_BYTES = 64_000_000
"""What the masks that are kept for one catalogue may hold."""
KEPT = 512
"""How many they may be."""


class Masks:
    """A catalogue's attributes, and the masks of what was asked of them last, so that asking again only joins them.

    What depends on ``now`` is not kept.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._size = max(1, min(KEPT, KEPT_BYTES // max(1, columns.n_rows)))
        self._kept: OrderedDict[tuple[object, ...], Mask] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def passing(self, tree: Filter, now: int | None = None) -> Mask:
        """Which items pass at ``now``, in microseconds; shape (n_items,)."""
        if not self.columns.n_rows:
            return np.zeros(0, np.bool_)
        return _passing(tree, lambda term: self._term(term, now))

    def _term(self, term: Term, now: int | None) -> Mask:
        values = _values(term)
        if any(isinstance(value, Now) for value in values):
            return _asked(term, self.columns, now)
        # Equal trees may ask for different things: 1 is equal to true.
        key = (term, *map(type, values))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = _asked(term, self.columns, None)
        made.flags.writeable = False
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


def mask(tree: Filter, columns: Columns, now: int | None = None) -> Mask:
    """Which items pass at ``now``, in microseconds; shape (n_items,)."""
    if not columns.n_rows:
        return np.zeros(0, np.bool_)
    return _passing(tree, lambda term: _asked(term, columns, now))


def uses_now(tree: Filter) -> bool:
    """Whether what passes depends on the moment of asking."""
    match tree:
        case And(parts) | Or(parts):
            return any(map(uses_now, parts))
        case Not(part):
            return uses_now(part)
        case _:
            return any(isinstance(value, Now) for value in _values(tree))


def _passing(tree: Filter, passing: Callable[[Term], Mask]) -> Mask:
    match tree:
        case And(parts):
            return np.asarray(np.logical_and.reduce([_passing(part, passing) for part in parts]))
        case Or(parts):
            return np.asarray(np.logical_or.reduce([_passing(part, passing) for part in parts]))
        case Not(part):
            return ~_passing(part, passing)
        case _:
            return passing(tree)


def _values(term: Term) -> tuple[Value, ...]:
    match term:
        case Compare(_, _, value):
            return (value,)
        case OneOf(_, values):
            return values
        case _:
            return ()


def _asked(term: Term, columns: Columns, now: int | None) -> Mask:
    """Which items a single term lets pass; a new array."""
    column = _column(columns, term.name, term.place)
    match term:
        case Compare(_, operator, value):
            return _compared(column, columns, term, operator, value, now)
        case OneOf(_, values):
            found = [_compared(column, columns, term, "==", value, now) for value in values]
            return np.asarray(np.logical_or.reduce(found))
        case Has(_, wanted):
            return column.lists.has(wanted) if column.lists is not None else _none(column, columns, term, "a list")
        case Flag():
            return _compared(column, columns, term, "==", True, now)


def _column(columns: Columns, name: str, place: int) -> Column:
    if name not in columns.columns:
        known = ", ".join(sorted(columns.columns)) or "none"
        where = f" (character {place} of the filter)" if place else ""
        raise Invalid(f"no item has an attribute {name!r}{where}; the attributes are {known}", field="filter")
    return columns.columns[name]


def _compared(column: Column, columns: Columns, term: Term, operator: str, value: Value, now: int | None) -> Mask:
    if isinstance(value, Now):
        return _compared_now(column, columns, term, operator, value, now)
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


def _compared_now(column: Column, columns: Columns, term: Term, operator: str, value: Now, now: int | None) -> Mask:
    if now is None:
        raise Invalid("the filter says now, and nobody said when that is; give it a moment", field="filter")
    if column.texts is None:
        return _none(column, columns, term, "an ISO date")
    if not column.texts.has_moments:
        raise Invalid(
            f"no {term.name!r} is an ISO date such as 2026-03-01, so that none can be compared with now", field="filter"
        )
    return column.texts.compared_moment(operator, now + value.plus)


def _none(column: Column, columns: Columns, term: Term, wanted: str) -> Mask:
    """No item, where the attribute has no value at all; Invalid where its values are all of another type."""
    if not column.empty:
        hint = f'; write {term.name} has "x"' if column.lists is not None else ""
        raise Invalid(
            f"{term.name!r} (character {term.place} of the filter) is {column.what}, not {wanted}{hint}", field="filter"
        )
    return np.zeros(columns.n_rows, np.bool_)


__all__ = ["Filter", "Masks", "mask", "parse", "uses_now"]
