"""The API, ``/v1``."""

from __future__ import annotations

from typing import Any

PROBLEM = "#/components/schemas/Problem"

SAID = {
    400: "Not JSON, an address that is not UTF-8, or a sign-in that was not begun here.",
    401: "No key, or one that is not known or has expired.",
    403: "The key's scopes or the account's role do not reach this far, or it is another's data.",
    404: "What was named does not exist.",
    405: "This address does not take this method.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is kept.",
    412: "The record is not as `If-Match` or `If-None-Match` says.",
    413: "The body is larger than 10 MB.",
    415: "The body is not JSON, or it is compressed.",
    422: "What was sent cannot be accepted as it is; `errors` names the fields.",
    429: "Too many requests; Retry-After says when to ask again.",
    500: "Our fault; the log has the story under the request_id.",
    503: "Later or after a step that `detail` names; Retry-After says when to ask again.",
}

READING = (400, 401, 403, 422, 429, 500, 503)
WRITING = (*READING, 408, 413, 415)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares that it may refuse with."""
    return {
        status: {
            "description": SAID[status],
            "content": {"application/problem+json": {"schema": {"$ref": PROBLEM}}},
        }
        for status in sorted(statuses)
    }
