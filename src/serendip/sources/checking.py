"""From a source's batches to typed frames: what is accepted, what is refused, and why."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Given
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.domain import Invalid
from serendip.sources.cells import Refusals
from serendip.sources.interactions import InteractionChecker
from serendip.sources.mapping import Mapping
from serendip.sources.moments import check_timezone
from serendip.sources.reading import Reading
from serendip.sources.records import ItemChecker, RelationChecker, UserChecker, VectorChecker
from serendip.sources.source import BATCH_ROWS, Batch, RowError, Source
from serendip.sources.words import As


@dataclass(frozen=True)
class Checked:
    """What became of a batch: ``rows_read`` is the accepted, the refused and the left out together."""

    frame: pl.DataFrame
    """Accepted rows, typed as the store takes them."""
    lines: NDArray[np.int64]
    """Line of every accepted row."""
    errors: list[RowError]
    """Refused rows, one error each, in the order of their lines."""
    rows_read: int
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that are no data and no error, by reason."""
    done: float | None = None
    """How much of the source lies behind, from 0 to 1, where that is known."""
    notes: tuple[str, ...] = ()
    """What was settled from the first rows and a person should see."""


class Checker(Protocol):
    """Turns the rows of a batch into our fields."""

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """A row for every row of ``frame``; those refused are taken out afterwards."""
        ...

    def finish(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """What can only be told of accepted rows."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how the columns were read."""
        ...


def read(
    source: Source,
    mapping: Mapping,
    as_: As,
    timezone: str = "UTC",
    defaults: Given[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    skip: int = 0,
    size: int = BATCH_ROWS,
) -> Iterator[Checked]:
    """The rows of ``source`` as typed frames, in batches of at most ``size``, every row accounted for.

    ``defaults`` gives a field that is not mapped the same text in every row.
    The first ``skip`` rows are read, so that repeated rows keep their
    numbers, and not handed out: an import that was cut short goes on there.
    A source whose order may change is handed out from its start.
    """
    check_timezone(timezone)
    if scale is not None and not scale[0] < scale[1]:
        raise Invalid(f"the scale {scale[0]:g} to {scale[1]:g} is empty; give the lowest value first")
    reading = Reading(timezone, defaults or {}, scale, source.n_rows or source.about)
    checker = CHECKERS[as_](mapping, reading)
    skip = skip if source.ordered else 0
    rows_read, said = 0, False
    for batch in source.batches(size):
        checked = _check(batch, checker)
        rows_read += checked.rows_read
        if rows_read > skip:
            notes, said = (() if said else checker.notes), True
            yield Checked(
                checked.frame, checked.lines, checked.errors, checked.rows_read, checked.left_out, checked.done, notes
            )


def _check(batch: Batch, checker: Checker) -> Checked:
    refusals = Refusals(batch.lines)
    typed = checker.check(batch.frame, refusals)
    lines, left_out = batch.lines, dict(batch.left_out)
    if not refusals.ok.all():
        typed, lines = typed.filter(pl.Series(refusals.ok)), lines[refusals.ok]
    finished = checker.finish(typed.with_row_index("row_"))
    if finished.height < typed.height:
        left_out[REPEATED] = left_out.get(REPEATED, 0) + typed.height - finished.height
        lines = lines[finished["row_"].to_numpy()]
    errors = sorted(batch.errors + refusals.errors, key=lambda error: error.line)
    return Checked(finished.drop("row_"), lines, errors, batch.rows_read, left_out, batch.done)


REPEATED = "the same id comes again, and the last one counts"

CHECKERS: dict[As, type[InteractionChecker | UserChecker | ItemChecker | RelationChecker | VectorChecker]] = {
    "interactions": InteractionChecker,
    "users": UserChecker,
    "items": ItemChecker,
    "relations": RelationChecker,
    "vectors": VectorChecker,
}
