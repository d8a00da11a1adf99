"""When something is due again and again: a cron line, or ``every 15m``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from serendip.domain import Invalid

_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_EVERY = re.compile(r"every\s+(\d{1,6})\s*([a-z]+)", re.IGNORECASE)
EXAMPLES = "write 'every 15m' (m, h, d) or a cron line such as '0 3 * * *' (three in the morning, UTC)"


@dataclass(frozen=True)
class Schedule:
    """One that was understood."""

    text: str
    every: timedelta | None
    """None: a cron line."""

    def first(self, now: datetime) -> datetime:
        """When a row that is new is due: at once where it is ``every``, else at the line's next moment."""
        return now if self.every is not None else self.after(now, now)

    def after(self, due: datetime, now: datetime) -> datetime:
        """The first moment behind ``now``, in step with ``due``; turns that were missed are not made up for."""
        if self.every is not None:
            missed = max(0, (now - due) // self.every)
            return due + (missed + 1) * self.every
        from cronsim import CronSim

        found: datetime = next(CronSim(self.text, now))
        return found


def parse_schedule(text: str, field: str = "schedule") -> Schedule:
    """What ``text`` says; moments are UTC."""
    plain = " ".join(text.split())
    every = _EVERY.fullmatch(plain)
    if every is not None:
        amount, unit = int(every[1]), every[2].lower()
        if unit not in _UNITS or not amount:
            raise Invalid(f"the schedule {text!r} is no length of time; {EXAMPLES}", field=field)
        return Schedule(plain, timedelta(seconds=amount * _UNITS[unit]))
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(plain, datetime(2026, 1, 1)))  # noqa: DTZ001  (only to see that it has a moment at all)
    except CronSimError as error:
        raise Invalid(f"the schedule {text!r} cannot be read ({error}); {EXAMPLES}", field=field) from None
    except StopIteration:
        raise Invalid(f"the schedule {text!r} never comes; {EXAMPLES}", field=field) from None
    return Schedule(plain, None)
