"""From frames of other libraries to a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from serendip.data.columns import Column, Columns
from serendip.data.dataset import Dataset
from serendip.data.ids import is_missing, text_ids
from serendip.data.vocabulary import Vocabulary
from serendip.domain import InteractionKind, Invalid


def as_frame(data: Any) -> pl.DataFrame:
    """A polars frame of anything that holds columns: polars, pandas, Arrow, or a mapping of names to arrays.

    A sparse matrix of shape (n_users, n_items) becomes the columns user, item, value; its rows' numbers are the ids.
    """
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pl.DataFrame):
        return data
    if sparse.issparse(data):
        entries = data.tocoo()
        return pl.DataFrame({"user": entries.row, "item": entries.col, "value": entries.data})
    if isinstance(data, Mapping):
        return _framed({str(name): _series(str(name), column) for name, column in data.items()})
    if hasattr(data, "columns") and hasattr(data, "to_dict"):
        # A pandas frame offers itself as Arrow too, but only where pyarrow is installed.
        return _framed({str(name): _series(str(name), np.asarray(data[name])) for name in data.columns})
    if hasattr(data, "__arrow_c_stream__"):
        return pl.DataFrame(data)
    raise Invalid(
        f"{type(data).__name__} holds no columns; "
        "give a frame (polars, pandas, Arrow), a dict of arrays or a sparse matrix"
    )


def _framed(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """A frame of columns that are all of one length."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise Invalid(f"the columns are of several lengths ({told}); give each as many rows")
    return pl.DataFrame(columns)


def _series(name: str, values: Any) -> pl.Series:
    """A column that polars takes."""
    if isinstance(values, pl.Series):
        return values
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise Invalid(f"the column {name!r} is {type(values).__name__}; give an array or a list of values", field=name)
    try:
        return pl.Series(name, _plain(np.asarray(values) if hasattr(values, "__array__") else values))
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        kinds = sorted({type(value).__name__ for value in values if not is_missing(value)})
        raise Invalid(
            f"the column {name!r} cannot be read: its values are of {' and '.join(kinds)}; make them all of one type",
            field=name,
        ) from error


def _plain(column: Any) -> Any:
    """Arrays of objects and lists as a list, with None for what is missing; other arrays as they are."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        return column
    values = (value.tolist() if isinstance(value, np.ndarray) else value for value in column)
    return [None if not isinstance(value, str) and is_missing(value) else value for value in values]


def dataset_of(frame: pl.DataFrame, kinds: Sequence[InteractionKind] = ()) -> Dataset:
    """The dataset of a frame with the columns user, item and, where there are such, value, at and kind.

    Ids become text; ``at`` may be a moment or microseconds since 1970. Kinds that are not declared in ``kinds`` count
    as events of weight 1, ratings (``rating``) only with their newest value.
    """
    for name in ("user", "item"):
        if name not in frame.columns:
            raise Invalid(f"there is no column {name!r}; the columns are {', '.join(frame.columns)}", field=name)
    user_ix, users = encode(text_ids(frame["user"], "user"))
    item_ix, items = encode(text_ids(frame["item"], "item"))
    named = frame["kind"] if "kind" in frame.columns else pl.repeat("interaction", frame.height, eager=True)
    kind_ix, names = encode(text_ids(named, "kind"))
    declared = {kind.name: kind for kind in kinds}
    used = tuple(declared.get(name, InteractionKind(name)) for name in names)
    value = _values(frame["value"]) if "value" in frame.columns else None
    at = _micros(frame["at"]) if "at" in frame.columns and frame["at"].null_count() < frame.height else None
    return Dataset.of(user_ix, item_ix, users, items, kind=kind_ix, value=value, at=at, kinds=used or tuple(kinds))


def described(data: Dataset, items: Any = None, users: Any = None) -> Dataset:
    """``data`` with the attributes of frames whose columns ``item`` and ``user`` hold the ids.

    Columns are of numbers, texts, booleans, lists of texts or vectors (lists or arrays of as many numbers each). Items
    and users without an event join the vocabularies, at their ends. Columns that ``data`` has already are replaced.
    """
    known_items, item_columns = _attributes(items, "item", data.items)
    known_users, user_columns = _attributes(users, "user", data.users)
    return replace(
        data,
        items=known_items,
        users=known_users,
        item_columns=item_columns or data.item_columns,
        user_columns=user_columns or data.user_columns,
    )


def _attributes(given: Any, name: str, known: Vocabulary) -> tuple[Vocabulary, Columns | None]:
    """``known`` with the frame's other ids at its end, and the frame's columns in its order."""
    if given is None:
        return known, None
    frame = as_frame(given)
    if name not in frame.columns:
        raise Invalid(f"there is no column {name!r}; the columns are {', '.join(frame.columns)}", field=f"{name}s")
    texts = text_ids(frame[name], name, f"{name}s")
    ids = texts.to_list()
    if len(set(ids)) < len(ids):
        twice = texts.filter(texts.is_duplicated())[0]
        raise Invalid(f"the {name} {twice!r} has several rows; give each {name} one", field=f"{name}s")
    whole = Vocabulary((*known.ids, *(one for one in ids if one not in known)))
    where = Vocabulary(tuple(ids)).rows(whole.ids)
    columns = {one.name: column_of(one).take(where) for one in frame.drop(name).iter_columns()}
    return whole, Columns(len(whole), columns)


def column_of(series: pl.Series) -> Column:
    """The column of a frame's column; moments are taken as text."""
    kind = series.dtype
    if kind.is_numeric():
        numbers = series.cast(pl.Float64).to_numpy()
        return Column(numbers=np.where(np.isfinite(numbers), numbers, np.nan))
    if kind.is_temporal() or isinstance(kind, pl.Categorical | pl.Enum):
        return Column.of(series.cast(pl.String).to_list())
    if not isinstance(kind, pl.List | pl.Array) or not kind.inner.is_numeric():
        return Column.of(series.to_list())
    lists = series.arr.to_list() if isinstance(kind, pl.Array) else series
    sizes = lists.list.len()
    lengths = sizes.filter(sizes > 0).unique().to_list()
    if len(lengths) > 1:
        raise Invalid(
            f"the vectors of column {series.name!r} have lengths from {min(lengths)} to {max(lengths)}; give all one",
            field=series.name,
        )
    out = np.full((len(series), *lengths), np.nan, np.float32)
    if not lengths:
        return Column()
    have = (sizes.fill_null(0) > 0).to_numpy()
    out[have] = lists.filter(pl.Series(have)).explode().cast(pl.Float32).to_numpy().reshape(-1, *lengths)
    out[~np.isfinite(out).all(axis=1)] = np.nan
    return Column(vectors=out)


