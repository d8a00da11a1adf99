"""Interactions put right after they were recorded: read one, change it, take some back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from serendip.domain import Interaction
from serendip.store.catalogue import item_keys
from serendip.store.engine import tried_again
from serendip.store.forgotten import forgotten
from serendip.store.freshness import bump
from serendip.store.interactions import checked_body
from serendip.store.kinds import Kinds
from serendip.store.people import user_keys
from serendip.store.schema import event_vectors, interactions, items, kinds, users
from serendip.store.values import aware, mapping

_ONE = (
    select(
        users.c.id,
        items.c.id,
        interactions.c.at,
        kinds.c.name,
        interactions.c.value,
        interactions.c.context,
        interactions.c.slate,
    )
    .select_from(interactions)
    .join(users, users.c.key == interactions.c.user_key)
    .join(items, items.c.key == interactions.c.item_key)
    .join(kinds, kinds.c.code == interactions.c.kind)
)


class Corrections(Kinds):
    """What was recorded wrongly. An idempotency key stays with its row, whatever the row says afterwards."""

    def interaction(self, number: int) -> Interaction | None:
        """The interaction of this row number, if there is one."""
        with self._db.read() as c:
            return _found(c, _ONE.where(interactions.c.id == number))

    @tried_again
    def change_interaction(self, number: int, change: Callable[[Interaction | None], Interaction]) -> Interaction:
        """Make a new interaction of the old one, while nobody else changes it. ``change`` refuses by raising."""
        with self._db.write() as c:
            before = _locked(c, number)
            after = change(before)
            if after == before:
                return after
            body = checked_body(after)
            user_key, _ = user_keys(c, [body.user])
            if not user_key:
                raise forgotten(body.user)
            item_key, new_items = item_keys(c, [body.item])
            code, new_kinds = self._codes_of(c, [body.kind])
            values: dict[str, Any] = {
                "user_key": user_key[body.user],
                "item_key": item_key[body.item],
                "kind": code[body.kind],
                "value": body.value,
                "at": body.at,
                "context": body.context,
                "slate": body.slate,
            }
            c.execute(update(interactions).where(interactions.c.id == number).values(values))
            if before is None or after.context != before.context:
                c.execute(delete(event_vectors).where(event_vectors.c.interaction == number))
            bump(c, "data", *(["items"] if new_items else []), *(["kinds"] if new_kinds else []))
        return after

    @tried_again
    def delete_interaction(self, number: int, check: Callable[[Interaction], object] | None = None) -> bool:
        """Take an interaction back; whether there was one. ``check`` looks at it before, and keeps it by raising."""
        with self._db.write() as c:
            before = _locked(c, number)
            if before is None:
                return False
            if check is not None:
                check(before)
            c.execute(delete(interactions).where(interactions.c.id == number))
            bump(c, "data")
        return True

    @tried_again
    def delete_interactions(self, user: str, item: str | None = None, kind: str | None = None) -> int:
        """Take back what ``user`` did, all of it or with one item or of one kind; how many interactions."""
        wanted = [interactions.c.user_key == select(users.c.key).where(users.c.id == user).scalar_subquery()]
        if item is not None:
            wanted.append(interactions.c.item_key == select(items.c.key).where(items.c.id == item).scalar_subquery())
        if kind is not None:
            wanted.append(interactions.c.kind == select(kinds.c.code).where(kinds.c.name == kind).scalar_subquery())
        with self._db.write() as c:
            gone = c.execute(delete(interactions).where(*wanted)).rowcount
            if gone:
                bump(c, "data")
        return gone


def _locked(c: Connection, number: int) -> Interaction | None:
    one = _ONE.where(interactions.c.id == number)
    return _found(c, one.with_for_update(of=interactions) if c.dialect.name == "postgresql" else one)


def _found(c: Connection, query: Select[Any]) -> Interaction | None:
    row: Sequence[Any] | None = c.execute(query).first()
    if row is None:
        return None
    user, item, at, kind, value, context, slate = row
    return Interaction(user, item, aware(at), kind, value, mapping(context) if context else None, None, slate)
