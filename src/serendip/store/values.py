"""How values are kept: JSON as text, moments as microseconds, cursors of pages; and what cannot be kept."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from serendip.domain import Invalid, micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A stretch of a list, and how to ask for the next one."""

    records: list[T]
    next: str | None
    """Hand this back as ``after`` (or ``before``); none: this was the last page."""
    total: int | None
    """Records on all pages together; none where counting them would cost more than the page."""


def kept_json(value: Any, what: str) -> str:
    """``value`` as canonical JSON text: equal values give equal text."""
    try:
        made = json.dumps(
            value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
        )
        made.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"the {what} cannot be kept as JSON: {error}; send plain JSON values", field=what) from None
    return made


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def kept_mapping(value: Mapping[str, Any] | None, what: str) -> str | None:
    """A mapping's JSON, or none where there is nothing in it to keep."""
    return kept_json(value, what) if value else None


def mapping(text: str | None) -> dict[str, Any]:
    """What ``kept_mapping`` kept."""
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def kept_text(value: str | None, what: str) -> str | None:
    """``value`` if both databases can keep it unchanged."""
    if value is None:
        return None
    if "\0" in value:
        raise Invalid(f"the {what} holds a NUL character; remove it", field=what)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the {what} holds half a surrogate pair; send valid Unicode", field=what) from None
    return value


def kept_moment(value: datetime | None, what: str) -> int | None:
    """Microseconds of a moment that says its time zone."""
    return None if value is None else sure_moment(value, what)


def sure_moment(value: datetime, what: str = "at") -> int:
    """Microseconds of a moment that must be there and say its time zone."""
    try:
        return micros(value)
    except (TypeError, AttributeError):
        raise Invalid(f"the moment {value!r} has no time zone; send one", field=what) from None


def aware(us: int) -> datetime:
    """The moment of ``us``; what ``domain.moment`` gives, at a third of its cost, for long histories."""
    return _EPOCH + timedelta(0, 0, us)


def aware_or_none(us: int | None) -> datetime | None:
    """The moment of ``us``, where there is one."""
    return None if us is None else aware(us)


def searchable(*texts: str | None) -> str:
    """What a search looks at: the texts there are, case-folded, one a line."""
    return "\n".join(text for text in texts if text).casefold()


def key_digest(key: str) -> bytes:
    """The 16 bytes under which an idempotency key is kept."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def cursor(*place: object) -> str:
    """An opaque word for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place(word: str, *types: type) -> Sequence[Any]:
    """The place that ``cursor`` made ``word`` of."""
    try:
        found = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or [type(part) for part in found] != list(types):
        raise Invalid(f"{word!r} is no cursor of ours; send back what the last page gave, unchanged", field="after")
    return found
