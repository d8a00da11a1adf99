"""Forgetting a user for good, undoing that, and giving a user everything that is kept of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, or_, select, text, update

from serendip.domain import Relation, checked_id
from serendip.store.audit import hide_names
from serendip.store.engine import has, insert, tried_again
from serendip.store.forgotten import digest_of
from serendip.store.freshness import bump
from serendip.store.pages import Order, Stretch, newest_first, stretch
from serendip.store.people import Gone, People, delete_users
from serendip.store.schema import accounts, erasures, identities, jobs, relations, sessions, slates, timetable, users
from serendip.store.values import Page, aware, kept_json, mapping, sure_moment

MEMBER = "member"
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
        """Delete everything of ``user`` and take in nothing of theirs again; and the accounts that stood for them.

        Members' accounts go; those of operators and administrators are signed out and stand for nobody.
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
            names = {user, *_end_accounts(c, user, own)}
            hide_names(c, names)
            _hide_in_jobs(c, names)
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


def _end_accounts(c: Connection, user: str, own: Collection[str]) -> list[str]:
    """Sign the user's ``own`` accounts out and delete those of members; the names of the deleted."""
    c.execute(delete(sessions).where(sessions.c.account.in_(own)))
    going = (accounts.c.user == user) & (accounts.c.role == MEMBER)
    c.execute(delete(identities).where(identities.c.account.in_(select(accounts.c.id).where(going))))
    return list(c.execute(delete(accounts).where(going).returning(accounts.c.name)).scalars())


def _hide_in_jobs(c: Connection, names: Collection[str]) -> None:
    """Let jobs and the timetable do nothing for ``names`` any more, and their records not name them."""
    for name in names:
        told = kept_json(name, "name")
        for table, key in ((jobs, jobs.c.id), (timetable, timetable.c.name)):
            for one, kept in c.execute(select(key, table.c.arguments).where(has(table.c.arguments, told))).all():
                arguments = mapping(kept)
                if isinstance(asked := arguments.get("users"), list):
                    arguments["users"] = [other for other in asked if other != name]
                    row = {"arguments": kept_json(arguments, "arguments")}
                    c.execute(update(table).where(key == one).values(row))
        c.execute(update(jobs).where(jobs.c.created_by == name).values(created_by=digest_of(name)))
        for said in (jobs.c.message, jobs.c.error):
            for one, kept in c.execute(select(jobs.c.id, said).where(has(said, repr(name)))).all():
                hidden = kept.replace(repr(name), repr(digest_of(name)))
                c.execute(update(jobs).where(jobs.c.id == one).values({said.name: hidden}))


def _take_out(c: Connection, user: str, scenarios: Collection[str]) -> None:
    """Leave ``user`` out of the slates of people that others were shown."""
    begins = orjson.dumps([user]).decode()[:-1]
    shown = slates.c.scenario.in_(sorted(scenarios)) & has(slates.c["items"], begins)
    for slate, kept in c.execute(select(slates.c.id, slates.c["items"]).where(shown)).all():
        read = orjson.loads(kept)
        places = read if isinstance(read, list) else read["items"]
        places[:] = [place for place in places if place[0] != user]
        c.execute(update(slates).where(slates.c.id == slate).values(items=orjson.dumps(read).decode()))
