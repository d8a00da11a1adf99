"""Attributes of items or users, typed: what filters look at, and what models learn from besides events."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data.lists import Floats, ItemLists
from serendip.data.vocabulary import Arrays, Vocabulary
from serendip.domain import micros

Flags = NDArray[np.bool_]

COMPARE = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}

NO_MOMENT = np.iinfo(np.int64).min

ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
"""A day, or a moment of it; a month or a year alone is text."""


def moment_of(text: str) -> int | None:
    """Microseconds since 1970 of an ISO date (its first moment) or date and time (UTC, unless it says else)."""
    if not ISO_MOMENT.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text)
        return micros(read if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Texts:
    """A text for each row, as its place among all texts in order."""

    codes: NDArray[np.int32]
    """Shape (n_rows,); -1 where there is none."""
    words: tuple[str, ...]
    """Ascending, no two equal."""

    @cached_property
    def moments(self) -> NDArray[np.int64]:
        """The moment that each of ``words`` says, in microseconds; NO_MOMENT where it says none."""
        said = [moment_of(word) for word in self.words]
        return np.array([NO_MOMENT if one is None else one for one in said], np.int64)

    @cached_property
    def has_moments(self) -> bool:
        """Whether any text says one."""
        return bool((self.moments != NO_MOMENT).any())

    def compared(self, operator: str, value: str) -> Flags:
        """Rows whose text stands so to ``value``; where both are ISO dates, as moments."""
        found = self._compared_as_text(operator, value)
        at = moment_of(value)
        if at is None or not len(self.words):
            return found
        dated = (self.codes >= 0) & (self.moments[self.codes] != NO_MOMENT)
        return np.where(dated, self.compared_moment(operator, at), found)

    def compared_moment(self, operator: str, at: int) -> Flags:
        """Rows whose text says a moment that stands so to ``at``, in microseconds."""
        if not len(self.words):
            return np.zeros(len(self.codes), np.bool_)
        passing = (self.moments != NO_MOMENT) & COMPARE[operator](self.moments, at)
        return np.asarray((self.codes >= 0) & passing[self.codes])

    def _compared_as_text(self, operator: str, value: str) -> Flags:
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
    """A list of texts for each row."""

    codes: ItemLists
    """Places among ``words`` instead of items."""
    words: tuple[str, ...]

    def has(self, value: str) -> Flags:
        """Rows whose list holds ``value``."""
        found = np.zeros(len(self.codes), np.bool_)
        code = bisect_left(self.words, value)
        if code < len(self.words) and self.words[code] == value:
            found[self.owner[self.codes.item_ix == code]] = True
        return found

    @property
    def owner(self) -> NDArray[np.int64]:
        """The row that each entry belongs to; shape (n_entries,)."""
        return np.repeat(np.arange(len(self.codes)), np.diff(self.codes.indptr))


@dataclass(frozen=True)
class Column:
    """One attribute of all rows. Where rows disagree about its type, each row's value stands in its own part."""

    numbers: NDArray[np.float64] | None = None
    """NaN where a row has none."""
    texts: Texts | None = None
    flags: NDArray[np.int8] | None = None
    """1 true, 0 false, -1 where a row has none."""
    lists: TextLists | None = None
    vectors: Floats | None = None
    """Lists of numbers, (n_rows, k); rows of NaN where there is none."""

    @property
    def empty(self) -> bool:
        """No row has a value."""
        return all(part is None for part in (self.numbers, self.texts, self.flags, self.lists, self.vectors))

    @property
    def what(self) -> str:
        """The types of its values, in words."""
        parts = (
            (self.numbers, "a number"),
            (self.texts, "text"),
            (self.flags, "true or false"),
            (self.lists, "a list of texts"),
            (self.vectors, "a vector"),
        )
        return " or ".join(word for part, word in parts if part is not None)

    @staticmethod
    def of(values: Sequence[Any]) -> Column:
        """The column of plain values, one a row; what is no text, number, boolean, moment or list is missing.

        A moment is kept as its ISO text. A list of nothing but numbers is a vector; of vectors, those of the commonest
        length count.
        """
        n = len(values)
        numbers = {i: v for i, v in enumerate(values) if _is_number(v)}
        texts = {
            i: v if isinstance(v, str) else v.isoformat() for i, v in enumerate(values) if isinstance(v, str | date)
        }
        flags = {i: bool(v) for i, v in enumerate(values) if isinstance(v, bool | np.bool_)}
        many = {i: v for i, v in enumerate(values) if isinstance(v, list | tuple | set | frozenset | np.ndarray)}
        vectors = {i: v for i, v in many.items() if len(v) and all(map(_is_number, v))}
        lists = {i: v for i, v in many.items() if i not in vectors}
        return Column(
            _spread(n, numbers, np.nan, np.float64) if numbers else None,
            _texts(n, texts) if texts else None,
            _spread(n, flags, -1, np.int8) if flags else None,
            _lists(n, lists) if lists else None,
            _vectors(n, vectors) if vectors else None,
        )

    def take(self, rows: NDArray[np.integer]) -> Column:
        """The values of these rows, in this order; nothing where a row is below 0."""
        known, at = rows >= 0, np.maximum(rows, 0)
        if not known.any():
            # Of a column without rows there is no row 0 to stand in for those below.
            return self._without(len(rows))
        return Column(
            None if self.numbers is None else np.where(known, self.numbers[at], np.nan),
            None if self.texts is None else Texts(np.where(known, self.texts.codes[at], -1), self.texts.words),
            None if self.flags is None else np.where(known, self.flags[at], -1).astype(np.int8),
            None if self.lists is None else _taken_lists(self.lists, known, at),
            None if self.vectors is None else np.where(known[:, None], self.vectors[at], np.float32(np.nan)),
        )

    def _without(self, n: int) -> Column:
        """``n`` rows that have nothing, of the same types."""
        none = np.full(n, -1)
        return Column(
            None if self.numbers is None else np.full(n, np.nan),
            None if self.texts is None else Texts(none.astype(np.int32), self.texts.words),
            None if self.flags is None else none.astype(np.int8),
            None if self.lists is None else TextLists(ItemLists.of([[] for _ in range(n)]), self.lists.words),
            None if self.vectors is None else np.full((n, self.vectors.shape[1]), np.nan, np.float32),
        )

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        plain = {"numbers": self.numbers, "flags": self.flags, "vectors": self.vectors}
        out: Arrays = {name: part for name, part in plain.items() if part is not None}
        if self.texts is not None:
            out |= {"codes": self.texts.codes, **_named("texts", self.texts.words)}
        if self.lists is not None:
            codes = self.lists.codes
            out |= {"indptr": codes.indptr, "entries": codes.item_ix, **_named("lists", self.lists.words)}
        return out

    @staticmethod
    def restore(arrays: Mapping[str, NDArray[Any]]) -> Column:
        """The column that ``arrays`` was made of."""
        plain = [arrays.get(name) for name in ("numbers", "flags", "vectors")]
        texts = Texts(arrays["codes"], _words("texts", arrays)) if "codes" in arrays else None
        lists = None
        if "entries" in arrays:
            lists = TextLists(ItemLists(arrays["indptr"], arrays["entries"]), _words("lists", arrays))
        return Column(plain[0], texts, plain[1], lists, plain[2])


