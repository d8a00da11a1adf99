"""JSON lines: an object a line; what is nested stays JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from serendip.domain import Invalid
from serendip.sources.careful import MAX_RECORD
from serendip.sources.source import Batch, RowError, Source, file_digest
from serendip.sources.streams import Utf8Stream, head

BLOCK = 2 << 20


class JsonLines(Source):
    """A file of JSON objects, one a line, gzipped or not. Its columns are the names met in the first lines.

    Or those that it is told to have: what a line does not say is empty, what it says besides is not read.
    """

    format = "jsonl"

    def __init__(self, path: Path, encoding: str, columns: list[str] | None = None) -> None:
        self.path, self.encoding = path, encoding
        self.name, self.notes, self.digest = str(path), [], file_digest(path)
        names: dict[str, None] = {}
        text = head(path, encoding, size=1 << 20)
        if text.lstrip().startswith("["):
            raise Invalid(f"{path} is one JSON list; write one object a line (jq -c '.[]' {path.name} > lines.jsonl)")
        for line in text.split("\n"):
            row, _ = parse(line.encode())
            names.update(dict.fromkeys(row or {}))
        if not names:
            raise Invalid(f"{path} holds no JSON object in its first lines; JSON lines have one object a line")
        self.columns = [name for name in names if _is_text(name)] if columns is None else columns

    def read(self) -> Iterator[Batch]:
        """A row for every line that is an object."""
        for lines, first_line, done in line_blocks(self.path, self.encoding):
            rows: list[dict[str, Any]] = []
            at: list[int] = []
            errors: list[RowError] = []
            for line, raw in enumerate(lines, first_line):
                if not raw.strip():
                    continue
                row, problem = parse(raw)
                if row is None:
                    errors.append(RowError(line, None, problem, raw[:80].decode("utf-8", "replace")))
                else:
                    rows.append(row)
                    at.append(line)
            yield self._batch(rows, at, errors, done)

    def _batch(self, rows: list[dict[str, Any]], at: list[int], errors: list[RowError], done: float) -> Batch:
        data, broken = {}, {}
        for name in self.columns:
            cells = [as_text(row.get(name)) for row in rows]
            try:
                data[name] = pl.Series(name, cells, dtype=pl.String)
            except UnicodeEncodeError:
                for i, cell in enumerate(cells):
                    if cell is not None and not _is_text(cell):
                        broken[i], cells[i] = (name, cell), None
                data[name] = pl.Series(name, cells, dtype=pl.String)
        for i, (name, cell) in broken.items():
            what = "holds half a surrogate pair; it is not valid Unicode"
            errors.append(RowError(at[i], name, what, cell[:80].encode("utf-8", "backslashreplace").decode()))
        keep = np.array([i not in broken for i in range(len(rows))], bool)
        frame = pl.DataFrame(data).filter(pl.Series(keep)) if broken else pl.DataFrame(data)
        return Batch(frame, np.array(at, np.int64)[keep], sorted(errors, key=lambda error: error.line), done=done)


def line_blocks(path: Path, encoding: str = "utf-8") -> Iterator[tuple[list[bytes], int, float]]:
    """The lines of a text file by the block: the lines, the first one's number, and how much of the file is read.

    Of a line longer than ``MAX_RECORD`` only the beginning is given; the rest of it is passed over.
    """
    stream = Utf8Stream(path, encoding)
    line, rest = 1, b""
    try:
        while data := stream.read(BLOCK):
            lines = (rest + data).split(b"\n")
            rest = lines.pop()[: MAX_RECORD + 1]
            if lines:
                yield [one[: MAX_RECORD + 1] for one in lines], line, stream.done
                line += len(lines)
        if rest:
            yield [rest], line, 1.0
    finally:
        stream.close()


def parse(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object on a line, or None and why there is none."""
    if len(raw) > MAX_RECORD:
        return None, f"the line is longer than {MAX_RECORD:,} bytes"
    try:
        row = json.loads(raw.decode())
    except UnicodeDecodeError as error:
        return None, f"byte 0x{error.object[error.start]:02x} is not valid UTF-8; say --encoding"
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except ValueError as error:
        return None, f"not JSON: {error}"
    if not isinstance(row, dict):
        return None, f"a JSON object is expected on each line, not a {type(row).__name__}"
    return row, ""


def as_text(value: object) -> str | None:
    """A JSON value as a cell: text as it is, the rest as JSON would write it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
