"""What users did as columns, for answers that cannot wait for a Python object an event.

All events of a user come as one row of text: the driver gives up the interpreter between rows, and with several
threads at work each row would wait for its turn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, case, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from serendip.domain import micros
from serendip.store.engine import Prepared, given, listed
from serendip.store.kinds import Kinds
from serendip.store.schema import interactions, users


class listed_values(GenericFunction[str]):  # noqa: N801
    """A group's values as a JSON list; a double has at least 15 digits, of which models keep 7."""

    type = Text()
    name = "json_group_array"
    inherit_cache = True


@compiles(listed_values, "postgresql")
def _listed_values_postgresql(element: listed_values, compiler: Any, **options: Any) -> str:
    return f"CAST(json_agg({compiler.process(element.clauses, **options)}) AS TEXT)"


@dataclass(frozen=True)
class EventColumns:
    """One user's events, oldest first; all of shape (n_events,)."""

    item_key: NDArray[np.int64]
    at: NDArray[np.int64]
    """Microseconds since 1970."""
    kind: NDArray[np.int64]
    """Codes; ``kind_names`` tells what they mean."""
    value: NDArray[np.float64]
    """NaN where there is none, or one beyond ``LARGEST``."""
    id: NDArray[np.int64]
    """Row numbers."""

    def __len__(self) -> int:
        return len(self.item_key)


LARGEST = 3.4e38
"""No model can hold a value beyond this."""

_COLUMNS = ("id", "item_key", "at", "kind", "value")
_NEWEST_FIRST = (interactions.c.at.desc(), interactions.c.id.desc())
_BEFORE = interactions.c.at < bindparam("until", type_=BigInteger)
_OF_USER = select(users.c.key).where(users.c.id == bindparam("user")).scalar_subquery()


def _told(t: Any) -> list[ColumnElement[Any]]:
    held = case((func.abs(t.value) <= LARGEST, t.value))
    return [listed_values(held if name == "value" else t[name]) for name in _COLUMNS]


def _one() -> Select[Any]:
    latest = (
        select(*(interactions.c[name] for name in _COLUMNS))
        .where(interactions.c.user_key == _OF_USER, _BEFORE)
        .order_by(*_NEWEST_FIRST)
        .limit(bindparam("n"))
        .subquery()
    )
    return select(*_told(latest.c))


def _several() -> Select[Any]:
    newest = func.row_number().over(partition_by=interactions.c.user_key, order_by=_NEWEST_FIRST).label("place")
    ranked = (
        select(
            users.c.id.label("user"),
            *(interactions.c[name] for name in _COLUMNS),
            newest,
        )
        .join(users, users.c.key == interactions.c.user_key)
        .where(users.c.id.in_(given("ids")), _BEFORE)
        .subquery()
    )
    return select(ranked.c.user, *_told(ranked.c)).where(ranked.c.place <= bindparam("n")).group_by(ranked.c.user)


_ONE, _SEVERAL = Prepared(_one()), Prepared(_several())
_NO_KEYS = np.empty(0, np.int64)
_NOTHING = EventColumns(_NO_KEYS, _NO_KEYS, _NO_KEYS, np.empty(0, np.float64), _NO_KEYS)


class HistoryColumns(Kinds):
    """What users did before a moment, by the store's keys of items."""

    _touched: dict[tuple[int, ...], Prepared]

    def names_of_kinds(self, codes: Collection[int]) -> dict[int, str]:
        """What codes mean, those of ``codes`` among them."""
        if not self._names.keys() >= set(codes):
            self.kind_names()
        return self._names

    def history_columns(self, user: str, until: datetime, limit: int) -> EventColumns:
        """The latest ``limit`` events of ``user`` strictly before ``until``, oldest first."""
        with self._db.read() as c:
            (told,) = _ONE.rows(c, user=user, until=micros(until), n=limit)
        return _columns(told)

    def histories_columns(self, users: Sequence[str], until: datetime, limit: int) -> dict[str, EventColumns]:
        """``history_columns`` of several users at once; unknown ones have none."""
        with self._db.read() as c:
            if self._db.is_sqlite:
                # No way to a server and back is saved there, and each user's latest are the end of an index.
                found = {user: _ONE.rows(c, user=user, until=micros(until), n=limit)[0] for user in users}
                return {user: _columns(told) for user, told in found.items()}
            rows = _SEVERAL.rows(c, ids=listed(users), until=micros(until), n=limit)
        return dict.fromkeys(users, _NOTHING) | {user: _columns(told) for user, *told in rows}

    def seen_keys(self, user: str, kinds: Collection[str], until: datetime) -> NDArray[np.int64]:
        """Keys of items that ``user`` did something of ``kinds`` with, strictly before ``until``."""
        with self._db.read() as c:
            codes = tuple(self._known_codes(c, kinds))
            if not codes:
                return _NO_KEYS
            ((told,),) = self._touched_by(codes).rows(c, user=user, until=micros(until))
        return np.array(orjson.loads(told or "[]"), np.int64)

    def _touched_by(self, codes: tuple[int, ...]) -> Prepared:
        """The question for these kinds, which are few and the same again and again."""
        made = self._touched.get(codes)
        if made is None:
            of_kinds = or_(*(interactions.c.kind == bindparam(f"kind_{code}", code) for code in codes))
            keys = select(interactions.c.item_key).where(interactions.c.user_key == _OF_USER, _BEFORE, of_kinds)
            each = keys.distinct().subquery()
            made = Prepared(select(listed_values(each.c.item_key)))
            self._touched[codes] = made
        return made


def _columns(told: Sequence[str | None]) -> EventColumns:
    if told[0] in (None, "[]"):
        return _NOTHING
    number, item_key, at, kind = (np.array(orjson.loads(text or "[]"), np.int64) for text in told[:-1])
    value = np.array(orjson.loads(told[-1] or "[]"), np.float64)
    order = np.lexsort((number, at))
    return EventColumns(item_key[order], at[order], kind[order], value[order], number[order])
