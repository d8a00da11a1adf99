"""Who one is here."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.web.api import READING, WRITING, refusals
from serendip.web.asker import current
from serendip.web.json import Json, StrictRoute
from serendip.web.pages.sign_in import changed_password
from serendip.web.sent import Body
from serendip.web.services import Parts

router = APIRouter(route_class=StrictRoute, tags=["me"])


class MeShown(BaseModel):
    """Who asks, and what they may do."""

    by: Literal["key", "session"]
    rights: list[Literal["read", "write", "admin"]]
    role: str | None
    account: str | None
    name: str | None
    user: str | None
    """Whose history the account reads and writes."""
    key: str | None
    """The key's first letters."""


class OwnPasswordBody(Body):
    """The password one has, unless there is none yet, and the one to come."""

    old: str = Field("", max_length=1024)
    new: str = Field(max_length=1024)


@router.get("/v1/me", operation_id="read_me", response_model=MeShown, responses=refusals(*READING))
def read_me(request: Request) -> Response:
    """Who the key or the session belongs to."""
    asker = current(request)
    return Json(
        {
            "by": "session" if asker.session else "key",
            "rights": list(asker.rights),
            "role": asker.role if asker.key is None else None,
            "account": asker.account,
            "name": asker.name,
            "user": asker.user,
            "key": asker.key,
        }
    )


@router.put("/v1/me/password", operation_id="set_own_password", status_code=204, responses=refusals(*WRITING))
async def set_own_password(request: Request, parts: Parts, body: OwnPasswordBody) -> Response:
    """A new password for one's own account; one is signed out everywhere."""
    await changed_password(request, parts, body.old, body.new)
    return Response(status_code=204)
