"""How a text table is written: its delimiter, whether its first row holds names, and what they are."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from dataclasses import dataclass

from serendip.domain import Invalid
from serendip.sources import words

DELIMITERS = ["::", "\t", ";", "|", ",", " "]
"""Where several would do, the earlier one is taken: a comma often stands inside a text, a tab never does."""

WIDEST = 6
"""A text table with spaces between its fields and no names in its first line has at most so many columns."""

NUMBER_OR_DATE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")


@dataclass(frozen=True)
class Layout:
    """How the rows of a text file are to be cut into fields."""

    delimiter: str
    header: bool
    columns: list[str]
    sequence: bool = False
    """Each line is ``user item item ...`` and gives as many rows as it has items."""
    notes: tuple[str, ...] = ()
    line_bytes: float = 80.0
    """Mean length of the first lines."""

    @property
    def quoted(self) -> bool:
        """Whether fields may stand in double quotes."""
        return self.delimiter != "::" and not self.sequence


LINES_OF_ITEMS = Layout(
    " ",
    False,
    ["user", "item", "position"],
    sequence=True,
    notes=("read as one line a user (user item item ...); the order in a line stands in for moments",),
)


def sniff(text: str, name: str, delimiter: str | None = None) -> Layout:
    """The layout of the file that begins with ``text``."""
    lines = [line for line in text.split("\n") if line.strip()][:200]
    if not lines:
        raise Invalid(f"{name} is empty; there is nothing to read")
    if delimiter is None and _is_sequence(lines):
        return LINES_OF_ITEMS
    delimiter = delimiter or guess_delimiter(lines)
    rows = [row for row in _rows(lines, delimiter) if row]
    line_bytes = sum(len(line.encode()) + 1 for line in lines) / len(lines)
    if not _has_header(rows):
        columns = [f"column_{i + 1}" for i in range(len(rows[0]))]
        note = f"no names in the first line; its columns are called {columns[0]} to {columns[-1]} by position"
        return Layout(delimiter, False, columns, notes=(note,), line_bytes=line_bytes)
    columns, notes = _unique_names(rows[0])
    return Layout(delimiter, True, columns, notes=notes, line_bytes=line_bytes)


def guess_delimiter(lines: list[str]) -> str:
    """The delimiter that cuts most lines into the same number of fields, more than one."""
    best, most = ",", 0.0
    for delimiter in DELIMITERS:
        widths = [len(row) for row in _rows(lines, delimiter) if row]
        width = widths[0] if widths else 1
        agreeing = sum(w == width for w in widths) / max(len(widths), 1) if width > 1 else 0.0
        if agreeing > most + 0.1:
            best, most = delimiter, agreeing
    return best


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines]
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows += csv.reader((line + "\n" for line in lines), delimiter=delimiter)
    return rows or [lines[0].split(delimiter)]


def _is_sequence(lines: list[str]) -> bool:
    """Short tokens with single spaces and nothing else, of differing number a line, or too many for a table."""
    widths = {len(line.split()) for line in lines}
    plain = all(re.fullmatch(r"[\w.:-]+( [\w.:-]+)* ?", line) and "::" not in line for line in lines)
    too_many = min(widths) > WIDEST and len(lines) > 1 and not any(map(words.is_known, lines[0].split()))
    return plain and ((len(widths) > 1 and max(widths) > 2) or too_many)


def _has_header(rows: list[list[str]]) -> bool:
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if any(_looks_typed(cell) for cell in first):
        return False
    if any(words.is_known(cell) for cell in first):
        return True
    if any(rest and all(_looks_typed(row[i]) for row in rest) for i in range(len(first))):
        return True
    return all(re.fullmatch(r"[A-Za-z_][\w .-]*", cell.strip()) for cell in first)


def _looks_typed(cell: str) -> bool:
    return bool(NUMBER_OR_DATE.fullmatch(cell.strip()))


def _unique_names(cells: list[str]) -> tuple[list[str], tuple[str, ...]]:
    names: list[str] = []
    notes: list[str] = []
    for i, cell in enumerate(cells):
        plain = cell.strip() or f"column_{i + 1}"
        name, again = plain, 2
        while name in names:
            name, again = f"{plain}_{again}", again + 1
        if name != plain:
            notes.append(f"the name {plain!r} stands more than once; column {i + 1} is called {name!r}")
        names.append(name)
    return names, tuple(notes)
