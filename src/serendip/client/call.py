"""One request and its answer, described: nothing here is sent, so that waiting and not waiting share every word."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from serendip.client.errors import Unexpected
from serendip.domain import Invalid, checked_id

T = TypeVar("T")

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that do the same however often they are sent."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request of the API, and how its answer is read."""

    operation: str
    """The operation's name in the OpenAPI document."""
    method: str
    template: str
    """The address with its parts in braces, as the OpenAPI document writes it."""
    read: Callable[[Answer], T]
    parts: Mapping[str, str] = field(default_factory=dict)
    """Values of the parts in braces."""
    query: Mapping[str, Any] = field(default_factory=dict)
    """What is None is left out."""
    body: Any = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """What is None is left out."""
    harmless: bool = False
    """A POST that may be sent again: it changes nothing, or carries an idempotency key."""
    repeated_with: Mapping[str, str] = field(default_factory=dict)
    """Headers that make a repetition harmless; sent with one only, after an answer that was lost."""

    @property
    def path(self) -> str:
        """The address, each part escaped into one segment, whatever characters an id has; Invalid where it is no id."""
        path = self.template
        for name, value in self.parts.items():
            # A segment of dots only would be taken for a step up the path.
            escaped = quote(checked_id(value, name), safe="")
            path = path.replace(f"{{{name}}}", escaped.replace(".", "%2E") if not escaped.strip(".") else escaped)
        return path

    @property
    def sent_query(self) -> dict[str, str | list[str]]:
        """The query as text; a list is said once for each of its values."""
        return {
            name: [_text(one) for one in value] if isinstance(value, list) else _text(value)
            for name, value in self.query.items()
            if value is not None
        }

    @property
    def sent_headers(self) -> dict[str, str]:
        """Headers of this request."""
        given = {name: value for name, value in self.headers.items() if value is not None}
        return given if self.body is None else {"Content-Type": "application/json", **given}

    @property
    def content(self) -> bytes | None:
        """The body as JSON."""
        return None if self.body is None else encoded(self.body)

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again although the first one may have been carried out."""
        conditional = any(self.headers.get(name) for name in ("If-Match", "If-None-Match"))
        return self.harmless or bool(self.repeated_with) or (self.method in REPEATABLE and not conditional)

    @property
    def repetition(self) -> Call[T]:
        """The same request, said to be a repetition."""
        return replace(self, headers={**self.headers, **self.repeated_with})


@dataclass(frozen=True)
class Page(Generic[T]):
    """A stretch of a list."""

    records: tuple[T, ...]
    more: Mapping[str, Any] | None
    """What the query says for the next stretch; none: this is the last."""


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that comes in pages."""

    first: Call[Page[T]]

    def after(self, page: Page[T]) -> Call[Page[T]] | None:
        """The request for the page after ``page``."""
        if page.more is None:
            return None
        return replace(self.first, query={**self.first.query, **page.more})


@dataclass(frozen=True)
class Pause:
    """Time to let pass; what comes back is the client's clock after it, in seconds."""

    seconds: float


Talk = Generator[Call[Any] | Pause, Any, T]
"""Several requests in turn: yields what is to be sent, is given what came back, returns the outcome."""


def reads(kind: type[T]) -> Callable[[Answer], T]:
    """Reads an answer in JSON as ``kind``; a field ``etag`` is filled from the header."""
    adapter: TypeAdapter[T] = TypeAdapter(kind)
    tagged = isinstance(kind, type) and issubclass(kind, BaseModel) and "etag" in kind.model_fields

    def read(answer: Answer) -> T:
        content = parsed(answer)
        if tagged and isinstance(content, dict):
            content = {**content, "etag": answer.headers.get("etag")}
        return validated(adapter, content)

    return read


def reads_rows(kind: type[T], name: str) -> Callable[[Answer], Page[T]]:
    """Reads a page of our API: rows under ``name``, and in ``next`` what the next page comes after."""
    adapter: TypeAdapter[tuple[T, ...]] = TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]

    def read(answer: Answer) -> Page[T]:
        content = parsed(answer)
        if not isinstance(content, dict) or name not in content:
            raise Unexpected(f"the answer has no {name}; is this a serendip server, and is it of this version?")
        following = content.get("next")
        return Page(validated(adapter, content[name]), None if following is None else {"after": following})

    return read


def encoded(content: Any) -> bytes:
    """``content`` as JSON; Invalid where JSON cannot say it."""
    try:
        return json.dumps(content, default=_plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(f"this cannot be sent as JSON: {error}; send text, finite numbers, lists, mappings") from None


def nothing(answer: Answer) -> None:
    """Reads an answer that has no content."""


def parsed(answer: Answer) -> Any:
    """The answer's JSON."""
    try:
        return json.loads(answer.content)
    except ValueError:
        start = answer.content[:100].decode(errors="replace")
        raise Unexpected(f"the answer is not JSON but begins {start!r}; is the address that of a server?") from None


def validated(adapter: TypeAdapter[T], content: Any) -> T:
    """``content`` as the adapter's type."""
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "answer"
        raise Unexpected(
            f"the answer is not what was expected: {where}: {first['msg']}; are client and server of one version?"
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
