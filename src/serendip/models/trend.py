"""Recent popularity as it was at the starts of past days."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from serendip.data import DAY, Arrays, Dataset, Floats
from serendip.data.dataset import replaced_at
from serendip.data.past import ALWAYS, MOST_CHANGES, Horizon, Noted, Numbers, Past
from serendip.models.popularity import PopularityConfig, faded_at

MOST_HALVINGS = 1000
"""Weights that faded more often than this are no numbers any more."""


@dataclass(frozen=True)
class Trend:
    """What ``popularity`` would have learnt at the start of each day of a horizon.

    Weights are faded as of one moment, so that they stay as they are while time goes on.
    """

    config: PopularityConfig
    horizon: Horizon
    past: Past
    inside: Numbers
    """Of each item, the weights within the window at the horizon's end; shape (n_items,)."""
    older: Numbers
    """Those before the window."""
    smallest: NDArray[np.float64]
    """The smallest weight within the window at each start, not above 1; shape (n_starts,)."""
    faded_at: int
    """The moment as of which weights are faded."""

    @staticmethod
    def of(config: PopularityConfig, log: Dataset, days: float) -> Trend:
        """The last ``days`` of ``log``, which is in order of time; fewer where they would exceed ``MOST_CHANGES``."""
        assert log.at is not None, "data without moments knows no before"
        if config.half_life_days is not None:
            days = min(days, MOST_HALVINGS * config.half_life_days)
        horizon = Horizon.of(log.at, log.now, days, ceil((config.window_days or 0) * DAY))
        sums = _Sums.of(config, log)
        noted = Noted([sums.inside, sums.older])
        smallest: list[float] = []
        n_forgotten = 0
        for place, start in enumerate(horizon.starts.tolist()):
            smallest.append(sums.go_on(start))
            noted.note()
            while place > n_forgotten and noted.size > MOST_CHANGES:
                noted.forget_first()
                n_forgotten += 1
        sums.go_on(log.now)
        kept = np.array(smallest[n_forgotten:])
        told = noted.past(), sums.inside, sums.older, kept, faded_at(config, log)
        return Trend(config, horizon.since(n_forgotten), *told)

    def totals(self, place: int) -> Floats:
        """What each item's total was at the start ``place``; shape (n_items,)."""
        inside, older = self.past.columns(place, [self.inside, self.older])
        scale = 1.0
        if self.config.half_life_days is not None:
            days = (self.faded_at - int(self.horizon.starts[place])) / DAY
            scale = 2.0 ** (max(0.0, days) / self.config.half_life_days)
        inside, older = inside * scale, older * scale
        share = 0.5 * min(1.0, self.smallest[place] * scale) / older.max() if older.any() else 0.0
        return np.asarray(inside + older * share, np.float32)

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config."""
        plain: Arrays = {"inside": _short(self.inside), "older": _short(self.older), "smallest": self.smallest}
        plain["faded"] = np.array([self.faded_at], np.int64)
        plain |= {f"horizon/{name}": array for name, array in self.horizon.arrays().items()}
        return plain | {f"past/{name}": array for name, array in self.past.arrays().items()}

    @staticmethod
    def restore(config: PopularityConfig, arrays: Arrays) -> Trend:
        """What ``arrays`` was made of."""

        def part(name: str) -> Arrays:
            mark = f"{name}/"
            return {key.removeprefix(mark): array for key, array in arrays.items() if key.startswith(mark)}

        inside, older, smallest = (np.asarray(arrays[name], np.float64) for name in ("inside", "older", "smallest"))
        past, faded = Past.restore(part("past")), int(np.asarray(arrays["faded"])[0])
        return Trend(config, Horizon.restore(part("horizon")), past, inside, older, smallest, faded)


@dataclass
class _Sums:
    """Sums over a log as time goes on."""

    config: PopularityConfig
    log: Dataset
    weight: NDArray[np.float64]
    """Faded as of the log's end; shape (n,)."""
    replaced: NDArray[np.int64] | None
    """When each event was replaced by a newer one; None where none is."""
    inside: Numbers
    older: Numbers
    begin: int = 0
    """The first event within the window,"""
    end: int = 0
    """and the first that has not happened yet."""

    @staticmethod
    def of(config: PopularityConfig, log: Dataset) -> _Sums:
        assert log.at is not None, "data without moments knows no before"
        weight = log.weight.astype(np.float64)
        if config.half_life_days is not None:
            weight = weight * 0.5 ** ((faded_at(config, log) - log.at) / DAY / config.half_life_days)
        replaced = replaced_at(log) if any(kind.mode == "latest" for kind in log.kinds) else None
        return _Sums(config, log, weight, replaced, np.zeros(log.n_items), np.zeros(log.n_items))

    def go_on(self, moment: int) -> float:
        """Sum up what was before ``moment``, which is later than the last; the smallest weight inside, at most 1."""
        at, window = self.log.at, self.config.window_days
        assert at is not None
        begin = 0 if window is None else int(np.searchsorted(at, max(ALWAYS, ceil(moment - window * DAY))))
        end = int(np.searchsorted(at, moment))
        if window is None and self.replaced is None:
            self.inside += self._sum(self.end, end, moment)
        else:
            self.inside[:] = self._sum(begin, end, moment)
        if self.replaced is None:
            self.older += self._sum(self.begin, begin, moment)
        else:
            self.older[:] = self._sum(0, begin, moment)
        self.begin, self.end = begin, end
        if window is None:
            return 1.0
        own = self._counted(begin, end, moment)
        return float(own.min(initial=1.0, where=own > 0))

    def _counted(self, start: int, stop: int, moment: int) -> NDArray[np.float64]:
        """The weights of events from ``start`` up to ``stop``, 0 where a newer one had replaced it."""
        own = self.weight[start:stop]
        return own if self.replaced is None else np.where(self.replaced[start:stop] >= moment, own, 0)

    def _sum(self, start: int, stop: int, moment: int) -> Numbers:
        own = self._counted(start, stop, moment)
        found = np.bincount(self.log.item_ix[start:stop], own, minlength=self.log.n_items)
        return np.asarray(found, np.float64)


def _short(numbers: Numbers) -> NDArray[np.floating]:
    """The same in half the room, where nothing is lost by it."""
    single = numbers.astype(np.float32)
    return single if np.array_equal(single, numbers) else numbers
