"""Counters that tell other processes what has changed."""

from __future__ import annotations

import hashlib
import os

from sqlalchemy import Connection, bindparam, func, select

from serendip.store.engine import Part, Prepared, insert
from serendip.store.schema import changes, interactions, items, users

TOPICS = ("data", "items", "versions", "keys", "kinds")
"""data: users, interactions, relations; items: items, their availability and vectors; and so on."""

_SHARDS = 16
_COUNTS = Prepared(select(changes.c.topic, func.sum(changes.c.n)).group_by(changes.c.topic))


def bump(connection: Connection, *topics: str) -> None:
    """Count a change of ``topics``, as the last thing of a transaction: its rows stay locked until the end."""
    shard = 0 if connection.dialect.name == "sqlite" else os.getpid() % _SHARDS
    statement = insert(connection, changes).values(topic=bindparam("b_topic"), shard=shard, n=1)
    statement = statement.on_conflict_do_update(index_elements=["topic", "shard"], set_={"n": changes.c.n + 1})
    for topic in sorted(topics):
        connection.execute(statement, {"b_topic": topic})


class Freshness(Part):
    """What has changed since somebody last looked."""

    def changes(self) -> dict[str, int]:
        """A count for each topic, which rises with every committed write that changes answers."""
        with self._db.read() as c:
            return dict.fromkeys(TOPICS, 0) | {topic: int(n) for topic, n in _COUNTS.rows(c)}

    def fingerprint(self) -> str:
        """A digest of the data's state: another after anything was added, edited or deleted."""
        with self._db.snapshot() as c:
            state = [
                tuple(c.execute(select(func.count(), func.max(column))).one())
                for column in (users.c.key, items.c.key, interactions.c.id)
            ]
            counts = {topic: int(n) for topic, n in _COUNTS.rows(c)}
        told = (*state, *(counts.get(topic, 0) for topic in ("data", "items", "kinds")))
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
