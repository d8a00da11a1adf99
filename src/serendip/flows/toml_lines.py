"""Where in a TOML file a key stands, for messages."""

from __future__ import annotations

import re
import tomllib
from typing import Any

KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
ONE_OF = re.compile(r"\s*\[\[([^\[\]]+)\]\]\s*(?:#.*)?")
"""A table of an array: its number among them, from 0, is part of its path."""
TRIPLE = re.compile(r"\"{3}|'{3}")

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every table and of every key that begins a line; inside an inline table is its own line."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    quoted = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not quoted:
            if (header := ONE_OF.fullmatch(line) or TABLE.fullmatch(line)) is not None:
                table = _counted(_path(f"[{header[1]}]"), counts, new=header.re is ONE_OF)
                for size in range(1, len(table) + 1):
                    found.setdefault(table[:size], number)
            elif (key := KEY.match(line)) is not None:
                found.setdefault(table + _path(f"{key[1]} = 0"), number)
        if (quoted or not line.lstrip().startswith("#")) and len(TRIPLE.findall(line)) % 2:
            quoted = not quoted
    return found


def _counted(names: Path, counts: dict[Path, int], *, new: bool) -> Path:
    """``names`` with the number of the latest table behind each array of tables; the last one has a ``new`` one."""
    path: Path = ()
    for place, name in enumerate(names, start=1):
        path = (*path, name)
        if new and place == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, str(counts[path]))
    return path


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of ``path``, or of the nearest that it is in; None where nothing of it is in the file."""
    for size in range(len(path), 0, -1):
        if path[:size] in lines:
            return lines[path[:size]]
    return None


def _path(statement: str) -> Path:
    """The names of a key, as the reader of TOML takes them apart; nothing where it is none."""
    try:
        content: Any = tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return ()
    names: list[str] = []
    while isinstance(content, dict) and content:
        ((name, content),) = content.items()
        names.append(name)
    return tuple(names)
