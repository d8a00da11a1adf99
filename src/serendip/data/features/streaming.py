"""Features of a log that comes in pieces and is never held as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import Dataset
from serendip.data.features.cells import NO_SPAN, sweep_counts_together
from serendip.data.features.coded import Coded
from serendip.data.features.counters import DENSE, Log, Places, Sides, Sweep, log_of, masks, spans
from serendip.data.features.definition import COUNTED, OWN, Entity, Feature
from serendip.data.lists import Floats
from serendip.domain import Invalid, moment


class Stream:
    """Counters of users and items over pieces of one log, in order of time: memory is that of a piece.

    Counters without a window, whose entities are users, items or everybody. ``n_threads`` of them are at work at once.
    """

    def __init__(self, definitions: Sequence[Feature], n_users: int, n_items: int, n_threads: int = 1) -> None:
        users = {None: Coded.one(n_users), OWN: Coded.rows(np.arange(n_users), n_users)}
        items = {None: Coded.one(n_items), OWN: Coded.rows(np.arange(n_items), n_items)}
        self._sides = Sides(users, items)
        self._definitions = tuple(definitions)
        for feature in self._definitions:
            _check(feature, n_users * n_items)
        self._parts: list[_Part] = []
        self._threads = ThreadPoolExecutor(n_threads)
        self._piece: Dataset | None = None
        self._n_before = 0

    def rows(self, piece: Dataset) -> Floats:
        """The features of the rows of the next piece, float32 (n_rows, n_features).

        Rows of one moment do not see each other, also where a piece ends between them. A row out of order is refused,
        and the stream then stands where it stood.
        """
        out = np.empty((len(self._definitions), len(piece)), np.float32)
        if not len(piece):
            return out.T
        self._check_order(piece)
        whole, n_told = self._joined(piece)
        if not self._parts:
            self._parts = list(_parts(self._definitions, whole, self._sides))
        shared = {entity: Places.over(entity, whole, self._sides) for entity in {part.entity for part in self._parts}}
        ends = None if self._piece is None or whole is not piece else int(whole.at[0])  # type: ignore[index]

        def run(part: _Part) -> None:
            if ends is not None:
                part.finish(ends)
            part.begin(log_of(whole), shared[part.entity])
            part.run(n_told, len(whole), out)

        list(self._threads.map(run, self._parts))
        self._piece, self._n_before = whole, self._n_before + len(piece)
        return out.T

    def _joined(self, piece: Dataset) -> tuple[Dataset, int]:
        """The piece, after the rows of its first moment that were told already; and how many they are."""
        before = self._piece
        if before is None or before.at is None or piece.at is None or before.at[-1] < piece.at[0]:
            return piece, 0
        # Those before them were counted when this moment was met.
        tail = before.take(slice(int(np.searchsorted(before.at, before.at[-1])), None))
        names = ("user_ix", "item_ix", "weight", "kind", "value", "at")
        columns: dict[str, Any] = {name: np.concatenate([getattr(tail, name), getattr(piece, name)]) for name in names}
        return replace(piece, **columns), len(tail)

    def _check_order(self, piece: Dataset) -> None:
        if piece.at is None:
            raise Invalid("a log without moments has no order of time; give it moments", field="at")
        last: NDArray[np.int64] = piece.at[:1] if self._piece is None or self._piece.at is None else self._piece.at[-1:]
        steps = np.diff(piece.at, prepend=last)
        if (steps < 0).any():
            row = int(np.argmax(steps < 0))
            raise Invalid(
                f"row {self._n_before + row} (from 0) is of {moment(int(piece.at[row])).isoformat()}, before the row "
                "above it; sort the log by time",
                field="at",
            )


class _Part(Protocol):
    """Some of the features, which are counted together."""

    entity: Entity

    def begin(self, log: Log, places: Places) -> None: ...

    def run(self, start: int, stop: int, out: Floats) -> None: ...

    def finish(self, until: int) -> object: ...


@dataclass
class _Counts:
    """Counts of one entity, side by side."""

    entity: Entity
    positions: list[int]
    counts: NDArray[np.int32]
    """1 where a kind is counted; (n_kinds, n_features)."""
    a: NDArray[np.int32]
    """(n_cells, n_features)."""
    log: Log
    places: Places
    pointers: NDArray[np.int64]

    def begin(self, log: Log, places: Places) -> None:
        self.log, self.places, self.pointers = log, places, np.zeros(1, np.int64)

    def run(self, start: int, stop: int, out: Floats) -> None:
        told = np.empty((len(self.positions), stop - start), np.float32)
        self._sweep(start, stop, 0, told)
        out[self.positions] = told

    def finish(self, until: int) -> None:
        n = len(self.log[0])
        self._sweep(n, n, until, np.empty((0, 0), np.float32))

    def _sweep(self, start: int, stop: int, until: int, told: Floats) -> None:
        _, _, kind, _, at = self.log
        rows = (self.places.row_cell, self.counts, kind, at, self.a)
        sweep_counts_together(*rows, self.pointers, start, stop, until, told)


@dataclass
class _Other:
    """One feature of another sort."""

    entity: Entity
    position: int
    sweep: Sweep

    def begin(self, log: Log, places: Places) -> None:
        self.sweep.log, self.sweep.places, self.sweep.pointers = log, places, np.zeros(3, np.int64)

    def run(self, start: int, stop: int, out: Floats) -> None:
        self.sweep.run(start, stop, np.ones(stop - start, np.bool_), out[self.position])

    def finish(self, until: int) -> None:
        self.sweep.finish(until)


def _parts(definitions: Sequence[Feature], data: Dataset, sides: Sides) -> Iterator[_Part]:
    """The features in parts, before the first row of ``data``."""
    plain: dict[Entity, list[int]] = {}
    for position, sweep in enumerate(Sweep.all_over(definitions, data, sides)):
        entity = sweep.feature.entity
        assert entity is not None
        if sweep.feature.what == "count":
            plain.setdefault(entity, []).append(position)
        else:
            yield _Other(entity, position, sweep)
    for entity, positions in plain.items():
        counts = np.stack([masks(definitions[position], data.kinds)[0] for position in positions], axis=1)
        places = Places.over(entity, data, sides)
        a = np.zeros((places.n_cells, len(positions)), np.int32)
        yield _Counts(entity, positions, counts.astype(np.int32), a, log_of(data), places, np.zeros(1, np.int64))


def _check(feature: Feature, n_pairs: int) -> None:
    if feature.what not in COUNTED or feature.entity is None:
        raise Invalid(f"{feature.text} is no counter; a stream tells counters of users and items", field="features")
    sides = (feature.entity.user, feature.entity.item)
    if any(side not in (None, OWN) for side in sides) or (None not in sides and n_pairs > DENSE):
        raise Invalid(f"{feature.text}: a stream counts by user, by item or over all", field="features")
    if feature.what != "decayed" and spans(feature)[0] != NO_SPAN:
        raise Invalid(f"{feature.text}: a stream has forgotten what leaves a window; name no window", field="features")
