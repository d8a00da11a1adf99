"""What is to be done again and again, and when it is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, select, update

from serendip.domain import Conflict, Invalid, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.jobs import job_row
from serendip.store.schedule import parse_schedule
from serendip.store.schema import jobs, timetable
from serendip.store.values import aware, aware_or_none, kept_json, mapping, sure_moment

Origin = Literal["file", "api"]


@dataclass(frozen=True)
class TimetableRow:
    """One row of the timetable."""

    name: str
    kind: str
    schedule: str
    """A cron line (UTC), or ``every 15m``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True


@dataclass(frozen=True)
class TimetableEntry:
    """A row as it is kept."""

    name: str
    kind: str
    schedule: str
    arguments: Mapping[str, Any]
    enabled: bool
    next_at: datetime | None
    """When it is due; none where it is not enabled."""
    origin: Origin


class Timetable(Part):
    """The timetable. Rows of the settings file are changed in the file only."""

    @tried_again
    def put_timetable(self, rows: Sequence[TimetableRow], origin: Origin, now: datetime) -> None:
        """Keep these rows. Of the file they are all there are, so that others of the file are dropped.

        A row that was there keeps its next moment unless its schedule is another now.
        """
        names = [row.name for row in rows]
        if len(set(names)) < len(names):
            raise Invalid("two rows of the timetable have the same name; give one another name", field="name")
        for row in rows:
            checked_id(row.name, "name")
            parse_schedule(row.schedule)
        with self._db.write() as c:
            before = {row.name: row for row in c.execute(select(timetable).with_for_update())}
            if origin == "file":
                gone = [name for name, row in before.items() if row.origin == "file" and name not in names]
                c.execute(delete(timetable).where(timetable.c.name.in_(gone)))
            for row in rows:
                old = before.get(row.name)
                if old is not None and old.origin == "file" and origin == "api":
                    raise Conflict(
                        f"the timetable's row {row.name!r} is declared in the settings file; change it there"
                    )
                made = _kept(row, old, origin, now)
                statement = insert(c, timetable)
                changed = {column: statement.excluded[column] for column in made if column != "name"}
                if old is None or made != old._asdict():
                    c.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), made)

    def timetable(self) -> list[TimetableEntry]:
        """All rows, by name."""
        with self._db.read() as c:
            return [_entry(row) for row in c.execute(select(timetable).order_by(timetable.c.name))]

    def drop_timetable(self, name: str) -> bool:
        """Drop a row that was made over the API; whether there was one."""
        with self._db.write() as c:
            origin = c.execute(select(timetable.c.origin).where(timetable.c.name == name)).scalar()
            if origin == "file":
                raise Conflict(f"the timetable's row {name!r} is declared in the settings file; remove it there")
            return bool(c.execute(delete(timetable).where(timetable.c.name == name)).rowcount)

    @tried_again
    def queue_due(self, now: datetime) -> list[int]:
        """Queue a job for every row that is due, and move the row on; the new jobs' numbers.

        One transaction does both, and a row is moved by one worker only. A row whose last job is still queued or
        running misses its turn.
        """
        due = timetable.c.enabled & (timetable.c.next_at <= sure_moment(now, "now"))
        with self._db.read() as c:
            if c.execute(select(timetable.c.name).where(due).limit(1)).first() is None:
                return []
        with self._db.write() as c:
            rows = c.execute(select(timetable).where(due).with_for_update(skip_locked=True)).all()
            return [made for row in rows if (made := _queue(c, row, now)) is not None]


def _queue(c: Connection, row: Row[Any], now: datetime) -> int | None:
    moved = parse_schedule(row.schedule).after(aware(row.next_at), now)
    c.execute(update(timetable).where(timetable.c.name == row.name).values(next_at=sure_moment(moved)))
    arguments = mapping(row.arguments)
    made = job_row(row.kind, arguments, now, timetable=row.name)
    found: int | None = c.execute(insert(c, jobs).on_conflict_do_nothing().returning(jobs.c.id), made).scalar()
    return found


def _kept(row: TimetableRow, old: Row[Any] | None, origin: Origin, now: datetime) -> dict[str, Any]:
    schedule = parse_schedule(row.schedule)
    same = old is not None and old.schedule == schedule.text and old.next_at is not None
    next_at = old.next_at if same and old is not None else sure_moment(schedule.first(now))
    return {
        "name": row.name,
        "kind": checked_id(row.kind, "kind"),
        "arguments": kept_json(row.arguments, "arguments"),
        "schedule": schedule.text,
        "next_at": next_at if row.enabled else None,
        "enabled": row.enabled,
        "origin": origin,
    }


def _entry(row: Row[Any]) -> TimetableEntry:
    return TimetableEntry(
        row.name, row.kind, row.schedule, mapping(row.arguments), row.enabled, aware_or_none(row.next_at), row.origin
    )
