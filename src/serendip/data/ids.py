"""Ids at the border: one text for one id, whether a frame, an array or a person names it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from serendip.domain import Invalid

WHOLE = 2.0**63
"""Whole floats below this become the text of their integer."""


def is_missing(value: Any) -> bool:
    """None, NaN, pandas' NaT and pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        # pandas.NA will not say whether it equals itself; an array is no missing value.
        return not hasattr(value, "__len__")


def text_ids(column: pl.Series, what: str, field: str | None = None) -> pl.Series:
    """The ids of a column as text; floats that are whole as integers, since a column with gaps turns into floats."""
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Object, pl.Binary):
        raise Invalid(f"the column {what!r} holds {kind}; give ids as text or whole numbers", field=field or what)
    if kind.is_float():
        column = column.fill_nan(None)
    missing = column.is_null()
    if missing.any():
        raise Invalid(
            f"{missing.sum()} rows have no {what}, the first of them row {missing.arg_max()} (from 0); "
            "drop them or fill them in",
            field=field or what,
        )
    texts = column.cast(pl.String)
    if not kind.is_float():
        return texts
    whole = (column == column.floor()) & (column.abs() < WHOLE)
    return column.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, texts)


def text_id(given: Any, what: str = "user") -> str:
    """One id as text, as a frame with it would have it."""
    if isinstance(given, str):
        return str(given)
    if isinstance(given, bool | np.bool_):
        return str(bool(given)).lower()
    if isinstance(given, int | np.integer):
        return str(int(given))
    if is_missing(given) or isinstance(given, bytes) or np.ndim(given):
        raise Invalid(f"{given!r} is no id; give the {what} as text or a whole number", field=what)
    if isinstance(given, float | np.floating):
        return str(text_ids(pl.Series(np.array([given])), what)[0])
    return str(given)


def ids_of(given: Any, what: str = "user") -> tuple[str, ...]:
    """Ids as text, in their order; a bare text or number is one."""
    if isinstance(given, str | bytes | int | float | np.generic) or (isinstance(given, np.ndarray) and not given.ndim):
        return (text_id(given if isinstance(given, str | bytes) else np.asarray(given)[()], what),)
    if not isinstance(given, Iterable):
        raise Invalid(f"{given!r} is no list of ids; give ids of {what}s as texts or whole numbers", field=what)
    return tuple(text_id(one, what) for one in given)
