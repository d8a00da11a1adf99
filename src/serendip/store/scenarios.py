"""Scenarios as they were declared: by a file or over the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from serendip.domain import Conflict, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import scenarios
from serendip.store.values import aware, kept_json, mapping, sure_moment

FILE = "file"
API = "api"


@dataclass(frozen=True)
class ScenarioRecord:
    """One scenario's declaration."""

    name: str
    config: Mapping[str, Any]
    origin: str
    """file, where serendip.toml declares it, or api."""
    changed_at: datetime


class Scenarios(Part):
    """What was declared, by name."""

    def scenarios(self) -> dict[str, ScenarioRecord]:
        """Every declaration, by name."""
        with self._db.read() as c:
            return _read(c)

    @tried_again
    def declare_scenarios(self, declared: Mapping[str, Mapping[str, Any]], at: datetime) -> bool:
        """Let the file declare just these; whether anything is different now. Those made over the API stay."""
        with self._db.write() as c:
            before = _read(c)
            gone = [name for name, one in before.items() if one.origin == FILE and name not in declared]
            fresh = {
                name: config
                for name, config in declared.items()
                if name not in before or before[name].origin != FILE or before[name].config != config
            }
            if gone:
                c.execute(delete(scenarios).where(scenarios.c.name.in_(gone)))
            for name, config in fresh.items():
                _put(c, name, config, FILE, at)
            if gone or fresh:
                bump(c, "scenarios")
        return bool(gone or fresh)

    @tried_again
    def change_scenario(
        self,
        name: str,
        at: datetime,
        change: Callable[[Mapping[str, ScenarioRecord]], Mapping[str, Any] | None],
    ) -> ScenarioRecord | None:
        """Keep what ``change`` makes of all declarations as that of ``name``, or forget it where that is None.

        ``change`` looks and decides inside the transaction, and may raise. One that the file declares is a Conflict.
        """
        with self._db.write() as c:
            before = _read(c)
            config = change(before)
            if name in before and before[name].origin == FILE:
                raise Conflict(f"the scenario {name!r} is declared in serendip.toml; change it there and start again")
            if config is None:
                if c.execute(delete(scenarios).where(scenarios.c.name == name)).rowcount:
                    bump(c, "scenarios")
                return None
            if name not in before or before[name].config != config:
                _put(c, name, config, API, at)
                bump(c, "scenarios")
            return _read(c)[name]


def _put(c: Connection, name: str, config: Mapping[str, Any], origin: str, at: datetime) -> None:
    row = {
        "name": checked_id(name, "scenario"),
        "config": kept_json(config, "config"),
        "origin": origin,
        "changed_at": sure_moment(at),
    }
    statement = insert(c, scenarios)
    changed = {column: statement.excluded[column] for column in ("config", "origin", "changed_at")}
    c.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), row)


def _read(c: Connection) -> dict[str, ScenarioRecord]:
    rows = c.execute(select(scenarios).order_by(scenarios.c.name))
    return {row.name: ScenarioRecord(row.name, mapping(row.config), row.origin, aware(row.changed_at)) for row in rows}