def encode(column: pl.Series) -> tuple[NDArray[np.int32], Vocabulary]:
    """Rows of shape (n,) and the vocabulary of the texts in order of first appearance."""
    texts = column.rename("id")
    distinct = texts.unique(maintain_order=True).to_frame().with_row_index("row")
    rows = texts.to_frame().join(distinct, on="id", how="left", maintain_order="left")["row"]
    return rows.cast(pl.Int32).to_numpy(), Vocabulary(tuple(distinct["id"].to_list()))


def _values(column: pl.Series) -> NDArray[np.float32]:
    """Numbers of shape (n,), NaN where there is none."""
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise Invalid(f"the column 'value' holds {kind}; give numbers", field="value")
    numbers = column.cast(pl.Float32, strict=False)
    wrong = numbers.is_null() & column.is_not_null()
    if wrong.any():
        row = wrong.arg_max() or 0
        raise Invalid(
            f"the column 'value' holds {column[row]!r} in row {row} (from 0), which is no number; "
            "make it numbers, or leave the column out",
            field="value",
        )
    values = numbers.fill_null(np.nan).to_numpy()
    if np.isinf(values).any():
        raise Invalid("some values are infinite; drop these rows or correct them", field="value")
    return values


def _micros(column: pl.Series) -> NDArray[np.int64]:
    if column.null_count():
        raise Invalid(
            f"{column.null_count()} rows have no moment; drop them, or leave the whole column out", field="at"
        )
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        aware = column.cast(pl.Datetime("us"))
        return aware.to_physical().to_numpy().astype(np.int64)
    if not column.dtype.is_integer():
        raise Invalid(f"the column at holds {column.dtype}; give moments or whole microseconds since 1970", field="at")
    return column.cast(pl.Int64).to_numpy()


def adopt(data: Any, columns: Mapping[str, str] | None = None) -> Dataset:
    """The dataset of a frame (see ``as_frame``) with user, item[, value][, at]; a Dataset stays as it is."""
    if isinstance(data, Dataset):
        if columns:
            raise Invalid("a Dataset has no columns to rename; leave `columns` out, or give a frame", field="columns")
        return data
    return dataset_of(renamed(data, columns))


def renamed(data: Any, columns: Mapping[str, str] | None) -> pl.DataFrame:
    """A frame whose columns have our names; ``columns`` is {ours: theirs}."""
    frame = as_frame(data)
    if not isinstance(columns or {}, Mapping):
        raise Invalid(f"columns is {columns!r}; say {{our name: the frame's}}", field="columns")
    names = {theirs: ours for ours, theirs in (columns or {}).items()}
    for theirs, ours in names.items():
        if theirs not in frame.columns:
            raise Invalid(f"there is no column {theirs!r}; the columns are {', '.join(frame.columns)}", field="columns")
        if ours in frame.columns and ours not in names:
            raise Invalid(f"{theirs!r} cannot be {ours!r}: there is a column {ours!r}; drop it first", field="columns")
    return frame.rename(names)
