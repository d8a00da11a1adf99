"""Every refusal in one shape: problem details (RFC 9457), made here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from serendip.domain import Conflict, Invalid, NotFound, NotReady, SerendipError
from serendip.web.json import Json

RETRY_AFTER_SECONDS = 5

STATUS = {NotFound: 404, Invalid: 422, Conflict: 409, NotReady: 503}


class Refused(HTTPException):
    """A refusal that only the web knows: not JSON, too large, too slow, not allowed."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[object] = ()
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = list(errors)


class ProblemResponse(Json):
    """An answer in problem details."""

    media_type = "application/problem+json"


def refusals(error: Sequence[Any]) -> list[dict[str, str]]:
    """What pydantic found, as ``{field, reason}``; an unknown field is called that."""
    found = []
    for entry in error:
        where = [str(part) for part in entry["loc"] if part not in ("body", "query", "path", "header")]
        reason = str(entry["msg"]).removeprefix("Value error, ")
        if entry["type"] == "extra_forbidden":
            reason = f"there is no field {where[-1]!r} here; remove it or mend its name"
        elif entry["type"] == "missing":
            reason = "it is missing"
        elif entry["type"] in ("model_type", "model_attributes_type"):
            reason = "input should be an object with named fields"
        found.append({"field": ".".join(where) or "body", "reason": reason[:1].lower() + reason[1:]})
    return found


def _as_sent(found: Sequence[Any], body: object) -> list[Any]:
    """The faults of what ``body`` is: where it may be one record or a list, pydantic tells what is wrong as either."""
    of_list = [len(entry["loc"]) > 1 and str(entry["loc"][1]).startswith("list[") for entry in found]
    if not any(of_list):
        return list(found)
    kept = (entry for entry, as_list in zip(found, of_list, strict=True) if as_list == isinstance(body, list))
    return [{**entry, "loc": ("body", *entry["loc"][2:])} for entry in kept]


def details(error: BaseException, scope: Scope) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers that ``error`` deserves; the unforeseen is a 500 that tells nothing of our inside."""
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, RequestValidationError | ValidationError):
        status, more["errors"] = 422, refusals(_as_sent(error.errors(), getattr(error, "body", None)))
        detail = "; ".join(f"{entry['field']}: {entry['reason']}" for entry in more["errors"][:3])
    elif isinstance(error, HTTPException):
        status, detail, headers = error.status_code, error.detail, dict(error.headers or {})
        if status == 404 and detail == "Not Found":
            detail = f"there is nothing at {scope['path']}; /docs lists what there is"
        elif status == 405 and detail == "Method Not Allowed":
            detail = f"{scope['method']} cannot be done to {scope['path']}; /docs lists what can"
        if isinstance(error, Refused) and error.errors:
            more["errors"] = error.errors
    elif isinstance(error, SerendipError):
        status, detail = next(status for kind, status in STATUS.items() if isinstance(error, kind)), str(error)
        if isinstance(error, Invalid) and error.field:
            more["errors"] = [{"field": error.field, "reason": detail}]
    else:
        status, detail = 500, "something went wrong on our side; the log has the story under this request_id"
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:serendip:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": scope.get("state", {}).get("request_id"),
        **more,
    }
    return body, headers


def problem(error: BaseException, scope: Scope) -> ProblemResponse:
    """Problem details on the wire."""
    body, headers = details(error, scope)
    return ProblemResponse(body, body["status"], headers)
