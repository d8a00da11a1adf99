"""What every kind of record has in common: its tag, conditions on it, many of them at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header
from pydantic import BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from starlette.responses import Response

from serendip.domain import Invalid
from serendip.store import Changed, Stretch
from serendip.web.json import Json
from serendip.web.problems import Refused, refusals
from serendip.web.sent import MAX_ROWS, Count, Question
from serendip.web.services import Services

T = TypeVar("T")

_TAG = re.compile(r'\s*(\*|(?:W/)?"[\x21\x23-\x7e]*")\s*(?:,|$)')


class ListQuestion(Question):
    """A stretch of a list."""

    after: str | None = Field(None, max_length=2000, description="`next` of the page before.")
    limit: Count | None = None
    count: bool = Field(False, description="Count all that the list holds, into `total`; this may cost more.")


def stretch_of(parts: Services, question: ListQuestion, sort: str = "") -> Stretch:
    """The part of a list that ``question`` asks for."""
    return Stretch(sort, question.after, question.limit or parts.settings.page_size, question.count)


def _attribute(text: object) -> object:
    if isinstance(text, str) and not text.partition(":")[1]:
        raise ValueError(f"{text!r} names no value; write name:value, such as year:1990")
    return text


AttributeAsked = Annotated[str, BeforeValidator(_attribute), Field(max_length=2000)]


def attributes_asked(asked: Sequence[str]) -> dict[str, str]:
    """``name:value`` of each attribute that must be met."""
    return {name: value for name, _, value in (one.partition(":") for one in asked)}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes after a patch: those named change, null removes one."""
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def etag(shown: Mapping[str, Any]) -> str:
    """The strong tag of a record as it is shown: another record, another tag."""
    return f'"{hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'


@dataclass(frozen=True)
class Tags:
    """The tags of a conditional request; none where the request has no condition."""

    header: str
    words: tuple[str, ...] | None

    @staticmethod
    def of(header: str, text: str | None) -> Tags:
        """The tags that a header names."""
        if text is None:
            return Tags(header, None)
        words: list[str] = []
        place = 0
        while place < len(text) or not words:
            found = _TAG.match(text, place)
            if found is None:
                raise Invalid(f'{header} is {text!r}; send a tag as it was given, such as "5f3c", or *', field=header)
            words.append(found[1])
            place = found.end()
        return Tags(header, tuple(words))

    def name(self, shown: Mapping[str, Any] | None) -> bool:
        """Whether one of the tags is that of ``shown``; ``*`` is that of anything there is."""
        if shown is None or self.words is None:
            return False
        return "*" in self.words or etag(shown) in self.words


def if_match(
    if_match: Annotated[
        str | None, Header(max_length=2000, description="Only if the record still has this `ETag`; else 412.")
    ] = None,
) -> Tags:
    """What the record must be for it to be changed."""
    return Tags.of("If-Match", if_match)


def if_none_match(
    if_none_match: Annotated[
        str | None,
        Header(max_length=2000, description="Only if the record has another `ETag`; `*`: only if there is none."),
    ] = None,
) -> Tags:
    """What the record must not be."""
    return Tags.of("If-None-Match", if_none_match)


IfMatch = Annotated[Tags, Depends(if_match)]
IfNoneMatch = Annotated[Tags, Depends(if_none_match)]


def must_be(tags: Tags, shown: Mapping[str, Any] | None) -> None:
    """Refuse to change a record that is another than its sender knows."""
    if tags.words is not None and not tags.name(shown):
        raise Refused(412, f"the record is not as {tags.header} says; read it again and decide anew")


def must_not_be(tags: Tags, shown: Mapping[str, Any] | None) -> None:
    """Refuse to write a record that is there already."""
    if tags.name(shown):
        raise Refused(412, f"there is such a record, and {tags.header} says there should not be; read it first")


def answered(shown: Mapping[str, Any], status: int = 200) -> Response:
    """A record with its tag."""
    answer = Json(shown, status)
    answer.headers["ETag"] = etag(shown)
    return answer


def read(shown: Mapping[str, Any], known: Tags) -> Response:
    """A record, or 304 where the asker has it already."""
    if known.name(shown):
        return Response(status_code=304, headers={"ETag": etag(shown)})
    return answered(shown)


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is as `If-None-Match` says."}}

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        description="Says that this may be a repetition: where the very same record is there, it is the answer.",
    ),
]


@dataclass(frozen=True)
class Fault:
    """A row of a batch that does not read, and why."""

    field: str
    reason: str


def _or_fault(row: Any, read_row: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read_row(row)
    except ValidationError as error:
        return Fault(**refusals(error.errors())[0])


Tried = WrapValidator(_or_fault)
"""On a row's type: a row that does not fit it becomes a ``Fault``, and the others are read all the same."""

MANY: Any = Field(default_factory=list, max_length=MAX_ROWS)


def change_many(
    put: Sequence[Any],
    drop: Sequence[Any],
    key: Callable[[Any], Hashable],
    change: Callable[[list[Any], list[Any]], Changed],
) -> Response:
    """Put and delete the rows that read well, in one transaction, and name the rest.

    ``key`` tells what a row of ``put`` is about, and may stand once; rows of ``drop`` are what they are about.
    """
    if not 1 <= len(put) + len(drop) <= MAX_ROWS:
        raise Invalid(f"there are {len(put) + len(drop)} rows; send 1 to {MAX_ROWS} at a time", field="put")
    refused: list[dict[str, Any]] = []
    first: dict[Hashable, tuple[str, int]] = {}
    good: dict[str, list[Any]] = {"put": [], "delete": []}
    for name, rows in (("put", put), ("delete", drop)):
        for index, row in enumerate(rows):
            if isinstance(row, Fault):
                refused.append({"list": name, "index": index, "field": row.field, "reason": row.reason})
                continue
            about = key(row) if name == "put" else row
            if about in first:
                where, place = first[about]
                reason = f"{where}[{place}] is about the same; send each once"
                refused.append({"list": name, "index": index, "field": None, "reason": reason})
                continue
            first[about] = name, index
            good[name].append(row)
    if not good["put"] and not good["delete"]:
        raise Refused(422, f"none of the {len(refused)} rows can be taken", errors=refused[:100])
    done = change(good["put"], good["delete"])
    for about, why in done.refused.items():
        field = why.field if isinstance(why, Invalid) else None
        refused.append({"list": "put", "index": first[about][1], "field": field, "reason": str(why)})
    refused.sort(key=lambda row: (row["list"] != "put", row["index"]))
    told = {"created": done.created, "replaced": done.replaced, "deleted": done.deleted}
    return Json({**told, "refused": refused})
