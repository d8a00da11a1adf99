from __future__ import annotations

from databases import database, database_url, empty_url, store
from towns import town

__all__ = ["database", "database_url", "empty_url", "store", "town"]
