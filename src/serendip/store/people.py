"""Users: their records, one at a time or as a list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from serendip.domain import User, checked_id
from serendip.store.engine import Prepared, given, has, insert, listed, tried_again
from serendip.store.forgotten import forgotten, forgotten_among
from serendip.store.freshness import bump
from serendip.store.pages import Order, Stretch, in_bytes, stretch, with_attributes
from serendip.store.records import Changed, Records
from serendip.store.saved import forget_answers
from serendip.store.schema import accounts, interactions, matrices, matrix_rows, relations, slates, users
from serendip.store.slates import Slates
from serendip.store.values import Page, kept_mapping, kept_text, mapping, searchable

_RECORD = (users.c.id, users.c.name, users.c.attributes)
_KNOWN = Prepared(select(users.c.key).where(users.c.id == bindparam("user")))
_ONE = Prepared(select(*_RECORD).where(users.c.id == bindparam("user")))
_ORDERS = {
    "id": Order((users.c.id,), (str,)),
    "name": Order((in_bytes(users.c.name), users.c.id), (str, str)),
    "created": Order((users.c.key,), (int,)),
}


@dataclass(frozen=True)
class Gone:
    """How much was deleted with users."""

    users: int
    interactions: int = 0
    relations: int = 0
    slates: int = 0
    matrix_rows: int = 0


class People(Slates):
    """Users, by their text ids."""

    @tried_again
    def put_users(self, records: Sequence[User]) -> int:
        """Keep these users, each whole; how many of them are new."""
        if not records:
            return 0
        with self._db.write() as c:
            created, refused = write_users(c, records)
            if refused:
                raise forgotten(min(refused))
            bump(c, "data")
        return created

    @tried_again
    def change_user(self, user: str, change: Callable[[User | None], User]) -> tuple[User | None, User]:
        """Make a new record of the old one, while nobody else writes it; both. ``change`` refuses by raising."""
        checked_id(user, "user")
        with self._db.write() as c:
            before, after = USERS.change(c, user, change)
            if before is None and forgotten_among(c, [user]):
                raise forgotten(user)
            if before != after:
                bump(c, "data")
        return before, after

    @tried_again
    def change_users(self, put: Sequence[User], drop: Collection[str]) -> Changed:
        """Keep some users, each whole, and forget others with everything they did, in one transaction."""
        self.flush_slates()
        with self._db.write() as c:
            created, refused = write_users(c, put)
            gone = delete_users(c, drop)
            bump(c, "data")
        replaced = len({user.id for user in put}) - created - len(refused)
        return Changed(created, replaced, gone.users, {user: forgotten(user) for user in refused})

    def user(self, user: str) -> User | None:
        """The record of ``user``, if there is one."""
        with self._db.read() as c:
            rows = _ONE.rows(c, user=user)
        return _user(rows[0]) if rows else None

    def known_user(self, user: str) -> bool:
        """Whether there is a record of ``user``, bare or full."""
        with self._db.read() as c:
            return bool(_KNOWN.rows(c, user=user))

    def list_users(
        self,
        search: str | None = None,
        after: str | None = None,
        limit: int = 50,
        *,
        name: str | None = None,
        attributes: Mapping[str, str] | None = None,
        sort: str = "id",
        count: bool = True,
    ) -> Page[User]:
        """Users from behind ``after``, by id, name or the order in which they came.

        ``search`` is looked for in id and name, whatever its case; ``name`` and ``attributes`` are met exactly.
        """
        wanted = select(*_RECORD).where(*with_attributes(users.c.attributes, attributes or {}))
        if search:
            wanted = wanted.where(has(users.c.search, searchable(kept_text(search, "search"))))
        if name is not None:
            wanted = wanted.where(users.c.name == kept_text(name, "name"))
        with self._db.read() as c:
            rows, more, total = stretch(c, wanted, _ORDERS, Stretch(sort, after, limit, count))
        return Page([_user(row) for row in rows], more, total)

    @tried_again
    def delete_user(self, user: str, check: Callable[[User], object] | None = None) -> bool:
        """Forget ``user`` with all interactions, relations and slates; whether there was anything to forget.

        ``check`` looks at the record before, and keeps it by raising.
        """
        self.flush_slates()
        with self._db.write() as c:
            record = USERS.locked(c, user)
            if record is not None and check is not None:
                check(record)
            gone = delete_users(c, [user])
            if gone.users:
                bump(c, "data")
        return bool(gone.users or gone.slates)


def write_users(c: Connection, records: Sequence[User]) -> tuple[int, set[str]]:
    """Insert or replace whole records; how many are new, and who asked to be forgotten and was not written."""
    new = USERS.write(c, records)
    refused = _unmade(c, new)
    return len(new) - len(refused), refused


def user_keys(c: Connection, ids: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Keys of users, within a writing transaction, and which of them had to be made, as bare rows.

    Who asked to be forgotten is not made again and has no key.
    """
    found = USERS.keys(c, ids)
    missing = sorted(set(ids) - found.keys())
    if missing:
        bare = [{"id": user, "search": searchable(user)} for user in missing]
        c.execute(insert(c, users).on_conflict_do_nothing(), bare)
        refused = _unmade(c, missing)
        missing = [user for user in missing if user not in refused]
        found.update(USERS.keys(c, missing))
    return found, missing


def _unmade(c: Connection, new: Collection[str]) -> set[str]:
    """Take back those of the ``new`` users who asked to be forgotten.

    Afterwards rather than before, for then an erasure that runs beside has either been waited for or waits for us.
    """
    refused = forgotten_among(c, new)
    if refused:
        c.execute(delete(users).where(users.c.id.in_(given("ids"))), {"ids": listed(sorted(refused))})
    return refused


def delete_users(c: Connection, ids: Collection[str]) -> Gone:
    """Delete users and everything of theirs; an account that stood for one of them stands for nobody."""
    names = {"ids": listed(sorted(ids))}
    shown = c.execute(delete(slates).where(slates.c.user.in_(given("ids"))), names).rowcount
    c.execute(update(accounts).where(accounts.c.user.in_(given("ids"))).values(user=None), names)
    forget_answers(c, ids)
    if not USERS.keys(c, ids):
        return Gone(0, slates=shown)
    own = select(users.c.key).where(users.c.id.in_(given("ids")))
    of_users = select(matrices.c.id).where(matrices.c.of == "users")
    done = c.execute(delete(interactions).where(interactions.c.user_key.in_(own)), names).rowcount
    either = relations.c.user_key.in_(own) | relations.c.other_key.in_(own)
    related = c.execute(delete(relations).where(either), names).rowcount
    alike = matrix_rows.c.row_key.in_(own) & matrix_rows.c.matrix.in_(of_users)
    rows = c.execute(delete(matrix_rows).where(alike), names).rowcount
    people = c.execute(delete(users).where(users.c.id.in_(given("ids"))), names).rowcount
    return Gone(people, done, related, shown, rows)


def _user_row(record: User) -> dict[str, Any]:
    """A record as it is kept, checked."""
    checked_id(record.id, "user")
    name = kept_text(record.name, "name")
    return {
        "id": record.id,
        "name": name,
        "attributes": kept_mapping(record.attributes, "attributes"),
        "search": searchable(record.id, name),
    }


def _user(row: Sequence[Any]) -> User:
    return User(row[0], row[1], mapping(row[2]))


USERS: Records[User] = Records(users, _RECORD, _user_row, _user)
"""Records of users."""
