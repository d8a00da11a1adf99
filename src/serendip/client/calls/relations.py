"""Relations between users: who follows, blocks, or otherwise points at whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from serendip.client.answers import Changed, Relation
from serendip.client.batches import Row, change_many
from serendip.client.call import Call, Listing, Talk, nothing, reads, reads_rows

ONE = "/v1/relations/{user}/{kind}/{other}"


def relations(
    *,
    user: str | None = None,
    other: str | None = None,
    kind: str | None = None,
    sort: Literal["user", "-user", "other", "-other"] | None = None,
    limit: int | None = None,
) -> Listing[Relation]:
    """Relations of a user, to another, of a kind: those that meet all that is given. ``limit``: rows of a page."""
    query = {"user": user, "other": other, "kind": kind, "sort": sort, "limit": limit}
    return Listing(Call("list_relations", "GET", "/v1/relations", reads_rows(Relation, "relations"), query=query))


def relation(user: str, other: str, kind: str = "follows") -> Call[Relation]:
    """That there is this relation; NotFound otherwise."""
    return Call("read_relation", "GET", ONE, reads(Relation), _named(user, other, kind))


def create_relation(user: str, other: str, kind: str = "follows") -> Call[Relation]:
    """Keep a relation; the same one again changes nothing, and users that are missing are made."""
    body = _named(user, other, kind)
    return Call("create_relation", "POST", "/v1/relations", reads(Relation), body=body, harmless=True)


def put_relation(user: str, other: str, kind: str = "follows") -> Call[Relation]:
    """The same by its address."""
    return Call("put_relation", "PUT", ONE, reads(Relation), _named(user, other, kind))


def delete_relation(user: str, other: str, kind: str = "follows") -> Call[None]:
    """Drop a relation."""
    return Call("delete_relation", "DELETE", ONE, nothing, _named(user, other, kind))


def change_relations(put: Iterable[Row] = (), delete: Iterable[Row] = ()) -> Talk[Changed]:
    """Keep and drop relations ``{user, other, kind}``, in parts; ``replaced`` counts those that were there already."""
    return change_many("change_relations", "/v1/relations/bulk", put, delete)


def _named(user: str, other: str, kind: str) -> dict[str, str]:
    return {"user": user, "kind": kind, "other": other}
