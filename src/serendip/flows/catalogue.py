"""What may be shown now: the store's items beside the rows of one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from serendip.data import UNKNOWN, Column, Columns, Vocabulary
from serendip.domain import micros, moment
from serendip.flows.asking import KeyRows
from serendip.flows.attributes import WINDOW, vectors_of
from serendip.ranking import NO_RULES, Compare, Filter, Mask, Masks, Rules, RulesConfig, parse
from serendip.store import Store

ALWAYS = np.iinfo(np.int64)

KEPT_RULES = 64
"""How many scenarios' rules are kept compiled."""


@dataclass(frozen=True)
class Shelf:
    """Items in the order of a vocabulary, with what decides whether they may be shown."""

    ids: Vocabulary
    listed: Mask
    """In the store and not hidden; shape (n_items,)."""
    opens: NDArray[np.int64]
    """Microseconds; available from here on."""
    closes: NDArray[np.int64]
    """Microseconds; available until here, exclusive."""
    described: Sequence[tuple[int, str, str, list[str] | None, str | None]]
    """Row, id, catalogue, tags and attributes (JSON) of every item in the store."""
    _opened: list[tuple[int, int, Mask]] = field(default_factory=list)

    def open_at(self, at: int) -> Mask:
        """What may be shown at a moment, in microseconds; not to be written to.

        Kept until the next moment at which an item opens or closes.
        """
        for since, until, mask in self._opened:
            if since <= at < until:
                return mask
        mask = self.listed & (self.opens <= at) & (at < self.closes)
        bounds = np.concatenate([self.opens, self.closes])
        since = bounds.max(initial=ALWAYS.min, where=bounds <= at)
        until = bounds.min(initial=ALWAYS.max, where=bounds > at)
        self._opened[:] = [(int(since), int(until), mask)]
        return mask

    @cached_property
    def records(self) -> list[Mapping[str, Any]]:
        """What a filter can look at, a record a row; made when the first filter asks."""
        out: list[Mapping[str, Any]] = [{} for _ in range(len(self.ids))]
        for row, item, catalogue, tags, attributes in self.described:
            own = {**orjson.loads(attributes or "{}"), "id": item, "catalogue": catalogue, "tags": tags or []}
            for name, limit, at in zip(WINDOW, (ALWAYS.min, ALWAYS.max), (self.opens, self.closes), strict=True):
                own[name] = None if at[row] == limit else moment(at[row]).isoformat()
            out[row] = own
        return out


@dataclass(frozen=True)
class Catalogue:
    """The shelf of a pipeline's own items, and the shelf of items that came after it, newest first."""

    known: Shelf
    newcomers: Shelf
    vectors: Callable[[str], Column | None] = lambda _: None
    """The stored vectors of the pipeline's own items, by name."""
    _compiled: dict[RulesConfig, Rules] = field(default_factory=dict)

    def allowed(
        self,
        now: datetime,
        expression: str | None = None,
        among: Collection[str] | None = None,
        within: str | None = None,
    ) -> Mask:
        """What may be shown of the pipeline's items at ``now``, of shape (n_items,).

        ``within``: only items of this catalogue.
        """
        return self._passing(0, now, expression, among, within)

    def rules(self, config: RulesConfig | None, now: datetime) -> Rules:
        """A scenario's rules for the pipeline's items at ``now``; made once, unless they depend on ``now``.

        Invalid where they name an attribute that no item has.
        """
        if config is None:
            return NO_RULES
        found = self._compiled.get(config)
        if found is None:
            by, columns = config.diversity, self._masks[0].columns
            if by is not None and by.by not in columns.columns and (vectors := self.vectors(by.by)) is not None:
                columns = Columns(columns.n_rows, {**columns.columns, by.by: vectors})
            found = Rules.of(config, self._masks[0], self.known.ids, micros(now), columns)
            if not config.uses_now:
                if len(self._compiled) >= KEPT_RULES:
                    self._compiled.clear()
                self._compiled[config] = found
        return found

    def new_ids(
        self,
        now: datetime,
        expression: str | None = None,
        among: Collection[str] | None = None,
        rules: RulesConfig | None = None,
        within: str | None = None,
    ) -> list[str]:
        """What may be shown, by the filter of ``rules`` too, of items that came after the pipeline, newest first."""
        passing = self._passing(1, now, expression, among, within)
        if rules is not None and rules.filter is not None:
            passing = passing & self._masks[1].passing(parsed(rules.filter), micros(now))
        return [self.newcomers.ids.ids[row] for row in np.flatnonzero(passing)]

    def _passing(
        self, place: int, now: datetime, expression: str | None, among: Collection[str] | None, within: str | None
    ) -> Mask:
        shelf, at = (self.known, self.newcomers)[place], micros(now)
        passing = shelf.open_at(at)
        if expression:
            passing = passing & self._masks[place].passing(parsed(expression), at)
        if within is not None:
            passing = passing & self._masks[place].passing(Compare("catalogue", "==", within), at)
        if among is not None:
            named = np.zeros(len(passing), np.bool_)
            rows = shelf.ids.rows(list(among))
            named[rows[rows != UNKNOWN]] = True
            passing = passing & named
        return np.asarray(passing)

    @cached_property
    def _masks(self) -> tuple[Masks, Masks]:
        """The attributes of both shelves; one that only the other shelf has is known to both."""
        names = {name for shelf in (self.known, self.newcomers) for record in shelf.records for name in record}
        return Masks(Columns.of(self.known.records, names)), Masks(Columns.of(self.newcomers.records, names))


def catalogue_of(store: Store, items: Vocabulary, rows: KeyRows) -> Catalogue:
    """The store's items as a pipeline with the vocabulary ``items`` sees them.

    ``rows`` knows the keys that these items had when the pipeline was trained: an item that was deleted and came back
    under its old id has another one, and is new.
    """
    frame = store.item_columns()
    row = rows.find(frame["key"].to_numpy())
    known = row != UNKNOWN
    frame = frame.with_columns(pl.Series("row", row, dtype=pl.Int32))
    later = frame.filter(pl.Series(~known)).sort("key", descending=True)
    fresh = Vocabulary(tuple(later["id"].to_list()))
    later = later.with_columns(pl.Series("row", np.arange(len(fresh)), dtype=pl.Int32))
    shelves = _shelf(frame.filter(pl.Series(known)), items), _shelf(later, fresh)
    return Catalogue(*shelves, lambda name: vectors_of(store, items, name))


def _shelf(frame: pl.DataFrame, ids: Vocabulary) -> Shelf:
    """The rows of ``frame`` put where ``ids`` has them; an id without a row is not listed."""
    row = frame["row"].to_numpy()

    def spread(column: pl.Series, default: int) -> NDArray[np.int64]:
        out = np.full(len(ids), default, np.int64)
        out[row] = column.fill_null(default).to_numpy()
        return out

    listed = np.zeros(len(ids), np.bool_)
    listed[row] = ~frame["hidden"].to_numpy()
    return Shelf(
        ids,
        listed,
        spread(frame["available_from"], ALWAYS.min),
        spread(frame["available_until"], ALWAYS.max),
        frame.select("row", "id", "catalogue", "tags", "attributes").rows(),
    )


@lru_cache(maxsize=512)
def parsed(expression: str) -> Filter:
    """The tree of an expression; the same few are asked again and again."""
    return parse(expression)
