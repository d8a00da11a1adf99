"""Forgetting a user for good, undoing that, and giving a user everything that is kept of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, or_, select, text, update

from serendip.domain import Relation, checked_id
from serendip.store.audit import hide_user
from serendip.store.engine import has, insert, tried_again
from serendip.store.forgotten import digest_of
from serendip.store.freshness import bump
from serendip.store.pages import Order, Stretch, newest_first, stretch
from serendip.store.people import Gone, People, delete_users
from serendip.store.schema import accounts, erasures, relations, sessions, slates, users
from serendip.store.values import Page, aware, sure_moment

_ORDERS = {"at": Order((erasures.c.at, erasures.c.digest), (int, str))}


@dataclass(frozen=True)
class Erasure:
    """That somebody asked to be forgotten, and when; of whom only a digest is kept."""

    digest: str
    at: datetime


@dataclass(frozen=True)
class LinkedAccount:
    """An account that stands for a user; nothing by which one could sign in."""

    id: str
    name: str
    email: str | None
    role: str
    created_at: datetime


class Erasures(People):
    """Users who asked to be forgotten."""

    @tried_again
    def erase_user(self, user: str, at: datetime, of_people: Collection[str] = ()) -> tuple[Erasure, Gone, list[str]]:
        """Delete everything of ``user`` and take in nothing of theirs again; also the accounts that stood for them.

        These accounts are signed out and stand for nobody; whether they go too is their administrator's to say.
        ``of_people``: scenarios that recommend people, in whose slates the user may have been shown to others.
        """
        checked_id(user, "user")
        made = Erasure(digest_of(user), at)
        self.flush_slates()
        with self._db.write() as c:
            if c.dialect.name == "postgresql":
                # Who is making this user right now is waited for, and who comes later finds the digest.
                c.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
            row = {"digest": made.digest, "at": sure_moment(at)}
            c.execute(insert(c, erasures).on_conflict_do_nothing(), row)
            own = list(c.execute(select(accounts.c.id).where(accounts.c.user == user)).scalars())
            c.execute(delete(sessions).where(sessions.c.account.in_(own)))
            hide_user(c, user, made.digest)
            gone = delete_users(c, [user])
            _take_out(c, user, of_people)
            bump(c, "data", *(["keys"] if own else []))
        return made, gone, own

    @tried_again
    def lift_erasure(self, digest: str) -> bool:
        """Let somebody be recorded again who asked to be forgotten; whether there was such an erasure."""
        with self._db.write() as c:
            return bool(c.execute(delete(erasures).where(erasures.c.digest == digest)).rowcount)

    def list_erasures(self, asked: Stretch) -> Page[Erasure]:
        """Erasures, the newest first unless asked otherwise."""
        with self._db.read() as c:
            rows, more, total = stretch(c, select(erasures.c.digest, erasures.c.at), _ORDERS, newest_first(asked))
        return Page([Erasure(digest, aware(at)) for digest, at in rows], more, total)

    def relations_about(self, user: str) -> list[Relation]:
        """Relations that ``user`` has to others, and that others have to ``user``."""
        others: Any = users.alias("others")
        query = (
            select(users.c.id, others.c.id, relations.c.kind)
            .select_from(relations)
            .join(users, users.c.key == relations.c.user_key)
            .join(others, others.c.key == relations.c.other_key)
            .where(or_(users.c.id == user, others.c.id == user))
            .order_by(users.c.id, relations.c.kind, others.c.id)
        )
        with self._db.read() as c:
            return [Relation(*row) for row in c.execute(query)]

    def accounts_of(self, user: str) -> list[LinkedAccount]:
        """Accounts that stand for ``user``."""
        t = accounts.c
        query = select(t.id, t.name, t.email, t.role, t.created_at).where(t.user == user).order_by(t.id)
        with self._db.read() as c:
            return [LinkedAccount(*row[:4], aware(row[4])) for row in c.execute(query)]


def _take_out(c: Connection, user: str, scenarios: Collection[str]) -> None:
    """Leave ``user`` out of the slates of people that others were shown."""
    begins = json.dumps([user], ensure_ascii=False)[:-1]
    shown = slates.c.scenario.in_(sorted(scenarios)) & has(slates.c["items"], begins)
    for row in c.execute(select(slates.c.id, slates.c["items"]).where(shown)).all():
        places = [place for place in json.loads(row.items) if place[0] != user]
        kept = json.dumps(places, ensure_ascii=False, separators=(",", ":"))
        c.execute(update(slates).where(slates.c.id == row.id).values(items=kept))
