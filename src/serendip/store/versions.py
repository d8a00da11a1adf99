"""Versions of models, and which of them is live where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from serendip.domain import Conflict, NotFound, checked_id
from serendip.store.engine import Part, insert, tried_again
from serendip.store.freshness import bump
from serendip.store.schema import promotions, versions
from serendip.store.values import aware, kept_json, kept_text, mapping, sure_moment


@dataclass(frozen=True)
class VersionRecord:
    """One trained model: its id, its name among its kind, and everything that is known of its making."""

    id: str
    name: str
    created_at: datetime
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Promotion:
    """That a version went live in a scenario, when, why, and what was live before."""

    scenario: str
    version: str
    at: datetime
    reason: str | None = None
    override: bool = False
    """A person let it live although the gate did not."""
    previous: str | None = None


class Versions(Part):
    """Which versions there are and which are live."""

    @tried_again
    def add_version(self, record: VersionRecord) -> None:
        """Keep a version; the same one again changes nothing, for its id tells its content."""
        row = {
            "id": checked_id(record.id, "version"),
            "name": checked_id(record.name, "name"),
            "created_at": sure_moment(record.created_at, "created_at"),
            "manifest": kept_json(record.manifest, "manifest"),
        }
        with self._db.write() as c:
            if c.execute(insert(c, versions).on_conflict_do_nothing().returning(versions.c.id), row).first():
                bump(c, "versions")

    def versions(self, name: str | None = None) -> list[VersionRecord]:
        """Versions, all or of one name, newest first."""
        query = select(versions).order_by(versions.c.created_at.desc(), versions.c.id)
        if name is not None:
            query = query.where(versions.c.name == name)
        with self._db.read() as c:
            return [_version(row) for row in c.execute(query)]

    def version(self, version: str) -> VersionRecord | None:
        """The version of this id, if there is one."""
        with self._db.read() as c:
            row = c.execute(select(versions).where(versions.c.id == version)).first()
        return None if row is None else _version(row)

    def drop_version(self, version: str) -> bool:
        """Forget a version that is nowhere live; whether there was one."""
        with self._db.write() as c:
            where = [live.scenario for live in _live(c) if live.version == version]
            if where:
                raise Conflict(f"the version {version} is live in {', '.join(where)}; promote another there first")
            dropped = c.execute(delete(versions).where(versions.c.id == version)).rowcount
            if dropped:
                bump(c, "versions")
        return bool(dropped)

    @tried_again
    def promote(
        self,
        scenario: str,
        version: str,
        at: datetime,
        reason: str | None = None,
        override: bool = False,
        instead_of: str | None = None,
    ) -> Promotion:
        """Let ``version`` live in ``scenario`` from now on; where it does already, its promotion is given back.

        ``instead_of``: only where that version is live; else the promotion of what is live is given back.
        """
        checked_id(scenario, "scenario")
        with self._db.write() as c:
            known = select(versions.c.id).where(versions.c.id == version).with_for_update()
            if c.execute(known).first() is None:
                raise NotFound(f"no version {version!r}; list the versions there are, or train one")
            now = next((live for live in _live(c) if live.scenario == scenario), None)
            if now is not None and (now.version == version or instead_of not in (None, now.version)):
                # Nothing changes, and the way back stays what it was.
                return now
            previous = now.version if now is not None else None
            row = {
                "scenario": scenario,
                "version": version,
                "at": sure_moment(at),
                "reason": kept_text(reason, "reason"),
                "override": override,
                "previous": previous,
            }
            c.execute(promotions.insert(), row)
            bump(c, "versions")
        return Promotion(scenario, version, at, reason, override, previous)

    def live(self) -> dict[str, Promotion]:
        """The latest promotion of each scenario."""
        with self._db.read() as c:
            return {promotion.scenario: promotion for promotion in _live(c)}

    def promotions(self, scenario: str) -> list[Promotion]:
        """Every promotion in ``scenario``, newest first."""
        query = select(promotions).where(promotions.c.scenario == scenario).order_by(promotions.c.id.desc())
        with self._db.read() as c:
            return [_promotion(row) for row in c.execute(query)]


def _live(c: Connection) -> list[Promotion]:
    latest = select(func.max(promotions.c.id)).group_by(promotions.c.scenario)
    query = select(promotions).where(promotions.c.id.in_(latest)).order_by(promotions.c.scenario)
    return [_promotion(row) for row in c.execute(query)]


def _version(row: Row[Any]) -> VersionRecord:
    return VersionRecord(row.id, row.name, aware(row.created_at), mapping(row.manifest))


def _promotion(row: Row[Any]) -> Promotion:
    return Promotion(row.scenario, row.version, aware(row.at), row.reason, row.override, row.previous)
