"""Whether what is kept is sound."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.schema import Column

from serendip.store.engine import Part
from serendip.store.schema import REVISION, event_vectors, interactions, items, kinds, relations, users, vectors

_POINTERS: tuple[tuple[Column[int], Column[int]], ...] = (
    (interactions.c.user_key, users.c.key),
    (interactions.c.item_key, items.c.key),
    (interactions.c.kind, kinds.c.code),
    (relations.c.user_key, users.c.key),
    (relations.c.other_key, users.c.key),
    (vectors.c.item_key, items.c.key),
    (event_vectors.c.interaction, interactions.c.id),
)


class Health(Part):
    """The store's own examination."""

    def check(self) -> list[str]:
        """What is wrong, a sentence each; nothing, if all is well. Reads everything, so it takes a while."""
        with self._db.snapshot() as c:
            found = c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            problems = [] if found == REVISION else [f"the revision is {found!r} and should be {REVISION!r}"]
            if c.dialect.name == "sqlite":
                rows = c.exec_driver_sql("PRAGMA integrity_check").scalars()
                problems += [f"SQLite says: {line}" for line in rows if line != "ok"]
            for pointer, target in _POINTERS:
                lost = _lost(c, pointer, target)
                if lost:
                    problems.append(f"{lost} rows of {pointer.table} point at {target.table} that are not there")
        return problems


def _lost(c: Connection, pointer: Column[int], target: Column[int]) -> int:
    table: Table = pointer.table
    there = select(target).where(target == pointer).exists()
    return c.execute(select(func.count()).select_from(table).where(~there)).scalar_one()
