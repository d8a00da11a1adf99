"""Slates as they were answered: buffered, and committed in groups beside the requests."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from typing import Any

from sqlalchemy import Row, select

from serendip.domain import NotReady, Reason, Slate, SlateItem
from serendip.store.engine import Part, insert
from serendip.store.schema import slates
from serendip.store.values import aware, aware_or_none, sure_moment

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25
"""A logged slate is on disk after about this long; in a crash it may be lost."""
BUFFERED = 20_000
"""While the database is away, this many slates are kept; then the oldest are given up."""


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
            self._start_flusher()

    def slate(self, slate: str) -> Slate | None:
        """The slate of this id, if it was logged."""
        waiting = next((one for one in tuple(self._buffer.waiting) if one.id == slate), None)
        if waiting is not None:
            return waiting
        with self._db.read() as c:
            row = c.execute(select(slates).where(slates.c.id == slate)).first()
        return None if row is None else _slate(row)

    def flush_slates(self) -> None:
        """Bring what is buffered to disk now."""
        with self._buffer.flushing:
            batch = list(self._buffer.waiting)
            if not batch:
                return
            rows = [_row(slate) for slate in batch]
            with self._db.write() as c:
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
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _read(kept: str) -> tuple[list[Any], tuple[str, ...]]:
    """The places, and the rules that were given up."""
    read = json.loads(kept)
    return (read, ()) if isinstance(read, list) else (read["items"], tuple(read["relaxed"]))


def _place(item: SlateItem) -> list[Any]:
    reasons = [[one.item, one.share, one.kind, None if one.at is None else sure_moment(one.at)] for one in item.reasons]
    return [item.item, item.score, item.source, reasons, None if item.parts is None else dict(item.parts)]


def _slate(row: Row[Any]) -> Slate:
    read, relaxed = _read(row.items)
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
        id=row.id,
        scenario=row.scenario,
        version=row.version,
        at=aware(row.at),
        user=row.user,
        known=row.known,
        exhausted=row.exhausted,
        items=places,
        note=row.note,
        relaxed=relaxed,
    )
