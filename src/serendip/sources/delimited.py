"""Text tables: cut into rows with arrays where the text is regular, by hand where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.sources.careful import MAX_RECORD, Cut, cut_carefully, wrong_width
from serendip.sources.sniffing import Layout
from serendip.sources.source import Batch, RowError, Source, file_digest
from serendip.sources.streams import Utf8Stream

BLOCK = 4 << 20
"""Bytes read at once; a batch's memory is a small multiple of it."""

UNIT = b"\x1f"
"""Stands for ``::`` while a block is cut, since the fast reader wants a delimiter of one byte."""

QUOTE, NEWLINE = ord('"'), ord("\n")

NO_ITEM = "the line names a user and no item"


class TextTable(Source):
    """A delimited text file: CSV, TSV, ``::`` and their like, gzipped or not."""

    def __init__(self, path: Path, layout: Layout, encoding: str, *, lone_returns: bool = False) -> None:
        self.path, self.layout, self.encoding = path, layout, encoding
        self.about = int(path.stat().st_size / layout.line_bytes)
        self.lone_returns = lone_returns
        self.name, self.columns, self.notes = str(path), layout.columns, list(layout.notes)
        self.format = {",": "csv", "\t": "tsv"}.get(layout.delimiter, layout.delimiter)
        self.digest = file_digest(path)

    def read(self) -> Iterator[Batch]:
        """Every record after the header, a block of the file at a time."""
        stream = Utf8Stream(self.path, self.encoding, lone_returns=self.lone_returns)
        headers = int(self.layout.header)
        try:
            for cut in cuts(stream, self.layout):
                skipped = min(headers, cut.frame.height)
                headers -= skipped
                yield Batch(cut.frame.slice(skipped), cut.lines[skipped:], cut.errors, done=stream.done)
        finally:
            stream.close()


