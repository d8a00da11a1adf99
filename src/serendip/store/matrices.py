"""Similarity matrices: whose neighbours they hold, which version readers see, and who recommends from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, delete, func, select

from serendip.domain import Conflict, Invalid, NotFound, checked_id
from serendip.store.cells import Cells, n_cells
from serendip.store.engine import insert, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import matrices, matrix_rows, recommenders
from serendip.store.values import kept_text

Of = Literal["users", "items"]


@dataclass(frozen=True)
class Matrix:
    """Likeness of users to users, or of items to items."""

    id: int
    name: str
    of: Of
    description: str | None = None
    version: int = 0
    """The one that readers see; 0 before there is any."""


@dataclass(frozen=True)
class RecommenderRecord:
    """A row of recommendations, made from a matrix of users, one of items, or both."""

    name: str
    description: str | None = None
    user_matrix: int | None = None
    item_matrix: int | None = None
    id: int = 0
    """Given by the store."""


class Matrices(Cells):
    """Matrices by their numbers, each with versions of its rows; one version is read, the others wait or are old."""

    def matrices(self) -> list[Matrix]:
        """Every matrix, oldest first."""
        with self._db.read() as c:
            return [_matrix(row) for row in c.execute(select(matrices).order_by(matrices.c.id))]

    def matrix(self, matrix: int) -> Matrix | None:
        """The matrix of this number, if there is one."""
        with self._db.read() as c:
            return _read(c, matrix)

    def add_matrix(self, name: str, of: Of, description: str | None = None, version: int = 0) -> Matrix:
        """A new matrix without rows; Conflict where its name is taken."""
        row = _kept(Matrix(0, name, of, description, version))
        with self._db.write() as c:
            number = c.execute(insert(c, matrices).on_conflict_do_nothing().returning(matrices.c.id), row).scalar()
            if number is None:
                raise Conflict(f"there is a matrix {name!r} already; change that one, or give another name")
            bump(c, "matrices")
        return Matrix(number, name, of, description, version)

    def change_matrix(self, matrix: int, **changes: Any) -> Matrix:
        """Change what is named of name, of, description and version; a new version is read from now on."""
        with self._db.write() as c:
            old = _locked(c, matrix)
            new = replace(old, **changes)
            row = _kept(new)
            if new.name != old.name and _by_name(c, new.name) is not None:
                raise Conflict(f"there is a matrix {new.name!r} already; give another name")
            versions = _versions(c, matrix)
            if new.of != old.of and versions:
                raise Conflict(f"the matrix {old.name!r} holds {old.of}; delete its versions before it holds {new.of}")
            if new.version != old.version and versions and new.version not in versions:
                known = ", ".join(map(str, versions))
                raise Conflict(
                    f"version {new.version} of {old.name!r} has no cells; write them first (there are {known})"
                )
            c.execute(matrices.update().where(matrices.c.id == matrix), row)
            bump(c, "matrices")
        return new

    def drop_matrix(self, matrix: int) -> bool:
        """Forget a matrix with all its versions; recommenders that name it do without. Whether there was one."""
        with self._db.write() as c:
            c.execute(delete(matrix_rows).where(matrix_rows.c.matrix == matrix))
            dropped = c.execute(delete(matrices).where(matrices.c.id == matrix)).rowcount
            if dropped:
                bump(c, "matrices")
        return bool(dropped)

    def matrix_versions(self, matrix: int) -> list[int]:
        """Versions that have rows, read or not, rising."""
        with self._db.read() as c:
            return _versions(c, matrix)

    def drop_matrix_version(self, matrix: int, version: int) -> int:
        """Forget a version that is not read; how many cells it had."""
        with self._db.write() as c:
            found = _locked(c, matrix)
            if version == found.version:
                raise Conflict(f"version {version} of {found.name!r} is the one that is read; switch to another first")
            own = (matrix_rows.c.matrix == matrix) & (matrix_rows.c.version == version)
            n = c.execute(select(func.coalesce(func.sum(n_cells()), 0)).where(own)).scalar_one()
            if not c.execute(delete(matrix_rows).where(own)).rowcount:
                raise NotFound(f"the matrix {found.name!r} has no version {version}; list its versions")
            bump(c, "matrices")
        return int(n)

    def begin_version(self, matrix: int) -> int:
        """The number of the next version, never used before; what a killed writer left unread is cleared away."""
        with self._db.write() as c:
            found = _locked(c, matrix)
            number = max(found.version, *_versions(c, matrix), 0) + 1
            left = (matrix_rows.c.matrix == matrix) & (matrix_rows.c.version > found.version)
            c.execute(delete(matrix_rows).where(left))
        return number

    def switch_matrices(
        self, versions: Mapping[int, int], recommenders: Sequence[RecommenderRecord] = (), keep: int = 2
    ) -> None:
        """Let readers see these versions from now on, all in one step.

        Of each matrix the newest ``keep`` versions stay. ``recommenders`` are kept by their names, new or changed.
        """
        with self._db.write() as c:
            for matrix, version in sorted(versions.items()):
                found = _locked(c, matrix)
                if version < found.version:
                    raise Conflict(
                        f"the matrix {found.name!r} is read as version {found.version}, which is newer than {version}: "
                        "another run was faster; nothing was switched"
                    )
                c.execute(matrices.update().where(matrices.c.id == matrix), {"version": version})
                kept = [one for one in _versions(c, matrix) if one <= version][-keep:]
                own = matrix_rows.c.matrix == matrix
                c.execute(delete(matrix_rows).where(own, matrix_rows.c.version.not_in(kept)))
            for record in recommenders:
                _put(c, record)
            bump(c, "matrices")

    def recommenders(self) -> list[RecommenderRecord]:
        """Every recommender, oldest first."""
        with self._db.read() as c:
            return [_recommender(row) for row in c.execute(select(recommenders).order_by(recommenders.c.id))]

    def add_recommender(self, record: RecommenderRecord) -> RecommenderRecord:
        """A new recommender; Conflict where its name is taken."""
        with self._db.write() as c:
            row = _checked(c, record)
            statement = insert(c, recommenders).on_conflict_do_nothing().returning(recommenders.c.id)
            number = c.execute(statement, row).scalar()
            if number is None:
                raise Conflict(f"there is a recommender {record.name!r} already; change that one")
            bump(c, "matrices")
        return replace(record, id=number)

    def change_recommender(self, number: int, **changes: Any) -> RecommenderRecord:
        """Change what is named of name, description, user_matrix and item_matrix."""
        own = recommenders.c.id == number
        with self._db.write() as c:
            found = c.execute(select(recommenders).where(own).with_for_update()).first()
            if found is None:
                raise NotFound(f"no recommender {number}; list them to see which there are")
            old = _recommender(found)
            new = replace(old, **changes)
            row = _checked(c, new)
            taken = c.execute(select(recommenders.c.id).where(recommenders.c.name == new.name, ~own)).first()
            if taken is not None:
                raise Conflict(f"there is a recommender {new.name!r} already; give another name")
            c.execute(recommenders.update().where(own), row)
            bump(c, "matrices")
        return new

    def drop_recommender(self, number: int) -> bool:
        """Forget a recommender, not its matrices; whether there was one."""
        with self._db.write() as c:
            dropped = c.execute(delete(recommenders).where(recommenders.c.id == number)).rowcount
            if dropped:
                bump(c, "matrices")
        return bool(dropped)

    @tried_again
    def matrix_called(self, name: str, of: Of, description: str) -> Matrix:
        """The matrix of this name, made where there is none; Conflict where it holds something else."""
        with self._db.write() as c:
            found = _by_name(c, name)
            if found is None:
                row = _kept(Matrix(0, name, of, description))
                number = c.execute(matrices.insert().returning(matrices.c.id), row).scalar_one()
                bump(c, "matrices")
                return Matrix(number, name, of, description)
        if found.of != of:
            raise Conflict(f"the matrix {name!r} holds {found.of}, not {of}; delete it, or give another name")
        return found


def _read(c: Connection, matrix: int) -> Matrix | None:
    row = c.execute(select(matrices).where(matrices.c.id == matrix)).first()
    return None if row is None else _matrix(row)


def _by_name(c: Connection, name: str) -> Matrix | None:
    row = c.execute(select(matrices).where(matrices.c.name == name)).first()
    return None if row is None else _matrix(row)


def _locked(c: Connection, matrix: int) -> Matrix:
    """The matrix, which nobody else changes until the transaction ends."""
    row = c.execute(select(matrices).where(matrices.c.id == matrix).with_for_update()).first()
    if row is None:
        raise NotFound(f"no matrix {matrix}; list the matrices to see which there are")
    return _matrix(row)


def _versions(c: Connection, matrix: int) -> list[int]:
    query = select(matrix_rows.c.version).where(matrix_rows.c.matrix == matrix).distinct()
    return sorted(c.execute(query).scalars())


def _kept(matrix: Matrix) -> dict[str, Any]:
    if matrix.of not in get_args(Of):
        raise Invalid(f"a matrix is of users or of items, not of {matrix.of!r}", field="of")
    if not 0 <= matrix.version < 2**31:
        raise Invalid(f"{matrix.version} is no version of a matrix; versions count from 1", field="version")
    return {
        "name": checked_id(matrix.name, "matrix"),
        "of": matrix.of,
        "description": kept_text(matrix.description, "description"),
        "version": matrix.version,
    }


def _put(c: Connection, record: RecommenderRecord) -> None:
    row = _checked(c, record)
    statement = insert(c, recommenders)
    changed = {name: statement.excluded[name] for name in row if name != "name"}
    c.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), row)


def _checked(c: Connection, record: RecommenderRecord) -> dict[str, Any]:
    """A recommender as it is kept, its matrices looked at."""
    pairs: tuple[tuple[Of, int | None], ...] = (("users", record.user_matrix), ("items", record.item_matrix))
    for of, number in pairs:
        found = None if number is None else _read(c, number)
        if number is not None and (found is None or found.of != of):
            what = "there is no matrix" if found is None else f"it holds {found.of}:"
            raise Invalid(f"{what} {number}; name a matrix of {of}", field=f"{of[:-1]}_matrix")
    return {
        "name": checked_id(record.name, "recommender"),
        "description": kept_text(record.description, "description"),
        "user_matrix": record.user_matrix,
        "item_matrix": record.item_matrix,
    }


def _matrix(row: Row[Any]) -> Matrix:
    return Matrix(row.id, row.name, row.of, row.description, row.version)


def _recommender(row: Row[Any]) -> RecommenderRecord:
    return RecommenderRecord(row.name, row.description, row.user_matrix, row.item_matrix, row.id)
