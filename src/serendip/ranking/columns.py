"""Attributes of items as columns that a filter can look at."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data import ItemLists
from serendip.ranking.top import Mask


@dataclass(frozen=True)
class Texts:
    """A text for each item, as its place among all texts in order."""

    codes: NDArray[np.int32]
    """Shape (n_items,); -1 where there is none."""
    words: tuple[str, ...]
    """Ascending, no two equal."""

    def compared(self, operator: str, value: str) -> Mask:
        """Items whose text stands so to ``value``."""
        low, high = bisect_left(self.words, value), bisect_right(self.words, value)
        have = self.codes >= 0
        match operator:
            case "==":
                return (self.codes >= low) & (self.codes < high)
            case "!=":
                return have & ((self.codes < low) | (self.codes >= high))
            case "<":
                return have & (self.codes < low)
            case "<=":
                return have & (self.codes < high)
            case ">":
                return self.codes >= high
            case _:
                return self.codes >= low


@dataclass(frozen=True)
class TextLists:
    """A list of texts for each item."""

    codes: ItemLists
    """Places among ``words`` instead of items."""
    words: tuple[str, ...]

    def has(self, value: str) -> Mask:
        """Items whose list holds ``value``."""
        found = np.zeros(len(self.codes), np.bool_)
        code = bisect_left(self.words, value)
        if code < len(self.words) and self.words[code] == value:
            owner = np.repeat(np.arange(len(self.codes)), np.diff(self.codes.indptr))
            found[owner[self.codes.item_ix == code]] = True
        return found


@dataclass(frozen=True)
class Column:
    """One attribute of all items. Where items disagree about its type, each item's value stands in its own part."""

    numbers: NDArray[np.float64] | None = None
    """NaN where an item has none."""
    texts: Texts | None = None
    flags: NDArray[np.int8] | None = None
    """1 true, 0 false, -1 where an item has none."""
    lists: TextLists | None = None

    @property
    def empty(self) -> bool:
        """No item has a value."""
        return self.numbers is None and self.texts is None and self.flags is None and self.lists is None

    @property
    def what(self) -> str:
        """The types of its values, in words."""
        parts = (
            (self.numbers, "a number"),
            (self.texts, "text"),
            (self.flags, "true or false"),
            (self.lists, "a list of texts"),
        )
        return " or ".join(word for part, word in parts if part is not None)

    @staticmethod
    def of(values: Sequence[Any]) -> Column:
        """The column of plain values, one an item; what is no text, number, boolean or list is missing."""
        n = len(values)
        numbers = {i: v for i, v in enumerate(values) if _is_number(v)}
        texts = {i: v for i, v in enumerate(values) if isinstance(v, str)}
        flags = {i: bool(v) for i, v in enumerate(values) if isinstance(v, bool | np.bool_)}
        lists = {i: v for i, v in enumerate(values) if isinstance(v, list | tuple | set | frozenset)}
        return Column(
            _spread(n, numbers, np.nan, np.float64) if numbers else None,
            _texts(n, texts) if texts else None,
            _spread(n, flags, -1, np.int8) if flags else None,
            _lists(n, lists) if lists else None,
        )


@dataclass(frozen=True)
class ItemColumns:
    """Attributes by name, each aligned with item rows."""

    n_items: int
    columns: Mapping[str, Column]

    @staticmethod
    def of(records: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> ItemColumns:
        """The columns of items' attributes, one record an item row; ``names`` exist even if no item here has them."""
        found: dict[str, list[Any]] = {name: [None] * len(records) for name in names}
        for row, record in enumerate(records):
            for name, value in record.items():
                if name not in found:
                    found[name] = [None] * len(records)
                found[name][row] = value
        return ItemColumns(len(records), {name: Column.of(values) for name, values in found.items()})


def _is_number(value: object) -> bool:
    """An int or float that a double can hold."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _spread(n: int, values: Mapping[int, Any], missing: float, dtype: type) -> NDArray[Any]:
    out: NDArray[Any] = np.full(n, missing, dtype)
    out[list(values)] = list(values.values())
    return out


def _texts(n: int, values: Mapping[int, str]) -> Texts:
    words = tuple(sorted(set(values.values())))
    code = {word: i for i, word in enumerate(words)}
    return Texts(_spread(n, {i: code[value] for i, value in values.items()}, -1, np.int32), words)


def _lists(n: int, values: Mapping[int, Iterable[Any]]) -> TextLists:
    kept = [[word for word in values.get(i, ()) if isinstance(word, str)] for i in range(n)]
    words = tuple(sorted({word for own in kept for word in own}))
    code = {word: i for i, word in enumerate(words)}
    return TextLists(ItemLists.of([[code[word] for word in own] for own in kept]), words)