class Sequences(Source):
    """A text file whose lines are ``user item item ...``: one row for each item, numbered along its line."""

    format = "sequences"

    def __init__(self, path: Path, layout: Layout, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self.name, self.columns, self.notes = str(path), layout.columns, list(layout.notes)
        self.digest = file_digest(path)

    def read(self) -> Iterator[Batch]:
        """A row for every item of every line."""
        stream = Utf8Stream(self.path, self.encoding)
        line, rest = 1, b""
        try:
            while True:
                data = stream.read(BLOCK)
                block = rest + data
                used = block.rfind(b"\n") + 1 if data else len(block)
                rest, block = block[used:], block[:used]
                yield _sequence_batch(block, line, stream.done)
                line += block.count(b"\n")
                if not data:
                    return
        finally:
            stream.close()


def _sequence_batch(block: bytes, first_line: int, done: float) -> Batch:
    users: list[str] = []
    items: list[str] = []
    lengths: list[int] = []
    lines: list[int] = []
    errors: list[RowError] = []
    for line, raw in enumerate(block.split(b"\n"), first_line):
        try:
            user, *own = raw.decode().split() or [""]
        except UnicodeDecodeError:
            errors.append(
                RowError(line, None, "the line is not valid UTF-8; say --encoding", raw[:80].decode("latin-1"))
            )
            continue
        if own:
            users.append(user)
            items += own
            lengths.append(len(own))
            lines.append(line)
        elif user:
            errors.append(RowError(line, "item", NO_ITEM, user))
    position = np.concatenate([np.arange(1, n + 1) for n in lengths]) if lengths else np.zeros(0, np.int64)
    frame = pl.DataFrame(
        {
            "user": pl.Series(np.repeat(np.array(users, object), lengths), dtype=pl.String),
            "item": pl.Series(items, dtype=pl.String),
            "position": pl.Series(position, dtype=pl.Int64).cast(pl.String),
        }
    )
    return Batch(frame, np.repeat(np.array(lines, np.int64), lengths), errors, done=done)


def cuts(stream: Utf8Stream, layout: Layout) -> Iterator[Cut]:
    """All records of a stream, header included, with the lines they begin on."""
    line, rest, skipping = 1, b"", False
    while True:
        data = stream.read(BLOCK)
        at_end = not data
        chunk = rest + data
        if at_end and chunk and not chunk.endswith(b"\n"):
            chunk += b"\n"
        if skipping:
            # The rest of a line that was too long; its error is already given.
            stop = chunk.find(b"\n") + 1
            skipping, chunk = stop == 0, chunk[stop:] if stop else b""
            line += stop > 0
        if chunk:
            cut = cut_fast(chunk, line, layout, at_end) or cut_carefully(chunk, line, layout, at_end)
            rest, skipping = chunk[cut.used :], cut.too_long
            line += chunk.count(b"\n", 0, cut.used)
            yield cut
        else:
            rest = b""
        if at_end:
            return


@dataclass(frozen=True)
class _Records:
    """Where the records of a block end, and how many delimiters each has."""

    ends: NDArray[np.int64]
    """Offset of the newline that ends each record, of shape (n_records,)."""
    newlines: NDArray[np.int64]
    """Offsets of all newlines, those inside quotes too."""
    n_delimiters: NDArray[np.int64]


def cut_fast(chunk: bytes, line: int, layout: Layout, at_end: bool) -> Cut | None:
    """The whole records of ``chunk`` where it is regular text; None where it must be read with more care."""
    delimiter = layout.delimiter.encode()
    if len(delimiter) > 1:
        if UNIT in chunk:
            return None
        used = chunk.rfind(b"\n") + 1
        body, delimiter = chunk[:used].replace(delimiter, UNIT), UNIT
        records = _records(body, delimiter[0], quoted=False)
    else:
        records = _records(chunk, delimiter[0], layout.quoted)
        used = int(records.ends[-1]) + 1 if records is not None and records.ends.size else 0
        body = chunk[:used]
    if records is None or len(chunk) - used > (0 if at_end else MAX_RECORD):
        return None
    if not (body.isascii() or _is_utf8(body)):
        return None
    return _frame_of(body, records, line, layout, delimiter, used)


def _frame_of(body: bytes, records: _Records, line: int, layout: Layout, delimiter: bytes, used: int) -> Cut | None:
    """The records of ``body`` as text columns, those with another number of fields as errors."""
    starts = np.concatenate([[0], records.ends[:-1] + 1]).astype(np.int64) if records.ends.size else records.ends
    lengths = records.ends - starts
    if lengths.max(initial=0) > MAX_RECORD:
        return None
    width = len(layout.columns)
    lines = line + np.searchsorted(records.newlines, starts)
    blank = (lengths == 0) if width > 1 else np.zeros(len(starts), bool)
    good = (records.n_delimiters == width - 1) & (lengths > 0)
    errors = [
        RowError(
            int(lines[i]),
            None,
            wrong_width(int(records.n_delimiters[i]) + 1, width),
            _glimpse(body, starts[i], records.ends[i]),
        )
        for i in np.flatnonzero(~good & ~blank & (lengths > 0))
    ]
    if not good.all():
        body = np.frombuffer(body, np.uint8)[np.repeat(good, lengths + 1)].tobytes()
    n_good = int(good.sum())
    if n_good == 0:
        return Cut(pl.DataFrame(schema=dict.fromkeys(layout.columns, pl.String)), lines[:0], errors, used)
    frame = pl.read_csv(
        body,
        has_header=False,
        separator=delimiter.decode(),
        quote_char='"' if layout.quoted and b'"' in body else None,
        infer_schema=False,
        new_columns=layout.columns,
    )
    if frame.shape != (n_good, width):
        return None
    return Cut(frame, lines[good], errors, used)


def _glimpse(body: bytes, start: np.int64, end: np.int64) -> str:
    return body[start : min(end, start + 80)].replace(UNIT, b"::").decode("utf-8", "replace")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _records(chunk: bytes, delimiter: int, quoted: bool) -> _Records | None:
    """The records of ``chunk``; None where a quote stands where a regular file has none.

    With an even number of quotes before it, a newline ends a record and a
    delimiter a field; with an odd number it is part of a quoted text. This is
    exact as long as every quote that opens follows a delimiter, a newline or
    a closing quote, and every one that closes precedes one of these.
    """
    buffer = np.frombuffer(chunk, np.uint8)
    newlines = np.flatnonzero(buffer == NEWLINE)
    delimiters = np.flatnonzero(buffer == delimiter)
    ends = newlines
    if quoted and b'"' in chunk:
        quotes = np.flatnonzero(buffer == QUOTE)
        opens, closes = quotes[::2], quotes[1::2]
        border = np.zeros(256, bool)
        border[[delimiter, NEWLINE, QUOTE]] = True
        before = buffer[opens[opens > 0] - 1]
        after = buffer[closes[closes < len(buffer) - 1] + 1]
        if not (border[before].all() and border[after].all()):
            return None
        ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
    counts = np.diff(np.searchsorted(delimiters, ends), prepend=0)
    return _Records(ends, newlines, counts)
