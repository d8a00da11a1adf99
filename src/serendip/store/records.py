"""Records of one table by their text ids: read several, write them whole, change one without a race."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, select, update

from serendip.store.engine import Prepared, given, insert, listed


@dataclass(frozen=True)
class Changed:
    """What became of many records that were put or deleted together."""

    created: int
    replaced: int
    deleted: int
    refused: Mapping[Any, Exception]
    """Why a record was not taken, by what names it."""


class Named(Protocol):
    """Anything with a text id."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Named)


class Records(Generic[T]):
    """How a row is made of a record, and a record of a row."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[ColumnElement[Any]],
        row_of: Callable[[T], dict[str, Any]],
        record_of: Callable[[Sequence[Any]], T],
    ) -> None:
        self.table, self.columns, self.row_of, self.record_of = table, columns, row_of, record_of
        several = table.c.id.in_(given("ids"))
        self._several = Prepared(select(*columns).where(several))
        self._keys = Prepared(select(table.c.id, table.c.key).where(several))

    def by_id(self, c: Connection, ids: Collection[str]) -> dict[str, T]:
        """Records of those of ``ids`` that there are."""
        return {row[0]: self.record_of(row) for row in self._several.rows(c, ids=listed(list(ids)))}

    def keys(self, c: Connection, ids: Collection[str]) -> dict[str, int]:
        """Keys of those of ``ids`` that there are."""
        return dict(self._keys.rows(c, ids=listed(list(ids))))

    def write(self, c: Connection, records: Sequence[T]) -> list[str]:
        """Insert or replace whole rows; the ids that are new. Of several records with one id the last is kept."""
        latest = {record.id: self.row_of(record) for record in records}
        if not latest:
            return []
        new = sorted(latest.keys() - self.keys(c, latest).keys())
        statement = insert(c, self.table)
        changed = {name: statement.excluded[name] for name in next(iter(latest.values())) if name != "id"}
        statement = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
        # In order, so that two writers on PostgreSQL do not wait for each other's rows.
        c.execute(statement, [latest[name] for name in sorted(latest)])
        return new

    def locked(self, c: Connection, id: str) -> T | None:
        """The record of ``id``, which nobody else may write until the transaction ends."""
        row = c.execute(select(*self.columns).where(self.table.c.id == id).with_for_update()).first()
        return None if row is None else self.record_of(row)

    def change(self, c: Connection, id: str, change: Callable[[T | None], T]) -> tuple[T | None, T]:
        """Let ``change`` make a new record of the old one and keep it; both.

        Where somebody else makes the record meanwhile, the insert fails and the whole is tried again.
        """
        before = self.locked(c, id)
        after = change(before)
        if before is None:
            c.execute(self.table.insert(), self.row_of(after))
        elif after != before:
            c.execute(update(self.table).where(self.table.c.id == id).values(self.row_of(after)))
        return before, after
