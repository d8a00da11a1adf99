"""Everything that a source gives, in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from serendip.sources import As, RowError, infer, open_source, read


@dataclass(frozen=True)
class Whole:
    """All that became of a source."""

    frame: pl.DataFrame
    errors: list[RowError]
    rows_read: int
    left_out: int
    lines: list[int]
    notes: list[str]

    @property
    def rows(self) -> list[dict[str, object]]:
        return self.frame.to_dicts()


def read_whole(
    path: Path | str, as_: As = "interactions", mapping: dict[str, str] | None = None, **options: object
) -> Whole:
    source = open_source(path, options.pop("format", None), options.pop("encoding", None))  # type: ignore[arg-type]
    meaning = infer(source, as_, mapping)
    parts = list(read(source, meaning, as_, **options))  # type: ignore[arg-type]
    frame = pl.concat([part.frame for part in parts]) if parts else pl.DataFrame()
    whole = Whole(
        frame,
        [error for part in parts for error in part.errors],
        sum(part.rows_read for part in parts),
        sum(sum(part.left_out.values()) for part in parts),
        [int(line) for part in parts for line in part.lines],
        [*meaning.notes, *(note for part in parts for note in part.notes)],
    )
    assert whole.frame.height + len(whole.errors) + whole.left_out == whole.rows_read
    assert len(whole.lines) == whole.frame.height
    return whole
