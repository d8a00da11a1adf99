"""People beside each other: who is related to whom, who is followed most, who came last."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, select

from serendip.domain import User
from serendip.store.engine import Part
from serendip.store.people import USERS
from serendip.store.schema import relations, users
from serendip.store.values import mapping

AT_ONCE = 500
"""Keys of one question; a database takes only so many."""


class Crowd(Part):
    """What a recommendation of people asks besides likeness."""

    def users_of_keys(self, keys: Collection[int]) -> dict[int, User]:
        """Records by key, of those that are still there."""
        wanted = sorted(set(keys))
        found: dict[int, User] = {}
        with self._db.read() as c:
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                query = select(users.c.key, users.c.id, users.c.name, users.c.attributes).where(users.c.key.in_(some))
                found |= {row.key: User(row.id, row.name, mapping(row.attributes)) for row in c.execute(query)}
        return found

    def users_by_id(self, ids: Collection[str]) -> dict[str, User]:
        """Records by id, of those that there are."""
        with self._db.read() as c:
            return USERS.by_id(c, sorted(ids))

    def users_named(self, names: Collection[str]) -> dict[str, list[str]]:
        """The ids of those who bear each of ``names``, rising; a name that nobody bears is left out."""
        found: dict[str, list[str]] = {}
        with self._db.read() as c:
            for start in range(0, len(names), AT_ONCE):
                some = sorted(names)[start : start + AT_ONCE]
                query = select(users.c.name, users.c.id).where(users.c.name.in_(some))
                for name, user in c.execute(query):
                    found.setdefault(name, []).append(user)
        return {name: sorted(ids) for name, ids in found.items()}

    def count_users(self, besides: Collection[str], beginning: str) -> int:
        """How many there are whose name, in small letters, is none of ``besides``, nor their id so ``beginning``."""
        with self._db.read() as c:
            return int(
                c.execute(select(func.count()).select_from(users).where(*_others(besides, beginning))).scalar_one()
            )

    def some_users(self, n: int, besides: Collection[str], beginning: str) -> list[User]:
        """``n`` of these users, or all where there are fewer, drawn by the database."""
        query = select(users.c.id, users.c.name).where(*_others(besides, beginning)).order_by(func.random()).limit(n)
        with self._db.read() as c:
            return [User(user, name) for user, name in c.execute(query)]

    def related(self, asked: Sequence[str], kinds: Collection[str]) -> dict[str, set[str]]:
        """Whom each of ``asked`` has a relation of ``kinds`` to."""
        found: dict[str, set[str]] = {user: set() for user in asked}
        other, ids = users.alias(), sorted(found)
        with self._db.read() as c:
            for start in range(0, len(ids), AT_ONCE):
                query = (
                    select(users.c.id, other.c.id)
                    .join_from(relations, users, users.c.key == relations.c.user_key)
                    .join(other, other.c.key == relations.c.other_key)
                    .where(users.c.id.in_(ids[start : start + AT_ONCE]), relations.c.kind.in_(sorted(kinds)))
                )
                for user, one in c.execute(query):
                    found[user].add(one)
        return found

    def most_related(self, kinds: Collection[str], limit: int) -> list[tuple[str, int]]:
        """Users that most others have a relation of ``kinds`` to, and how many; equal ones by age of their record."""
        n = func.count().label("n")
        query = (
            select(users.c.id, n)
            .join_from(relations, users, users.c.key == relations.c.other_key)
            .where(relations.c.kind.in_(sorted(kinds)))
            .group_by(users.c.key, users.c.id)
            .order_by(n.desc(), users.c.key)
            .limit(limit)
        )
        with self._db.read() as c:
            return [(row.id, int(row.n)) for row in c.execute(query)]

    def newest_users(self, limit: int) -> list[str]:
        """Users whose records came last, newest first."""
        with self._db.read() as c:
            return [row.id for row in c.execute(select(users.c.id).order_by(users.c.key.desc()).limit(limit))]


def _others(besides: Collection[str], beginning: str) -> tuple[ColumnElement[bool], ...]:
    """Users who are called otherwise than ``besides``, and whose id does not start with ``beginning``."""
    called = func.lower(func.coalesce(users.c.name, users.c.id))
    return (called.not_in(sorted(besides)), users.c.id.not_like(f"{beginning}%"))
