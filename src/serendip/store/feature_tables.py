"""Feature tables: versioned, written batch by batch into another database or a folder of Parquet, and read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy import exc as errors

from serendip.domain import Conflict, Invalid, NotFound, NotReady
from serendip.store.outside import engine_of, file_of

Manifest = dict[str, Any]
"""What a table holds: ``columns`` (those of features), ``finished``, and whatever its maker wants to know again."""

KEYS = {"row": BigInteger, "user": Text, "item": Text, "at": BigInteger, "label": Integer}
"""Columns that every table has before those of features."""

SCHEMA = {"row": pl.Int64, "user": pl.String, "item": pl.String, "at": pl.Int64, "label": pl.Int8}

MOST_COLUMNS = 1500
LONGEST_NAME = 56
"""PostgreSQL tells 63 bytes apart."""

_metadata = MetaData()
_tables = Table(
    "serendip_feature_tables",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("manifest", Text, nullable=False),
    Column("n_batches", Integer, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
)


class FeatureTables(ABC):
    """Where feature tables are kept."""

    @staticmethod
    def at(url: str, own: str | None = None) -> FeatureTables:
        """Those of a database (a URL that SQLAlchemy knows) or of a folder. ``own``: the store's URL, never written."""
        return SqlTables(url, own) if "://" in url else ParquetTables(Path(url))

    @abstractmethod
    def begin(self, name: str, manifest: Manifest) -> tuple[int, bool]:
        """How many batches of a table there are already, and whether it is finished; made where there is none."""

    @abstractmethod
    def append(self, name: str, number: int, frame: pl.DataFrame) -> None:
        """Keep batch ``number``, wholly or not at all."""

    @abstractmethod
    def finish(self, name: str, manifest: Manifest) -> int:
        """Say that all batches are there; how many rows they have."""

    @abstractmethod
    def manifests(self) -> dict[str, Manifest]:
        """What every table holds, by name, the oldest first."""

    @abstractmethod
    def batches(self, name: str) -> Iterator[pl.DataFrame]:
        """The rows of a table in their order."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what it is reached by."""

    def rows(self, name: str) -> pl.DataFrame:
        """All rows of a table in their order."""
        columns: Sequence[str] = self.manifests()[name]["columns"]
        none = pl.DataFrame(schema={**SCHEMA, **dict.fromkeys(columns, pl.Float32)})
        return pl.concat([none, *self.batches(name)])

    def newest(self, name: str | None = None) -> tuple[str, Manifest]:
        """The table of that name, or of all that are finished the one made last."""
        found = {one: told for one, told in self.manifests().items() if told["finished"]}
        if name is not None and name not in found:
            raise NotFound(f"there is no finished feature table {name!r}; there are {', '.join(found) or 'none'}")
        if not found:
            raise NotFound("there is no finished feature table here; make one with serendip features build")
        last = name or max(found, key=lambda one: str(found[one]["finished"]))
        return last, found[last]


class ParquetTables(FeatureTables):
    """A folder a table: a manifest and a Parquet file a batch."""

    def __init__(self, folder: Path) -> None:
        if folder.is_file() or folder.suffix == ".parquet":
            raise Invalid(f"{folder} is a file; name a folder, or a database such as postgresql://...", field="to")
        self._folder = folder

    def begin(self, name: str, manifest: Manifest) -> tuple[int, bool]:
        """See ``FeatureTables.begin``."""
        if (kept := self.manifests().get(name)) is not None:
            parts = {int(part.stem.removeprefix("part-")) for part in self._parts(name)}
            n_done = next(number for number in range(len(parts) + 1) if number not in parts)
            return n_done, bool(kept["finished"])
        self._write(name, manifest)
        return 0, False

    def append(self, name: str, number: int, frame: pl.DataFrame) -> None:
        """See ``FeatureTables.append``."""
        file = self._folder / name / f"part-{number:05}.parquet"
        draft = file.with_suffix(".draft")
        try:
            frame.write_parquet(draft)
            draft.replace(file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise NotReady(f"{file} could not be written: {error.strerror or error}") from None

    def finish(self, name: str, manifest: Manifest) -> int:
        """See ``FeatureTables.finish``."""
        self._write(name, manifest)
        return sum(pl.scan_parquet(part).select(pl.len()).collect().item() for part in self._parts(name))

    def manifests(self) -> dict[str, Manifest]:
        """See ``FeatureTables.manifests``."""
        files = sorted(self._folder.glob("*/manifest.json"), key=lambda file: file.stat().st_mtime)
        told = {file.parent.name: _told(file) for file in files}
        # The folder may hold other things with a manifest, such as model versions.
        return {name: one for name, one in told.items() if {"columns", "definitions", "finished"} <= one.keys()}

    def batches(self, name: str) -> Iterator[pl.DataFrame]:
        """See ``FeatureTables.batches``."""
        yield from map(pl.read_parquet, self._parts(name))

    def close(self) -> None:
        """Files are closed already."""

    def _parts(self, name: str) -> list[Path]:
        return sorted((self._folder / name).glob("part-*.parquet"))

    def _write(self, name: str, manifest: Manifest) -> None:
        file = self._folder / name / "manifest.json"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".draft")
            draft.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            draft.replace(file)
        except OSError as error:
            raise NotReady(f"{file} could not be written: {error.strerror or error}") from None


