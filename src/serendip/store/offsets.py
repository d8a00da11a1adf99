"""Lists by offset, for clients that count rows; the other lists' cursors cost less far down."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.sql.selectable import Select

from serendip.domain import Interaction, Item, User
from serendip.store.catalogue import ITEMS, tagged
from serendip.store.cells import TABLES
from serendip.store.engine import Part
from serendip.store.histories import RecordedInteraction
from serendip.store.pages import with_attributes
from serendip.store.people import USERS
from serendip.store.schema import interactions, items, kinds, users
from serendip.store.values import aware, kept_text


class Offsets(Part):
    """Rows ``offset`` up to ``offset + limit`` in the order in which they came, and how many there are in all."""

    def users_from(
        self, offset: int, limit: int, id: str | None = None, name: str | None = None, email: str | None = None
    ) -> tuple[list[User], int]:
        """Users; ``name`` is a name, or the id of a user without one; ``email`` is an attribute."""
        wanted: list[ColumnElement[bool]] = []
        if id is not None:
            wanted.append(users.c.id == kept_text(id, "id"))
        if name is not None:
            wanted.append(func.coalesce(users.c.name, users.c.id) == kept_text(name, "username"))
        if email is not None:
            wanted += with_attributes(users.c.attributes, {"email": email})
        with self._db.snapshot() as c:
            ids, total = _ids(c, select(users.c.id).where(*wanted).order_by(users.c.key), offset, limit)
            records = USERS.by_id(c, ids)
        return [records[one] for one in ids], total

    def items_from(
        self,
        offset: int,
        limit: int,
        id: str | None = None,
        title: str | None = None,
        text: str | None = None,
        tags: Collection[str] = (),
    ) -> tuple[list[Item], int]:
        """Items; they have all of ``tags``."""
        wanted = [tagged(tag) for tag in tags]
        for column, value, field in ((items.c.id, id, "id"), (items.c.title, title, "name"), (items.c.text, text, "")):
            if value is not None:
                wanted.append(column == kept_text(value, field or "description"))
        with self._db.snapshot() as c:
            ids, total = _ids(c, select(items.c.id).where(*wanted).order_by(items.c.key), offset, limit)
            records = ITEMS.by_id(c, ids)
        return [records[one] for one in ids], total

    def interactions_from(
        self,
        offset: int,
        limit: int,
        kind: str,
        user: str | None = None,
        item: str | None = None,
        value: float | None = None,
    ) -> tuple[list[RecordedInteraction], int]:
        """Interactions of a kind that carry a value, in the order in which they were recorded."""
        t = interactions.c
        code = select(kinds.c.code).where(kinds.c.name == kind).scalar_subquery()
        wanted: list[ColumnElement[bool]] = [t.kind == code, t.value.is_not(None)]
        if user is not None:
            wanted.append(t.user_key == select(users.c.key).where(users.c.id == user).scalar_subquery())
        if item is not None:
            wanted.append(t.item_key == select(items.c.key).where(items.c.id == item).scalar_subquery())
        if value is not None:
            wanted.append(t.value == value)
        query = (
            select(t.id, users.c.id, items.c.id, t.at, t.value)
            .join(users, users.c.key == t.user_key)
            .join(items, items.c.key == t.item_key)
            .where(*wanted)
            .order_by(t.id)
        )
        with self._db.snapshot() as c:
            rows = c.execute(query.offset(offset).limit(limit)).all()
            total = c.execute(select(func.count()).select_from(interactions).where(*wanted)).scalar_one()
        found = [
            RecordedInteraction(number, Interaction(who, what, aware(at), kind, rated))
            for number, who, what, at, rated in rows
        ]
        return found, total

    def free_number(self, of: str) -> str:
        """The id of a new user or item that comes without one: a number that none has yet. ``of``: users or items."""
        table = TABLES[of]
        with self._db.snapshot() as c:
            start = (c.execute(select(func.max(table.c.key))).scalar() or 0) + 1
            while True:
                several = [str(number) for number in range(start, start + 100)]
                taken = set(c.execute(select(table.c.id).where(table.c.id.in_(several))).scalars())
                free = next((one for one in several if one not in taken), None)
                if free is not None:
                    return free
                start += len(several)


def _ids(c: Connection, query: Select[Any], offset: int, limit: int) -> tuple[list[str], int]:
    ids = list(c.execute(query.offset(offset).limit(limit)).scalars())
    total = c.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()
    return ids, total
