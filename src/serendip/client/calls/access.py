"""Who may come in: accounts of people, keys of programs, and the log of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from serendip.client.answers import Shown
from serendip.client.call import Call, Listing, nothing, reads, reads_rows

Role = Literal["member", "operator", "administrator"]
Scope = Literal["read", "write", "admin"]


class Account(Shown):
    """An account, without its password."""

    id: str
    name: str
    role: str
    email: str | None = None
    user: str | None = None
    """Whose history it reads and writes."""
    disabled: bool = False
    has_password: bool = False
    created_at: datetime | None = None
    signed_in_at: datetime | None = None


class Link(Shown):
    """A way in that works once, within the hour; put the server's address before it."""

    link: str


class Key(Shown):
    """A key; ``key`` itself only where it was just made."""

    id: str
    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime | None = None
    expires_at: datetime | None = None
    used_at: datetime | None = None
    """To the minute."""
    key: str | None = None


class Keys(Shown):
    """All keys."""

    keys: tuple[Key, ...]


class Act(Shown):
    """Something that was done."""

    id: int
    at: datetime
    actor: str
    action: str
    """An operation's id, such as ``promote_model``."""
    target: str | None = None
    detail: dict[str, Any] | None = None
    request_id: str | None = None


class Me(Shown):
    """Who asks, and what they may do."""

    by: str
    rights: tuple[str, ...]
    role: str | None = None
    account: str | None = None
    name: str | None = None
    user: str | None = None
    key: str | None = None
    """The key's first letters."""


class AccountFields(TypedDict, total=False):
    """What can be said of an account beside its name and password."""

    role: Role
    email: str | None
    user: str | None


class AccountChanges(AccountFields, total=False):
    """What can be changed of an account."""

    disabled: bool


def me() -> Call[Me]:
    """Who the key belongs to, and what it may do."""
    return Call("read_me", "GET", "/v1/me", reads(Me))


def accounts(search: str | None = None, *, role: Role | None = None, limit: int | None = None) -> Listing[Account]:
    """Accounts by name. ``limit``: rows of a page."""
    query = {"search": search, "role": role, "limit": limit}
    return Listing(Call("list_accounts", "GET", "/v1/accounts", reads_rows(Account, "accounts"), query=query))


def account(account: str) -> Call[Account]:
    """One account, by its id."""
    return Call("read_account", "GET", "/v1/accounts/{account}", reads(Account), {"account": account})


def create_account(name: str, *, password: str | None = None, **fields: Unpack[AccountFields]) -> Call[Account]:
    """A new account; without a password, a link or a provider lets its person in."""
    body = {"name": name, **fields} if password is None else {"name": name, "password": password, **fields}
    return Call("create_account", "POST", "/v1/accounts", reads(Account), body=body)


def update_account(account: str, **fields: Unpack[AccountChanges]) -> Call[Account]:
    """Change what is named. A new role and disabling end its sessions at once."""
    return Call(
        "update_account", "PATCH", "/v1/accounts/{account}", reads(Account), {"account": account}, body=dict(fields)
    )


def set_account_password(account: str, password: str) -> Call[Account]:
    """A new password; the account is signed out everywhere."""
    return Call(
        "set_account_password",
        "PUT",
        "/v1/accounts/{account}/password",
        reads(Account),
        {"account": account},
        body={"password": password},
    )


def create_account_link(account: str) -> Call[Link]:
    """A link that signs in as this account, once, within an hour."""
    return Call("create_account_link", "POST", "/v1/accounts/{account}/link", reads(Link), {"account": account})


def delete_account(account: str) -> Call[None]:
    """Remove an account and sign it out; its user's history stays."""
    return Call("delete_account", "DELETE", "/v1/accounts/{account}", nothing, {"account": account})


def keys() -> Call[Keys]:
    """Every key that was not revoked, oldest first."""
    return Call("list_keys", "GET", "/v1/keys", reads(Keys))


def key(key: str) -> Call[Key]:
    """One key, by its id."""
    return Call("read_key", "GET", "/v1/keys/{key}", reads(Key), {"key": key})


def create_key(
    name: str, scopes: Sequence[Scope] = ("read", "write"), *, expires_at: datetime | None = None
) -> Call[Key]:
    """A new key; the answer is the one place where it can be read."""
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    if expires_at is not None:
        body["expires_at"] = expires_at
    return Call("create_key", "POST", "/v1/keys", reads(Key), body=body)


def revoke_key(key: str) -> Call[None]:
    """End a key; within a second it opens nothing any more."""
    return Call("revoke_key", "DELETE", "/v1/keys/{key}", nothing, {"key": key})


def audit(
    *,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> Listing[Act]:
    """Who did what, newest first: administrative acts, and every way in. ``until``: exclusive."""
    query = {"actor": actor, "action": action, "since": since, "until": until, "limit": limit}
    return Listing(Call("list_acts", "GET", "/v1/audit", reads_rows(Act, "acts"), query=query))
