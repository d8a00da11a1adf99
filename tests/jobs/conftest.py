from __future__ import annotations

from databases import database, database_url, empty_url, store

__all__ = ["database", "database_url", "empty_url", "store"]
