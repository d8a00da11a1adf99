"""Secrets that let somebody in: API keys, one-time links, sessions. Only their digests are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from serendip.domain import Invalid
from serendip.store import AccountRecord, KeyRecord, Store

Right = Literal["read", "write", "admin"]

RIGHTS: dict[str, tuple[Right, ...]] = {
    "member": ("read",),
    "operator": ("read", "write"),
    "administrator": ("read", "write", "admin"),
}
"""What a role may do; a member only with what is public or its own."""

KEY_PREFIX = "sd"
BY_KEY = "key:"
"""Begins the role of a session that came in with a key; the key's digest follows."""
BY_ACCOUNT = "account:"
"""Begins what a link gives that signs somebody in as an account; the account's id follows."""


def digest(secret: str) -> str:
    """What is kept of a key, a link or a session; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def checked_role(role: str) -> str:
    """``role`` if there is such a role."""
    if role not in RIGHTS:
        raise Invalid(f"there is no role {role!r}; the roles are {', '.join(RIGHTS)}", field="role")
    return role


@dataclass(frozen=True)
class NewKey:
    """A key that was just made, with its secret."""

    record: KeyRecord
    plain: str
    """The key itself: this is the one time that it can be read."""


def make_key(
    store: Store, name: str, rights: Sequence[str], now: datetime, expires_at: datetime | None = None
) -> NewKey:
    """A new API key, kept only as its digest."""
    unknown = set(rights) - set(RIGHTS["administrator"])
    if not name.strip():
        raise Invalid("a key needs a name, to be told apart from others", field="name")
    if unknown or not rights:
        raise Invalid(
            f"a key may have the scopes read, write and admin, not {sorted(unknown) or 'none'}", field="scopes"
        )
    if expires_at is not None and expires_at <= now:
        raise Invalid("the key would have expired already; give a later moment", field="expires_at")
    name_part = secrets.token_hex(4)
    plain = f"{KEY_PREFIX}_{name_part}_{secrets.token_urlsafe(32)}"
    record = KeyRecord(
        id=name_part,
        prefix=f"{KEY_PREFIX}_{name_part}",
        digest=digest(plain),
        scopes=tuple(dict.fromkeys(rights)),
        name=name,
        created_at=now,
        expires_at=expires_at,
    )
    store.add_key(record)
    return NewKey(record, plain)


def new_key(store: Store, name: str, rights: Sequence[str], now: datetime, expires_at: datetime | None = None) -> str:
    """The secret of a new API key."""
    return make_key(store, name, rights, now, expires_at).plain


def new_link(store: Store, role: str, now: datetime, minutes: float = 60) -> str:
    """The path of a sign-in link that works once, within ``minutes``; put the server's address before it."""
    return _link(store, checked_role(role), now, minutes)


def new_account_link(store: Store, account: AccountRecord, now: datetime, minutes: float = 60) -> str:
    """The path of a link that signs in as ``account``, once."""
    return _link(store, BY_ACCOUNT + account.id, now, minutes)


def _link(store: Store, role: str, now: datetime, minutes: float) -> str:
    token = secrets.token_urlsafe(32)
    store.add_link(digest(token), role, now + timedelta(minutes=minutes))
    return f"/sign-in?link={token}"


def new_session(store: Store, role: str, until: datetime, account: str | None = None) -> str:
    """The secret of a new browser session."""
    token = secrets.token_urlsafe(32)
    store.add_session(digest(token), role, until, account)
    return token


def role_of(key: KeyRecord) -> str:
    """The role of a session that may do what ``key`` may, for as long as the key lives."""
    return BY_KEY + key.digest
