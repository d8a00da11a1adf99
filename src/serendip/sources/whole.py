"""All rows of a file or table at once, for who measures and learns without a store."""

from __future__ import annotations

from collections.abc import Mapping as Given
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from serendip.domain import ORDER_ONLY, Invalid
from serendip.sources.checking import read
from serendip.sources.delimited import NO_ITEM, Sequences, TextTable
from serendip.sources.mapping import infer
from serendip.sources.opening import open_source
from serendip.sources.source import RowError


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
        _refuse_first(path_or_url, [error for error in checked.errors if error.what != NO_ITEM])
        frames.append(checked.frame.select("user", "item", "kind", "value", "at"))
    rows = pl.concat(frames) if frames else pl.DataFrame()
    if not rows.height:
        raise Invalid(f"{path_or_url} holds no interactions")
    if "at" not in mapping.fields or isinstance(source, Sequences):
        return rows.drop("at")
    if int(rows["at"].to_numpy().max(initial=0)) < ORDER_ONLY:
        return rows.sort("at", maintain_order=True).drop("at")
    return rows


def all_attributes(path_or_url: str | Path, as_: Literal["items", "users"]) -> dict[str, dict[str, Any]]:
    """The attributes of every item or user of a file by its id: all columns but the id's, as an import keeps them.

    Items have title, text and tags among them, where they have some. A row that cannot be read is an Invalid naming its
    line; of several rows with one id the last counts.
    """
    source = open_source(str(path_or_url))
    found: dict[str, dict[str, Any]] = {}
    for checked in read(source, infer(source, as_), as_):
        _refuse_first(path_or_url, checked.errors)
        own = [name for name in ("title", "text", "tags") if name in checked.frame.columns]
        for row in checked.frame.select("id", "attributes", *own).iter_rows(named=True):
            found[row["id"]] = {
                **orjson.loads(row["attributes"] or "{}"),
                **{name: row[name] for name in own if row[name]},
            }
    if not found:
        raise Invalid(f"{path_or_url} holds no {as_}", field=as_)
    return found


def _refuse_first(path_or_url: str | Path, errors: list[RowError]) -> None:
    for first in errors:
        where = "" if first.field is None else f"{first.field}: "
        raise Invalid(f"{path_or_url}, line {first.line}: {where}{first.what}", field=first.field)


def all_candidates(path_or_url: str | Path, columns: Given[str, str] | None = None) -> pl.DataFrame:
    """``all_interactions`` of a file of candidates: lines ``user item item ...``, or a table that names user and item.

    Two columns of numbers without names, by commas or the like, are a pair a line.
    """
    source = open_source(str(path_or_url))
    if isinstance(source, Sequences):
        return all_interactions(path_or_url, format="sequences")
    if not isinstance(source, TextTable) or _names_pairs(source, columns):
        return all_interactions(path_or_url, columns)
    if source.layout.delimiter in (" ", "\t"):
        return all_interactions(path_or_url, format="sequences")
    if len(source.columns) > 2:
        raise Invalid(
            f"{path_or_url} has no names of user and item in its first line; write candidates as lines of "
            "user item item ... with spaces between, or put a line of names before them",
            field="candidates",
        )
    return all_interactions(path_or_url, columns)


def _names_pairs(source: TextTable, columns: Given[str, str] | None) -> bool:
    """Whether the first line names the user and the item."""
    if not source.layout.header:
        return False
    try:
        infer(source, "interactions", columns)
    except Invalid:
        return False
    return True


def is_sequences(path: str | Path) -> bool:
    """Whether the lines of a file are ``user item item ...``."""
    return isinstance(open_source(path), Sequences)
