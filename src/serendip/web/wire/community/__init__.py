"""The wire format ``community``: users, items, votes, similarity matrices and recommenders under ``/api/``."""

from __future__ import annotations

from fastapi import APIRouter

from serendip.web.wire.community import cells, items, matrices, recommenders, users, votes

router = APIRouter()
for part in (users, items, votes, matrices, cells, recommenders):
    router.include_router(part.router)

__all__ = ["router"]
