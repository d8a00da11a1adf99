"""Counters as they were at the starts of past days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from serendip.data.features.counters import NEVER_WHILE_EMPTY, TWO, Counter, Sweep
from serendip.data.features.definition import OWN, Entity, Feature
from serendip.data.past import BEFORE_ALL, MOST_CHANGES, Horizon, Noted, Numbers, Past
from serendip.data.vocabulary import Arrays

T = TypeVar("T")


@dataclass(frozen=True)
class Earlier:
    """What counters held at the start of each day of a horizon, but those of users, who are told by their histories."""

    horizon: Horizon
    parts: tuple[Past, ...] = ()
    """One an entity, in the order of their first counters."""

    @staticmethod
    def counted(sweeps: Sequence[Sweep], horizon: Horizon) -> tuple[tuple[Counter, ...], Earlier]:
        """The counters as of the end of the horizon, and as they were at its starts; ``sweeps`` stand at the first row.

        Where ``MOST_CHANGES`` would be exceeded, the first days are left out.
        """
        shared = [sweep for sweep in sweeps if _shared(sweep.feature)]
        noted = {
            entity: Noted([column for sweep in own for column in columns_of(sweep.feature, sweep.a, sweep.b)])
            for entity, own in _by_entity(shared, [sweep.feature for sweep in shared]).items()
        }
        n_forgotten = 0
        for place, start in enumerate(horizon.starts.tolist()):
            for sweep in shared:
                sweep.count(start)
            for one in noted.values():
                one.note()
            while place > n_forgotten and sum(one.size for one in noted.values()) > MOST_CHANGES:
                n_forgotten += 1
                for one in noted.values():
                    one.forget_first()
        counters = tuple(sweep.finish(horizon.until) for sweep in sweeps)
        return counters, Earlier(horizon.since(n_forgotten), tuple(one.past() for one in noted.values()))

    def counters(self, latest: Sequence[Counter], place: int) -> tuple[Counter, ...]:
        """The counters at the start ``place``, or before all; those of users stay as they are."""
        then = list(latest)
        shared = [i for i, counter in enumerate(latest) if _shared(counter.feature)]
        groups = _by_entity(shared, [latest[i].feature for i in shared]).values()
        for past, group in zip(self.parts if place != BEFORE_ALL else [None] * len(groups), groups, strict=True):
            columns = [column for i in group for column in columns_of(latest[i].feature, latest[i].a, latest[i].b)]
            told = iter([] if past is None else past.columns(place, columns))
            for i in group:
                feature, a, b = latest[i].feature, latest[i].a, latest[i].b
                if past is None:
                    then_a, then_b = np.full(len(a), _nothing(feature)), np.zeros(len(b))
                elif feature.what == "age":
                    then_a = then_b = np.where(a < self.horizon.starts[place], a, np.nan)
                else:
                    then_a = next(told)
                    then_b = next(told) if feature.what in TWO else then_a
                # Kernels are compiled for arrays that may be written, or for those that may not.
                then_a.flags.writeable = then_b.flags.writeable = a.flags.writeable
                then[i] = replace(latest[i], a=then_a, b=then_b if feature.what in TWO else then_a)
        return tuple(then)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs."""
        parts: Mapping[str, Arrays] = {"horizon": self.horizon.arrays()} | {
            f"past.{i}": past.arrays() for i, past in enumerate(self.parts)
        }
        return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    @staticmethod
    def restore(arrays: Arrays) -> Earlier:
        """What ``arrays`` was made of."""

        def part(name: str) -> Arrays:
            mark = f"{name}/"
            return {key.removeprefix(mark): array for key, array in arrays.items() if key.startswith(mark)}

        n_parts = sum(key.endswith("/which") for key in arrays)
        return Earlier(Horizon.restore(part("horizon")), tuple(Past.restore(part(f"past.{i}")) for i in range(n_parts)))


def columns_of(feature: Feature, a: Numbers, b: Numbers) -> list[Numbers]:
    """What of a counter has to be written down as it changes; first events tell by themselves when they were."""
    if feature.what == "age":
        return []
    return [a, b] if feature.what in TWO else [a]


def _shared(feature: Feature) -> bool:
    return feature.entity is not None and feature.entity.user != OWN


def _nothing(feature: Feature) -> float:
    return np.nan if feature.what in NEVER_WHILE_EMPTY else 0.0


def _by_entity(things: Sequence[T], features: Sequence[Feature]) -> dict[Entity, list[T]]:
    """``things`` by the entities of their ``features``, in the order of these."""
    out: dict[Entity, list[T]] = {}
    for thing, feature in zip(things, features, strict=True):
        assert feature.entity is not None, "a counter counts somebody's events"
        out.setdefault(feature.entity, []).append(thing)
    return out
