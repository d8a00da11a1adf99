"""Where in a TOML file a key stands, for messages."""

from __future__ import annotations

import re
import tomllib
from typing import Any

KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
TRIPLE = re.compile(r"\"{3}|'{3}")

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every table and of every key that begins a line; inside an inline table is its own line."""
    found: dict[Path, int] = {}
    table: Path = ()
    quoted = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not quoted:
            if (header := TABLE.fullmatch(line)) is not None:
                table = _path(f"[{header[1]}]")
                found.setdefault(table, number)
            elif (key := KEY.match(line)) is not None:
                found.setdefault(table + _path(f"{key[1]} = 0"), number)
        if len(TRIPLE.findall(line)) % 2:
            quoted = not quoted
    return found


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
