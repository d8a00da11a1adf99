"""What can go wrong between a program and the server, as errors that a program can tell apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from serendip import domain
from serendip.domain import SerendipError


@dataclass(frozen=True)
class Fault:
    """A field that was refused, and why."""

    field: str | None
    reason: str
    index: int | None = None
    """The row of a batch, from 0."""


class Refused(SerendipError):
    """The server answered, and said no; the message is the server's own."""

    def __init__(
        self,
        detail: str,
        status: int = 500,
        errors: Sequence[Fault] = (),
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.errors = tuple(errors)
        self.field = errors[0].field if errors else None
        """The first field at fault."""
        self.request_id = request_id
        """Under this the server's log tells more."""
        self.retry_after_seconds = retry_after_seconds


class Invalid(Refused, domain.Invalid):
    """What was sent cannot be accepted as it is; ``errors`` names the fields."""


class Unauthorized(Refused):
    """No key, or one that is not known, has expired or was revoked."""


class Forbidden(Refused):
    """The key's scopes do not reach this far."""


class NotFound(Refused, domain.NotFound):
    """What was asked for does not exist."""


class Conflict(Refused, domain.Conflict):
    """What was sent contradicts what is kept."""


class PreconditionFailed(Conflict):
    """What was to be changed has changed since it was read; read it again."""


class TooMany(Refused):
    """More requests than the server allows; ``retry_after_seconds`` says when to ask again."""


class NotReady(Refused, domain.NotReady):
    """It would work later, or after a step that the message names."""


class Unreachable(domain.NotReady):
    """No answer came, as often as was tried in the time there was; what was sent may have been carried out."""


class Unfinished(domain.NotReady):
    """What was waited for is not over yet."""


class Unexpected(SerendipError):
    """An answer came that is not one of this API."""


BY_STATUS: Mapping[int, type[Refused]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    408: NotReady,
    409: Conflict,
    412: PreconditionFailed,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooMany,
    502: NotReady,
    503: NotReady,
    504: NotReady,
}


def refusal(status: int, headers: Mapping[str, str], content: bytes) -> Refused:
    """The error that an answer with this status deserves; problem details are read where there are any."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    detail = told.get("detail") or told.get("error")
    if not isinstance(detail, str) or not detail:
        detail = f"the server answered {status}: {content[:200].decode(errors='replace') or 'nothing more'}"
    listed = told.get("errors")
    faults = [
        Fault(entry.get("field"), str(entry.get("reason")), entry.get("index"))
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]
    request_id = told.get("request_id") or headers.get("x-request-id")
    return BY_STATUS.get(status, Refused)(detail, status, faults, request_id, retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as seconds or as a date; a date is held against the server's own."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.isdecimal():
        return float(said)
    then = _date(said)
    if then is None:
        return None
    return max(0.0, (then - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
