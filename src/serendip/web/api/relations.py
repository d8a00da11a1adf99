"""Relations between users: who follows, blocks, or otherwise points at whom."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import NotFound, Relation, checked_id
from serendip.store import Changed
from serendip.web import shapes
from serendip.web.answered import ChangedShown, RelationShown, RelationsPage
from serendip.web.api import READING, WRITING, refusals
from serendip.web.api.records import MANY, ListQuestion, Tried, change_many, stretch_of
from serendip.web.asker import noted
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Body, Id
from serendip.web.services import Parts, Services

router = APIRouter(route_class=StrictRoute, tags=["relations"])


class RelationsQuestion(ListQuestion):
    """A stretch of the relations."""

    user: Id | None = None
    other: Id | None = None
    kind: Id | None = None
    sort: Literal["user", "-user", "other", "-other"] = "user"


class RelationBody(Body):
    """A user points at another; users that are missing are made."""

    user: Id
    other: Id
    kind: Id = "follows"

    def relation(self) -> Relation:
        """The domain's word for it."""
        return Relation(self.user, self.other, self.kind)


class RelationsChange(Body):
    """Relations to keep and relations to drop."""

    put: list[Annotated[RelationBody, Tried]] = MANY
    delete: list[Annotated[RelationBody, Tried]] = MANY


def _relation(user: str, kind: str, other: str) -> Relation:
    return Relation(checked_id(user, "user"), checked_id(other, "user"), checked_id(kind, "kind"))


def _not_found(relation: Relation) -> NotFound:
    return NotFound(f"{relation.user!r} has no relation {relation.kind!r} to {relation.other!r}")


@router.get("/v1/relations", operation_id="list_relations", response_model=RelationsPage, responses=refusals(*READING))
def list_relations(parts: Parts, question: Annotated[RelationsQuestion, Query()]) -> Response:
    """Relations of a user, to a user, of a kind: those that meet all that is given."""
    asked = stretch_of(parts, question, question.sort)
    page = parts.store.list_relations(asked, question.user, question.other, question.kind)
    shown = [shapes.relation_json(one) for one in page.records]
    return Json({"relations": shown, "next": page.next, "total": page.total})


@router.post(
    "/v1/relations",
    operation_id="create_relation",
    status_code=201,
    response_model=RelationShown,
    responses={200: {"model": RelationShown, "description": "It was there already."}, **refusals(*WRITING)},
)
def create_relation(parts: Parts, body: RelationBody) -> Response:
    """Keep a relation; the same one again changes nothing."""
    return _put(parts, body.relation())


@router.post(
    "/v1/relations/bulk", operation_id="change_relations", response_model=ChangedShown, responses=refusals(*WRITING)
)
def change_relations(request: Request, parts: Parts, body: RelationsChange) -> Response:
    """Keep and drop many, in one transaction; `replaced` counts those that were there already. Rows that do not read
    are named; a body of which no row can be taken is refused with 422."""
    if body.delete:
        noted(request, deleted=len(body.delete))

    def change(put: list[Relation], drop: list[Relation]) -> Changed:
        made, dropped = parts.store.change_relations(put, drop)
        refused = {one: why for one in put if (why := made.refusal(one)) is not None}
        return Changed(made.added, len(put) - made.added - len(refused), dropped, refused)

    put = [row.relation() if isinstance(row, RelationBody) else row for row in body.put]
    drop = [row.relation() if isinstance(row, RelationBody) else row for row in body.delete]
    return change_many(put, drop, lambda row: row, change)


@router.get(
    "/v1/relations/{user:id}/{kind:id}/{other:id}",
    operation_id="read_relation",
    response_model=RelationShown,
    responses=refusals(*READING, 404),
)
def read_relation(parts: Parts, user: str, kind: str, other: str) -> Response:
    """Whether there is this relation: 200 or 404."""
    wanted = _relation(user, kind, other)
    if not parts.store.has_relation(wanted):
        raise _not_found(wanted)
    return Json(shapes.relation_json(wanted))


@router.put(
    "/v1/relations/{user:id}/{kind:id}/{other:id}",
    operation_id="put_relation",
    response_model=RelationShown,
    responses={201: {"model": RelationShown, "description": "It is new."}, **refusals(*READING)},
)
def put_relation(parts: Parts, user: str, kind: str, other: str) -> Response:
    """Keep a relation, without a body."""
    return _put(parts, _relation(user, kind, other))


def _put(parts: Services, relation: Relation) -> Response:
    added = parts.store.put_relations([relation])
    return Json(shapes.relation_json(relation), 201 if added else 200)


@router.delete(
    "/v1/relations/{user:id}/{kind:id}/{other:id}",
    operation_id="delete_relation",
    status_code=204,
    responses=refusals(*READING, 404),
)
def delete_relation(parts: Parts, user: str, kind: str, other: str) -> Response:
    """Drop a relation."""
    wanted = _relation(user, kind, other)
    if not parts.store.delete_relation(wanted):
        raise _not_found(wanted)
    return Response(status_code=204)
