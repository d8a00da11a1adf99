"""What users did, read back: histories, what was seen, the latest of all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, func, or_, select
from sqlalchemy.sql.selectable import Select

from serendip.domain import Interaction, micros
from serendip.store.engine import Prepared, given, listed
from serendip.store.kinds import Kinds
from serendip.store.pages import Order, Stretch, stretch
from serendip.store.schema import interactions, items, kinds, relations, users
from serendip.store.values import Page, aware, aware_or_none, kept_moment, kept_text, mapping

_EVENT = (
    items.c.id.label("item"),
    interactions.c.at,
    interactions.c.kind,
    interactions.c.value,
    interactions.c.context,
    interactions.c.slate,
)
_OF_USER = select(users.c.key).where(users.c.id == bindparam("user")).scalar_subquery()
_BEFORE = interactions.c.at < bindparam("until", type_=BigInteger)
_NEWEST_FIRST = (interactions.c.at.desc(), interactions.c.id.desc())

_ORDERS = {
    "at": Order((interactions.c.at, interactions.c.id), (int, int)),
    "recorded": Order((interactions.c.id,), (int,)),
}

_HISTORY = Prepared(
    select(*_EVENT)
    .join(items, items.c.key == interactions.c.item_key)
    .where(interactions.c.user_key == _OF_USER, _BEFORE)
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("n"))
)


def _histories() -> Select[Any]:
    """Newest events of several users, each one's own ``n``; for few users, each with an index of its own."""
    newest = func.row_number().over(partition_by=interactions.c.user_key, order_by=_NEWEST_FIRST).label("place")
    ranked = (
        select(users.c.id.label("user"), *_EVENT, newest)
        .join(users, users.c.key == interactions.c.user_key)
        .join(items, items.c.key == interactions.c.item_key)
        .where(users.c.id.in_(given("ids")), _BEFORE)
        .subquery()
    )
    columns = [column for column in ranked.c if column.name != "place"]
    return select(*columns).where(ranked.c.place <= bindparam("n")).order_by(ranked.c.place.desc())


_HISTORIES = Prepared(_histories())


@dataclass(frozen=True)
class RecordedInteraction:
    """An interaction and its row number."""

    id: int
    interaction: Interaction


@dataclass(frozen=True)
class Counts:
    """How much there is."""

    users: int
    items: int
    interactions: int
    relations: int
    last_at: datetime | None


class Histories(Kinds):
    """What users did before a moment. Idempotency keys are kept as digests and are not given back."""

    _seen: dict[tuple[int, ...], Prepared]

    def history(self, user: str, until: datetime, limit: int) -> list[Interaction]:
        """The latest ``limit`` interactions of ``user`` strictly before ``until``, newest last."""
        with self._db.read() as c:
            rows = _HISTORY.rows(c, user=user, until=micros(until), n=limit)
            names = self._names_of(c, rows, 2)
        rows.reverse()
        return [
            Interaction(user, item, aware(at), names[kind], value, mapping(context) if context else None, None, slate)
            for item, at, kind, value, context, slate in rows
        ]

    def histories(self, users: Sequence[str], until: datetime, limit: int) -> dict[str, list[Interaction]]:
        """``history`` of several users at once; unknown ones have an empty one."""
        with self._db.read() as c:
            rows = _HISTORIES.rows(c, ids=listed(users), until=micros(until), n=limit)
            names = self._names_of(c, rows, 3)
        found: dict[str, list[Interaction]] = {user: [] for user in users}
        for user, item, at, kind, value, context, slate in rows:
            told = mapping(context) if context else None
            found[user].append(Interaction(user, item, aware(at), names[kind], value, told, None, slate))
        return found

    def seen(self, user: str, kinds: Collection[str], until: datetime) -> list[str]:
        """Items that ``user`` did something of ``kinds`` with, strictly before ``until``; each once."""
        with self._db.read() as c:
            codes = tuple(self._known_codes(c, kinds))
            if not codes:
                return []
            rows = self._seen_of(codes).rows(c, user=user, until=micros(until))
        return [item for (item,) in rows]

    def recent_interactions(
        self,
        limit: int,
        kind: str | None = None,
        user: str | None = None,
        item: str | None = None,
        before: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        slate: str | None = None,
        sort: str = "-at",
        count: bool = False,
    ) -> Page[RecordedInteraction]:
        """The latest interactions, newest first unless sorted otherwise, from behind the cursor ``before``.

        Moments are of [since, until), values of [at_least, at_most].
        """
        wanted = (
            select(interactions.c.id, users.c.id, *_EVENT)
            .join(users, users.c.key == interactions.c.user_key)
            .join(items, items.c.key == interactions.c.item_key)
        )
        bounds: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
            (kind, lambda: interactions.c.kind == select(kinds.c.code).where(kinds.c.name == kind).scalar_subquery()),
            (user, lambda: interactions.c.user_key == select(users.c.key).where(users.c.id == user).scalar_subquery()),
            (item, lambda: interactions.c.item_key == select(items.c.key).where(items.c.id == item).scalar_subquery()),
            (since, lambda: interactions.c.at >= kept_moment(since, "since")),
            (until, lambda: interactions.c.at < kept_moment(until, "until")),
            (at_least, lambda: interactions.c.value >= at_least),
            (at_most, lambda: interactions.c.value <= at_most),
            (slate, lambda: interactions.c.slate == kept_text(slate, "slate")),
        ]
        wanted = wanted.where(*(bound() for given_bound, bound in bounds if given_bound is not None))
        with self._db.read() as c:
            rows, more, total = stretch(c, wanted, _ORDERS, Stretch(sort, before, limit, count))
            names = self._names_of(c, rows, 4)
        records = [
            RecordedInteraction(
                number,
                Interaction(
                    who, what, aware(at), names[code], value, mapping(context) if context else None, None, shown
                ),
            )
            for number, who, what, at, code, value, context, shown in rows
        ]
        return Page(records, more, total)

    def counts(self) -> Counts:
        """How many of everything there are, and the moments of the first and the last interaction."""
        with self._db.snapshot() as c:
            n_users, n_items, n_interactions, n_relations = (
                c.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (users, items, interactions, relations)
            )
            last = c.execute(select(func.max(interactions.c.at))).scalar()
        return Counts(n_users, n_items, n_interactions, n_relations, aware_or_none(last))

    def _seen_of(self, codes: tuple[int, ...]) -> Prepared:
        """The question for these kinds, which are few and the same again and again."""
        made = self._seen.get(codes)
        if made is None:
            touched = select(interactions.c.item_key).where(
                interactions.c.user_key == _OF_USER,
                _BEFORE,
                or_(*(interactions.c.kind == bindparam(f"kind_{code}", code) for code in codes)),
            )
            made = self._seen[codes] = Prepared(select(items.c.id).where(items.c.key.in_(touched)))
        return made

    def _names_of(self, c: Connection, rows: Sequence[Any], column: int) -> dict[int, str]:
        if any(row[column] not in self._names for row in rows):
            self._read_codes(c)
        return self._names
