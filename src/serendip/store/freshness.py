"""Counters that tell other processes what has changed."""

from __future__ import annotations

import hashlib
import os

from sqlalchemy import Connection, func, select, text

from serendip.store.engine import Part, Prepared
from serendip.store.schema import changes, interactions, items, users

TOPICS = ("data", "items", "versions", "keys", "kinds", "scenarios", "matrices")
"""data: users, interactions, relations; items: items, their availability and vectors; and so on."""

_SHARDS = 16
_COUNTS = Prepared(select(changes.c.topic, func.sum(changes.c.n)).group_by(changes.c.topic))

_BUMP = Prepared(
    text(
        "INSERT INTO changes (topic, shard, n) VALUES (:topic, :shard, 1) "
        "ON CONFLICT (topic, shard) DO UPDATE SET n = changes.n + 1"
    )
)


def bump(connection: Connection, *topics: str) -> None:
    """Count a change of ``topics``, as the last thing of a transaction: its rows stay locked until the end."""
    shard = 0 if connection.dialect.name == "sqlite" else os.getpid() % _SHARDS
    _BUMP.run(connection, [{"topic": topic, "shard": shard} for topic in sorted(topics)])


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
