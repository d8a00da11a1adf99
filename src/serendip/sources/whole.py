"""All interactions of a file or table at once, for who measures and learns without a store."""

from __future__ import annotations

from collections.abc import Mapping as Given
from pathlib import Path

import polars as pl

from serendip.domain import ORDER_ONLY, Invalid
from serendip.sources.checking import read
from serendip.sources.delimited import NO_ITEM, Sequences
from serendip.sources.mapping import infer
from serendip.sources.opening import open_source


def all_interactions(
    path_or_url: str | Path, columns: Given[str, str] | None = None, format: str | None = None
) -> pl.DataFrame:
    """Columns user, item, kind, value and, where the file tells moments, at (microseconds); the rows in their order.

    ``columns`` says which column is which, the rest is inferred. A row that cannot be read is an Invalid naming its
    line. Of a file of lines ``user item item ...`` the order of the rows is the order in the line, and a line that
    names a user and no item gives none. A column that only numbers the rows orders them and is no moment.
    """
    source = open_source(str(path_or_url), format)
    mapping = infer(source, "interactions", columns)
    frames = []
    for checked in read(source, mapping, "interactions"):
        wrong = [error for error in checked.errors if error.what != NO_ITEM]
        if wrong:
            first = wrong[0]
            where = "" if first.field is None else f"{first.field}: "
            raise Invalid(f"{path_or_url}, line {first.line}: {where}{first.what}", field=first.field)
        frames.append(checked.frame.select("user", "item", "kind", "value", "at"))
    rows = pl.concat(frames) if frames else pl.DataFrame()
    if not rows.height:
        raise Invalid(f"{path_or_url} holds no interactions")
    if "at" not in mapping.fields or isinstance(source, Sequences):
        return rows.drop("at")
    if int(rows["at"].to_numpy().max(initial=0)) < ORDER_ONLY:
        return rows.sort("at", maintain_order=True).drop("at")
    return rows


def is_sequences(path: str | Path) -> bool:
    """Whether the lines of a file are ``user item item ...``."""
    return isinstance(open_source(path), Sequences)
