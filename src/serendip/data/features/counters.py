"""Counters: what the events of users, items and their columns tell, kept as of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import Dataset
from serendip.data.features import cells
from serendip.data.features.coded import Coded
from serendip.data.features.definition import ANY, COUNTED, OWN, Entity, Feature
from serendip.data.lists import Floats, ItemRows
from serendip.data.queries import Queries
from serendip.data.vocabulary import Arrays
from serendip.domain import InteractionKind

DENSE = 4_000_000
"""Up to so many cells each has its place; more, and only those that were met."""

HOW = {
    "count": cells.COUNT,
    "rate": cells.RATIO,
    "trend": cells.RATIO,
    "mean": cells.MEAN,
    "decayed": cells.DECAYED,
    "recency": cells.RECENCY,
    "age": cells.AGE,
}

TWO = ("rate", "trend", "mean", "decayed")
"""What is told by two numbers a cell."""

NEVER_WHILE_EMPTY = ("recency", "age")
"""Of these a cell without events holds no number."""

NO_CELLS = (np.empty(0, np.int64), np.empty(0, np.int32))
"""Every cell has its place."""

Pair = tuple[NDArray[np.int64], NDArray[np.integer]]
"""Where the cells of each left code begin, and the right code of each cell."""

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
Log = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Sides:
    """Which codes users and items have, by the part of an entity: OWN, a column, or None."""

    users: Mapping[str | None, Coded]
    items: Mapping[str | None, Coded]

    def of(self, entity: Entity) -> tuple[Coded, Coded]:
        """The codes of the users and of the items that are told apart."""
        return self.users[entity.user], self.items[entity.item]


def log_of(data: Dataset) -> Log:
    """The rows of ``data``, which are in order of time, as the kernels read them."""
    assert data.at is not None, "data without moments knows no before"
    return data.user_ix, data.item_ix, data.kind, data.value, data.at


def masks(feature: Feature, kinds: Sequence[InteractionKind]) -> Masks:
    """Which kinds a counter counts: those above the line, and of a share those below it."""
    names = [kind.name for kind in kinds]
    as_a = np.array([feature.kind in (ANY, name) for name in names], np.bool_)
    if feature.what == "trend":
        return as_a, as_a
    return as_a, np.array([feature.what == "rate" and feature.base in (ANY, name) for name in names], np.bool_)


def spans(feature: Feature) -> tuple[int, int, float]:
    """The windows of a and b (of ``decayed`` the half-life), and what a share is multiplied by."""
    if feature.what == "trend":
        assert feature.span is not None
        assert feature.long_span is not None
        return feature.span, feature.long_span, feature.long_span / feature.span
    span = feature.span or cells.NO_SPAN
    return span, span, 1.0


def longest(features: Iterable[Feature]) -> int:
    """The longest window, in microseconds; 0 where there is none."""
    windowed = (feature for feature in features if feature.what in ("count", "rate", "trend"))
    return max((span for feature in windowed for span in spans(feature)[:2]), default=cells.NO_SPAN)


@dataclass(frozen=True)
class Places:
    """Where the cells of an entity stand, and those of each row of a log."""

    left: Coded
    right: Coded
    cells: Pair
    n_cells: int
    row_cell: NDArray[np.integer] | None
    """(n_rows,), where every row has one at most; else None."""

    @staticmethod
    def over(entity: Entity, data: Dataset, sides: Sides) -> Places:
        """The cells that the rows of ``data`` bring together."""
        left, right = sides.of(entity)
        found: Pair = NO_CELLS
        n_cells = left.n_codes * right.n_codes
        if n_cells > DENSE and left.n_codes > 1 and right.n_codes > 1:
            found = met(data, left, right)
            n_cells = len(found[1])
        return Places(left, right, found, n_cells, _row_cells(entity, data, left, right, found))


def _row_cells(entity: Entity, data: Dataset, left: Coded, right: Coded, found: Pair) -> NDArray[np.integer] | None:
    # The commonest entities need nothing: a row's cell is its user or its item.
    if (entity.user, entity.item) in ((OWN, None), (None, OWN)):
        return data.user_ix if entity.item is None else data.item_ix
    if left.single is None or right.single is None:
        return None
    user_code, item_code = left.single[data.user_ix], right.single[data.item_ix]
    out = np.empty(len(data), np.int64)
    cells.find_cells(user_code, item_code, right.n_codes, *found, out)
    return out


@dataclass
class Sweep:
    """A counter that goes over a log in order of time."""

    feature: Feature
    places: Places
    log: Log
    kinds: Masks
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    pointers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))

    @staticmethod
    def all_over(features: Iterable[Feature], data: Dataset, sides: Sides) -> Iterator[Sweep]:
        """Before the first row of ``data``, which is in order of time; entities that are alike share their places."""
        shared: dict[Entity, Places] = {}
        for feature in features:
            if feature.what not in COUNTED or feature.entity is None:
                continue
            if feature.entity not in shared:
                shared[feature.entity] = Places.over(feature.entity, data, sides)
            places = shared[feature.entity]
            a = np.full(places.n_cells, np.nan if feature.what in NEVER_WHILE_EMPTY else 0.0)
            b = np.zeros(places.n_cells, np.float64) if feature.what in TWO else a
            yield Sweep(feature, places, log_of(data), masks(feature, data.kinds), a, b)

    def run(self, start: int, stop: int, emit: NDArray[np.bool_], out: Floats) -> None:
        """What is told of each emitted row of ``start`` up to ``stop``; the runs follow one another."""
        if start < stop:
            self._sweep(start, stop, 0, emit, out)

    def count(self, until: int) -> None:
        """Count everything that was before ``until``; moments follow one another."""
        n = len(self.log[0])
        self._sweep(n, n, until, np.empty(0, np.bool_), np.empty(0, np.float32))

    def finish(self, until: int) -> Counter:
        """Everything that was before ``until`` counted."""
        self.count(until)
        return Counter.kept(self.feature, self.places.cells, self.a, self.b)

    def _sweep(self, start: int, stop: int, until: int, emit: NDArray[np.bool_], out: Floats) -> None:
        how, told = HOW[self.feature.what], spans(self.feature)
        run = (self.a, self.b, self.pointers, start, stop, until, emit, out)
        if self.places.row_cell is not None and how == cells.COUNT and not told[0] and start < stop:
            kind, _, at = self.log[2:]
            counted = (self.places.row_cell, self.kinds[0], kind, at, self.a, self.pointers)
            cells.sweep_counts(*counted, start, stop, emit, out)
            return
        if self.places.row_cell is not None:
            cells.sweep_single(how, *told, self.places.row_cell, *self.kinds, *self.log[2:], *run)
            return
        left, right = self.places.left, self.places.right
        sides = (left.indptr, left.codes), (right.indptr, right.codes), right.n_codes
        cells.sweep(how, *told, self.log, self.kinds, *sides, self.places.cells, *run)


@dataclass(frozen=True)
class Counter:
    """What is known of every cell as of a moment; see ``cells``."""

    feature: Feature
    cells: Pair
    a: NDArray[Any]
    b: NDArray[Any]

    @staticmethod
    def kept(feature: Feature, cells: Pair, a: NDArray[Any], b: NDArray[Any]) -> Counter:
        """The counter in little room where it is large: most users met most items a few times, if at all."""
        if not len(cells[1]) or feature.entity is None or feature.entity.user != OWN:
            return Counter(feature, cells, a, b)
        found = cells[0], smallest(cells[1])
        if feature.what != "count":
            return Counter(feature, found, a, b)
        counts = smallest(a)
        return Counter(feature, found, counts, counts)

    def read(self, asked: Asked, left: Coded, right: Coded) -> Floats:
        """What is told each asker of each item; (n_queries, n_among), or (n_queries, 1) where all items are alike."""
        queries = asked.queries
        own = self.feature.entity is not None and self.feature.entity.user == OWN
        first = asked.from_own if own else asked.from_others
        among = asked.among
        events = (queries.item_ix, queries.kind, queries.value, queries.at)
        if self.feature.of_asker:
            among = np.zeros((len(queries), 1), np.int32)
        span_a, span_b, scale = spans(self.feature)
        out = np.empty(among.shape, np.float32)
        cells.read(
            HOW[self.feature.what],
            span_a,
            span_b,
            scale,
            (left.indptr, left.codes),
            (right.indptr, right.codes),
            right.n_codes,
            self.cells,
            self.a,
            self.b,
            queries.moment,
            events,
            masks(self.feature, queries.kinds),
            first,
            queries.indptr,
            among,
            out,
        )
        return out

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the feature."""
        out: Arrays = {"indptr": self.cells[0], "cols": self.cells[1], "a": self.a}
        return out | {"b": self.b} if self.feature.what in TWO else out

    @staticmethod
    def restore(feature: Feature, arrays: Arrays) -> Counter:
        """The counter that ``arrays`` was made of."""
        plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
        return Counter.kept(feature, (plain["indptr"], plain["cols"]), plain["a"], plain.get("b", plain["a"]))


