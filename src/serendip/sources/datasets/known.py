"""What is known of a data set, and what loading one gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import polars as pl

from serendip.domain import InteractionKind, NotFound
from serendip.sources.checking import Checked, read
from serendip.sources.delimited import TextTable
from serendip.sources.mapping import Mapping
from serendip.sources.sniffing import Layout
from serendip.sources.source import BATCH_ROWS, Source
from serendip.sources.words import As


@dataclass(frozen=True)
class Rows:
    """Rows of a data set on their way to us: iterating checks them from the start, any number of times."""

    source: Source
    mapping: Mapping
    as_: As
    timezone: str = "UTC"
    scale: tuple[float, float] | None = None
    defaults: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Checked]:
        return self.read()

    def read(self, skip: int = 0, size: int = BATCH_ROWS) -> Iterator[Checked]:
        """All batches; without those of the first ``skip`` rows, where an import goes on."""
        return read(self.source, self.mapping, self.as_, self.timezone, self.defaults, self.scale, skip, size)

    @property
    def digest(self) -> str:
        """Changes when the rows do."""
        return self.source.digest


class Part(NamedTuple):
    """One table of a data set."""

    as_: As
    rows: Rows


@dataclass(frozen=True)
class LoadedSet:
    """A data set on disk as users, items and interactions."""

    name: str
    parts: list[Part]
    """In the order in which they are best stored: users and items before what they did."""
    kinds: list[InteractionKind]
    report: dict[str, int] = field(default_factory=dict)
    """Counts that are known before the rows are stored: lines left out by reason, and what became of the rest."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """A published data set that we can read."""

    name: str
    title: str
    what: str
    """What is in it, in a line."""
    licence: str
    """Of the data."""
    page: str
    """Where its publisher offers it."""
    files: str
    """What ``load`` expects to find at its path."""
    url: str | None = None
    """An archive that can be fetched; none where the licence, or a missing checksum, speaks against it."""
    sha256: str | None = None

    @property
    def fetchable(self) -> bool:
        """Whether ``fetch`` gets it from its publisher."""
        return self.url is not None and self.sha256 is not None


def file_in(folder: Path, *names: str) -> Path:
    """The first of ``names`` that is in ``folder`` or in one of its folders; ``folder`` itself where it is a file."""
    if folder.is_file():
        return folder
    for name in names:
        for path in [folder / name, *sorted(folder.glob(f"*/{name}"))]:
            if path.is_file():
                return path
    raise NotFound(f"there is no {' or '.join(names)} in {folder}; name the folder that holds it with --from")


def table(path: Path, delimiter: str, columns: str, encoding: str = "utf-8") -> TextTable:
    """A text file without a header, whose columns are known."""
    return TextTable(path, Layout(delimiter, False, columns.split()), encoding)


def rows(
    source: Source,
    as_: As,
    fields: str,
    *,
    attributes: list[str] | None = None,
    timezone: str = "UTC",
    scale: tuple[float, float] | None = None,
    defaults: dict[str, str] | None = None,
) -> Part:
    """A part whose columns carry the names of our ``fields``; the columns in ``attributes`` become attributes."""
    mapping = Mapping({name: name for name in fields.split()}, attributes or [])
    return Part(as_, Rows(source, mapping, as_, timezone, scale, defaults or {}))


def split_title(frame: pl.DataFrame) -> pl.DataFrame:
    """A column ``title`` such as ``Alien (1979)`` as title and year; a title without a year stays whole."""
    pattern = r"^(.*\S)\s*\((\d{4})\)\s*$"
    title, year = pl.col("title").str.extract(pattern, 1), pl.col("title").str.extract(pattern, 2)
    return frame.with_columns(pl.coalesce(title, "title").alias("title"), year.alias("year"))
