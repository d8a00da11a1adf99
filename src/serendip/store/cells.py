"""The cells of similarity matrices, packed a row at a time: one row holds all its neighbours, best first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Table, func, select
from sqlalchemy.sql.selectable import Select

from serendip.domain import Invalid, NotFound
from serendip.store.engine import Part, given, insert, listed, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import items, matrices, matrix_rows, recommenders, users

BLOCK_ROWS = 1000
"""Rows that are written in one transaction, so that others may write in between."""

TABLES: dict[str, Table] = {"users": users, "items": items}
"""What the keys of a matrix's rows and columns are keys of."""


class MatrixRows(NamedTuple):
    """Rows of a matrix end to end: row ``i`` owns cells ``indptr[i]`` up to ``indptr[i + 1]``, best first."""

    keys: NDArray[np.int64]
    """The store's keys of the rows; shape (n_rows,)."""
    indptr: NDArray[np.int64]
    """Shape (n_rows + 1,)."""
    columns: NDArray[np.int64]
    """The store's keys of the neighbours; shape (n_cells,)."""
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """How alike two users or two items are, in one version of a matrix."""

    row: str
    column: str
    value: float
    matrix: int
    version: int


@dataclass(frozen=True)
class PairedRows:
    """What a recommender reads for one user, all of one moment of the database."""

    versions: Mapping[str, int]
    """The version read of the matrix of ``users`` and of ``items``."""
    people: MatrixRows | None
    """The user's own row; none without a matrix of users."""
    items: MatrixRows | None
    """The rows of the user's items."""


class Cells(Part):
    """Rows of matrices, by matrix and version."""

    def write_matrix_rows(self, matrix: int, version: int, rows: MatrixRows) -> None:
        """Keep whole rows of a version that nobody reads yet, a block at a time."""
        for start in range(0, len(rows.keys), BLOCK_ROWS):
            block = [
                {
                    "matrix": matrix,
                    "version": version,
                    "row_key": int(rows.keys[i]),
                    "columns": rows.columns[rows.indptr[i] : rows.indptr[i + 1]].astype("<i8").tobytes(),
                    "values": rows.values[rows.indptr[i] : rows.indptr[i + 1]].astype("<f8").tobytes(),
                }
                for i in range(start, min(start + BLOCK_ROWS, len(rows.keys)))
            ]
            with self._db.write() as c:
                c.execute(matrix_rows.insert(), block)

    def matrix_neighbours(
        self, matrix: int, of: str, member: str, version: int | None = None
    ) -> tuple[int, list[tuple[str, float]]] | None:
        """The version read, and who is most alike ``member`` in it, best first; none: there is no such member.

        ``of``: users or items. Without ``version`` it is the one that readers see.
        """
        table = TABLES[of]
        with self._db.snapshot() as c:
            keys = _keys(c, table, [member])
            if not keys:
                return None
            number, rows = _rows(c, matrix, [keys[member]], version)
            ids = _ids(c, table, rows.columns.tolist())
        cells = zip(rows.columns.tolist(), rows.values.tolist(), strict=True)
        return number, [(ids[key], value) for key, value in cells if key in ids]

    def paired_rows(self, recommender: str, user: str, rated: Sequence[str]) -> PairedRows:
        """What the recommender of this name has on ``user`` and on the items ``rated``."""
        with self._db.snapshot() as c:
            found = c.execute(select(recommenders).where(recommenders.c.name == recommender)).first()
            if found is None:
                raise NotFound(f"no recommender {recommender!r}; list them to see which there are")
            people, alike = None, None
            versions = {}
            if found.user_matrix is not None:
                versions["users"], people = _rows(c, found.user_matrix, list(_keys(c, users, [user]).values()))
            if found.item_matrix is not None:
                versions["items"], alike = _rows(c, found.item_matrix, list(_keys(c, items, rated).values()))
        return PairedRows(versions, people, alike)

    def ids_of(self, of: str, keys: Sequence[int]) -> dict[int, str]:
        """The ids behind those of ``keys`` that there still are; ``of``: users or items."""
        with self._db.read() as c:
            return _ids(c, TABLES[of], keys)

    def keys_of(self, of: str, ids: Sequence[str]) -> dict[str, int]:
        """The keys of those of ``ids`` that there are; ``of``: users or items."""
        with self._db.read() as c:
            return _keys(c, TABLES[of], ids)

    @tried_again
    def add_cells(self, cells: Sequence[Cell]) -> None:
        """Keep these cells, each in its own row and version; a cell that is there already gets the new value.

        All or nothing: what cannot be kept is Invalid, naming the first such cell.
        """
        with self._db.write() as c:
            keyed = _keyed(c, cells)
            for (matrix, version), found in keyed.items():
                for row_key, kept in _unpacked(c, matrix, version, list(found)):
                    found[row_key] = kept | found[row_key]
                _write(c, matrix, version, found)
            if keyed:
                bump(c, "matrices")

    def cells(
        self,
        matrix: int | None = None,
        version: int | None = None,
        row: str | None = None,
        column: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Cell], int]:
        """Cells by matrix, version and row, best first in each row; and how many there are.

        A cell whose user or item was deleted since is counted and not shown.
        """
        wanted = []
        if matrix is not None:
            wanted.append(matrix_rows.c.matrix == matrix)
        if version is not None:
            wanted.append(matrix_rows.c.version == version)
        with self._db.snapshot() as c:
            if row is not None:
                wanted.append(_named(c, row))
            if column is None:
                total = c.execute(select(func.coalesce(func.sum(n_cells()), 0)).where(*wanted)).scalar_one()
                found = list(_stretch(c, wanted, offset, limit))
            else:
                every = _with_column(c, wanted, column)
                total, found = len(every), every[offset : offset + limit]
            return _told(c, found), int(total)


