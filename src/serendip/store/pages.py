"""Stretches of lists: how a list is ordered, and the place in it from which the next stretch goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, literal, or_, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.selectable import Select

from serendip.domain import Invalid
from serendip.store.values import cursor, kept_json, kept_text, place


@dataclass(frozen=True)
class Stretch:
    """Which part of a list is wanted, in which order."""

    sort: str = ""
    """A name of the list's orders, with ``-`` before it from the end; empty: the list's own order."""
    after: str | None = None
    """``next`` of the page before."""
    limit: int = 50
    count: bool = False
    """Count everything that the list holds, which may cost more than the page."""


@dataclass(frozen=True)
class Order:
    """What a list is ordered by; the last of the columns is different in every row."""

    columns: tuple[ColumnElement[Any], ...]
    types: tuple[type, ...]


def stretch(
    c: Connection, wanted: Select[Any], orders: Mapping[str, Order], asked: Stretch
) -> tuple[list[tuple[Any, ...]], str | None, int | None]:
    """Rows of ``wanted``, the cursor of the next stretch, and how many rows there are if that was asked.

    The first of ``orders`` is the list's own.
    """
    sort = asked.sort or next(iter(orders))
    falling, order = sort.startswith("-"), orders.get(sort.removeprefix("-"))
    if order is None:
        known = ", ".join(f"{name}, -{name}" for name in orders)
        raise Invalid(f"the list cannot be sorted by {sort!r}; the orders are {known}", field="sort")
    by = order.columns
    rows = wanted.add_columns(*(column.label(f"sort_{n}") for n, column in enumerate(by)))
    if asked.after is not None:
        told, *values = place(asked.after, str, *order.types)
        if told != sort:
            raise Invalid(f"the cursor belongs to the order {told!r} and not to {sort!r}; begin anew", field="after")
        here = tuple_(*by) < tuple_(*values) if falling else tuple_(*by) > tuple_(*values)
        rows = rows.where(here)
    rows = rows.order_by(*((column.desc() for column in by) if falling else by)).limit(asked.limit + 1)
    found = [tuple(row) for row in c.execute(rows)]
    more = cursor(sort, *found[asked.limit - 1][-len(by) :]) if len(found) > asked.limit else None
    total = c.execute(select(func.count()).select_from(wanted.subquery())).scalar_one() if asked.count else None
    return [row[: -len(by)] for row in found[: asked.limit]], more, total


def newest_first(asked: Stretch) -> Stretch:
    """The same of a list of events, which begins with the latest unless another order is asked for."""
    return asked if asked.sort else replace(asked, sort="-at")


class in_bytes(GenericFunction[str]):  # noqa: N801
    """A text, or none as an empty one, ordered byte for byte on both databases."""

    type = Text()
    name = "in_bytes"
    inherit_cache = True


@compiles(in_bytes)
def _in_bytes(element: in_bytes, compiler: Any, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, '')"


@compiles(in_bytes, "postgresql")
def _in_bytes_postgresql(element: in_bytes, compiler: Any, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, '') COLLATE \"C\""


class member_of(GenericFunction[str]):  # noqa: N801
    """The JSON text of one member of an object that is kept as JSON text."""

    type = Text()
    name = "member_of"
    inherit_cache = True


@compiles(member_of)
def _member_of(element: member_of, compiler: Any, **options: Any) -> str:
    whole, name = (compiler.process(part, **options) for part in element.clauses)
    return f"({whole} -> ('$.\"' || {name} || '\"'))"


@compiles(member_of, "postgresql")
def _member_of_postgresql(element: member_of, compiler: Any, **options: Any) -> str:
    whole, name = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(CAST({whole} AS JSON) -> CAST({name} AS TEXT) AS TEXT)"


def with_attributes(column: ColumnElement[Any], wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """That every attribute named is there and reads as the text given; 3 is the number and the word."""
    return [
        or_(*(member_of(column, literal(_plain(name))) == form for form in _forms(text)))
        for name, text in wanted.items()
    ]


def _plain(name: str) -> str:
    if not name or any(letter in '"\\' or letter < " " for letter in name):
        raise Invalid(f"no list is filtered by the attribute {name!r}; leave out quotes and backslashes", field=name)
    return str(kept_text(name, "attributes"))


def _forms(text: str) -> Sequence[str]:
    """The JSON texts that ``text`` may stand for: itself as a word, and the number or truth value it spells."""
    forms = [kept_json(kept_text(text, "attributes"), "attributes")]
    if text in ("true", "false"):
        forms.append(text)
    try:
        number = float(text)
    except ValueError:
        return forms
    if number == number and abs(number) != float("inf"):
        forms.append(kept_json(number, "attributes"))
        if number.is_integer() and abs(number) < 2**63:
            forms.append(str(int(number)))
    return forms
