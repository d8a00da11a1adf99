"""Loading frames of many rows, as imports do: a call is one transaction, and its progress is part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import polars as pl
from sqlalchemy import Connection, delete, select

from serendip.domain import MAX_ID_BYTES, Invalid, Item, User
from serendip.store.catalogue import ITEMS, Catalogue, item_keys
from serendip.store.engine import insert, tried_again
from serendip.store.freshness import bump
from serendip.store.kinds import Kinds
from serendip.store.people import USERS, People, user_keys, write_users
from serendip.store.records import Named, Records
from serendip.store.relations import write_relations
from serendip.store.schema import imports, vectors
from serendip.store.values import aware_or_none, kept_json, mapping


@dataclass(frozen=True)
class ImportProgress:
    """How far an import has come."""

    source: str
    """Digest of what is being imported."""
    rows_done: int
    """Rows of the source that need not be read again."""
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """What one frame added."""

    added: int
    repeated: int
    """Rows that were there already: the same key, or a record of the same id."""
    new_users: int = 0
    new_items: int = 0
    changed: int = 0
    """Of the records that were there already, those that the frame changed."""
    forgotten: int = 0
    """Rows of users who asked to be forgotten; they were left out."""


class Bulk(Kinds, People, Catalogue):
    """Whole frames at a time."""

    @tried_again
    def load_interactions(self, frame: pl.DataFrame, progress: ImportProgress | None = None) -> Loaded:
        """Add rows of user, item, at (int64 us), kind, and where present value, context (JSON), key (16 bytes).

        A row whose key is kept already is repeated; without a key every row is added.
        """
        frame = _completed(frame, {"value": pl.Float64, "context": pl.String, "key": pl.Binary})
        for column, what in (("user", "user"), ("item", "item"), ("kind", "kind")):
            _check_ids(frame[column], what)
        if frame["at"].null_count() or not frame["value"].drop_nulls().is_finite().all():
            raise Invalid("an interaction has no moment, or a value that is no finite number; leave such rows out")
        with self._db.write() as c:
            named = frame["user"].unique().to_list()
            users, new_users = user_keys(c, named)
            items, new_items = item_keys(c, frame["item"].unique().to_list())
            codes, new_kinds = self._codes_of(c, frame["kind"].unique().to_list())
            rows = frame.filter(pl.col("user").is_in(list(users))) if len(users) < len(named) else frame
            rows = rows.select(
                pl.col("user").replace_strict(users, return_dtype=pl.Int64).alias("user_key"),
                pl.col("item").replace_strict(items, return_dtype=pl.Int64).alias("item_key"),
                pl.col("at").cast(pl.Int64),
                pl.col("kind").replace_strict(codes, return_dtype=pl.Int16),
                pl.col("value").cast(pl.Float64),
                "context",
                "key",
            )
            added = _copy_interactions(c, rows) if c.dialect.name == "postgresql" else _insert_interactions(c, rows)
            _note(c, progress)
            if added or new_users or new_items:
                bump(c, "data", *(["items"] if new_items else []), *(["kinds"] if new_kinds else []))
        left_out = frame.height - rows.height
        return Loaded(added, rows.height - added, len(new_users), len(new_items), forgotten=left_out)

    @tried_again
    def load_users(self, frame: pl.DataFrame, progress: ImportProgress | None = None) -> Loaded:
        """Keep rows of id, and where present name and attributes (JSON).

        Of a user that is there, what the frame has no column for stays, and so do attributes that a row does not name.
        """
        with self._db.write() as c:
            changed = _told(c, USERS, frame, ("name", "attributes"), _merged_user)
            created, refused = write_users(c, changed)
            _note(c, progress)
            if changed:
                bump(c, "data")
        replaced = len(changed) - created - len(refused)
        repeated = frame.height - created - len(refused)
        return Loaded(created, repeated, new_users=created, changed=replaced, forgotten=len(refused))

    @tried_again
    def load_items(self, frame: pl.DataFrame, progress: ImportProgress | None = None) -> Loaded:
        """Keep rows of id, and where present the fields of ``Item``; attributes are JSON, moments int64 us.

        Of an item that is there, what the frame has no column for stays, and so do attributes that a row does not name.
        """
        with self._db.write() as c:
            changed = _told(c, ITEMS, frame, _ITEM_FIELDS, _merged_item)
            created = len(ITEMS.write(c, changed))
            _note(c, progress)
            if changed:
                bump(c, "items")
        return Loaded(created, frame.height - created, new_items=created, changed=len(changed) - created)

    @tried_again
    def load_relations(self, frame: pl.DataFrame, progress: ImportProgress | None = None) -> Loaded:
        """Add rows of user, other, and where present kind; users that are missing are made."""
        kind = pl.col("kind") if "kind" in frame.columns else pl.lit("follows").alias("kind")
        frame = frame.select("user", kind, "other")
        for column, what in (("user", "user"), ("other", "user"), ("kind", "kind")):
            _check_ids(frame[column], what)
        with self._db.write() as c:
            made = write_relations(c, set(frame.iter_rows()))
            _note(c, progress)
            if made.added or made.new_users:
                bump(c, "data")
        left_out = (
            sum(bool({user, other} & made.refused) for user, _, other in frame.iter_rows()) if made.refused else 0
        )
        return Loaded(made.added, frame.height - made.added - left_out, new_users=made.new_users, forgotten=left_out)

    @tried_again
    def load_vectors(self, name: str, frame: pl.DataFrame, progress: ImportProgress | None = None) -> Loaded:
        """Keep rows of item and vector (a list of floats, all of one length) under ``name``; items are made."""
        _check_ids(frame["item"], "item")
        frame = frame.unique("item", keep="last", maintain_order=True)
        matrix = _matrix(frame["vector"], name)
        repeated = 0
        with self._db.write() as c:
            kept = c.execute(select(vectors.c.vector).where(vectors.c.name == name).limit(1)).scalar()
            if kept is not None and frame.height and len(kept) != 4 * matrix.shape[1]:
                raise Invalid(
                    f"the vectors {name!r} have {len(kept) // 4} numbers each and these have {matrix.shape[1]}; "
                    "load them under another name",
                    field="vector",
                )
            keys, new_items = item_keys(c, frame["item"].to_list())
            rows = [
                {"name": name, "item_key": keys[item], "vector": vector.tobytes()}
                for item, vector in zip(frame["item"], matrix, strict=True)
            ]
            if rows:
                repeated = len(_with_vector(c, name, [keys[item] for item in frame["item"]]))
                statement = insert(c, vectors)
                changed = {"vector": statement.excluded.vector}
                c.execute(statement.on_conflict_do_update(index_elements=["name", "item_key"], set_=changed), rows)
            _note(c, progress)
            bump(c, "items")
        return Loaded(len(rows) - repeated, repeated, new_items=len(new_items))

    def import_progress(self, source: str) -> ImportProgress | None:
        """How far the import of ``source`` came, if it was begun and not finished."""
        with self._db.read() as c:
            row = c.execute(select(imports).where(imports.c.source == source)).first()
        return None if row is None else ImportProgress(row.source, row.rows_done, mapping(row.report))

    def finish_import(self, source: str) -> None:
        """Forget how far the import of ``source`` came: the next one begins at its first row."""
        with self._db.write() as c:
            c.execute(delete(imports).where(imports.c.source == source))


_ITEM_FIELDS: dict[str, Any] = {
    "catalogue": pl.String,
    "title": pl.String,
    "text": pl.String,
    "tags": pl.List(pl.String),
    "image": pl.String,
    "url": pl.String,
    "attributes": pl.String,
    "available_from": pl.Int64,
    "available_until": pl.Int64,
    "hidden": pl.Boolean,
}


def _completed(frame: pl.DataFrame, fields: Mapping[str, Any]) -> pl.DataFrame:
    """The frame with every field there; those that were missing are null."""
    return frame.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in fields.items() if name not in frame.columns
    )


def _check_ids(ids: pl.Series, what: str) -> None:
    """Ids have passed the importer's checks; this is the last gate before they are kept for good."""
    size = ids.str.len_bytes()
    wrong = ids.is_null() | (size == 0) | (size > MAX_ID_BYTES) | ids.str.contains("\0", literal=True)
    if wrong.any():
        raise Invalid(f"the {what} id {ids.filter(wrong)[0]!r} cannot be kept; leave such rows out", field=what)


