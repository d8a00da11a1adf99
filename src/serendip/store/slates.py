"""Slates as they were answered: buffered, and committed in groups beside the requests."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, select, tuple_

from serendip.domain import NotReady, Reason, Slate, SlateItem
from serendip.store.engine import Part, given, insert, listed
from serendip.store.forgotten import forgotten_among
from serendip.store.pages import Order, Stretch, newest_first, stretch
from serendip.store.schema import interactions, slates
from serendip.store.values import Page, aware, aware_or_none, sure_moment

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25
"""A logged slate is on disk after about this long; in a crash it may be lost."""
BUFFERED = 20_000
"""While the database is away, this many slates are kept; then the oldest are given up."""


DROPPED_AT_ONCE = 5000
"""Old slates go in transactions of this many, so that nobody waits long for the database."""

_ORDERS = {"at": Order((slates.c.at, slates.c.id), (int, str))}


class SlateBuffer:
    """Slates that were answered and are not on disk yet, and the thread that brings them there."""

    def __init__(self) -> None:
        self.waiting: deque[Slate] = deque(maxlen=BUFFERED)
        self.flushing = threading.Lock()
        self.filled = threading.Event()
        self.closed = threading.Event()
        self.thread: threading.Thread | None = None


class Slates(Part):
    """What was shown to whom."""

    _buffer: SlateBuffer

    def log_slate(self, slate: Slate) -> None:
        """Keep ``slate``, soon."""
        self._buffer.waiting.append(slate)
        if not self._buffer.filled.is_set():
            self._buffer.filled.set()
            # Who answers must not wait for a flush that is under way.
            if self._buffer.thread is None:
                self._start_flusher()

    def slate(self, slate: str) -> Slate | None:
        """The slate of this id, if it was logged."""
        waiting = next((one for one in tuple(self._buffer.waiting) if one.id == slate), None)
        if waiting is not None:
            return waiting
        with self._db.read() as c:
            row = c.execute(select(slates).where(slates.c.id == slate)).first()
        return None if row is None else _slate(row)

    def list_slates(
        self,
        asked: Stretch,
        user: str | None = None,
        scenario: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page[Slate]:
        """Slates of [since, until), the newest first unless asked otherwise; those of the last moment may be missing.

        What is buffered by this process is brought to disk before.
        """
        self.flush_slates()
        wanted = select(slates)
        if user is not None:
            wanted = wanted.where(slates.c.user == user)
        if scenario is not None:
            wanted = wanted.where(slates.c.scenario == scenario)
        if since is not None:
            wanted = wanted.where(slates.c.at >= sure_moment(since, "since"))
        if until is not None:
            wanted = wanted.where(slates.c.at < sure_moment(until, "until"))
        with self._db.read() as c:
            rows, more, total = stretch(c, wanted, _ORDERS, newest_first(asked))
        return Page([_slate(row) for row in rows], more, total)

    def drop_slates(self, before: datetime, keep_named: bool = True) -> int:
        """Forget slates of before ``before`` (exclusive), except those that interactions name; how many are gone."""
        old = slates.c.at < sure_moment(before, "before")
        named = select(interactions.c.id).where(interactions.c.slate == slates.c.id).exists()
        dropped, behind = 0, (-(2**62), "")
        while True:
            found = select(slates.c.at, slates.c.id).where(old, tuple_(slates.c.at, slates.c.id) > tuple_(*behind))
            with self._db.read() as c:
                rows = c.execute(found.order_by(slates.c.at, slates.c.id).limit(DROPPED_AT_ONCE)).all()
            if not rows:
                return dropped
            behind = (rows[-1].at, rows[-1].id)
            gone = delete(slates).where(slates.c.id.in_(given("ids")))
            with self._db.write() as c:
                ids = {"ids": listed([row.id for row in rows])}
                dropped += c.execute(gone.where(~named) if keep_named else gone, ids).rowcount

    def flush_slates(self) -> None:
        """Bring what is buffered to disk now."""
        with self._buffer.flushing:
            batch = list(self._buffer.waiting)
            if not batch:
                return
            rows = [_row(slate) for slate in batch]
            with self._db.write() as c:
                erased = forgotten_among(c, {row["user"] for row in rows if row["user"] is not None})
                for row in rows if erased else ():
                    # What was answered is kept, but not whom.
                    row["user"] = None if row["user"] in erased else row["user"]
                c.execute(insert(c, slates).on_conflict_do_nothing(), rows)
            for _ in batch:
                self._buffer.waiting.popleft()

    def _start_flusher(self) -> None:
        with self._buffer.flushing:
            if self._buffer.thread is None and not self._buffer.closed.is_set():
                self._buffer.thread = threading.Thread(target=self._flush_on, name="slates", daemon=True)
                self._buffer.thread.start()

    def _flush_on(self) -> None:
        """Flush as often as there is something, until the store is closed."""
        while not self._buffer.closed.is_set():
            self._buffer.filled.wait()
            self._buffer.closed.wait(FLUSH_SECONDS)
            self._buffer.filled.clear()
            try:
                self.flush_slates()
            except NotReady as error:
                log.warning("%d slates wait for the database: %s", len(self._buffer.waiting), error)
                self._buffer.filled.set()

    def _stop_flusher(self) -> None:
        self._buffer.closed.set()
        self._buffer.filled.set()
        if self._buffer.thread is not None:
            self._buffer.thread.join()


def _row(slate: Slate) -> dict[str, Any]:
    return {
        "id": slate.id,
        "scenario": slate.scenario,
        "version": slate.version,
        "at": sure_moment(slate.at),
        "user": slate.user,
        "known": slate.known,
        "exhausted": slate.exhausted,
        "items": _kept(slate),
        "note": slate.note,
    }


def _kept(slate: Slate) -> str:
    """The places as JSON; with what else there is to keep, where there is something."""
    places = [_place(item) for item in slate.items]
    kept = {"items": places, "relaxed": slate.relaxed} if slate.relaxed else places
    return orjson.dumps(kept).decode()


def _read(kept: str) -> tuple[list[Any], tuple[str, ...]]:
    """The places, and the rules that were given up."""
    read = orjson.loads(kept)
    return (read, ()) if isinstance(read, list) else (read["items"], tuple(read["relaxed"]))


def _place(item: SlateItem) -> list[Any]:
    reasons = [[one.item, one.share, one.kind, None if one.at is None else sure_moment(one.at)] for one in item.reasons]
    return [item.item, item.score, item.source, reasons, None if item.parts is None else dict(item.parts)]


def _slate(row: Sequence[Any]) -> Slate:
    slate, scenario, version, at, user, known, exhausted, kept, note = row
    read, relaxed = _read(kept)
    places = tuple(
        SlateItem(
            item=item,
            score=score,
            source=source,
            reasons=tuple(Reason(of, share, kind, aware_or_none(at)) for of, share, kind, at in reasons),
            parts=parts,
        )
        for item, score, source, reasons, parts in read
    )
    return Slate(
        id=slate,
        scenario=scenario,
        version=version,
        at=aware(at),
        user=user,
        known=bool(known),
        exhausted=bool(exhausted),
        items=places,
        note=note,
        relaxed=relaxed,
    )
