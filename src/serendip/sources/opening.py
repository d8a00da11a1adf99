"""From what an operator typed, a path or a URL, to a source."""

from __future__ import annotations

import codecs
from pathlib import Path

from serendip.domain import Invalid, NotFound
from serendip.sources.delimited import Sequences, TextTable
from serendip.sources.json_lines import JsonLines
from serendip.sources.parquet import ParquetFile
from serendip.sources.sniffing import LINES_OF_ITEMS, sniff
from serendip.sources.source import Source
from serendip.sources.sql import SqlTable, is_sql_url
from serendip.sources.streams import guess_encoding, head, refuse_archives

FORMATS = {"csv": None, "tsv": "\t", "::": "::", "jsonl": None, "parquet": None, "sequences": None}
"""The formats of files that may be named, with the delimiter that a name settles."""


def open_source(path_or_url: str | Path, format: str | None = None, encoding: str | None = None) -> Source:
    """A file or an SQL table, ready to be read.

    What is not said is found out: gzip by its first bytes, JSON lines and
    Parquet by theirs, the delimiter and the header by the first 200 lines.
    """
    text = str(path_or_url)
    if is_sql_url(text):
        return SqlTable(text)
    if text.startswith(("http://", "https://")):
        raise Invalid(f"{text} is on the network; download it and name the file")
    path = Path(path_or_url)
    _check_file(path)
    if format is not None and format not in FORMATS:
        raise Invalid(f"no format {format!r}; the formats are {', '.join(FORMATS)}")
    if format == "parquet" or (format is None and _is_parquet(path)):
        return ParquetFile(path)
    refuse_archives(path)
    note = None
    if encoding is None:
        encoding, note = guess_encoding(path)
    else:
        _check_encoding(encoding)
    source = _open_text(path, format, encoding)
    source.notes += [note] if note else []
    return source


def _open_text(path: Path, format: str | None, encoding: str) -> Source:
    text = head(path, encoding)
    if not text.strip():
        raise Invalid(f"{path} is empty; there is nothing to read")
    if format == "jsonl" or (format is None and _is_json(text)):
        return JsonLines(path, encoding)
    lone_returns = "\n" not in text and "\r" in text
    if lone_returns:
        text = text.replace("\r", "\n")
    if format == "sequences":
        return Sequences(path, LINES_OF_ITEMS, encoding)
    layout = sniff(text, str(path), FORMATS[format] if format else None)
    if layout.sequence and format is None:
        return Sequences(path, layout, encoding)
    return TextTable(path, layout, encoding, lone_returns=lone_returns)


def _is_json(text: str) -> bool:
    start = text.lstrip()[:1]
    return start == "{" or (start == "[" and text.lstrip()[1:].lstrip()[:1] == "{")


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise Invalid(f"{path} is a folder; name a file in it")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}; check the path") from None
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if size == 0:
        raise Invalid(f"{path} is empty; there is nothing to read")


def _check_encoding(encoding: str) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise Invalid(f"no encoding {encoding!r}; for example utf-8, latin-1, cp1252, utf-16") from None
