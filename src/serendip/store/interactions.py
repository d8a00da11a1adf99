"""Interactions recorded: each one once, whatever its sender repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, bindparam, select

from serendip.domain import Conflict, Interaction, Invalid, checked_id
from serendip.store.catalogue import item_keys
from serendip.store.engine import Prepared, reserved_ids, tried_again
from serendip.store.forgotten import forgotten
from serendip.store.freshness import bump
from serendip.store.kinds import Kinds
from serendip.store.people import user_keys
from serendip.store.schema import interactions, items, kinds, users
from serendip.store.together import Together
from serendip.store.values import kept_mapping, kept_text, key_digest, sure_moment

Outcome = Literal["recorded", "repeated"] | Conflict | Invalid


@dataclass(frozen=True)
class Recorded:
    """What became of the interactions of one call."""

    recorded: int
    repeated: int
    """Rows whose key had been recorded before, with the same body."""
    new_users: int
    new_items: int
    ids: list[int | None]
    """Row numbers, in the order of the call; none where a row was refused."""
    outcomes: list[Outcome]
    """What became of each row; an error is why it was refused, while the others were kept."""


class Body(NamedTuple):
    """What two interactions with the same key must agree on."""

    user: str
    item: str
    kind: str
    value: float | None
    context: str | None
    slate: str | None
    at: int


class _Row(NamedTuple):
    body: Body
    key: bytes | None
    said: str | None
    """The key as it was sent."""
    undated: bool
    """The sender named no moment, so that a repetition cannot be held against another one."""


@dataclass(frozen=True)
class _Decided:
    """What becomes of the rows of a transaction, by their places in it."""

    outcomes: list[Outcome]
    ids: list[int | None]
    fresh: dict[int, _Row]
    """Those that are to be kept."""
    same: dict[int, int]
    """Repetitions within the transaction, and where the first one stands."""


class Interactions(Kinds):
    """What users did, as it comes in."""

    _together: Together[list[_Row | Invalid], Recorded]

    def add_interactions(self, records: Sequence[Interaction], now: datetime | None = None) -> Recorded:
        """Keep these interactions; what is acknowledged is on disk.

        Missing users, items and kinds are made. A row whose ``at`` is ``now`` was given its moment by us rather than
        by its sender: with a key that is known, its moment is not compared. Calls of several threads share a commit.
        """
        if not records:
            return Recorded(0, 0, 0, 0, [], [])
        filled = None if now is None else sure_moment(now, "now")
        return self._together.run([_checked(record, filled) for record in records])

    def add_each(self, calls: Sequence[tuple[Interaction, datetime]]) -> list[Recorded]:
        """``add_interactions`` of one record each, with their moments of receipt, in one transaction."""
        return self._add([[_checked(record, sure_moment(now, "now"))] for record, now in calls])

    @tried_again
    def _add(self, calls: Sequence[list[_Row | Invalid]]) -> list[Recorded]:
        """One transaction for the rows of several calls, and each call's answer."""
        rows = [row for call in calls for row in call]
        with self._db.write() as c:
            known = _recorded_before(c, {row.key for row in rows if isinstance(row, _Row) and row.key is not None})
            decided = _decided(rows, known)
            new_users, new_items = self._insert(c, decided) if decided.fresh else ([], [])
        for place, first in decided.same.items():
            decided.ids[place] = decided.ids[first]
        return list(_answers(calls, decided, set(new_users), set(new_items)))

    def _insert(self, c: Connection, decided: _Decided) -> tuple[list[str], list[str]]:
        """Keep the fresh rows and note their numbers; the users and items that had to be made for them."""
        fresh = decided.fresh
        named = {row.body.user for row in fresh.values()}
        user_key, new_users = user_keys(c, list(named))
        if len(user_key) < len(named):
            _refuse(decided, named - user_key.keys())
            if not fresh:
                return [], []
        item_key, new_items = item_keys(c, list({row.body.item for row in fresh.values()}))
        code, new_kinds = self._codes_of(c, {row.body.kind for row in fresh.values()})
        values = []
        for number, (place, row) in zip(reserved_ids(c, interactions, len(fresh)), fresh.items(), strict=True):
            body = row.body
            values.append(
                {
                    "id": number,
                    "user_key": user_key[body.user],
                    "item_key": item_key[body.item],
                    "at": body.at,
                    "kind": code[body.kind],
                    "value": body.value,
                    "context": body.context,
                    "key": row.key,
                    "slate": body.slate,
                }
            )
            decided.ids[place] = number
        _INSERT.run(c, values)
        bump(c, "data", *(["items"] if new_items else []), *(["kinds"] if new_kinds else []))
        return new_users, new_items


