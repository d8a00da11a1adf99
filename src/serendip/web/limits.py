"""How often somebody may ask, and how often somebody may try to sign in. Kept in this process's memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

from starlette.types import Scope

from serendip.web.problems import Refused

MOST_KNOWN = 20_000
"""Askers that are remembered; beyond, those longest unseen are forgotten."""

TRIES_PER_NAME = 10
TRIES_PER_ADDRESS = 30
"""Several people may sit behind one address."""
WINDOW_SECONDS = 15 * 60.0

Ticks = Callable[[], float]


def address_of(scope: Scope) -> str:
    """Where a request comes from; of IPv6 the network, since one person has as many addresses as they like."""
    client = scope.get("client")
    host = str(client[0]) if client else "unknown"
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if found.version == 4:
        return host
    return str(ipaddress.ip_network((found, 64), strict=False))


def too_many(detail: str, seconds: float) -> Refused:
    """429, and when to come again."""
    return Refused(429, f"{detail}; try again in {ceil(seconds)} s", {"Retry-After": str(ceil(seconds))})


class Rate:
    """A bucket for each asker that fills with ``per_second`` and holds one second's worth, at least one request."""

    def __init__(self, per_second: float, ticks: Ticks = monotonic) -> None:
        self.per_second, self.ticks = per_second, ticks
        self.holds = max(1.0, per_second)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, asker: str) -> None:
        """One request of ``asker``, or 429."""
        if not self.per_second:
            return
        now = self.ticks()
        left, at = self._left.pop(asker, (self.holds, now))
        left = min(self.holds, left + (now - at) * self.per_second)
        self._left[asker] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        if left < 1.0:
            raise too_many(f"more than {self.per_second:g} requests a second", (1.0 - left) / self.per_second)


class Attempts:
    """Counts tries to sign in by name and by address; a try that succeeds is taken back."""

    def __init__(self, ticks: Ticks = monotonic) -> None:
        self.ticks = ticks
        self._tries: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def begin(self, address: str, name: str | None = None) -> None:
        """Count a try before it is looked at, so that many at once are many; 429 where there were too many."""
        now = self.ticks()
        counted = [(("address", address), TRIES_PER_ADDRESS)]
        if name is not None:
            counted.append((("name", name), TRIES_PER_NAME))
        for what, most in counted:
            recent = self._recent(what, now)
            if len(recent) >= most:
                raise too_many("too many tries to sign in", recent[0] + WINDOW_SECONDS - now)
        for what, _ in counted:
            self._tries.setdefault(what, []).append(now)
            self._tries.move_to_end(what)
        while len(self._tries) > MOST_KNOWN:
            self._tries.popitem(last=False)

    def succeeded(self, address: str, name: str | None = None) -> None:
        """The last try was a good one; what was tried for this name before is forgotten."""
        tries = self._tries.get(("address", address))
        if tries:
            tries.pop()
        if name is not None:
            self._tries.pop(("name", name), None)

    def _recent(self, what: tuple[str, str], now: float) -> list[float]:
        recent = [at for at in self._tries.get(what, ()) if now - at < WINDOW_SECONDS]
        if recent:
            self._tries[what] = recent
        else:
            self._tries.pop(what, None)
        return recent
