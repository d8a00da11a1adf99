"""Who may come in: keys of programs, one-time sign-in links, sessions of the pages. Only digests are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update

from serendip.domain import Conflict, checked_id
from serendip.store.engine import Part, Prepared, insert
from serendip.store.freshness import bump
from serendip.store.schema import accounts, keys, links, sessions
from serendip.store.values import aware, aware_or_none, kept_moment, kept_text, sure_moment


@dataclass(frozen=True)
class KeyRecord:
    """A program's key: everything but the key itself."""

    id: str
    prefix: str
    """The key's first letters, by which a person knows it again."""
    digest: str
    scopes: tuple[str, ...]
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    """Exclusive; whether it has passed is for the reader to see."""
    used_at: datetime | None = None


@dataclass(frozen=True)
class SessionRecord:
    """Somebody who is signed in."""

    role: str
    """The account's role as it is now; without an account, what the link or the key gave."""
    account: str | None = None
    name: str | None = None
    """The account's name."""
    user: str | None = None
    """The account's user."""


_KEY = Prepared(select(keys).where(keys.c.digest == bindparam("digest")))
_SESSION = Prepared(
    select(func.coalesce(accounts.c.role, sessions.c.role), sessions.c.account, accounts.c.name, accounts.c.user)
    .select_from(sessions.outerjoin(accounts, accounts.c.id == sessions.c.account))
    .where(
        sessions.c.digest == bindparam("digest"),
        sessions.c.expires_at > bindparam("now"),
        or_(sessions.c.account.is_(None), accounts.c.disabled.is_(False)),
    )
)


class Access(Part):
    """Keys, sign-in links and sessions, looked up by the digest of what the caller holds."""

    def add_key(self, record: KeyRecord) -> None:
        """Let a new key in."""
        row = {
            "id": checked_id(record.id, "key"),
            "prefix": kept_text(record.prefix, "prefix"),
            "digest": checked_id(record.digest, "digest"),
            "scopes": json.dumps(list(record.scopes)),
            "name": kept_text(record.name, "name"),
            "created_at": sure_moment(record.created_at, "created_at"),
            "expires_at": kept_moment(record.expires_at, "expires_at"),
            "used_at": kept_moment(record.used_at, "used_at"),
        }
        with self._db.write() as c:
            if c.execute(insert(c, keys).on_conflict_do_nothing().returning(keys.c.id), row).first() is None:
                raise Conflict(f"there is a key {record.id!r} already; make another id")
            bump(c, "keys")

    def key(self, digest: str) -> KeyRecord | None:
        """The key of this digest, expired or not, unless it was revoked."""
        with self._db.read() as c:
            rows = _KEY.rows(c, digest=digest)
        return _key(rows[0]) if rows else None

    def keys(self) -> list[KeyRecord]:
        """Every key that was not revoked, oldest first."""
        with self._db.read() as c:
            return [_key(row) for row in c.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke_key(self, key: str) -> bool:
        """Let the key of this id in no more; whether there was one."""
        with self._db.write() as c:
            revoked = c.execute(delete(keys).where(keys.c.id == key)).rowcount
            if revoked:
                bump(c, "keys")
        return bool(revoked)

    def key_of_id(self, key: str) -> KeyRecord | None:
        """The key of this id, unless it was revoked."""
        with self._db.read() as c:
            row = c.execute(select(keys).where(keys.c.id == key)).first()
        return _key(row) if row is not None else None

    def touch_key(self, key: str, at: datetime) -> None:
        """Note when a key was last used. This writes: once a minute is often enough."""
        with self._db.write() as c:
            c.execute(update(keys).where(keys.c.id == key).values(used_at=sure_moment(at)))

    def add_link(self, digest: str, role: str, expires_at: datetime) -> None:
        """Keep a one-time sign-in link."""
        row = {"digest": checked_id(digest, "digest"), "role": role, "expires_at": sure_moment(expires_at)}
        with self._db.write() as c:
            c.execute(links.insert(), row)

    def use_link(self, digest: str, now: datetime) -> str | None:
        """The role that a link gives, the first time and before it expires; the link is used up."""
        with self._db.write() as c:
            used = delete(links).where(links.c.digest == digest).returning(links.c.role, links.c.expires_at)
            row = c.execute(used).first()
        return row.role if row is not None and row.expires_at > sure_moment(now, "now") else None

    def add_session(self, digest: str, role: str, expires_at: datetime, account: str | None = None) -> None:
        """Keep somebody signed in until ``expires_at``."""
        row = {
            "digest": checked_id(digest, "digest"),
            "role": role,
            "expires_at": sure_moment(expires_at),
            "account": account,
        }
        with self._db.write() as c:
            c.execute(sessions.insert(), row)

    def session(self, digest: str, now: datetime) -> SessionRecord | None:
        """Who is signed in with this session, unless it has ended or the account is disabled."""
        with self._db.read() as c:
            rows = _SESSION.rows(c, digest=digest, now=sure_moment(now, "now"))
        return SessionRecord(*rows[0]) if rows else None

    def end_session(self, digest: str) -> bool:
        """Sign somebody out; whether there was a session."""
        with self._db.write() as c:
            return bool(c.execute(delete(sessions).where(sessions.c.digest == digest)).rowcount)

    def sweep_access(self, now: datetime) -> int:
        """Forget sessions and links whose time is over; how many there were."""
        with self._db.write() as c:
            over = [
                c.execute(delete(table).where(table.c.expires_at <= sure_moment(now, "now"))).rowcount
                for table in (sessions, links)
            ]
        return sum(over)


def _key(row: Sequence[Any]) -> KeyRecord:
    key, prefix, digest, scopes, name, created_at, expires_at, used_at = row
    return KeyRecord(
        id=key,
        prefix=prefix,
        digest=digest,
        scopes=tuple(json.loads(scopes)),
        name=name,
        created_at=aware(created_at),
        expires_at=aware_or_none(expires_at),
        used_at=aware_or_none(used_at),
    )
