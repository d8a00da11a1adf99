"""When a request is sent again, and after how long."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from serendip.client.call import Answer, Call, Pause, nothing
from serendip.client.errors import Refused, Unreachable, refusal

T = TypeVar("T")

TOO_MANY = 429
LATER = frozenset({408, TOO_MANY, 502, 503, 504})
"""Statuses after which the same request may succeed."""


@dataclass(frozen=True)
class Retries:
    """How often, and with which pauses: exponential back-off with full jitter."""

    n_attempts: int = 6
    """The first one counts; 1: nothing is sent again."""
    first_seconds: float = 0.25
    """The first pause is somewhere from 0 to this; each further one reaches twice as far."""
    longest_seconds: float = 20.0
    """No pause is longer, but for one that the server asks for."""

    def pause_seconds(self, attempt: int, chance: float) -> float:
        """The pause after ``attempt`` (from 1); ``chance`` is from 0 to 1."""
        # 2 ** 30 first pauses are beyond any longest one; larger exponents would only overflow.
        reach: float = self.first_seconds * 2 ** min(attempt - 1, 30)
        return chance * min(self.longest_seconds, reach)


@dataclass(frozen=True)
class Send:
    """One attempt."""

    call: Call[Any]
    seconds: float
    """It must be over within this long."""


@dataclass(frozen=True)
class Lost:
    """An attempt without an answer."""

    reason: str
    left: bool
    """The request may have reached the server."""
    hopeless: bool = False
    """It would fail in the same way again."""


def attempts(
    call: Call[T],
    retries: Retries,
    attempt_seconds: float,
    deadline_seconds: float,
    clock: Callable[[], float],
    chance: Callable[[], float],
) -> Generator[Send | Pause, Any, T]:
    """Send ``call`` until it is answered, until sending it again is no use, or until its time is up."""
    until = clock() + deadline_seconds
    unsure = False
    for attempt in count(1):
        left = until - clock()
        sent = call.repetition if unsure else call
        outcome: Answer | Lost = yield Send(sent, min(attempt_seconds, left))
        if isinstance(outcome, Answer):
            gone = unsure and outcome.status == 404 and call.method == "DELETE" and call.read is nothing
            # An earlier attempt, of which nothing was heard, may have done it already.
            if 200 <= outcome.status < 300 or gone:
                return call.read(outcome)
        unsure = unsure or not _unheard(outcome)
        error = _error(call, outcome, attempt)
        pause = retries.pause_seconds(attempt, chance())
        if isinstance(error, Refused) and error.retry_after_seconds is not None:
            pause = error.retry_after_seconds
        if attempt >= retries.n_attempts or not _again(call, outcome) or clock() + pause >= until:
            raise error
        yield Pause(pause)
    raise AssertionError("count() does not end")


def _unheard(outcome: Answer | Lost) -> bool:
    """Whether the request was surely not carried out."""
    return outcome.status == TOO_MANY if isinstance(outcome, Answer) else not outcome.left


def _again(call: Call[Any], outcome: Answer | Lost) -> bool:
    """Whether to send it once more: what was surely not carried out, and otherwise what does no harm twice."""
    if isinstance(outcome, Answer):
        return outcome.status in LATER and (call.repeatable or _unheard(outcome))
    return not outcome.hopeless and (call.repeatable or _unheard(outcome))


def _error(call: Call[Any], outcome: Answer | Lost, attempt: int) -> Refused | Unreachable:
    error: Refused | Unreachable
    if isinstance(outcome, Answer):
        error = refusal(outcome.status, outcome.headers, outcome.content)
    else:
        error = Unreachable(
            f"no answer to {call.method} {call.path} after {attempt} attempt{'s' if attempt > 1 else ''}:"
            f" {outcome.reason}; see whether the server runs and the address is right"
        )
    error.add_note(f"asked with {call.method} {call.path} ({call.operation})")
    return error