Packed = tuple[int, int, int, int, float]
"""matrix, version, row's key, column's key, value"""


def n_cells() -> ColumnElement[int]:
    """How many cells a packed row has."""
    return func.length(matrix_rows.c["columns"]) // 8


def _keys(c: Connection, table: Table, ids: Sequence[str]) -> dict[str, int]:
    query = select(table.c.id, table.c.key).where(table.c.id.in_(given("ids")))
    return {row[0]: row[1] for row in c.execute(query, {"ids": listed(list(ids))})}


def _ids(c: Connection, table: Table, keys: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(keys), 10_000):
        query = select(table.c.key, table.c.id).where(table.c.key.in_(keys[start : start + 10_000]))
        found.update({row[0]: row[1] for row in c.execute(query)})
    return found


def _rows(c: Connection, matrix: int, keys: Sequence[int], version: int | None = None) -> tuple[int, MatrixRows]:
    """The version read, and its rows of ``keys``, as far as there are any."""
    own = (matrix_rows.c.matrix == matrix) & matrix_rows.c.row_key.in_(keys)
    number = version
    if number is None:
        number = c.execute(select(matrices.c.version).where(matrices.c.id == matrix)).scalar() or 0
    query = select(matrix_rows.c.row_key, matrix_rows.c["columns"], matrix_rows.c["values"])
    rows = c.execute(query.where(own, matrix_rows.c.version == number).order_by(matrix_rows.c.row_key)).all()
    columns = np.frombuffer(b"".join(bytes(row[1]) for row in rows), "<i8")
    values = np.frombuffer(b"".join(bytes(row[2]) for row in rows), "<f8")
    indptr = np.cumsum([0, *(len(row[1]) // 8 for row in rows)]).astype(np.int64)
    return number, MatrixRows(np.array([row[0] for row in rows], np.int64), indptr, columns, values)


def _keyed(c: Connection, cells: Sequence[Cell]) -> dict[tuple[int, int], dict[int, dict[int, float]]]:
    """Values by matrix and version, row's key and column's key; the matrices stay as they are until the end."""
    numbers = sorted({cell.matrix for cell in cells})
    query = select(matrices.c.id, matrices.c.of).where(matrices.c.id.in_(numbers)).order_by(matrices.c.id)
    of = {row[0]: row[1] for row in c.execute(query.with_for_update())}
    keys = {
        name: _keys(c, table, sorted({one for cell in cells if of.get(cell.matrix) == name for one in _ends(cell)}))
        for name, table in TABLES.items()
    }
    found: dict[tuple[int, int], dict[int, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for place, cell in enumerate(cells):
        where = f"cell {place}: " if len(cells) > 1 else ""
        if cell.matrix not in of:
            raise Invalid(f"{where}there is no matrix {cell.matrix}; list the matrices there are", field="matrix")
        known = keys[of[cell.matrix]]
        for field, member in zip(("row", "column"), _ends(cell), strict=True):
            if member not in known:
                raise Invalid(f"{where}there is no {of[cell.matrix][:-1]} {member!r}; add it first", field=field)
        if not 1 <= cell.version < 2**31:
            raise Invalid(f"{where}{cell.version} is no version; versions count from 1", field="version")
        if not math.isfinite(cell.value):
            raise Invalid(f"{where}the value {cell.value} is no finite number", field="value")
        found[cell.matrix, cell.version][known[cell.row]][known[cell.column]] = cell.value
    return found


def _ends(cell: Cell) -> tuple[str, str]:
    return cell.row, cell.column


def _unpacked(
    c: Connection, matrix: int, version: int, row_keys: Sequence[int]
) -> Iterator[tuple[int, dict[int, float]]]:
    """What these rows hold already."""
    _, rows = _rows(c, matrix, row_keys, version)
    for i, key in enumerate(rows.keys.tolist()):
        own = slice(rows.indptr[i], rows.indptr[i + 1])
        yield key, dict(zip(rows.columns[own].tolist(), rows.values[own].tolist(), strict=True))


def _write(c: Connection, matrix: int, version: int, rows: Mapping[int, Mapping[int, float]]) -> None:
    block = []
    for key, cells in sorted(rows.items()):
        best = sorted(cells.items(), key=lambda cell: (-cell[1], cell[0]))
        columns, values = zip(*best, strict=True)
        row = {"matrix": matrix, "version": version, "row_key": key}
        block.append(
            {**row, "columns": np.array(columns, "<i8").tobytes(), "values": np.array(values, "<f8").tobytes()}
        )
    statement = insert(c, matrix_rows)
    changed = {name: statement.excluded[name] for name in ("columns", "values")}
    c.execute(statement.on_conflict_do_update(index_elements=["matrix", "version", "row_key"], set_=changed), block)


def _named(c: Connection, member: str) -> ColumnElement[bool]:
    """Rows of matrices in which the row's key means ``member``."""
    meant = None
    for of, table in TABLES.items():
        for key in _keys(c, table, [member]).values():
            own = matrix_rows.c.matrix.in_(select(matrices.c.id).where(matrices.c.of == of))
            one = own & (matrix_rows.c.row_key == key)
            meant = one if meant is None else meant | one
    return matrix_rows.c.row_key.in_([]) if meant is None else meant


def _ordered() -> tuple[ColumnElement[Any], ...]:
    return (matrix_rows.c.matrix, matrix_rows.c.version, matrix_rows.c.row_key)


def _stretch(c: Connection, wanted: Sequence[ColumnElement[bool]], offset: int, limit: int) -> Iterator[Packed]:
    """Cells ``offset`` up to ``offset + limit``: the rows that hold them are found by their sizes alone."""
    ends = func.sum(n_cells()).over(order_by=_ordered()).label("ends")
    sizes = select(*_ordered(), n_cells().label("n"), ends).where(*wanted).subquery()
    same = [matrix_rows.c[name] == sizes.c[name] for name in ("matrix", "version", "row_key")]
    query: Select[Any] = (
        select(*_ordered(), matrix_rows.c["columns"], matrix_rows.c["values"], sizes.c.ends)
        .join(sizes, same[0] & same[1] & same[2])
        .where(sizes.c.ends > offset, sizes.c.ends - sizes.c.n < offset + limit)
        .order_by(*_ordered())
    )
    rows = c.execute(query).all()
    first = offset - (int(rows[0].ends) - len(rows[0][3]) // 8) if rows else 0
    return islice(_cells_of(rows), max(first, 0), max(first, 0) + limit)


def _with_column(c: Connection, wanted: Sequence[ColumnElement[bool]], column: str) -> list[Packed]:
    """All cells of one column, for which every row is looked into."""
    by_name = {of: _keys(c, table, [column]).get(column) for of, table in TABLES.items()}
    of = {row[0]: by_name[row[1]] for row in c.execute(select(matrices.c.id, matrices.c.of))}
    query = select(*_ordered(), matrix_rows.c["columns"], matrix_rows.c["values"]).where(*wanted)
    rows = c.execute(query.order_by(*_ordered()))
    return [cell for cell in _cells_of(rows) if cell[3] == of.get(cell[0])]


def _cells_of(rows: Any) -> Iterator[Packed]:
    for row in rows:
        columns, values = np.frombuffer(bytes(row[3]), "<i8"), np.frombuffer(bytes(row[4]), "<f8")
        for column, value in zip(columns.tolist(), values.tolist(), strict=True):
            yield row[0], row[1], row[2], column, value


def _told(c: Connection, found: Sequence[Packed]) -> list[Cell]:
    """Cells with ids in the place of keys."""
    of = {row[0]: row[1] for row in c.execute(select(matrices.c.id, matrices.c.of))}
    ids = {
        name: _ids(c, table, sorted({key for cell in found if of[cell[0]] == name for key in cell[2:4]}))
        for name, table in TABLES.items()
    }
    cells = []
    for matrix, version, row_key, column_key, value in found:
        known = ids[of[matrix]]
        if row_key in known and column_key in known:
            cells.append(Cell(known[row_key], known[column_key], value, matrix, version))
    return cells
