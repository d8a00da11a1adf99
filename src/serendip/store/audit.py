"""Who did what to the installation, and when: every administrative act, every way in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from serendip.store.engine import Part, has
from serendip.store.forgotten import forgotten_among, hidden, instead_of, names_in
from serendip.store.schema import audit
from serendip.store.values import Page, aware, cursor, kept_json, kept_mapping, kept_text, mapping, place, sure_moment


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
        row: dict[str, Any] = {
            "at": sure_moment(act.at),
            "actor": kept_text(act.actor, "actor"),
            "action": kept_text(act.action, "action"),
            "target": kept_text(act.target, "target"),
            "detail": kept_mapping(act.detail, "detail"),
            "request_id": act.request_id,
        }
        with self._db.write() as c:
            # An account may outlive the user of its name, and may be spoken of when nobody should be any more.
            names = forgotten_among(c, set(names_in(row["actor"], row["target"], mapping(row["detail"]))))
            c.execute(audit.insert(), _hidden(row, instead_of(names)) if names else row)

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


def hide_names(c: Connection, names: Collection[str]) -> None:
    """Let the log say digests wherever an actor, an address or a detail in it names one of ``names``."""
    instead, t = instead_of(names), audit.c
    for name in instead:
        inside = has(t.actor, name) | has(t.target, name) | has(t.detail, kept_json(name, "name")[1:-1])
        for row in c.execute(select(t.id, t.actor, t.target, t.detail).where(inside)).all():
            kept = _hidden({"actor": row.actor, "target": row.target, "detail": row.detail}, instead)
            c.execute(update(audit).where(t.id == row.id).values(**kept))


def _hidden(row: Mapping[str, Any], instead: Mapping[str, str]) -> dict[str, Any]:
    detail = kept_mapping(hidden(mapping(row["detail"]), instead), "detail")
    return {**row, "actor": hidden(row["actor"], instead), "target": hidden(row["target"], instead), "detail": detail}


def _act(row: Sequence[Any]) -> Act:
    number, at, actor, action, target, detail, request_id = row
    return Act(aware(at), actor, action, target, mapping(detail) or None, request_id, number)
