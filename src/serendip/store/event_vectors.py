"""Vectors of what was said with interactions: kept beside these, and gone with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, bindparam, cast, delete, func, select

from serendip.domain import Invalid, checked_id
from serendip.store.engine import Part, Prepared, each_text, insert, listed, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import event_vectors, interactions
from serendip.store.values import mapping

Floats = NDArray[np.float32]
Keys = NDArray[np.int64]

_THESE = select(cast(each_text(bindparam("ids")).table_valued("value").c.value, BigInteger))
_OF = Prepared(
    select(event_vectors.c.interaction, event_vectors.c.vector)
    .where(event_vectors.c.name == bindparam("name"), event_vectors.c.interaction.in_(_THESE))
    .order_by(event_vectors.c.interaction)
)
SAID = ("summary", "text")
"""What of an interaction's context its user wrote."""


@dataclass(frozen=True)
class EventContext:
    """An interaction that came with something beside it."""

    id: int
    context: str
    """JSON, as it is kept."""

    @property
    def said(self) -> str:
        """The words of its user, one sentence after the other; empty where there are none."""
        told = mapping(self.context)
        return ". ".join(words for name in SAID if isinstance(words := told.get(name), str) and words.strip())


class EventVectors(Part):
    """What was said with interactions, as vectors by name."""

    def event_contexts(self, after: int = 0, limit: int = 1000, without: str | None = None) -> list[EventContext]:
        """Interactions with a context, by number, behind ``after``; only those ``without`` a vector of this name."""
        t = interactions.c
        query = select(t.id, t.context).where(t.id > after, t.context.is_not(None)).order_by(t.id).limit(limit)
        if without is not None:
            made = event_vectors.c.name == without, event_vectors.c.interaction == t.id
            query = query.where(~select(event_vectors.c.interaction).where(*made).exists())
        with self._db.read() as c:
            return [EventContext(*row) for row in c.execute(query)]

    def event_vectors_by(self, name: str) -> str | None:
        """Who made the vectors called ``name``; none where there are none."""
        with self._db.read() as c:
            return _made_by(c, name)

    def count_event_vectors(self, name: str) -> int:
        """How many interactions have a vector of this name."""
        query = select(func.count()).select_from(event_vectors).where(event_vectors.c.name == name)
        with self._db.read() as c:
            return c.execute(query).scalar_one()

    @tried_again
    def load_event_vectors(self, name: str, made_by: str, events: Sequence[EventContext], vectors: Floats) -> int:
        """Keep a vector of each of ``events``, (n_events, size), under ``name``; how many.

        What was changed or taken back meanwhile is left out. Vectors of two makers, or of two lengths, do not mix under
        one name.
        """
        checked_id(name, "vectors")
        rows = np.ascontiguousarray(vectors, "<f4")
        if not np.isfinite(rows).all():
            raise Invalid(f"the vectors {name!r} hold a number that is not finite; leave such rows out", field="vector")
        if len(rows) and not rows.shape[1]:
            raise Invalid(f"the vectors {name!r} hold no numbers; give each at least one", field="vector")
        way_out = "make them under another name, or take the old ones out first (`serendip vectors remove`)"
        with self._db.write() as c:
            before = _made_by(c, name)
            if before not in (None, made_by):
                raise Invalid(
                    f"the vectors {name!r} of interactions were made by {before}, and these by {made_by}; {way_out}",
                    field="name",
                )
            size = _size(c, name)
            if len(rows) and size not in (None, rows.shape[1]):
                raise Invalid(
                    f"the vectors {name!r} of interactions have {size} numbers, and these {rows.shape[1]}; {way_out}",
                    field="vector",
                )
            there = _contexts(c, [event.id for event in events])
            values = [
                {"name": name, "interaction": event.id, "made_by": made_by, "vector": row.tobytes()}
                for event, row in zip(events, rows, strict=True)
                if there.get(event.id) == event.context
            ]
            if values:
                statement = insert(c, event_vectors)
                changed = {"vector": statement.excluded.vector}
                c.execute(statement.on_conflict_do_update(index_elements=["name", "interaction"], set_=changed), values)
                bump(c, "data")
        return len(values)

    @tried_again
    def remove_event_vectors(self, name: str) -> int:
        """Take out all vectors of interactions called ``name``; how many there were."""
        with self._db.write() as c:
            gone = c.execute(delete(event_vectors).where(event_vectors.c.name == name)).rowcount
            if gone:
                bump(c, "data")
        return gone

    def event_vectors(self, name: str) -> tuple[Keys, Floats]:
        """Numbers of the interactions that have a vector of this name, rising, and the vectors, (n, size)."""
        query = select(event_vectors.c.interaction, event_vectors.c.vector).where(event_vectors.c.name == name)
        with self._db.read() as c:
            rows = c.execute(query.order_by(event_vectors.c.interaction)).all()
        return _columns(rows)

    def event_vectors_of(self, name: str, ids: Keys) -> tuple[Keys, Floats]:
        """``event_vectors`` of these interactions alone, as far as they have one."""
        if not len(ids):
            return _columns([])
        with self._db.read() as c:
            return _columns(_OF.rows(c, name=name, ids=listed([str(one) for one in ids.tolist()])))

    def event_vectors_with(self, ids: Sequence[int]) -> list[tuple[int, str, list[float]]]:
        """Every vector of these interactions: number, name, and the numbers."""
        t = event_vectors.c
        query = select(t.interaction, t.name, t.vector).where(t.interaction.in_(_THESE)).order_by(t.interaction, t.name)
        with self._db.read() as c:
            rows = c.execute(query, {"ids": listed([str(one) for one in ids])}).all()
        return [(number, name, np.frombuffer(kept, "<f4").tolist()) for number, name, kept in rows]


def _made_by(c: Connection, name: str) -> str | None:
    found: str | None = c.execute(select(event_vectors.c.made_by).where(event_vectors.c.name == name).limit(1)).scalar()
    return found


def _size(c: Connection, name: str) -> int | None:
    """How many numbers the vectors of this name have; none where there are none."""
    kept: bytes | None = c.execute(select(event_vectors.c.vector).where(event_vectors.c.name == name).limit(1)).scalar()
    return None if kept is None else len(kept) // 4


def _contexts(c: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What interactions came with, which nobody changes before this transaction ends."""
    query = select(interactions.c.id, interactions.c.context).where(interactions.c.id.in_(_THESE))
    if c.dialect.name == "postgresql":
        query = query.with_for_update(read=True)
    rows = c.execute(query, {"ids": listed([str(one) for one in ids])})
    return {number: context for number, context in rows if context is not None}


def _columns(rows: Sequence[Any]) -> tuple[Keys, Floats]:
    keys = np.array([row[0] for row in rows], np.int64)
    numbers = np.frombuffer(b"".join(row[1] for row in rows), "<f4").astype(np.float32, copy=False)
    return keys, numbers.reshape(len(rows), -1) if len(rows) else np.zeros((0, 0), np.float32)
