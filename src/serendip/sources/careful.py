"""Records of irregular text, one after the other: stray quotes, quotes never closed, bytes that are no text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.sources.sniffing import Layout
from serendip.sources.source import RowError

MAX_RECORD = 1 << 20
"""Bytes of the longest record; what runs on for longer is a quote that nobody closed, or no table at all."""


@dataclass(frozen=True)
class Cut:
    """The records found in a piece of text."""

    frame: pl.DataFrame
    lines: NDArray[np.int64]
    errors: list[RowError]
    used: int
    """Bytes of the piece that are done with; the rest belongs to the next."""
    too_long: bool = False
    """The piece ends within a line that is too long; what follows up to its end is to be passed over."""


@dataclass
class _Found:
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def cut_carefully(chunk: bytes, line: int, layout: Layout, at_end: bool) -> Cut:
    """The whole records of ``chunk``, which begins at physical line ``line``.

    A quote opens a text only at the start of a field; elsewhere it is a
    character like others. Where a quoted text does not end as it should, its
    first line is an error and reading goes on with the next line, so that one
    forgotten quote costs one row and not the rest of the file.
    """
    found, position, width = _Found(), 0, len(layout.columns)
    too_long = False
    delimiter = layout.delimiter.encode()
    while position < len(chunk):
        end = chunk.find(b"\n", position)
        if end < 0:
            too_long = len(chunk) - position > MAX_RECORD
            if too_long:
                found.errors.append(RowError(line, None, TOO_LONG, _glimpse(chunk[position : position + 80])))
                position = len(chunk)
            break
        stop, fields, problem = end, None, None
        if end - position > MAX_RECORD:
            problem = TOO_LONG
        elif layout.quoted and b'"' in chunk[position:end]:
            fields, stop, problem = _quoted_fields(chunk, position, delimiter)
            if problem == OPEN and not at_end and len(chunk) - position <= MAX_RECORD:
                break
            if problem:
                stop = end
        elif end > position:
            fields = chunk[position:end].split(delimiter)
        if problem:
            found.errors.append(RowError(line, None, problem, _glimpse(chunk[position : min(end, position + 80)])))
        elif fields is not None:
            _take(found, fields, line, width)
        line += chunk.count(b"\n", position, stop + 1)
        position = stop + 1
    columns = list(zip(*found.rows, strict=True)) or [()] * width
    data = {name: pl.Series(list(cells), dtype=pl.String) for name, cells in zip(layout.columns, columns, strict=True)}
    return Cut(pl.DataFrame(data), np.array(found.lines, np.int64), found.errors, position, too_long)


TOO_LONG = f"the line is longer than {MAX_RECORD:,} bytes"
OPEN = "a quote is opened and never closed"


def _quoted_fields(chunk: bytes, position: int, delimiter: bytes) -> tuple[list[bytes] | None, int, str | None]:
    """The fields of the record at ``position``, the offset of the newline that ends it, and what is wrong with it."""
    fields: list[bytes] = []
    limit = min(len(chunk), position + MAX_RECORD)
    while True:
        if chunk[position : position + 1] == b'"':
            begin = position + 1
            close = chunk.find(b'"', begin, limit)
            while close >= 0 and chunk[close + 1 : close + 2] == b'"':
                close = chunk.find(b'"', close + 2, limit)
            if close < 0 or close + 1 >= len(chunk):
                return None, position, OPEN
            fields.append(chunk[begin:close].replace(b'""', b'"'))
            after = chunk[close + 1 : close + 2]
            if after not in (delimiter, b"\n"):
                return None, position, "text follows a closing quote; double the quotes inside a quoted text"
            end = close + 1
        else:
            newline = chunk.find(b"\n", position)
            if newline < 0:
                return None, position, OPEN
            end = chunk.find(delimiter, position, newline)
            end = newline if end < 0 else end
            fields.append(chunk[position:end])
        if chunk[end : end + 1] == b"\n":
            return fields, end, None
        position = end + 1


def _take(found: _Found, fields: list[bytes], line: int, width: int) -> None:
    if len(fields) != width:
        found.errors.append(RowError(line, None, wrong_width(len(fields), width), _glimpse(b",".join(fields))))
        return
    try:
        row = [field.decode() for field in fields]
    except UnicodeDecodeError as error:
        what = f"byte 0x{error.object[error.start]:02x} is not valid UTF-8; say --encoding where the file is another"
        found.errors.append(RowError(line, None, what, _glimpse(error.object)))
        return
    found.rows.append(row)
    found.lines.append(line)


def wrong_width(n_fields: int, width: int) -> str:
    """What is said of a row with too few or too many fields."""
    return f"the row has {n_fields} field{'s' * (n_fields != 1)} where {width} are expected"


def _glimpse(raw: bytes) -> str:
    return raw[:80].decode("utf-8", "replace")
