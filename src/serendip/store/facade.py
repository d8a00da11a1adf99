"""The store: one database, and every question that is asked of it."""

from __future__ import annotations

from pathlib import Path

from serendip.domain import NotReady
from serendip.store.access import Access
from serendip.store.accounts import Accounts
from serendip.store.audit import Audit
from serendip.store.bulk import Bulk
from serendip.store.columns import HistoryColumns
from serendip.store.corrections import Corrections
from serendip.store.crowd import Crowd
from serendip.store.engine import Database, parsed
from serendip.store.erasures import Erasures
from serendip.store.event_vectors import EventVectors
from serendip.store.freshness import Freshness
from serendip.store.health import Health
from serendip.store.histories import Histories
from serendip.store.interactions import Interactions
from serendip.store.jobs import Jobs
from serendip.store.matrices import Matrices
from serendip.store.migrate import prepare
from serendip.store.offsets import Offsets
from serendip.store.relations import Relations
from serendip.store.saved import Saved
from serendip.store.scenarios import Scenarios
from serendip.store.slates import SlateBuffer
from serendip.store.timetable import Timetable
from serendip.store.together import Together
from serendip.store.training import Training
from serendip.store.versions import Versions
from serendip.store.votes import Ratings


class Store(
    Interactions,
    Corrections,
    Histories,
    HistoryColumns,
    Bulk,
    Erasures,
    Relations,
    Training,
    EventVectors,
    Versions,
    Scenarios,
    Crowd,
    Access,
    Accounts,
    Audit,
    Jobs,
    Timetable,
    Saved,
    Matrices,
    Ratings,
    Offsets,
    Freshness,
    Health,
):
    """Everything that is kept in rows. May be used by several threads at once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.url = db.shown
        self._codes, self._names, self._seen, self._touched = {}, {}, {}, {}
        self._together = Together(self._add)
        self._buffer = SlateBuffer()

    @classmethod
    def open(cls, url: str, *, migrate: bool | None = None) -> Store:
        """The store at ``url``: sqlite:///path.db or postgresql://user:password@host/name.

        ``migrate`` creates what is absent and brings what is old up to date; by default that is done for SQLite and
        not for PostgreSQL. A database of an unknown revision is refused and stays as it is.
        """
        found = parsed(url)
        if found.get_backend_name() == "sqlite":
            folder = Path(str(found.database)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise NotReady(f"cannot make the folder {folder}: {error.strerror}; name another") from None
        db = Database(url)
        try:
            prepare(db, migrate)
        except BaseException:
            db.close()
            raise
        return cls(db)

    def close(self) -> None:
        """Bring what is buffered to disk and let go of the database."""
        self._stop_flusher()
        try:
            self.flush_slates()
        finally:
            self._db.close()
