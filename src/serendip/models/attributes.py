"""What is known of items and users besides events, as models that learn from it ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from serendip.data import Column, Columns, Dataset, Floats
from serendip.domain import Invalid


def _names(given: Any) -> Any:
    return tuple(given.split("|")) if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Names of columns; in a line they are joined by ``|``."""


def item_columns(data: Dataset, who: str) -> Columns:
    """The items' columns, which ``who`` learns from."""
    return _told(data.item_columns, "items", who)


def user_columns(data: Dataset, who: str) -> Columns:
    """The users' columns, which ``who`` learns from."""
    return _told(data.user_columns, "users", who)


def _told(columns: Columns | None, of: str, who: str) -> Columns:
    if columns is None or all(column.empty for column in columns.columns.values()):
        raise Invalid(
            f"{who} learns from attributes of {of}, and the data holds none; "
            f"import them, or give a file of them as --{of}, or a frame as {of}=",
            field=of,
        )
    return columns


def named(columns: Columns, names: tuple[str, ...], who: str, field: str) -> Mapping[str, Column]:
    """The columns called ``names``, or all where none is named; one that is not there is refused."""
    for name in names:
        if name not in columns.columns:
            known = ", ".join(sorted(columns.columns)) or "none"
            raise Invalid(f"{who}: there is no attribute {name!r}; the attributes are {known}", field=field)
    return {name: columns.columns[name] for name in names} if names else columns.columns


def given_vectors(columns: Columns, name: str, who: str) -> Floats:
    """The vectors of the column called ``name``, rows of NaN where there is none; another type is refused."""
    column = named(columns, (name,), who, "vectors")[name]
    if column.vectors is None:
        raise Invalid(f"{who}: the attribute {name!r} is {column.what or 'empty'}, not a vector", field="vectors")
    return column.vectors
