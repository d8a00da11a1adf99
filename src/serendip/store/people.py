"""Users: their records, one at a time or as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from serendip.domain import User, checked_id
from serendip.store.engine import Prepared, given, has, insert, listed, tried_again
from serendip.store.freshness import bump
from serendip.store.saved import forget_answers
from serendip.store.schema import interactions, relations, slates, users
from serendip.store.slates import Slates
from serendip.store.values import Page, cursor, kept_mapping, kept_text, mapping, place, searchable

_KNOWN = Prepared(select(users.c.key).where(users.c.id == bindparam("user")))
_SEVERAL = Prepared(select(users.c.id, users.c.name, users.c.attributes).where(users.c.id.in_(given("ids"))))
_ONE = Prepared(select(users.c.id, users.c.name, users.c.attributes).where(users.c.id == bindparam("user")))
_KEYS = Prepared(select(users.c.id, users.c.key).where(users.c.id.in_(given("ids"))))


class People(Slates):
    """Users, by their text ids."""

    @tried_again
    def put_users(self, records: Sequence[User]) -> int:
        """Keep these users, each whole; how many of them are new."""
        rows = [user_row(record) for record in records]
        if not rows:
            return 0
        with self._db.write() as c:
            created = write_users(c, rows)
            bump(c, "data")
        return created

    def user(self, user: str) -> User | None:
        """The record of ``user``, if there is one."""
        with self._db.read() as c:
            rows = _ONE.rows(c, user=user)
        return _user(rows[0]) if rows else None

    def known_user(self, user: str) -> bool:
        """Whether there is a record of ``user``, bare or full."""
        with self._db.read() as c:
            return bool(_KNOWN.rows(c, user=user))

    def list_users(self, search: str | None = None, after: str | None = None, limit: int = 50) -> Page[User]:
        """Users by id, from behind ``after``; ``search`` is looked for in id and name, whatever its case."""
        wanted = select(users.c.id, users.c.name, users.c.attributes)
        counted = select(func.count()).select_from(users)
        if search:
            found = has(users.c.search, searchable(kept_text(search, "search")))
            wanted, counted = wanted.where(found), counted.where(found)
        if after is not None:
            wanted = wanted.where(users.c.id > place(after, str)[0])
        with self._db.read() as c:
            rows = c.execute(wanted.order_by(users.c.id).limit(limit + 1)).all()
            total = c.execute(counted).scalar_one()
        more = cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Page([_user(row) for row in rows[:limit]], more, total)

    def delete_user(self, user: str) -> bool:
        """Forget ``user`` with all interactions, relations and slates; whether there was anything to forget."""
        self.flush_slates()
        with self._db.write() as c:
            keys = _KNOWN.rows(c, user=user)
            shown = c.execute(delete(slates).where(slates.c.user == user)).rowcount
            if keys:
                ((key,),) = keys
                c.execute(delete(interactions).where(interactions.c.user_key == key))
                c.execute(delete(relations).where((relations.c.user_key == key) | (relations.c.other_key == key)))
                c.execute(delete(users).where(users.c.key == key))
                forget_answers(c, user)
                bump(c, "data")
        return bool(keys or shown)


def user_row(record: User) -> dict[str, Any]:
    """A record as it is kept, checked."""
    checked_id(record.id, "user")
    name = kept_text(record.name, "name")
    return {
        "id": record.id,
        "name": name,
        "attributes": kept_mapping(record.attributes, "attributes"),
        "search": searchable(record.id, name),
    }


def users_by_id(c: Connection, ids: Sequence[str]) -> dict[str, User]:
    """Records of those of ``ids`` that there are."""
    return {row[0]: _user(row) for row in _SEVERAL.rows(c, ids=listed(ids))}


def write_users(c: Connection, rows: list[dict[str, Any]]) -> int:
    """Insert or replace whole rows; how many ids are new. Of several rows with one id the last is kept."""
    latest = {row["id"]: row for row in rows}
    known = len(_KEYS.rows(c, ids=listed(list(latest))))
    statement = insert(c, users)
    changed = {column: statement.excluded[column] for column in ("name", "attributes", "search")}
    statement = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
    # In order, so that two writers on PostgreSQL do not wait for each other's rows.
    c.execute(statement, [latest[user] for user in sorted(latest)])
    return len(latest) - known


def user_keys(c: Connection, ids: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Keys of users, within a writing transaction, and which of them had to be made, as bare rows."""
    found: dict[str, int] = dict(_KEYS.rows(c, ids=listed(ids)))
    missing = sorted(set(ids) - found.keys())
    if missing:
        bare = [{"id": user, "search": searchable(user)} for user in missing]
        c.execute(insert(c, users).on_conflict_do_nothing(), bare)
        found.update(_KEYS.rows(c, ids=listed(missing)))
    return found, missing


def _user(row: Sequence[Any]) -> User:
    return User(row[0], row[1], mapping(row[2]))
