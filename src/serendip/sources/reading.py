"""How a source is to be read beyond its mapping, and its columns by the names of our fields."""

from __future__ import annotations

from collections.abc import Mapping as Given
from dataclasses import dataclass, field

import polars as pl

from serendip.sources.mapping import Mapping
from serendip.sources.moments import MomentForm, tell_form


@dataclass(frozen=True)
class Reading:
    """What the operator said, and what is known of the whole source."""

    timezone: str = "UTC"
    """Where moments without one are local."""
    defaults: Given[str, str] = field(default_factory=dict)
    """A field that is not mapped gets this text in every row."""
    scale: tuple[float, float] | None = None
    """Lowest and highest value, both included."""
    expected: int = 0
    """About how many rows there will be; 0 where nobody knows."""


class Columns:
    """A batch's columns under the names of our fields, and the forms of moments once they are told."""

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        self.mapping, self.reading = mapping, reading
        self.forms: dict[str, MomentForm] = {}

    def get(self, frame: pl.DataFrame, name: str) -> pl.Series | None:
        """The column of a field; its default throughout where it is not mapped; None where there is neither."""
        if column := self.mapping.fields.get(name):
            return frame[column]
        if name in self.reading.defaults:
            return pl.Series(name, [self.reading.defaults[name]], dtype=pl.String).new_from_index(0, frame.height)
        return None

    def form(self, name: str, column: pl.Series) -> MomentForm:
        """How the moments of a field are written, told from its first batch with a value."""
        if name not in self.forms and column.null_count() < column.len():
            self.forms[name] = tell_form(column)
        return self.forms.get(name, MomentForm("s"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about moments."""
        return tuple(form.note for form in self.forms.values() if form.note)
