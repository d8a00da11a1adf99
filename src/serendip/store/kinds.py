"""Kinds of interaction: what was declared of them, and the small numbers that rows carry for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from serendip.domain import InteractionKind, Invalid, checked_id
from serendip.store.engine import Part, insert
from serendip.store.freshness import bump
from serendip.store.schema import kinds


class Kinds(Part):
    """The kinds of interaction, and their codes. A code never changes its meaning and is never taken away."""

    _codes: dict[str, int]
    _names: dict[int, str]

    def declare_kinds(self, declared: Sequence[InteractionKind]) -> None:
        """Keep how these kinds are to be read; what was said of them before is replaced.

        Where that is what is kept already, nothing counts as changed.
        """
        rows = [_row(kind) for kind in declared]
        if not rows:
            return
        with self._db.write() as c:
            before = {row.name: row._asdict() for row in c.execute(select(kinds))}
            if all(row.items() <= before.get(row["name"], {}).items() for row in rows):
                return
            statement = insert(c, kinds)
            changed = {column: statement.excluded[column] for column in rows[0] if column != "name"}
            c.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed), rows)
            bump(c, "kinds", "data")

    def kinds(self) -> dict[str, InteractionKind]:
        """Every kind that was declared or seen, by name."""
        with self._db.read() as c:
            return {row.name: _kind(row) for row in c.execute(select(kinds).order_by(kinds.c.code))}

    def kind_names(self) -> dict[int, str]:
        """The name behind each code of the training columns."""
        with self._db.read() as c:
            return self._read_codes(c)

    def _codes_of(self, c: Connection, names: Iterable[str]) -> tuple[dict[str, int], bool]:
        """Codes of ``names``, within a writing transaction, and whether any had to be made, with a default row."""
        wanted = set(names)
        if not wanted <= self._codes.keys():
            self._read_codes(c)
        missing = sorted(wanted - self._codes.keys())
        if not missing:
            return self._codes, False
        statement = insert(c, kinds).on_conflict_do_nothing()
        c.execute(statement, [_row(InteractionKind(name)) for name in missing])
        # Not remembered: the transaction may still be rolled back.
        return _codes(c), True

    def _known_codes(self, c: Connection, names: Iterable[str]) -> list[int]:
        """Codes of those of ``names`` that have one, rising."""
        wanted = set(names)
        if not wanted <= self._codes.keys():
            self._read_codes(c)
        return sorted(self._codes[name] for name in wanted & self._codes.keys())

    def _read_codes(self, c: Connection) -> dict[int, str]:
        found = _codes(c)
        self._codes, self._names = found, {code: name for name, code in found.items()}
        return self._names


def _codes(c: Connection) -> dict[str, int]:
    return {row.name: row.code for row in c.execute(select(kinds.c.name, kinds.c.code))}


def _row(kind: InteractionKind) -> dict[str, Any]:
    low, high = kind.scale or (None, None)
    numbers = [number for number in (kind.weight, low, high) if number is not None]
    if not all(math.isfinite(number) for number in numbers):
        raise Invalid(f"the kind {kind.name!r} has a weight or scale that is no finite number", field="kind")
    if kind.mode not in ("accumulate", "latest"):
        raise Invalid(f"the kind {kind.name!r} has no mode {kind.mode!r}; use accumulate or latest", field="mode")
    return {
        "name": checked_id(kind.name, "kind"),
        "mode": kind.mode,
        "weight": kind.weight,
        "low": low,
        "high": high,
        "negative": kind.negative,
        "hides": kind.hides,
    }


def _kind(row: Row[Any]) -> InteractionKind:
    scale = None if row.low is None or row.high is None else (row.low, row.high)
    return InteractionKind(row.name, row.mode, row.weight, scale, row.negative, row.hides)