def smallest(numbers: NDArray[np.number]) -> NDArray[np.unsignedinteger]:
    """The same whole numbers, none below 0, in a byte or two each where that holds them, else in four."""
    highest = numbers.max(initial=0)
    kind = next((one for one in (np.uint8, np.uint16) if highest <= np.iinfo(one).max), np.uint32)
    return numbers.astype(kind, copy=False)


@dataclass(frozen=True)
class Asked:
    """Askers, the items they are told of, and which of their events the counters do not hold yet."""

    queries: Queries
    among: ItemRows
    """(n_queries, n_among), padded with -1."""
    from_own: NDArray[np.int64]
    """The first event of each asker that is not among the asker's own counters; shape (n_queries,)."""
    from_others: NDArray[np.int64]
    """The first that no counter holds."""

    @staticmethod
    def of(queries: Queries, among: ItemRows, until: int, alone: NDArray[np.bool_]) -> Asked:
        """Counters hold what was before ``until``; who is told from the history ``alone`` (n_queries,) has none."""
        begin = queries.indptr[:-1]
        before = np.bincount(queries.asker[queries.at < until], minlength=len(queries))
        later = (begin + before).astype(np.int64)
        return Asked(queries, among, np.where(alone, begin, later).astype(np.int64), later)


def met(data: Dataset, left: Coded, right: Coded) -> Pair:
    """The pairs of codes that any event brought together: (indptr, cols), cols ascending."""
    sides = (left.indptr, left.codes), (right.indptr, right.codes)
    size = np.zeros(left.n_codes, np.int64)
    rows = (data.user_ix, data.item_ix, *sides)
    cells.count_pairs(*rows, size, np.empty(0, np.int32))
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    cols = np.empty(indptr[-1], np.int32)
    if len(cols):
        cells.count_pairs(*rows, indptr[:-1].copy(), cols)
        cols = cols[: cells.each_once(indptr, cols)].copy()
    return indptr, cols
