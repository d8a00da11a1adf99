"""Everything from which the features of a user and an item at a moment are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import Dataset
from serendip.data.features.ages import Ages, restored
from serendip.data.features.asking import Said, asker_codes, asker_parts, what_is_said
from serendip.data.features.coded import Coded
from serendip.data.features.counters import Asked, Counter, Sides, Sweep, longest
from serendip.data.features.definition import CLOCK, COUNTED, OF_HISTORY, OF_SOURCE, OWN, Feature
from serendip.data.features.described import (
    Coding,
    category_of,
    check_kinds,
    checked,
    codes_of,
    named,
    table_of,
)
from serendip.data.features.earlier import Earlier
from serendip.data.features.likeness import Histories, Likeness
from serendip.data.features.moments import clock, in_order
from serendip.data.lists import Floats, ItemRows
from serendip.data.past import ALWAYS, BEFORE_ALL, TOO_EARLY, Horizon
from serendip.data.queries import Queries
from serendip.data.vocabulary import Arrays, Vocabulary
from serendip.domain import Invalid

BATCH_ROWS = 1_000_000
"""Rows of a log whose features are held at once."""

HELD = 4
"""Past moments whose counters are held, so that questions about one of them need not make them anew."""


@dataclass(frozen=True)
class Features:
    """Definitions, what columns say of users and items, and counters as of ``until``."""

    definitions: tuple[Feature, ...]
    until: int
    """Events before this moment, in microseconds, are counted."""
    users: Vocabulary
    """Whose own counters there are."""
    n_items: int
    user_codes: Coding
    """By column: the words of users, where events are counted by them or they are a category."""
    item_codes: Coding
    user_table: Floats
    """What columns say of users, in the order of the definitions about them; (n_users, n_numbers)."""
    item_table: Floats
    beside: tuple[Likeness | Ages, ...]
    """What items are compared with histories by, in the order of OF_HISTORY's definitions."""
    counters: tuple[Counter, ...]
    earlier: Earlier
    """The counters at the starts of the days before ``until``."""
    of_past: bool = False
    """Whether these are a larger one's as of an earlier moment: users' own counters are those of a later one then."""
    _held: dict[int, Features] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def of(definitions: Sequence[Feature], data: Dataset, rng: np.random.Generator, past_days: float = 0.0) -> Features:
        """Features as of ``data.now``: counters over all of ``data``, and what its columns say."""
        return Features.described(definitions, data, rng).advanced(data, past_days)

    @staticmethod
    def described(definitions: Sequence[Feature], data: Dataset, rng: np.random.Generator) -> Features:
        """What the columns of ``data`` say, and no event counted yet."""
        check_kinds(definitions, data)
        user_codes = codes_of(definitions, data.user_columns, "user")
        item_codes = codes_of(definitions, data.item_columns, "item")
        beside: list[Likeness | Ages] = []
        for feature in definitions:
            if feature.what in OF_HISTORY and feature.column is None:
                beside.append(Ages.of(feature, data.n_items))
            elif feature.what in OF_HISTORY:
                assert feature.column is not None
                column = named(data.item_columns, feature.column, "item", feature)
                checked(feature, column)
                beside.append(Likeness.of(feature, column, data.n_items))
        return Features(
            tuple(definitions),
            0,
            data.users,
            data.n_items,
            user_codes,
            item_codes,
            table_of(definitions, data.user_columns, "user", data.n_users, user_codes, rng),
            table_of(definitions, data.item_columns, "item", data.n_items, item_codes, rng),
            tuple(beside),
            (),
            Earlier(Horizon.of(np.empty(0, np.int64), 0, 0)),
        )

    def advanced(self, data: Dataset, past_days: float = 0.0) -> Features:
        """The same as of ``data.now``, and as of the starts of the ``past_days`` before; what columns say stays.

        ``data`` has the same items, and the same users or more at their end: of those only events are known.
        """
        log, _ = in_order(data)
        grown = self._of_users(data.users)
        assert data.n_items == self.n_items, "the columns' rows are those of the items"
        assert log.at is not None, "what is in order of time has moments"
        swept = list(Sweep.all_over(self.definitions, log, grown._sides))
        counters, earlier = Earlier.counted(swept, Horizon.of(log.at, data.now, past_days, longest(grown.definitions)))
        return replace(grown, until=data.now, counters=counters, earlier=earlier, beside=self._beside(log))

    def knows(self, moments: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of which moments the counters are kept; not of those before all data."""
        return np.asarray(self.earlier.horizon.places(moments) >= 0)

    def _as_of(self, place: int) -> Features:
        """The same as of a place of the horizon."""
        if place == len(self.earlier.horizon.starts):
            return self
        found = self._held.get(place)
        if found is None:
            # Before all, every event of the asker is one that no counter holds.
            until = ALWAYS if place == BEFORE_ALL else int(self.earlier.horizon.starts[place])
            counters = self.earlier.counters(self.counters, place)
            found = replace(self, until=until, counters=counters, of_past=True)
            for other in list(self._held)[: 1 - HELD]:
                self._held.pop(other, None)
            self._held[place] = found
        return found

    def _beside(self, log: Dataset) -> tuple[Likeness | Ages, ...]:
        """What items are compared by, ages as ``log`` has them."""
        return tuple(one.over(log) if isinstance(one, Ages) else one for one in self.beside)

    def _of_users(self, users: Vocabulary) -> Features:
        """The same with further users at the end, of whom columns say nothing."""
        n_more = len(users) - len(self.users)
        assert users.ids[: len(self.users)] == self.users.ids, "the counters' rows are those of the users"
        if not n_more:
            return self
        codes = {name: one.longer(n_more) for name, one in self.user_codes.items()}
        nothing = np.full((n_more, self.user_table.shape[1]), np.nan, np.float32)
        return replace(self, users=users, user_codes=codes, user_table=np.concatenate([self.user_table, nothing]))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each number; shape (n_features,)."""
        return tuple(name for feature in self.definitions for name in feature.names)

    @cached_property
    def categories(self) -> Mapping[int, tuple[str, ...]]:
        """The words of each number that is a category, by its position; its value is a place among them."""
        out = {}
        for feature, position in zip(self.definitions, self._positions, strict=True):
            if feature.what not in ("column", "category"):
                continue
            coding = self._coding(feature).get(category_of(feature))
            if coding is not None and coding.words is not None:
                out[position] = coding.words.ids
        return out

    def at(self, queries: Queries, among: ItemRows, said: Said | None = None) -> Floats:
        """The features of every asker and each item of ``among``, float32 (n_queries, n_among, n_features).

        ``among``: (n_queries, n_among) padded with -1. ``said``: of every source that a feature names, scores and
        ranks, both (n_queries, n_among). NaN where nothing is known, and at padding.

        Counters are as of ``until``, and the asker's events from then on are taken in. For a moment before ``until``
        they are as of the start of its day, and of the asker's own the history alone tells (``queries.whole``, where it
        is given), as it does of an asker who is no user of ours. Nothing but NaN where that day is not kept.
        """
        rows = np.ascontiguousarray(np.broadcast_to(among, (len(queries), np.shape(among)[-1])), np.int32)
        places = self.earlier.horizon.places(queries.moment)
        different = np.unique(places).tolist()
        if len(different) == 1 and different[0] != TOO_EARLY:
            return self._as_of(different[0])._read(queries, rows, said)
        out = np.full((*rows.shape, len(self.names)), np.nan, np.float32)
        for place in different:
            if place == TOO_EARLY:
                continue
            some = np.flatnonzero(places == place)
            own = {name: (scores[some], ranks[some]) for name, (scores, ranks) in (said or {}).items()}
            out[some] = self._as_of(place)._read(queries.take(some), rows[some], own)
        return out

    def _read(self, queries: Queries, rows: ItemRows, said: Said | None) -> Floats:
        """``at`` with the counters as they are."""
        alone = np.asarray(self.of_past | (queries.own < 0))
        told_of = queries.whole if self.of_past and queries.whole is not None else queries
        asked = Asked.of(told_of, rows, self.until, alone)
        sides = self._asking(queries, alone)
        out = np.empty((*rows.shape, len(self.names)), np.float32)
        counters, beside = iter(self.counters), iter(self.beside)
        told = Histories.of(queries)
        user_parts = asker_parts(self.definitions, self.user_table, self.user_codes, queries)
        user_place, item_place = 0, 0
        items = np.maximum(rows, 0)
        for feature, position in zip(self.definitions, self._positions, strict=True):
            stop = position + feature.n_parts
            if feature.what in COUNTED:
                out[:, :, position] = _told(next(counters), asked, sides)
            elif feature.what in CLOCK:
                out[:, :, position] = clock(feature.what, queries.moment)[:, None]
            elif feature.what in OF_SOURCE:
                out[:, :, position] = what_is_said(feature, said or {})
            elif feature.what in OF_HISTORY:
                out[:, :, position] = next(beside).read(told, rows)
            elif feature.of_asker:
                out[:, :, position:stop] = user_parts[:, None, user_place : user_place + feature.n_parts]
                user_place += feature.n_parts
            else:
                out[:, :, position:stop] = self.item_table[items, item_place : item_place + feature.n_parts]
                item_place += feature.n_parts
        out[rows < 0] = np.nan
        return out

    def rows(self, data: Dataset, emit: NDArray[np.bool_] | None = None) -> Floats:
        """The features of the rows of ``data`` that ``emit`` (n,) names, as of each row's own moment.

        Float32 (n_emitted, n_features), in the order of the rows, whatever order of time that is. Rows of one moment do
        not see each other. The counters of these features are not used: ``data`` itself is counted.
        """
        wanted = np.ones(len(data), np.bool_) if emit is None else emit
        log, order = in_order(data)
        out = np.empty((int(wanted.sum()), len(self.names)), np.float32)
        where = np.cumsum(wanted) - 1
        for places, block in self.batches(log, wanted if order is None else wanted[order]):
            out[where[places if order is None else order[places]]] = block
        return out

    def batches(
        self, data: Dataset, emit: NDArray[np.bool_], size: int = BATCH_ROWS, start: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """``rows`` of a log in order of time, a batch of ``size`` rows after the other: which they are, and theirs.

        Batches before row ``start`` are counted and not given; ``start`` is a multiple of ``size``.
        """
        refuse_sources(self.definitions)
        sweeps = list(Sweep.all_over(self.definitions, data, self._sides))
        beside = self._beside(data)
        for begin in range(0, len(data), size):
            end = min(begin + size, len(data))
            shown = emit[begin:end]
            if begin < start:
                shown = np.zeros(end - begin, np.bool_)
            places = begin + np.flatnonzero(shown)
            block = np.empty((len(places), len(self.names)), np.float32)
            self._write_rows(data, places, sweeps, beside, begin, end, shown, block)
            if begin >= start:
                yield places, block

    def _write_rows(
        self,
        data: Dataset,
        places: NDArray[np.int64],
        sweeps: Sequence[Sweep],
        compared: Sequence[Likeness | Ages],
        begin: int,
        end: int,
        shown: NDArray[np.bool_],
        out: Floats,
    ) -> None:
        assert data.at is not None, "data without moments knows no before"
        user_ix, item_ix, moments = data.user_ix[places], data.item_ix[places], data.at[places]
        remaining, beside = iter(sweeps), iter(compared)
        told = Histories.before(data, places) if compared and len(places) else None
        user_place, item_place = 0, 0
        column = np.empty(len(places), np.float32)
        for feature, position in zip(self.definitions, self._positions, strict=True):
            stop = position + feature.n_parts
            if feature.what in COUNTED:
                next(remaining).run(begin, end, shown, column)
                out[:, position] = column
            elif feature.what in CLOCK:
                out[:, position] = clock(feature.what, moments)
            elif feature.what in OF_HISTORY:
                one = next(beside)
                if told is not None:
                    out[:, position] = one.read(told, item_ix[:, None])[:, 0]
            elif feature.of_asker:
                out[:, position:stop] = self.user_table[user_ix, user_place : user_place + feature.n_parts]
                user_place += feature.n_parts
            else:
                out[:, position:stop] = self.item_table[item_ix, item_place : item_place + feature.n_parts]
                item_place += feature.n_parts

    @cached_property
    def _positions(self) -> tuple[int, ...]:
        sizes = [feature.n_parts for feature in self.definitions]
        return tuple(int(sum(sizes[:i])) for i in range(len(sizes)))

    def _coding(self, feature: Feature) -> Coding:
        return self.user_codes if feature.of_asker else self.item_codes

    @cached_property
    def _sides(self) -> Sides:
        """The codes of all users and items."""
        n_users = len(self.users)
        users: dict[str | None, Coded] = {None: Coded.one(n_users), OWN: Coded.rows(np.arange(n_users), n_users)}
        items: dict[str | None, Coded] = {
            None: Coded.one(max(1, self.n_items)),
            OWN: Coded.rows(np.arange(self.n_items), self.n_items),
        }
        users.update(self.user_codes)
        items.update(self.item_codes)
        return Sides(users, items)

    def _asking(self, queries: Queries, alone: NDArray[np.bool_]) -> Sides:
        """The codes of the askers, and of all items; who is told from the history ``alone`` has no own counters."""
        users: dict[str | None, Coded] = {
            None: Coded.one(len(queries)),
            OWN: Coded.rows(np.where(alone, -1, queries.own), len(self.users)),
        }
        counted = {feature.entity.user for feature in self.definitions if feature.entity and feature.what in COUNTED}
        for name, own in self.user_codes.items():
            if name in counted:
                users[name] = asker_codes(queries, name, own)
        return Sides(users, self._sides.items)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the definitions."""
        out: Arrays = {
            "until": np.array([self.until]),
            "n_items": np.array([self.n_items]),
            "user_table": self.user_table,
            "item_table": self.item_table,
        }
        parts: dict[str, Arrays] = {"users": self.users.arrays()}
        for of, codes in (("user", self.user_codes), ("item", self.item_codes)):
            names = Vocabulary(tuple(codes))
            parts[f"{of}_codes"] = names.arrays()
            parts |= {f"{of}_codes.{place}": codes[name].arrays() for place, name in enumerate(names)}
        parts |= {f"likeness.{place}": one.arrays() for place, one in enumerate(self.beside)}
        parts |= {f"counter.{place}": one.arrays() for place, one in enumerate(self.counters)}
        parts["earlier"] = self.earlier.arrays()
        for part, arrays in parts.items():
            out |= {f"{part}/{name}": array for name, array in arrays.items()}
        return out

    @staticmethod
    def restore(definitions: Sequence[Feature], arrays: Arrays) -> Features:
        """The features that ``arrays`` was made of."""

        def part(name: str) -> Arrays:
            mark = f"{name}/"
            return {key.removeprefix(mark): array for key, array in arrays.items() if key.startswith(mark)}

        def codes(of: str) -> dict[str, Coded]:
            names = Vocabulary.restore(part(f"{of}_codes"))
            return {name: Coded.restore(part(f"{of}_codes.{place}")) for place, name in enumerate(names)}

        beside = [feature for feature in definitions if feature.what in OF_HISTORY]
        counted = [feature for feature in definitions if feature.what in COUNTED]
        return Features(
            tuple(definitions),
            int(np.asarray(arrays["until"])[0]),
            Vocabulary.restore(part("users")),
            int(np.asarray(arrays["n_items"])[0]),
            codes("user"),
            codes("item"),
            np.asarray(arrays["user_table"]),
            np.asarray(arrays["item_table"]),
            tuple(restored(one, part(f"likeness.{place}")) for place, one in enumerate(beside)),
            tuple(Counter.restore(one, part(f"counter.{place}")) for place, one in enumerate(counted)),
            Earlier.restore(part("earlier")),
        )


def rows_of(
    definitions: Sequence[Feature], data: Dataset, emit: NDArray[np.bool_] | None, rng: np.random.Generator
) -> Floats:
    """The features of rows of ``data`` as of each row's own moment; see ``Features.rows``."""
    return Features.described(definitions, data, rng).rows(data, emit)


def refuse_sources(definitions: Sequence[Feature]) -> None:
    """Invalid where a feature is not told by the log alone."""
    for feature in definitions:
        if feature.what in OF_SOURCE:
            raise Invalid(
                f"{feature.text} is told by a candidate source when somebody asks, not by the log; leave it out",
                field="features",
            )


def _told(counter: Counter, asked: Asked, sides: Sides) -> Floats:
    assert counter.feature.entity is not None
    return counter.read(asked, *sides.of(counter.feature.entity))
