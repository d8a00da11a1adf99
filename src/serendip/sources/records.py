"""Users, items, relations and vectors, typed as they are kept."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from serendip.domain import Invalid
from serendip.sources.cells import (
    Refusals,
    attribute_json,
    flags,
    holds_numbers,
    ids,
    json_objects,
    numbers,
    tag_separator,
    tags,
    texts,
    without_nul,
)
from serendip.sources.interactions import NOT_A_MOMENT
from serendip.sources.mapping import Mapping
from serendip.sources.moments import to_micros
from serendip.sources.reading import Columns, Reading


class _Attributes:
    """The columns that are no field of ours, as one JSON object a row."""

    def __init__(self, mapping: Mapping) -> None:
        self.names = [name for name in mapping.attributes if name != "attributes"]
        self.given = "attributes" in mapping.attributes
        self.numeric: list[str] | None = None

    def of(self, frame: pl.DataFrame, refusals: Refusals) -> pl.Series:
        if self.numeric is None:
            self.numeric = [name for name in self.names if holds_numbers(frame[name])]
        for name in self.names:
            if frame[name].dtype != pl.String:
                continue
            without_nul(frame[name], name, refusals)
            if name in self.numeric:
                frame = frame.with_columns(_numbers_only(frame[name], refusals))
        given = json_objects(frame["attributes"], "attributes", refusals) if self.given else None
        if given is not None:
            given = given.zip_with(pl.Series(refusals.ok), pl.Series([None], dtype=pl.String))
        return attribute_json(frame, self.names, self.numeric, given)


def _numbers_only(column: pl.Series, refusals: Refusals) -> pl.Series:
    """A column of numbers with those cells emptied that are none, and their rows refused."""
    before = refusals.ok.copy()
    numbers(column, column.name, refusals)
    return (
        column.zip_with(pl.Series(refusals.ok | ~before), pl.Series([None], dtype=pl.String))
        if (before != refusals.ok).any()
        else column
    )


class UserChecker:
    """Checks users: id, name, and attributes from all other columns."""

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        self.columns, self.attributes = Columns(mapping, reading), _Attributes(mapping)

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """Columns id, name, attributes (JSON)."""
        data = {
            "id": _id(self.columns, frame, refusals),
            "name": _text(self.columns, frame, "name", refusals),
            "attributes": self.attributes.of(frame, refusals),
        }
        return pl.DataFrame(data)

    def finish(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """The last row of every id."""
        return accepted.unique("id", keep="last", maintain_order=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about moments."""
        return self.columns.notes


class ItemChecker(UserChecker):
    """Checks items: what the catalogue knows, and attributes from all other columns."""

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        super().__init__(mapping, reading)
        self.separator: str | None = None

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """All fields of an item; moments in microseconds, tags as lists, attributes as JSON."""
        data = {"id": _id(self.columns, frame, refusals)}
        catalogue = _text(self.columns, frame, "catalogue", refusals).fill_null("items")
        data["catalogue"] = catalogue
        for name in ("title", "text", "image", "url"):
            data[name] = _text(self.columns, frame, name, refusals)
        data["tags"] = self._tags(frame, refusals)
        for name in ("available_from", "available_until"):
            data[name] = self._moments(frame, name, refusals)
        hidden = self.columns.get(frame, "hidden")
        data["hidden"] = (
            pl.repeat(False, frame.height, eager=True) if hidden is None else flags(hidden, "hidden", refusals)
        )
        data["attributes"] = self.attributes.of(frame, refusals)
        return pl.DataFrame(data)

    def _tags(self, frame: pl.DataFrame, refusals: Refusals) -> pl.Series:
        column = self.columns.get(frame, "tags")
        if column is None:
            return pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, frame.height)
        if column.dtype == pl.String:
            without_nul(column, "tags", refusals)
        if self.separator is None:
            self.separator = tag_separator(column) if column.dtype == pl.String else "|"
        return tags(column, self.separator)

    def _moments(self, frame: pl.DataFrame, name: str, refusals: Refusals) -> pl.Series:
        column = self.columns.get(frame, name)
        if column is None:
            return pl.repeat(None, frame.height, dtype=pl.Int64, eager=True)
        text = texts(column) if column.dtype == pl.String else column
        micros = to_micros(text, self.columns.form(name, text), self.columns.reading.timezone)
        refusals.refuse(micros.is_null() & text.is_not_null(), name, NOT_A_MOMENT, text)
        return micros