R = TypeVar("R", bound=Named)


def _told(
    c: Connection,
    of: Records[R],
    frame: pl.DataFrame,
    fields: Iterable[str],
    merged: Callable[[Mapping[str, Any], R | None], R],
) -> list[R]:
    """The records that rows of ``frame`` make new or change; of several rows with one id the last counts."""
    given = [name for name in fields if name in frame.columns]
    rows = frame.select("id", *given).unique("id", keep="last", maintain_order=True).rows(named=True)
    before = of.by_id(c, [row["id"] for row in rows])
    records = [merged(row, before.get(row["id"])) for row in rows]
    return [record for record in records if record != before.get(record.id)]


def _parsed(attributes: str | None) -> dict[str, Any]:
    try:
        found = json.loads(attributes) if attributes else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(f"the attributes {attributes!r} are no JSON object; write them as {{...}}", field="attributes")
    return found


def _merged_user(row: Mapping[str, Any], before: User | None) -> User:
    """The record of a row that may say only a part of it."""
    known = before or User(row["id"])
    attributes = {**known.attributes, **_parsed(row.get("attributes"))}
    return replace(known, name=row.get("name", known.name), attributes=attributes)


def _merged_item(row: Mapping[str, Any], before: Item | None) -> Item:
    """The record of a row that may say only a part of it."""
    known = before or Item(row["id"])
    told: dict[str, Any] = {name: value for name, value in row.items() if name not in ("id", "attributes")}
    if "catalogue" in told:
        told["catalogue"] = told["catalogue"] or "items"
    if "tags" in told:
        told["tags"] = tuple(told["tags"] or ())
    if "hidden" in told:
        told["hidden"] = bool(told["hidden"])
    for name in ("available_from", "available_until"):
        if name in told:
            told[name] = aware_or_none(told[name])
    return replace(known, **told, attributes={**known.attributes, **_parsed(row.get("attributes"))})


