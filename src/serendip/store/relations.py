"""Relations between users."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from serendip.domain import Relation, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.freshness import bump
from serendip.store.people import user_keys
from serendip.store.schema import relations, users


class Relations(Part):
    """Who follows, blocks, or otherwise points at whom."""

    @tried_again
    def put_relations(self, records: Sequence[Relation]) -> int:
        """Keep these relations, making users that are missing; how many relations are new."""
        for record in records:
            checked_id(record.user, "user")
            checked_id(record.other, "user")
            checked_id(record.kind, "kind")
        if not records:
            return 0
        with self._db.write() as c:
            added, _ = write_relations(c, {(one.user, one.kind, one.other) for one in records})
            bump(c, "data")
        return added

    def relations(self, user: str) -> list[Relation]:
        """Relations that ``user`` has to others, by kind and id."""
        other = users.alias()
        query = (
            select(other.c.id, relations.c.kind)
            .join(users, users.c.key == relations.c.user_key)
            .join(other, other.c.key == relations.c.other_key)
            .where(users.c.id == user)
            .order_by(relations.c.kind, other.c.id)
        )
        with self._db.read() as c:
            return [Relation(user, row[0], row[1]) for row in c.execute(query)]


def write_relations(c: Connection, triples: set[tuple[str, str, str]]) -> tuple[int, int]:
    """Insert (user, kind, other); how many relations and how many users are new."""
    keys, made = user_keys(c, sorted({user for user, _, _ in triples} | {other for _, _, other in triples}))
    rows = [{"user_key": keys[user], "kind": kind, "other_key": keys[other]} for user, kind, other in sorted(triples)]
    # Not rowcount: over several statements at once PostgreSQL's driver has none.
    added = c.execute(insert(c, relations).on_conflict_do_nothing().returning(relations.c.user_key), rows).all()
    return len(added), len(made)
