"""Long lists, sent in parts that one request may hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from uuid import uuid4

from serendip.client.answers import Changed, RefusedChange
from serendip.client.call import Call, Talk, encoded, reads
from serendip.client.errors import Fault, Invalid

MOST_ROWS = 10_000
"""The server takes so many rows at once."""
MOST_BYTES = 8_000_000
"""A part is no larger, so that it stays below what the server takes."""

Row = Mapping[str, Any]
R = TypeVar("R")


def new_key() -> str:
    """An idempotency key that nobody else has."""
    return uuid4().hex


def parts_of(rows: Iterable[R]) -> Iterator[list[R]]:
    """``rows`` in parts that one request may hold."""
    part: list[R] = []
    size = 0
    for row in rows:
        n_bytes = len(encoded(row)) + len(", ")
        if part and (len(part) == MOST_ROWS or size + n_bytes > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += n_bytes
    if part:
        yield part


def faults_of(error: Invalid, n_rows: int) -> list[Fault]:
    """Why each row of a part was refused of which none was taken; the server names the first hundred."""
    named = {fault.index: fault for fault in error.errors}
    return [named.get(index, Fault(None, error.detail, index)) for index in range(n_rows)]


def no_row_taken(error: Invalid) -> bool:
    """Whether a part was refused for its rows, rather than as a whole."""
    return any(fault.index is not None for fault in error.errors)


def change_many(operation: str, template: str, put: Iterable[Row], delete: Iterable[Any]) -> Talk[Changed]:
    """Send what is to be kept and then what is to be dropped; raises Invalid when not one row can be taken.

    Sent again, a part changes nothing more, so that it may be.
    """
    total = Changed(created=0, replaced=0, deleted=0)
    n_rows, last = 0, None
    for name, rows in (("put", put), ("delete", delete)):
        start = 0
        for part in parts_of(rows):
            try:
                answer: Changed = yield Call(
                    operation, "POST", template, reads(Changed), body={name: part}, harmless=True
                )
            except Invalid as error:
                if not no_row_taken(error):
                    raise
                last = error
                refused = [
                    RefusedChange(list=name, index=index, field=fault.field, reason=fault.reason)
                    for index, fault in enumerate(faults_of(error, len(part)))
                ]
                answer = Changed(created=0, replaced=0, deleted=0, refused=tuple(refused))
            total = Changed(
                created=total.created + answer.created,
                replaced=total.replaced + answer.replaced,
                deleted=total.deleted + answer.deleted,
                refused=(
                    *total.refused,
                    *(row.model_copy(update={"index": row.index + start}) for row in answer.refused),
                ),
            )
            start += len(part)
        n_rows += start
    if last is not None and len(total.refused) == n_rows:
        raise last
    return total
