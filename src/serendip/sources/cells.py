"""Columns of cells turned into ids, texts, numbers, tags and attributes, with every refusal noted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.domain import MAX_ID_BYTES
from serendip.sources.source import RowError

MISSING = "is missing"


@dataclass
class Refusals:
    """The rows of a batch that are not accepted, each for the first thing that is wrong with it."""

    lines: NDArray[np.int64]
    errors: list[RowError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ok = np.ones(len(self.lines), bool)

    def refuse(self, bad: pl.Series | NDArray[np.bool_], name: str, what: str, values: pl.Series) -> None:
        """Refuse the rows where ``bad`` holds and nothing was wrong before."""
        mask = bad.fill_null(False).to_numpy() if isinstance(bad, pl.Series) else bad
        for i in np.flatnonzero(mask & self.ok):
            value = values[int(i)]
            shown = None if value is None else str(value.to_list() if isinstance(value, pl.Series) else value)[:80]
            self.errors.append(RowError(int(self.lines[i]), name, what, shown))
        self.ok &= ~mask


def texts(column: pl.Series) -> pl.Series:
    """Cells as text, an empty one as null; whole floats without their ``.0``, since tables with gaps are written so."""
    dtype = column.dtype
    if dtype == pl.String:
        text = column
    elif dtype.is_float():
        whole = column.is_finite() & (column == column.round()) & (column.abs() < 2.0**53)
        as_int = column.zip_with(whole.fill_null(False), pl.Series([None], dtype=dtype)).cast(pl.Int64).cast(pl.String)
        text = as_int.zip_with(whole.fill_null(False), column.cast(pl.String))
    elif isinstance(dtype, pl.List | pl.Array):
        text = pl.Series(
            column.name, [None if v is None else json.dumps(v.to_list(), default=str) for v in column], dtype=pl.String
        )
    else:
        text = column.cast(pl.String)
    return text.set(text.fill_null("") == "", None)


def ids(column: pl.Series, name: str, refusals: Refusals) -> pl.Series:
    """Ids as they are, byte for byte; refused where missing, too long, or with a NUL in them."""
    text = texts(column)
    if text.null_count():
        refusals.refuse(text.is_null(), name, MISSING, text)
    lengths = text.str.len_bytes()
    if text.len() and (lengths.max() or 0) > MAX_ID_BYTES:  # type: ignore[operator]
        refusals.refuse(lengths > MAX_ID_BYTES, name, f"is longer than {MAX_ID_BYTES} bytes", text)
    return without_nul(text, name, refusals)


def without_nul(text: pl.Series, name: str, refusals: Refusals) -> pl.Series:
    """The same texts; those with a NUL character, which a database cannot keep, are refused."""
    holds = text.str.contains("\0", literal=True)
    if holds.any():
        refusals.refuse(holds, name, "holds a NUL character", text)
    return text


def numbers(column: pl.Series, name: str, refusals: Refusals, scale: tuple[float, float] | None = None) -> pl.Series:
    """Finite numbers; null where the cell is empty."""
    text = texts(column) if column.dtype == pl.String else column
    values = (text.str.strip_chars() if text.dtype == pl.String else text).cast(pl.Float64, strict=False)
    refusals.refuse(values.is_null() & text.is_not_null(), name, "is not a number", text)
    refusals.refuse(~values.is_finite(), name, "is not a finite number", text)
    if scale is not None:
        low, high = scale
        refusals.refuse(~values.is_between(low, high), name, f"lies outside {low:g} to {high:g}", text)
    return values


TRUE, FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def flags(column: pl.Series, name: str, refusals: Refusals) -> pl.Series:
    """True or false; an empty cell is false."""
    text = texts(column)
    lower = text.str.strip_chars().str.to_lowercase()
    refusals.refuse(~lower.is_in(TRUE + FALSE), name, "is neither true nor false", text)
    return lower.is_in(TRUE).fill_null(False)


def json_objects(column: pl.Series, name: str, refusals: Refusals) -> pl.Series:
    """Texts that are JSON objects, as they are."""
    text = without_nul(texts(column), name, refusals)
    bad = np.array([cell is not None and not _is_object(cell) for cell in text], bool)
    refusals.refuse(bad, name, "is not a JSON object", text)
    return text


def _is_object(cell: str) -> bool:
    try:
        return isinstance(json.loads(cell, parse_constant=_refuse_constant), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def tag_separator(column: pl.Series) -> str:
    """What stands between tags in a column of text, told from its cells."""
    text = texts(column).drop_nulls()
    return next((mark for mark in "|;," if text.str.contains(mark, literal=True).any()), "|")


def tags(column: pl.Series, separator: str) -> pl.Series:
    """Lists of tags, from lists, JSON lists, ``<a><b>`` or separated text; each tag once, in its place."""
    if isinstance(column.dtype, pl.List):
        lists = [[] if cell is None else [str(tag) for tag in cell] for cell in column]
    else:
        lists = [_tags_of(cell, separator) for cell in texts(column)]
    return pl.Series(column.name, [list(dict.fromkeys(tags)) for tags in lists], dtype=pl.List(pl.String))


def _tags_of(cell: str | None, separator: str) -> list[str]:
    if cell is None or cell == "(no genres listed)":
        return []
    if cell.startswith("[") and cell.endswith("]"):
        try:
            return [str(tag) for tag in json.loads(cell)]
        except ValueError:
            pass
    if cell.startswith("<") and cell.endswith(">"):
        return [tag for tag in cell[1:-1].split("><") if tag]
    return [tag.strip() for tag in cell.split(separator) if tag.strip()]


WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")


def holds_numbers(column: pl.Series) -> bool:
    """Whether every cell is a number that loses nothing when it is kept as one (``007`` would)."""
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    text = texts(column).drop_nulls()
    values = text.cast(pl.Float64, strict=False)
    leading = text.str.contains(r"^[+-]?0\d")
    return bool(text.len() and values.null_count() == 0 and values.is_finite().all() and not leading.any())


def attribute_json(
    frame: pl.DataFrame, names: Sequence[str], numeric: Sequence[str], given: pl.Series | None = None
) -> pl.Series:
    """A JSON object a row of the columns ``names`` that are not empty; those in ``numeric`` as numbers.

    ``given`` holds a JSON object a row already (or null), to which the columns are added.
    """
    columns = {name: _cells(frame[name], name in numeric) for name in names}
    bases = given if given is not None else [None] * frame.height
    rows = []
    for i, base in enumerate(bases):
        row = json.loads(base) if base else {}
        row |= {name: cells[i] for name, cells in columns.items() if cells[i] is not None}
        rows.append(json.dumps(row, ensure_ascii=False))
    return pl.Series("attributes", rows, dtype=pl.String)


def _cells(column: pl.Series, numeric: bool) -> list[object]:
    if column.dtype == pl.String and numeric:
        return [_number(cell) for cell in texts(column)]
    if column.dtype == pl.String:
        return texts(column).to_list()
    if column.dtype.is_temporal():
        return column.cast(pl.String).to_list()
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in column.to_list()]


def _number(cell: str | None) -> int | float | None:
    if cell is None:
        return None
    return int(cell) if WHOLE.fullmatch(cell.strip()) else float(cell)
