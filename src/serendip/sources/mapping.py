"""Which column is which field: told from names, from places, or by the operator."""

from __future__ import annotations

from collections.abc import Mapping as Given
from dataclasses import dataclass, field

import polars as pl

from serendip.domain import Invalid
from serendip.sources.source import Source
from serendip.sources.words import FIELDS, POSITIONS, REQUIRED, As, matches, names_of, plain

RATED = ["rating", "ratings", "stars", "star", "score", "overall", "rate", "grade"]
"""A value with one of these names is a rating, of which the newest counts."""


NAMELESS = "; if the first line holds no names, put a line of names before it"


@dataclass(frozen=True)
class Mapping:
    """What a source's columns mean to us; shown to the operator before anything is imported."""

    fields: dict[str, str]
    """Our field -> the source's column."""
    attributes: list[str] = field(default_factory=list)
    """Columns that become attributes of a user or an item, under their own names."""
    notes: list[str] = field(default_factory=list)
    kind: str = "interaction"
    """The kind of interactions whose rows name none: ``rating`` where the value is one."""


def infer(source: Source, as_: As, mapping: Given[str, str] | None = None) -> Mapping:
    """The fields that ``as_`` needs, found among the source's columns; what ``mapping`` says goes first.

    ``mapping`` is {field: column}; a field with the column ``""`` is left out.
    """
    if as_ not in FIELDS:
        raise Invalid(f"nothing is imported as {as_!r}; say {', '.join(FIELDS)}")
    said = _checked(source, as_, mapping or {})
    fields = {name: column for name, column in said.items() if column}
    notes = list(source.notes)
    if source.columns[0] == "column_1":
        _by_position(source, as_, fields, said, notes)
    else:
        _by_name(source, as_, fields, said)
    missing = [name for name in REQUIRED[as_] if name not in fields]
    if missing:
        raise Invalid(
            f"{source.name}: no column looks like the {' or the '.join(missing)} of {as_}; "
            f"the columns are {_listed(source.columns)}; say which with --map {missing[0]}=COLUMN"
            f"{NAMELESS if source.format in ('csv', 'tsv') else ''}",
            field=missing[0],
        )
    rest = [column for column in source.columns if column not in fields.values()]
    if as_ in ("interactions", "relations") and rest:
        notes.append(f"not used: {_listed(rest)}")
    if as_ == "interactions" and "at" not in fields:
        notes.append("no column of moments: the rows get the order they stand in, from 1970-01-01, a microsecond apart")
    return Mapping(fields, rest if as_ in ("users", "items") else [], notes, _kind(fields))


def _checked(source: Source, as_: As, mapping: Given[str, str]) -> dict[str, str]:
    said = {}
    for name, column in mapping.items():
        field_name = "id" if name == as_.removesuffix("s") and as_ in ("users", "items") else name
        if field_name not in FIELDS[as_]:
            raise Invalid(f"{as_} have no field {name!r}; their fields are {', '.join(FIELDS[as_])}", field=name)
        if column and column not in source.columns:
            raise Invalid(
                f"{source.name} has no column {column!r}; its columns are {_listed(source.columns)}", field=name
            )
        said[field_name] = column
    return said


def _by_name(source: Source, as_: As, fields: dict[str, str], said: dict[str, str]) -> None:
    if source.format == "sequences" and as_ == "interactions":
        fields.setdefault("at", "position")
    for name in FIELDS[as_]:
        free = [column for column in source.columns if column not in fields.values()]
        found = (column for word in names_of(as_, name) for column in free if matches(column, word))
        if name not in said and name not in fields and (column := next(found, None)):
            fields[name] = column


def _by_position(source: Source, as_: As, fields: dict[str, str], said: dict[str, str], notes: list[str]) -> None:
    names = list(POSITIONS[as_])
    if as_ == "interactions" and len(source.columns) == 3 and _holds_moments(source, source.columns[2]):
        names = ["user", "item", "at"]
    free = [column for column in source.columns if column not in fields.values()]
    open_names = [name for name in names if name not in said]
    for name, column in zip(open_names, free, strict=False):
        fields[name] = column
    taken = ", ".join(f"{column} as {name}" for name, column in fields.items() if name not in said)
    notes.append(f"by position: {taken}")


def _holds_moments(source: Source, column: str) -> bool:
    """Whether a column without a name holds epochs or dates rather than ratings."""
    batch = next(source.batches(1000), None)
    if batch is None:
        return False
    values = batch.frame[column].cast(pl.String).drop_nulls()
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0 and numbers.len():
        return bool((numbers > 1e8).all())
    return bool(values.len() and values.str.contains(r"^\d{4}-\d\d-\d\d").all())


def _kind(fields: dict[str, str]) -> str:
    column = fields.get("value")
    rated = column is not None and (plain(column) in RATED or column.startswith("column_"))
    return "rating" if rated and "kind" not in fields else "interaction"


def _listed(columns: list[str]) -> str:
    shown = ", ".join(columns[:30])
    return shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