def _checked(record: Interaction, now: int | None) -> _Row | Invalid:
    """A row as it is to be kept, or why it cannot be."""
    try:
        body, key = checked_body(record), kept_text(record.key, "key")
    except Invalid as why:
        return why
    return _Row(body, None if key is None else key_digest(key), key, body.at == now)


def checked_body(record: Interaction) -> Body:
    """An interaction as its columns are to be kept."""
    value = record.value
    if value is not None:
        value = float(value)
        if not math.isfinite(value):
            raise Invalid(f"the value {value!r} is no finite number", field="value")
    return Body(
        checked_id(record.user, "user"),
        checked_id(record.item, "item"),
        checked_id(record.kind, "kind"),
        value,
        kept_mapping(record.context, "context"),
        None if record.slate is None else checked_id(record.slate, "slate"),
        sure_moment(record.at),
    )


_WITH_KEY = (
    select(
        interactions.c.key,
        interactions.c.id,
        users.c.id,
        items.c.id,
        kinds.c.name,
        interactions.c.value,
        interactions.c.context,
        interactions.c.slate,
        interactions.c.at,
    )
    .join(users, users.c.key == interactions.c.user_key)
    .join(items, items.c.key == interactions.c.item_key)
    .join(kinds, kinds.c.code == interactions.c.kind)
    .where(interactions.c.key.in_(bindparam("keys", expanding=True)))
)

_INSERT = Prepared(interactions.insert())
_KEYS_AT_ONCE = 500


def _recorded_before(c: Connection, keys: Iterable[bytes]) -> dict[bytes, tuple[int, Body]]:
    """What is kept under ``keys``."""
    wanted = list(keys)
    found: dict[bytes, tuple[int, Body]] = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        for row in c.execute(_WITH_KEY, {"keys": wanted[start : start + _KEYS_AT_ONCE]}):
            found[bytes(row[0])] = (row[1], Body(*row[2:]))
    return found


def _decided(rows: Sequence[_Row | Invalid], known: dict[bytes, tuple[int, Body]]) -> _Decided:
    """What becomes of each row, given what is kept already under their keys."""
    made = _Decided([], [None] * len(rows), {}, {})
    first: dict[bytes, int] = {}
    for place, row in enumerate(rows):
        if isinstance(row, Invalid):
            made.outcomes.append(row)
            continue
        kept, number = None, None
        if row.key in known:
            number, kept = known[row.key]
        elif row.key in first:
            kept = made.fresh[first[row.key]].body
        if kept is None:
            made.fresh[place] = row
            made.outcomes.append("recorded")
            if row.key is not None:
                first[row.key] = place
        elif kept == row.body or (row.undated and kept[:-1] == row.body[:-1]):
            made.outcomes.append("repeated")
            made.ids[place] = number
            if number is None and row.key is not None:
                made.same[place] = first[row.key]
        else:
            why = f"the key {row.said!r} was used for another interaction; send a new key with this one"
            made.outcomes.append(Conflict(why))
    return made


def _refuse(decided: _Decided, forgotten_users: set[str]) -> None:
    """Take nothing in of users who asked to be forgotten."""
    for place, row in list(decided.fresh.items()):
        if row.body.user in forgotten_users:
            decided.outcomes[place] = forgotten(row.body.user)
            del decided.fresh[place]
    for place, first in list(decided.same.items()):
        if first not in decided.fresh:
            decided.outcomes[place] = decided.outcomes[first]
            del decided.same[place]


def _answers(
    calls: Sequence[list[_Row | Invalid]], decided: _Decided, new_users: set[str], new_items: set[str]
) -> Iterator[Recorded]:
    """Each call's own part of a transaction; a new user or item counts where it was first named."""
    start = 0
    for call in calls:
        places = range(start, start + len(call))
        start += len(call)
        outcomes = decided.outcomes[places.start : places.stop]
        bodies = [decided.fresh[place].body for place in places if place in decided.fresh]
        own_users, own_items = new_users & {body.user for body in bodies}, new_items & {body.item for body in bodies}
        new_users, new_items = new_users - own_users, new_items - own_items
        yield Recorded(
            recorded=len(bodies),
            repeated=outcomes.count("repeated"),
            new_users=len(own_users),
            new_items=len(own_items),
            ids=decided.ids[places.start : places.stop],
            outcomes=outcomes,
        )