def _told(file: Path) -> Manifest:
    """What a manifest says; nothing where it is none of ours."""
    try:
        told = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


class SqlTables(FeatureTables):
    """A table of a database each, and one of their manifests."""

    def __init__(self, url: str, own: str | None = None) -> None:
        try:
            found = make_url(url)
        except (errors.ArgumentError, ValueError):
            raise Invalid("the URL cannot be read; write postgresql://... or sqlite:///file.db", field="to") from None
        self._shown = found.render_as_string(hide_password=True)
        if own is not None and found.get_backend_name() == "sqlite" and file_of(found) == file_of(make_url(own)):
            raise Invalid(f"{self._shown} is the file that serendip keeps its own rows in; name another", field="to")
        self._engine = engine_of(found)

    def begin(self, name: str, manifest: Manifest) -> tuple[int, bool]:
        """See ``FeatureTables.begin``."""
        table = self._table(name, manifest["columns"])
        try:
            with self._engine.begin() as c:
                _metadata.create_all(c, checkfirst=True)
                kept = c.execute(select(_tables).where(_tables.c.name == name)).one_or_none()
                if kept is not None:
                    return kept.n_batches, bool(orjson.loads(kept.manifest)["finished"])
                table.create(c, checkfirst=True)
                c.execute(delete(table))
                told = {"name": name, "manifest": orjson.dumps(manifest).decode(), "n_batches": 0, "n_rows": 0}
                c.execute(insert(_tables), told)
        except errors.SQLAlchemyError as error:
            raise self._away(error) from None
        return 0, False

    def append(self, name: str, number: int, frame: pl.DataFrame) -> None:
        """See ``FeatureTables.append``."""
        table = self._table(name, frame.columns[len(KEYS) :])
        mine = (_tables.c.name == name) & (_tables.c.n_batches == number)
        try:
            with self._engine.begin() as c:
                counted = {"n_batches": number + 1, "n_rows": _tables.c.n_rows + frame.height}
                if c.execute(update(_tables).where(mine).values(counted)).rowcount != 1:
                    raise Conflict(f"somebody else writes the feature table {name} too; let them finish")
                plain = frame.with_columns(pl.col(pl.Float32).fill_nan(None))
                if c.dialect.name == "postgresql":
                    _copy(c, table, plain)
                elif plain.height:
                    columns = [column.name for column in table.columns]
                    c.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in plain.iter_rows()])
        except errors.SQLAlchemyError as error:
            raise self._away(error) from None

    def finish(self, name: str, manifest: Manifest) -> int:
        """See ``FeatureTables.finish``."""
        own = _tables.c.name == name
        with self._engine.begin() as c:
            c.execute(update(_tables).where(own).values(manifest=orjson.dumps(manifest).decode()))
            n_rows: int = c.execute(select(_tables.c.n_rows).where(own)).scalar_one()
        return n_rows

    def manifests(self) -> dict[str, Manifest]:
        """See ``FeatureTables.manifests``."""
        try:
            with self._engine.connect() as c:
                if not inspect(c).has_table(_tables.name):
                    return {}
                rows = c.execute(select(_tables.c.name, _tables.c.manifest)).all()
        except errors.SQLAlchemyError as error:
            raise self._away(error) from None
        return {name: orjson.loads(manifest) for name, manifest in rows}

    def batches(self, name: str) -> Iterator[pl.DataFrame]:
        """See ``FeatureTables.batches``."""
        columns: Sequence[str] = self.manifests()[name]["columns"]
        table = self._table(name, columns)
        schema: Mapping[str, Any] = {**SCHEMA, **dict.fromkeys(columns, pl.Float32)}
        with self._engine.connect().execution_options(stream_results=True) as c:
            found = c.execute(select(table).order_by(table.c.row))
            while rows := found.fetchmany(50_000):
                # Numbers come as doubles; the table holds what single ones had.
                yield pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _table(self, name: str, columns: Sequence[str]) -> Table:
        keys: list[Column[Any]] = [Column(one, kind) for one, kind in KEYS.items()]
        numbers = [Column(one, REAL) for one in columns]
        return Table(name, MetaData(), *keys, *numbers)

    def _away(self, error: errors.SQLAlchemyError) -> NotReady:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return NotReady(f"the feature tables of {self._shown} cannot be reached: {cause}")


def _copy(c: Connection, table: Table, frame: pl.DataFrame) -> None:
    """The rows by COPY, many times as fast as one by one."""
    name = c.dialect.identifier_preparer.format_table(table)
    driver: Any = c.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN (FORMAT CSV)") as copy:
        for part in frame.iter_slices(50_000):
            copy.write(part.write_csv(include_header=False).encode())


def column_names(names: Sequence[str]) -> list[str]:
    """Names of features as every database can tell them apart; at most ``MOST_COLUMNS``."""
    if len(names) > MOST_COLUMNS:
        raise Invalid(
            f"{len(names)} numbers a row are more than a table holds; name at most {MOST_COLUMNS}", "features"
        )
    out: list[str] = []
    taken = set(KEYS)
    for place, name in enumerate(names):
        short = name.encode()[:LONGEST_NAME].decode(errors="ignore")
        if short != name or short.casefold() in taken:
            short = f"{short.encode()[: LONGEST_NAME - 6].decode(errors='ignore')} #{place}"
        taken.add(short.casefold())
        out.append(short)
    return out