@dataclass(frozen=True)
class Columns:
    """Attributes by name, each aligned with the rows of items, of users, or of a batch of askers."""

    n_rows: int
    columns: Mapping[str, Column]

    @staticmethod
    def of(records: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> Columns:
        """The columns of attributes, one record a row; ``names`` exist even if no row here has them."""
        found: dict[str, list[Any]] = {name: [None] * len(records) for name in names}
        for row, record in enumerate(records):
            for name, value in record.items():
                if name not in found:
                    found[name] = [None] * len(records)
                found[name][row] = value
        return Columns(len(records), {name: Column.of(values) for name, values in found.items()})

    def take(self, rows: NDArray[np.integer]) -> Columns:
        """These rows, in this order; one below 0 has no attributes."""
        picked = np.asarray(rows)
        return Columns(len(picked), {name: column.take(picked) for name, column in self.columns.items()})

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        out: Arrays = {"n_rows": np.array([self.n_rows]), **_named("names", tuple(self.columns))}
        for place, column in enumerate(self.columns.values()):
            out |= {f"{place}.{name}": array for name, array in column.arrays().items()}
        return out

    @staticmethod
    def restore(arrays: Mapping[str, NDArray[Any]]) -> Columns:
        """The columns that ``arrays`` was made of."""
        columns = {}
        for place, name in enumerate(_words("names", arrays)):
            mark = f"{place}."
            own = {key.removeprefix(mark): array for key, array in arrays.items() if key.startswith(mark)}
            columns[name] = Column.restore(own)
        return Columns(int(arrays["n_rows"][0]), columns)


def _named(what: str, words: tuple[str, ...]) -> Arrays:
    return {f"{what}.{name}": array for name, array in Vocabulary(words).arrays().items()}


def _words(what: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    return Vocabulary.restore({name: np.asarray(arrays[f"{what}.{name}"]) for name in ("blob", "ends")}).ids


def _taken_lists(lists: TextLists, known: Flags, at: NDArray[np.integer]) -> TextLists:
    starts, size = lists.codes.indptr[:-1][at], np.where(known, np.diff(lists.codes.indptr)[at], 0)
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    entries = np.arange(indptr[-1]) - np.repeat(indptr[:-1], size) + np.repeat(starts, size)
    return TextLists(ItemLists(indptr, lists.codes.item_ix[entries]), lists.words)


def _vectors(n: int, values: Mapping[int, Any]) -> Floats:
    (size, _), *_ = Counter(len(value) for value in values.values()).most_common(1)
    out = np.full((n, size), np.nan, np.float32)
    with np.errstate(over="ignore"):
        for row, value in values.items():
            if len(value) == size:
                out[row] = value
    out[~np.isfinite(out).all(axis=1)] = np.nan
    return out


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