def _note(c: Connection, progress: ImportProgress | None) -> None:
    """Keep how far an import has come, in the transaction that brought it there."""
    if progress is None:
        return
    row = {
        "source": progress.source,
        "rows_done": progress.rows_done,
        "report": kept_json(progress.report, "report"),
    }
    statement = insert(c, imports)
    changed = {"rows_done": statement.excluded.rows_done, "report": statement.excluded.report}
    c.execute(statement.on_conflict_do_update(index_elements=["source"], set_=changed), row)


def _insert_interactions(c: Connection, rows: pl.DataFrame) -> int:
    """Insert on SQLite; how many rows were new. By user, so that neighbours in the index are written together."""
    if not rows.height:
        return 0
    names = rows.columns
    places = ", ".join("?" * len(names))
    sql = f"INSERT INTO interactions ({', '.join(names)}) VALUES ({places}) ON CONFLICT DO NOTHING"
    return c.exec_driver_sql(sql, rows.sort("user_key", maintain_order=True).rows()).rowcount


def _copy_interactions(c: Connection, rows: pl.DataFrame) -> int:
    """Copy on PostgreSQL into a passing table and insert from there; how many rows were new."""
    names = ", ".join(rows.columns)
    c.exec_driver_sql(
        "CREATE TEMPORARY TABLE coming (place bigserial, user_key bigint, item_key bigint, at bigint, kind smallint, "
        "value double precision, context text, key bytea) ON COMMIT DROP"
    )
    driver: Any = c.connection.driver_connection
    text = rows.with_columns(key="\\x" + pl.col("key").bin.encode("hex")).write_csv(include_header=False)
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY coming ({names}) FROM STDIN (FORMAT CSV)") as copy:
            copy.write(text.encode())
        cursor.execute(
            f"INSERT INTO interactions ({names}) SELECT {names} FROM coming ORDER BY place ON CONFLICT DO NOTHING"
        )
        added: int = cursor.rowcount
    return added


def _matrix(column: pl.Series, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Vectors as float32 of shape (n, n_numbers)."""
    lengths = column.list.len().unique()
    if len(lengths) > 1 or column.null_count() or (len(lengths) and not lengths[0]):
        raise Invalid(f"the vectors {name!r} are not all of one length; leave out the others", field="vector")
    numbers = column.explode().cast(pl.Float32).to_numpy().astype("<f4")
    if not np.isfinite(numbers).all():
        raise Invalid(f"the vectors {name!r} hold a number that is not finite; leave such rows out", field="vector")
    return numbers.reshape(len(column), int(lengths[0]) if len(lengths) else 0)


def _with_vector(c: Connection, name: str, keys: Sequence[int]) -> set[int]:
    own = set(keys)
    return own & set(c.execute(select(vectors.c.item_key).where(vectors.c.name == name)).scalars())
