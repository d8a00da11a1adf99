"""Columns of moments, in the many ways they are written, as microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from serendip.domain import Invalid

EARLIEST, LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000
"""1900 and 2200: what lies outside is an error in the data."""

EPOCHS = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
"""Microseconds in each unit of an epoch."""

ISO = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
]
MONTH_FIRST = ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y"]
DAY_FIRST = ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y"]
FAMILIES = [
    ISO,
    MONTH_FIRST,
    DAY_FIRST,
    ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y"],
    ["%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%Y/%m/%d"],
    ["%Y%m%d"],
    ["%a %b %d %H:%M:%S %z %Y"],
]
"""Ways to write a moment; a column is one of these throughout."""


@dataclass(frozen=True)
class MomentForm:
    """How the moments of one column are written, settled once for the whole source."""

    unit: str | None
    """Of an epoch; None where moments are written out."""
    formats: tuple[str, ...] = ()
    note: str | None = None


def tell_form(column: pl.Series) -> MomentForm:
    """The form of a column, from its first values."""
    values = column.drop_nulls()
    if column.dtype.is_temporal():
        return MomentForm(None)
    if column.dtype.is_numeric():
        return MomentForm(_unit(values.cast(pl.Float64)))
    values = values.str.strip_chars()
    values = values.filter(values != "").head(1000)
    if values.len() and values.str.contains(r"^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])$").all():
        return MomentForm(None, ("%Y%m%d",))
    numbers = values.cast(pl.Float64, strict=False).drop_nulls()
    if numbers.len() * 2 > values.len() or not values.len():
        return MomentForm(_unit(numbers))
    hits = [_parse(values, family, "UTC").drop_nulls().len() for family in FAMILIES]
    best = int(np.argmax(hits))
    both = FAMILIES[best] is MONTH_FIRST and hits[best] == hits[FAMILIES.index(DAY_FIRST)]
    note = "moments such as " + repr(values[0]) + " are read month first; write them year-month-day if that is wrong"
    return MomentForm(None, tuple(FAMILIES[best]), note if both else None)


def to_micros(column: pl.Series, form: MomentForm, timezone: str) -> pl.Series:
    """Microseconds since 1970 of every moment; null where it cannot be told or lies outside 1900 to 2200."""
    if column.dtype.is_temporal():
        micros = _written(column, timezone).dt.epoch("us")
    elif form.unit:
        numbers = column if column.dtype.is_numeric() else column.str.strip_chars()
        exact = numbers.cast(pl.Int64, strict=False)
        factor = EPOCHS[form.unit]
        if exact.null_count() == column.null_count() and factor >= 1 and column.dtype != pl.Float64:
            inside = exact.is_between(int(EARLIEST / factor), int(LATEST / factor))
            micros = exact.zip_with(inside.fill_null(False), pl.Series([None], dtype=pl.Int64)) * int(factor)
        else:
            micros = _rounded(numbers.cast(pl.Float64, strict=False) * factor)
    else:
        micros = _parse(column.str.strip_chars(), list(form.formats), timezone).dt.epoch("us")
    inside = micros.is_between(EARLIEST, LATEST).fill_null(False)
    return micros.zip_with(inside, pl.Series([None], dtype=pl.Int64))


def _rounded(numbers: pl.Series) -> pl.Series:
    possible = numbers.is_finite() & (numbers.abs() < 2.0**62)
    return numbers.zip_with(possible.fill_null(False), pl.Series([None], dtype=pl.Float64)).round().cast(pl.Int64)


def _unit(numbers: pl.Series) -> str:
    """The unit that puts the middle value between 1973 and 5138."""
    finite = numbers.filter(numbers.is_finite())
    size = abs(float(np.median(finite.to_numpy()))) if finite.len() else 0.0
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def _parse(values: pl.Series, formats: list[str], timezone: str) -> pl.Series:
    """Moments in UTC, each in the first of ``formats`` that fits it."""
    parsed: pl.Series | None = None
    for format in sorted(formats, key=lambda format: -_hits(values, format)):
        if parsed is not None and parsed.null_count() <= values.null_count():
            break
        found = _written(_to_datetime(values, format), timezone)
        parsed = found if parsed is None else parsed.zip_with(parsed.is_not_null(), found)
    assert parsed is not None
    return parsed


def _hits(values: pl.Series, format: str) -> int:
    sample = values.drop_nulls().head(50)
    return sample.len() - _to_datetime(sample, format).null_count()


def _to_datetime(values: pl.Series, format: str) -> pl.Series:
    if "%H" not in format:
        return values.str.to_date(format, strict=False, exact=True).cast(pl.Datetime("us"))
    return values.str.to_datetime(format, strict=False, exact=True, time_unit="us", ambiguous="earliest")


def _written(column: pl.Series, timezone: str) -> pl.Series:
    """Dates and naive moments taken as local to ``timezone``; all in UTC. Hours that a clock skipped are null."""
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime):
        return pl.Series(column.name, [None] * column.len(), dtype=pl.Datetime("us", "UTC"))
    column = column.cast(pl.Datetime("us", column.dtype.time_zone))
    if column.dtype.time_zone is None:  # type: ignore[attr-defined]
        column = column.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return column.dt.convert_time_zone("UTC")


def check_timezone(name: str) -> None:
    """Invalid where there is no such time zone."""
    try:
        pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.PolarsError:
        raise Invalid(
            f"no time zone {name!r}; for example UTC, Europe/London, America/New_York", field="timezone"
        ) from None
