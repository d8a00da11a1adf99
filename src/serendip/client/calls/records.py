"""Users and items: create, read, replace, change, delete, many at once, list and search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Unpack

from serendip.client.answers import Changed, Item, ItemFields, User, UserFields
from serendip.client.batches import Row, change_many, new_key
from serendip.client.call import Call, Listing, Talk, nothing, reads, reads_rows

UserOrder = Literal["id", "-id", "name", "-name", "created", "-created"]
ItemOrder = Literal["id", "-id", "title", "-title", "created", "-created"]


def users(
    search: str | None = None,
    *,
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    sort: UserOrder | None = None,
    limit: int | None = None,
) -> Listing[User]:
    """Users by id. ``search``: found anywhere in ids and names. ``limit``: rows of a page."""
    query = {"search": search, "name": name, "attribute": _attributes(attributes), "sort": sort, "limit": limit}
    return Listing(Call("list_users", "GET", "/v1/users", reads_rows(User, "users"), query=query))


def user(user: str) -> Call[User]:
    """One user; its ``etag`` is what ``if_match`` takes."""
    return Call("read_user", "GET", "/v1/users/{user}", reads(User), {"user": user})


def create_user(id: str, **fields: Unpack[UserFields]) -> Call[User]:
    """A new user; Conflict when the id is taken."""
    return _create("create_user", "/v1/users", reads(User), {"id": id, **fields})


def replace_user(
    user: str, *, if_match: str | None = None, if_none_match: str | None = None, **fields: Unpack[UserFields]
) -> Call[User]:
    """Keep exactly this under the id, whether or not it existed.

    ``if_match``: only if the record still has this etag. ``if_none_match="*"``: only if there is none. Otherwise
    PreconditionFailed.
    """
    return Call(
        "replace_user",
        "PUT",
        "/v1/users/{user}",
        reads(User),
        {"user": user},
        body=dict(fields),
        headers={"If-Match": if_match, "If-None-Match": if_none_match},
    )


def update_user(user: str, *, if_match: str | None = None, **fields: Unpack[UserFields]) -> Call[User]:
    """Change what is named, keep the rest; in ``attributes`` None removes one."""
    return Call(
        "update_user",
        "PATCH",
        "/v1/users/{user}",
        reads(User),
        {"user": user},
        body=dict(fields),
        headers={"If-Match": if_match},
    )


def delete_user(user: str, *, if_match: str | None = None) -> Call[None]:
    """Forget a user with everything the user did; the id may come back."""
    return Call("delete_user", "DELETE", "/v1/users/{user}", nothing, {"user": user}, headers={"If-Match": if_match})


def change_users(put: Iterable[Row] = (), delete: Iterable[str] = ()) -> Talk[Changed]:
    """Keep the users of ``put``, each whole and with its ``id``, and forget those of ``delete``; in parts.

    The valid rows of each part are taken in one transaction, and the rest are listed in ``refused``.
    """
    return change_many("change_users", "/v1/users/bulk", put, delete)


def items(
    search: str | None = None,
    *,
    catalogue: str | None = None,
    tags: Iterable[str] = (),
    without_tags: Iterable[str] = (),
    hidden: bool | None = None,
    attributes: Mapping[str, Any] | None = None,
    sort: ItemOrder | None = None,
    limit: int | None = None,
) -> Listing[Item]:
    """Items by id. ``search``: found anywhere in ids and texts. ``tags``: those with all of them.

    ``without_tags``: those with none of them. ``limit``: rows of a page.
    """
    query = {
        "search": search,
        "catalogue": catalogue,
        "tag": list(tags) or None,
        "-tag": list(without_tags) or None,
        "hidden": hidden,
        "attribute": _attributes(attributes),
        "sort": sort,
        "limit": limit,
    }
    return Listing(Call("list_items", "GET", "/v1/items", reads_rows(Item, "items"), query=query))


def item(item: str) -> Call[Item]:
    """One item; its ``etag`` is what ``if_match`` takes."""
    return Call("read_item", "GET", "/v1/items/{item}", reads(Item), {"item": item})


def create_item(id: str, **fields: Unpack[ItemFields]) -> Call[Item]:
    """A new item; Conflict when the id is taken."""
    return _create("create_item", "/v1/items", reads(Item), {"id": id, **fields})


def replace_item(
    item: str, *, if_match: str | None = None, if_none_match: str | None = None, **fields: Unpack[ItemFields]
) -> Call[Item]:
    """Keep exactly this under the id, whether or not it existed; conditions as with ``replace_user``."""
    return Call(
        "replace_item",
        "PUT",
        "/v1/items/{item}",
        reads(Item),
        {"item": item},
        body=dict(fields),
        headers={"If-Match": if_match, "If-None-Match": if_none_match},
    )


def update_item(item: str, *, if_match: str | None = None, **fields: Unpack[ItemFields]) -> Call[Item]:
    """Change what is named, keep the rest; in ``attributes`` None removes one."""
    return Call(
        "update_item",
        "PATCH",
        "/v1/items/{item}",
        reads(Item),
        {"item": item},
        body=dict(fields),
        headers={"If-Match": if_match},
    )


def delete_item(item: str, *, if_match: str | None = None) -> Call[None]:
    """Forget an item with everything done to it; it is not recommended again."""
    return Call("delete_item", "DELETE", "/v1/items/{item}", nothing, {"item": item}, headers={"If-Match": if_match})


def change_items(put: Iterable[Row] = (), delete: Iterable[str] = ()) -> Talk[Changed]:
    """Keep the items of ``put``, each whole and with its ``id``, and forget those of ``delete``; in parts."""
    return change_many("change_items", "/v1/items/bulk", put, delete)


def _create(operation: str, template: str, read: Any, body: Mapping[str, Any]) -> Call[Any]:
    """A creation: taken for a repetition where the very same record is there, but only when it is one."""
    return Call(operation, "POST", template, read, body=body, repeated_with={"Idempotency-Key": new_key()})


def _attributes(asked: Mapping[str, Any] | None) -> list[str] | None:
    return [f"{name}:{value}" for name, value in asked.items()] if asked else None
