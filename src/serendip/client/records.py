"""Users and items: create, read, replace, change, delete, list and search."""

from __future__ import annotations

from typing import Unpack

from serendip.client.answers import Item, ItemFields, User, UserFields
from serendip.client.call import Call, Listing, nothing, reads, reads_rows


def users(search: str | None = None, *, limit: int | None = None) -> Listing[User]:
    """Users by id. ``search``: found anywhere in ids and names. ``limit``: rows of a page."""
    return Listing(
        Call("list_users", "GET", "/v1/users", reads_rows(User, "users"), query={"search": search, "limit": limit})
    )


def user(user: str) -> Call[User]:
    """One user."""
    return Call("read_user", "GET", "/v1/users/{user}", reads(User), {"user": user})


def create_user(id: str, **fields: Unpack[UserFields]) -> Call[User]:
    """A new user; Conflict when the id is taken."""
    return Call("create_user", "POST", "/v1/users", reads(User), body={"id": id, **fields})


def replace_user(user: str, **fields: Unpack[UserFields]) -> Call[User]:
    """Keep exactly this under the id, whether or not it existed."""
    return Call("replace_user", "PUT", "/v1/users/{user}", reads(User), {"user": user}, body=dict(fields))


def update_user(user: str, **fields: Unpack[UserFields]) -> Call[User]:
    """Change what is named, keep the rest; in ``attributes`` None removes one."""
    return Call("update_user", "PATCH", "/v1/users/{user}", reads(User), {"user": user}, body=dict(fields))


def delete_user(user: str) -> Call[None]:
    """Forget a user with everything the user did."""
    return Call("delete_user", "DELETE", "/v1/users/{user}", nothing, {"user": user})


def items(
    search: str | None = None, *, catalogue: str | None = None, tag: str | None = None, limit: int | None = None
) -> Listing[Item]:
    """Items by id. ``search``: found anywhere in ids and texts. ``limit``: rows of a page."""
    query = {"search": search, "catalogue": catalogue, "tag": tag, "limit": limit}
    return Listing(Call("list_items", "GET", "/v1/items", reads_rows(Item, "items"), query=query))


def item(item: str) -> Call[Item]:
    """One item."""
    return Call("read_item", "GET", "/v1/items/{item}", reads(Item), {"item": item})


def create_item(id: str, **fields: Unpack[ItemFields]) -> Call[Item]:
    """A new item; Conflict when the id is taken."""
    return Call("create_item", "POST", "/v1/items", reads(Item), body={"id": id, **fields})


def replace_item(item: str, **fields: Unpack[ItemFields]) -> Call[Item]:
    """Keep exactly this under the id, whether or not it existed."""
    return Call("replace_item", "PUT", "/v1/items/{item}", reads(Item), {"item": item}, body=dict(fields))


def update_item(item: str, **fields: Unpack[ItemFields]) -> Call[Item]:
    """Change what is named, keep the rest; in ``attributes`` None removes one."""
    return Call("update_item", "PATCH", "/v1/items/{item}", reads(Item), {"item": item}, body=dict(fields))


def delete_item(item: str) -> Call[None]:
    """Forget an item with everything done to it; it is not recommended again."""
    return Call("delete_item", "DELETE", "/v1/items/{item}", nothing, {"item": item})
