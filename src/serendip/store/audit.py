"""Who did what to the installation, and when: every administrative act, every way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select, update

from serendip.store.engine import Part, has
from serendip.store.schema import audit
from serendip.store.values import Page, aware, cursor, kept_mapping, kept_text, mapping, place, sure_moment


@dataclass(frozen=True)
class Act:
    """One line of the audit log. It never holds a secret."""

    at: datetime
    actor: str
    """``account:name``, ``key:prefix``, ``link``, ``terminal``, ``nobody``."""
    action: str
    """The operation's id, such as promote_model; or sign_in, sign_in_failed."""
    target: str | None = None
    """The address of what it was done to, or its name."""
    detail: Mapping[str, Any] | None = None
    request_id: str | None = None
    id: int = 0


class Audit(Part):
    """The audit log: it can be added to and read, nothing else."""

    def note(self, act: Act) -> None:
        """Add a line."""
        row = {
            "at": sure_moment(act.at),
            "actor": kept_text(act.actor, "actor"),
            "action": kept_text(act.action, "action"),
            "target": kept_text(act.target, "target"),
            "detail": kept_mapping(act.detail, "detail"),
            "request_id": act.request_id,
        }
        with self._db.write() as c:
            c.execute(audit.insert(), row)

    def acts(
        self,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Act]:
        """Acts, newest first, from behind ``after``; ``until`` is exclusive."""
        wanted = select(audit)
        if actor is not None:
            wanted = wanted.where(audit.c.actor == actor)
        if action is not None:
            wanted = wanted.where(audit.c.action == action)
        if since is not None:
            wanted = wanted.where(audit.c.at >= sure_moment(since, "since"))
        if until is not None:
            wanted = wanted.where(audit.c.at < sure_moment(until, "until"))
        if after is not None:
            wanted = wanted.where(audit.c.id < place(after, int)[0])
        with self._db.read() as c:
            rows = c.execute(wanted.order_by(audit.c.id.desc()).limit(limit + 1)).all()
        more = cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Page([_act(row) for row in rows[:limit]], more, None)


def hide_user(c: Connection, user: str, digest: str) -> None:
    """Let the log say ``digest`` wherever an address or a name in it says ``user``."""
    for name in {user, quote(user, safe="")}:
        rows = c.execute(select(audit.c.id, audit.c.target).where(has(audit.c.target, name))).all()
        for number, target in rows:
            hidden = "/".join(digest if part == name else part for part in target.split("/"))
            c.execute(update(audit).where(audit.c.id == number).values(target=digest if target == name else hidden))


def _act(row: Sequence[Any]) -> Act:
    number, at, actor, action, target, detail, request_id = row
    return Act(aware(at), actor, action, target, mapping(detail) or None, request_id, number)