class RelationChecker:
    """Checks relations: a user, another, and how the one stands to the other."""

    notes: tuple[str, ...] = ()

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        self.columns = Columns(mapping, reading)

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """Columns user, other, kind."""
        kind = _text(self.columns, frame, "kind", refusals).fill_null("follows")
        user, other = (self.columns.get(frame, name) for name in ("user", "other"))
        assert user is not None
        assert other is not None
        data = {"user": ids(user, "user", refusals), "other": ids(other, "other", refusals), "kind": kind}
        refusals.refuse(data["user"] == data["other"], "other", "is the user itself", data["other"])
        return pl.DataFrame(data)

    def finish(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """All of them."""
        return accepted


class VectorChecker:
    """Checks vectors: one column that holds them, or every other column a number of them."""

    notes: tuple[str, ...] = ()

    def __init__(self, mapping: Mapping, reading: Reading) -> None:
        self.columns, self.length = Columns(mapping, reading), 0

    def check(self, frame: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
        """Columns item, vector (float32, all of one length)."""
        item = self.columns.get(frame, "item")
        assert item is not None
        own = self.columns.get(frame, "vector")
        data = {"item": ids(item, "item", refusals)}
        data["vector"] = (
            self._one_column(own, refusals) if own is not None else self._many_columns(frame, item.name, refusals)
        )
        return pl.DataFrame(data)

    def _one_column(self, column: pl.Series, refusals: Refusals) -> pl.Series:
        if column.dtype == pl.String:
            vectors = [_vector_of(cell) for cell in texts(column)]
        else:
            vectors = [None if cell is None else _finite(list(map(_number, cell))) for cell in column]
        refusals.refuse(
            np.array([v is None for v in vectors], bool), "vector", "is not a list of finite numbers", column
        )
        if not self.length:
            self.length = next((len(v) for v in vectors if v), 0)
        other = np.array([v is not None and len(v) != self.length for v in vectors], bool)
        refusals.refuse(other, "vector", f"does not have {self.length} numbers as the first one has", column)
        return pl.Series(vectors, dtype=pl.List(pl.Float32))

    def _many_columns(self, frame: pl.DataFrame, item: str, refusals: Refusals) -> pl.Series:
        names = [name for name in frame.columns if name != item]
        if not names:
            raise Invalid("there is no column of numbers; say --map vector=COLUMN", field="vector")
        columns = []
        for name in names:
            text = texts(frame[name])
            refusals.refuse(text.is_null(), name, "is missing", text)
            columns.append(numbers(frame[name], name, refusals).fill_null(0.0).cast(pl.Float32))
        return pl.DataFrame(columns).select(pl.concat_list(pl.all())).to_series()

    def finish(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """The last vector of every item."""
        return accepted.unique("item", keep="last", maintain_order=True)


def _vector_of(cell: str | None) -> list[float] | None:
    if cell is None:
        return None
    try:
        numbers = (
            json.loads(cell) if cell.startswith("[") and "," in cell else cell.strip("[]() ").replace(",", " ").split()
        )
        vector = [float(number) for number in numbers]
    except (ValueError, TypeError):
        return None
    return _finite(vector)


def _finite(vector: list[float]) -> list[float] | None:
    """The vector, or None where it is empty or holds what float32 cannot."""
    with np.errstate(over="ignore"):
        return vector if vector and bool(np.isfinite(np.array(vector, np.float32)).all()) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _id(columns: Columns, frame: pl.DataFrame, refusals: Refusals) -> pl.Series:
    column = columns.get(frame, "id")
    assert column is not None
    return ids(column, "id", refusals)


def _text(columns: Columns, frame: pl.DataFrame, name: str, refusals: Refusals) -> pl.Series:
    column = columns.get(frame, name)
    if column is None:
        return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    return without_nul(texts(column), name, refusals)
