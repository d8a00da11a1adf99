"""What a source gives: batches of columns with the line every row stood on, and the rows it could not read."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

BATCH_ROWS = 50_000
"""Rows of a batch where the caller does not say: a few megabytes, and one short transaction when stored."""


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that was not accepted: where it stands, which field is at fault, and why."""

    line: int
    """1-based: the physical line where the row begins, or the row's number where a format has no lines."""
    field: str | None
    """None where the row as a whole cannot be read."""
    what: str
    value: str | None = None


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a source, as its own columns."""

    frame: pl.DataFrame
    """Text columns; a typed format (Parquet) keeps the types that it has."""
    lines: NDArray[np.int64]
    """Line of every row, of shape (n_rows,)."""
    errors: list[RowError] = field(default_factory=list)
    """Lines that are not rows at all: too few fields, an open quote, broken JSON."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that a known data set leaves out on purpose, by reason."""
    done: float | None = None
    """How much of the source lies behind this batch, from 0 to 1, where that is known."""

    @property
    def rows_read(self) -> int:
        """Everything this batch accounts for: rows, refused lines, and rows left out."""
        return self.frame.height + len(self.errors) + sum(self.left_out.values())

    def pieces(self, size: int) -> Iterator[Batch]:
        """This batch in parts of at most ``size`` rows; errors go with the rows they stand among."""
        errors, left_out = self.errors, self.left_out
        for start in range(0, max(self.frame.height, 1), size):
            lines = self.lines[start : start + size]
            last = start + size >= self.frame.height
            mine = errors if last else [error for error in errors if error.line <= lines[-1]]
            errors = errors[len(mine) :]
            done = self.done if last else None
            yield Batch(self.frame.slice(start, size), lines, mine, left_out if last else {}, done)


class Source(ABC):
    """Rows that others made, readable from the start any number of times."""

    name: str
    """What a person would call it: the file's path, the table's URL without its password."""
    format: str
    columns: list[str]
    digest: str
    """Changes when the source does; an import that was cut short is found again by it."""
    notes: list[str]
    """What was assumed on opening and a person should see: another encoding, names made up by position."""
    n_rows: int | None = None
    """Where it is known without reading everything."""
    about: int = 0
    """Roughly how many rows there are, to make room for them; 0 where nobody knows."""
    ordered: bool = True
    """The same rows come in the same order every time."""

    @abstractmethod
    def read(self) -> Iterator[Batch]:
        """All rows in order, in batches of whatever size suits the format."""

    def batches(self, size: int = BATCH_ROWS, skip: int = 0) -> Iterator[Batch]:
        """All rows in batches of at most ``size``, without those that lie wholly in the first ``skip`` rows read."""
        read = 0
        for whole in self.read():
            for batch in whole.pieces(size):
                read += batch.rows_read
                if read > skip and batch.rows_read:
                    yield batch


class FrameSource(Source):
    """Rows that are in memory already: a generated world, a data set that had to be seen whole."""

    format = "frame"

    def __init__(
        self,
        name: str,
        frame: pl.DataFrame,
        *,
        lines: NDArray[np.int64] | None = None,
        errors: Iterable[RowError] = (),
        left_out: dict[str, int] | None = None,
        digest: str | None = None,
    ) -> None:
        self.name, self.frame = name, frame
        self.columns, self.n_rows, self.notes = frame.columns, frame.height, []
        self._lines = np.arange(1, frame.height + 1) if lines is None else lines
        self._errors, self._left_out = sorted(errors, key=lambda error: error.line), left_out or {}
        self.digest = digest or digest_of(name, *map(str, frame.hash_rows().to_list()[:1000]), str(frame.height))

    def read(self) -> Iterator[Batch]:
        """The frame as one batch."""
        yield Batch(self.frame, self._lines, self._errors, self._left_out, 1.0)


class Reshaped(Source):
    """Another source's rows after a function of batches: split titles, exploded sessions, rows left out."""

    def __init__(self, source: Source, columns: list[str], reshape: Callable[[Batch], Batch], what: str) -> None:
        self.source, self.columns, self.reshape = source, columns, reshape
        self.name, self.format, self.notes = source.name, source.format, source.notes
        self.digest, self.ordered = digest_of(source.digest, what), source.ordered
        self.about = source.n_rows or source.about

    def read(self) -> Iterator[Batch]:
        """Every batch of the other source, reshaped."""
        for batch in self.source.batches():
            yield self.reshape(batch)


def with_frame(batch: Batch, frame: pl.DataFrame) -> Batch:
    """``batch`` with the same rows in other columns."""
    return replace(batch, frame=frame)


def file_digest(path: Path) -> str:
    """Digest of a file's name, size, time of change, and first and last 64 KiB."""
    stat = path.stat()
    with path.open("rb") as file:
        head = file.read(65_536)
        file.seek(max(0, stat.st_size - 65_536))
        tail = file.read()
    return digest_of(str(path.resolve()), str(stat.st_size), str(stat.st_mtime_ns), head, tail)


def digest_of(*parts: str | bytes) -> str:
    """Digest of several texts, each counted with its length, so that no two lists of parts look alike."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
