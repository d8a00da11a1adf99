"""Relations between users."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, delete, select, tuple_

from serendip.domain import Invalid, Relation, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.forgotten import forgotten
from serendip.store.freshness import bump
from serendip.store.pages import Order, Stretch, stretch
from serendip.store.people import USERS, user_keys
from serendip.store.schema import relations, users
from serendip.store.values import Page

_OTHERS = users.alias("others")
_ALL = (
    select(users.c.id, _OTHERS.c.id, relations.c.kind)
    .select_from(relations)
    .join(users, users.c.key == relations.c.user_key)
    .join(_OTHERS, _OTHERS.c.key == relations.c.other_key)
)
_ORDERS = {
    "user": Order((users.c.id, relations.c.kind, _OTHERS.c.id), (str, str, str)),
    "other": Order((_OTHERS.c.id, relations.c.kind, users.c.id), (str, str, str)),
}


@dataclass(frozen=True)
class Related:
    """What became of relations that were written together."""

    added: int
    new_users: int
    refused: frozenset[str]
    """Users who asked to be forgotten; no relation of theirs was written."""

    def refusal(self, relation: Relation) -> Invalid | None:
        """Why a relation was not written, if it was not."""
        user = next((one for one in (relation.user, relation.other) if one in self.refused), None)
        return None if user is None else forgotten(user)


class Relations(Part):
    """Who follows, blocks, or otherwise points at whom."""

    @tried_again
    def put_relations(self, records: Sequence[Relation]) -> int:
        """Keep these relations, making users that are missing; how many relations are new."""
        if not records:
            return 0
        with self._db.write() as c:
            made = write_relations(c, _triples(records))
            if made.refused:
                raise forgotten(min(made.refused))
            bump(c, "data")
        return made.added

    @tried_again
    def change_relations(self, put: Sequence[Relation], drop: Sequence[Relation]) -> tuple[Related, int]:
        """Keep some relations and drop others in one transaction; what became of the former, and how many are gone."""
        with self._db.write() as c:
            made = write_relations(c, _triples(put))
            dropped = _delete_relations(c, _triples(drop))
            bump(c, "data")
        return made, dropped

    def relations(self, user: str) -> list[Relation]:
        """Relations that ``user`` has to others, by kind and id."""
        query = _ALL.where(users.c.id == user).order_by(relations.c.kind, _OTHERS.c.id)
        with self._db.read() as c:
            return [Relation(*row) for row in c.execute(query)]

    def has_relation(self, relation: Relation) -> bool:
        """Whether there is this relation."""
        with self._db.read() as c:
            return c.execute(_wanted(relation.user, relation.other, relation.kind)).first() is not None

    def list_relations(
        self, asked: Stretch, user: str | None = None, other: str | None = None, kind: str | None = None
    ) -> Page[Relation]:
        """Relations of ``user``, to ``other``, of ``kind``: all of what is given; by user, kind and other."""
        with self._db.read() as c:
            rows, more, total = stretch(c, _wanted(user, other, kind), _ORDERS, asked)
        return Page([Relation(*row) for row in rows], more, total)

    @tried_again
    def delete_relation(self, relation: Relation) -> bool:
        """Drop a relation; whether there was one."""
        with self._db.write() as c:
            dropped = _delete_relations(c, _triples([relation]))
            if dropped:
                bump(c, "data")
        return bool(dropped)


def _wanted(user: str | None, other: str | None, kind: str | None) -> Select[tuple[str, str, str]]:
    wanted = _ALL
    if user is not None:
        wanted = wanted.where(users.c.id == user)
    if other is not None:
        wanted = wanted.where(_OTHERS.c.id == other)
    return wanted if kind is None else wanted.where(relations.c.kind == kind)


def _triples(records: Sequence[Relation]) -> set[tuple[str, str, str]]:
    """Relations as (user, kind, other), checked."""
    for record in records:
        checked_id(record.user, "user")
        checked_id(record.other, "user")
        checked_id(record.kind, "kind")
    return {(one.user, one.kind, one.other) for one in records}


def write_relations(c: Connection, triples: Collection[tuple[str, str, str]]) -> Related:
    """Insert (user, kind, other), except where one of the two asked to be forgotten."""
    if not triples:
        return Related(0, 0, frozenset())
    named = sorted({user for user, _, _ in triples} | {other for _, _, other in triples})
    keys, made = user_keys(c, named)
    rows = [
        {"user_key": keys[user], "kind": kind, "other_key": keys[other]}
        for user, kind, other in sorted(triples)
        if user in keys and other in keys
    ]
    refused = frozenset(user for user in named if user not in keys)
    if not rows:
        return Related(0, len(made), refused)
    # Not rowcount: over several statements at once PostgreSQL's driver has none.
    added = c.execute(insert(c, relations).on_conflict_do_nothing().returning(relations.c.user_key), rows).all()
    return Related(len(added), len(made), refused)


def _delete_relations(c: Connection, triples: Collection[tuple[str, str, str]]) -> int:
    keys = USERS.keys(c, {user for user, _, _ in triples} | {other for _, _, other in triples})
    rows = [(keys[user], kind, keys[other]) for user, kind, other in triples if user in keys and other in keys]
    dropped = 0
    for start in range(0, len(rows), 200):
        some = tuple_(relations.c.user_key, relations.c.kind, relations.c.other_key).in_(rows[start : start + 200])
        dropped += c.execute(delete(relations).where(some)).rowcount
    return dropped
