"""What happens to accounts: made, signed in to, changed, let in by a provider."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serendip.domain import Conflict, Invalid, NotFound, checked_id
from serendip.flows.access import checked_role
from serendip.flows.passwords import hashed, matches
from serendip.store import AccountRecord, Store
from serendip.store.accounts import ADMINISTRATOR

FIRST_NAME = "admin"
LONGEST_NAME = 100


def folded(name: str) -> str:
    """The form in which names are kept and compared."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def checked_name(name: str) -> str:
    """``name`` as it is kept, if it can be one."""
    found = folded(name)
    if not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters that can be read, not {name[:40]!r}", field="name")
    return checked_id(found, "name")


def _checked_email(email: str | None) -> str | None:
    if email is not None and ("@" not in email or len(email) > 320 or not email.isprintable()):
        raise Invalid(f"{email[:40]!r} is no e-mail address; leave it out or mend it", field="email")
    return email


def create_account(
    store: Store,
    name: str,
    role: str,
    now: datetime,
    password: str | None = None,
    email: str | None = None,
    user: str | None = None,
    identity: tuple[str, str] | None = None,
) -> AccountRecord:
    """A new account, linked to ``user`` or else to a user of its own name."""
    kept = checked_name(name)
    record = AccountRecord(
        id=secrets.token_hex(8),
        name=kept,
        role=checked_role(role),
        created_at=now,
        email=_checked_email(email),
        user=kept if user is None else user,
        password=None if password is None else hashed(password, kept),
    )
    store.add_account(record, identity)
    return record


def find_account(store: Store, name: str) -> AccountRecord:
    """The account that signs in as ``name``."""
    found = store.account_named(folded(name)) if "\0" not in name else None
    if found is None:
        raise NotFound(f"there is no account {name!r}; `serendip account list` shows them")
    return found


def change_account(store: Store, account: str, **changes: Any) -> AccountRecord:
    """Change role, email, user or disabled; a new role and disabling end the account's sessions at once."""
    if "role" in changes:
        checked_role(changes["role"])
    if "email" in changes:
        _checked_email(changes["email"])
    return store.change_account(account, **changes)


def set_password(store: Store, account: str, password: str) -> AccountRecord:
    """A new password; whoever is signed in as this account is signed out."""
    found = store.account(account)
    if found is None:
        raise NotFound(f"there is no account {account!r}")
    return store.change_account(account, password=hashed(password, found.name))


def change_own_password(store: Store, account: str, old: str, new: str) -> AccountRecord:
    """A new password for who knows the old one; an account that has none takes its first."""
    found = store.account(account)
    if found is None:
        raise NotFound(f"there is no account {account!r}")
    if found.password is not None and not matches(found.password, old):
        raise Invalid("the old password is not right", field="old")
    return store.change_account(account, password=hashed(new, found.name))


def sign_in(store: Store, name: str, password: str) -> AccountRecord | None:
    """The account, if name and password are right and it is not disabled; a wrong name takes as long as a wrong
    password."""
    found = store.account_named(folded(name)) if "\0" not in name and len(name) <= LONGEST_NAME else None
    right = matches(found.password if found else None, password)
    return found if found is not None and right and not found.disabled else None


@dataclass(frozen=True)
class Introduced:
    """Somebody as a provider introduces them."""

    issuer: str
    subject: str
    email: str | None = None
    """Only where the provider says that it was verified."""
    name: str | None = None


def account_of(store: Store, who: Introduced, role: str, make: bool, now: datetime) -> AccountRecord | None:
    """The account of somebody whom a provider introduces.

    Known: the account this identity belongs to. Else the one account of the verified address, which keeps the
    identity from then on. Else a new account, if any may be made. None: there is none.
    """
    known = store.account_of(who.issuer, who.subject)
    if known is not None:
        return known
    same = store.accounts_with_email(who.email) if who.email else []
    if len(same) > 1:
        raise Conflict(f"{len(same)} accounts have the address {who.email}; ask an administrator to change that")
    if same:
        store.link_identity(who.issuer, who.subject, same[0].id)
        return same[0]
    return _made(store, who, role, now) if make else None


def _made(store: Store, who: Introduced, role: str, now: datetime) -> AccountRecord:
    wanted = folded(who.email or who.name or "")[:LONGEST_NAME]
    name = wanted if wanted and wanted.isprintable() else f"person-{secrets.token_hex(3)}"
    for _ in range(3):
        taken = store.account_named(name) is not None
        # A user of this name may be somebody else, whose history must not be handed over.
        if not taken and not store.known_user(name):
            try:
                return create_account(store, name, role, now, email=who.email, identity=(who.issuer, who.subject))
            except Conflict:
                found = store.account_of(who.issuer, who.subject)
                if found is not None:
                    return found
        name = f"{name[: LONGEST_NAME - 7]}-{secrets.token_hex(3)}"
    raise Conflict("no free name was found for the new account; try again")


def first_administrator(store: Store, now: datetime) -> tuple[AccountRecord, str] | None:
    """Where nobody could administrate: a new administrator and its password, which is told this once."""
    if store.has_administrator():
        return None
    taken = store.account_named(FIRST_NAME) is not None
    name = f"{FIRST_NAME}-{secrets.token_hex(3)}" if taken else FIRST_NAME
    password = secrets.token_urlsafe(15)
    record = AccountRecord(secrets.token_hex(8), name, ADMINISTRATOR, now, password=hashed(password, name))
    try:
        store.add_account(record)
    except Conflict:
        # Another process was a moment faster, and told its own password.
        return None
    return record, password
