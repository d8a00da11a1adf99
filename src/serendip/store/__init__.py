"""Rows and artifacts: everything that is kept."""

from __future__ import annotations

from serendip.store.access import KeyRecord, SessionRecord
from serendip.store.accounts import AccountRecord
from serendip.store.artifacts import Artifacts
from serendip.store.audit import Act
from serendip.store.bulk import ImportProgress, Loaded
from serendip.store.cells import Cell, MatrixRows, PairedRows
from serendip.store.erasures import Erasure, LinkedAccount
from serendip.store.event_vectors import EventContext
from serendip.store.facade import Store
from serendip.store.histories import Counts, RecordedInteraction
from serendip.store.interactions import Outcome, Recorded
from serendip.store.jobs import JobRecord, Leased
from serendip.store.matrices import Matrix, RecommenderRecord
from serendip.store.pages import Stretch
from serendip.store.people import Gone
from serendip.store.records import Changed
from serendip.store.saved import SavedTable, forget_elsewhere, save_elsewhere
from serendip.store.scenarios import ScenarioRecord
from serendip.store.timetable import TimetableEntry, TimetableRow
from serendip.store.values import Page
from serendip.store.versions import Promotion, VersionRecord

__all__ = [
    "AccountRecord",
    "Act",
    "Artifacts",
    "Cell",
    "Changed",
    "Counts",
    "Erasure",
    "EventContext",
    "Gone",
    "ImportProgress",
    "JobRecord",
    "KeyRecord",
    "Leased",
    "LinkedAccount",
    "Loaded",
    "Matrix",
    "MatrixRows",
    "Outcome",
    "Page",
    "PairedRows",
    "Promotion",
    "RecommenderRecord",
    "Recorded",
    "RecordedInteraction",
    "SavedTable",
    "ScenarioRecord",
    "SessionRecord",
    "Store",
    "Stretch",
    "TimetableEntry",
    "TimetableRow",
    "VersionRecord",
    "forget_elsewhere",
    "save_elsewhere",
]
