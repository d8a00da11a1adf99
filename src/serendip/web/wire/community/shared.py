"""What all its routes share: ids that may be numbers, pages by offset, addresses with and without a last slash."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import Invalid, checked_id
from serendip.web.api import SAID
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Count, Question

LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON takes exactly."""
TAG = "community"

READING = (401, 403, 422, 429, 500, 503)
WRITING = (*READING, 400, 408, 413, 415)


def told(id: str) -> int | str:
    """An id on the wire: a number where it is the plain decimal form of one, else the text itself."""
    return int(id) if re.fullmatch(r"0|[1-9][0-9]{0,15}", id) and int(id) <= LARGEST else id


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _checked(text: str) -> str:
    try:
        return checked_id(text, "given")
    except Invalid as error:
        raise ValueError(str(error)) from None


def _matrix(value: object) -> object:
    """A matrix's number, also as text or as the address that older clients name it by."""
    if isinstance(value, str):
        found = re.fullmatch(r"(?:.*/similarity-matrix/)?([0-9]{1,16})/?", value)
        if found is None:
            raise ValueError(f"{value!r} names no matrix; send its number")
        return int(found[1])
    return value


ID_SCHEMA = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
WireId = Annotated[
    str, BeforeValidator(_as_text), AfterValidator(_checked), WithJsonSchema(ID_SCHEMA, mode="validation")
]
ShownId = Annotated[int | str, WithJsonSchema(ID_SCHEMA)]
Number = Annotated[int, Field(ge=0, le=LARGEST)]
InPath = Annotated[int, Path(ge=0, le=LARGEST)]
MatrixNumber = Annotated[Number, BeforeValidator(_matrix), WithJsonSchema(ID_SCHEMA, mode="validation")]


class Asked(Question):
    """A stretch of a list; a filter without a value is none."""

    offset: int = Field(0, ge=0, le=LARGEST)
    limit: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, sent: Any) -> Any:
        return {name: value for name, value in sent.items() if value != ""} if isinstance(sent, dict) else sent


class Sent(Body):
    """A record as it is sent; fields that are only read may come along and are not looked at."""


class Envelope(BaseModel):
    """A stretch of a list."""

    count: int = Field(description="On all pages together.")
    next: str | None = Field(description="The address of the next page.")
    previous: str | None


def page(request: Request, asked: Asked, limit: int, results: Sequence[Any], count: int) -> Response:
    """The envelope of a stretch that began at ``asked.offset`` and had room for ``limit``."""
    base = str(request.url.replace(query=""))
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("offset", "limit")]

    def at(offset: int) -> str:
        return f"{base}?{urlencode([('limit', limit), ('offset', offset), *kept])}"

    after, before = asked.offset + limit, max(asked.offset - limit, 0)
    return Json(
        {
            "count": count,
            "next": at(after) if after < count else None,
            "previous": at(before) if asked.offset else None,
            "results": list(results),
        }
    )


def matching(asked: BaseModel, fields: tuple[str, ...], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose fields are as asked."""
    wanted = {name: getattr(asked, name) for name in fields if getattr(asked, name) is not None}
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def one_or_many(found: Sequence[dict[str, Any]], was_list: bool, location: str | None = None) -> Response:
    """What was made: one for one, a list for a list."""
    answer = Json(list(found) if was_list else found[0], 201)
    if location is not None:
        answer.headers["Location"] = location
    return answer


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares that it may refuse with."""
    return {status: {"model": Refusal, "description": SAID[status]} for status in sorted(statuses)}


class Routes(APIRouter):
    """Routes that answer with a last slash, as they are documented, and without one."""

    def __init__(self) -> None:
        super().__init__(prefix="/api", route_class=StrictRoute)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Both addresses."""
        options["tags"] = [TAG]
        super().add_api_route(f"{path}/", endpoint, **options)
        super().add_api_route(path, endpoint, **{**options, "include_in_schema": False})
