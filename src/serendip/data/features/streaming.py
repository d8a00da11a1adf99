"""Features of a log that comes in pieces and is never held as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip.data.dataset import Dataset
from serendip.data.features.cells import NO_SPAN
from serendip.data.features.coded import Coded
from serendip.data.features.counters import DENSE, Places, Sides, Sweep, log_of, spans
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
        self._sweeps: list[Sweep] = []
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
        if not self._sweeps:
            self._sweeps = list(Sweep.all_over(self._definitions, whole, self._sides))
        emit = np.ones(len(piece), np.bool_)
        shared = {entity: Places.over(entity, whole, self._sides) for entity in self._entities}

        def run(place: int) -> None:
            sweep, feature = self._sweeps[place], self._definitions[place]
            assert feature.entity is not None
            if self._piece is not None and whole is piece:
                sweep.finish(int(whole.at[0]))  # type: ignore[index]
            sweep.log, sweep.places = log_of(whole), shared[feature.entity]
            sweep.pointers[:] = 0
            sweep.run(n_told, len(whole), emit, out[place])

        list(self._threads.map(run, range(len(self._definitions))))
        self._piece, self._n_before = whole, self._n_before + len(piece)
        return out.T

    @property
    def _entities(self) -> set[Entity]:
        return {feature.entity for feature in self._definitions if feature.entity is not None}

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


def _check(feature: Feature, n_pairs: int) -> None:
    if feature.what not in COUNTED or feature.entity is None:
        raise Invalid(f"{feature.text} is no counter; a stream tells counters of users and items", field="features")
    sides = (feature.entity.user, feature.entity.item)
    if any(side not in (None, OWN) for side in sides) or (None not in sides and n_pairs > DENSE):
        raise Invalid(f"{feature.text}: a stream counts by user, by item or over all", field="features")
    if feature.what != "decayed" and spans(feature)[0] != NO_SPAN:
        raise Invalid(f"{feature.text}: a stream has forgotten what leaves a window; name no window", field="features")
