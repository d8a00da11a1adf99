"""Accounts of people who sign in, and who their OpenID providers say they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from serendip.domain import Conflict, NotFound, checked_id
from serendip.store.engine import Part, has, insert, tried_again
from serendip.store.forgotten import forgotten
from serendip.store.freshness import bump
from serendip.store.people import user_keys
from serendip.store.schema import accounts, identities, sessions
from serendip.store.values import (
    Page,
    aware,
    aware_or_none,
    cursor,
    kept_moment,
    kept_text,
    place,
    searchable,
    sure_moment,
)

ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class AccountRecord:
    """Somebody who may sign in."""

    id: str
    name: str
    """What the person signs in with, case-folded; no two accounts share one."""
    role: str
    created_at: datetime
    email: str | None = None
    user: str | None = None
    """Whose history the account reads and writes."""
    password: str | None = None
    """An argon2 hash; none where only a link or a provider lets the account in."""
    disabled: bool = False
    signed_in_at: datetime | None = None


class Accounts(Part):
    """Accounts, by id, by name and by identity."""

    @tried_again
    def add_account(self, record: AccountRecord, identity: tuple[str, str] | None = None) -> None:
        """Keep a new account, its user as a bare row where there is none, and the (issuer, subject) it came with."""
        row = _kept(record)
        with self._db.write() as c:
            if c.execute(insert(c, accounts).on_conflict_do_nothing().returning(accounts.c.id), row).first() is None:
                raise Conflict(f"there is an account {record.name!r} already; choose another name")
            if identity is not None:
                _link(c, identity, record.id)
            _make_user(c, record.user)

    def account(self, account: str) -> AccountRecord | None:
        """The account of this id."""
        return self._one(accounts.c.id == account)

    def account_named(self, name: str) -> AccountRecord | None:
        """The account that signs in with ``name``."""
        return self._one(accounts.c.name == name)

    def account_of(self, issuer: str, subject: str) -> AccountRecord | None:
        """The account of somebody whom a provider calls ``subject``."""
        found = select(identities.c.account).where(identities.c.issuer == issuer, identities.c.subject == subject)
        return self._one(accounts.c.id == found.scalar_subquery())

    def accounts_with_email(self, email: str) -> list[AccountRecord]:
        """The accounts of this address, which is compared whatever its case."""
        with self._db.read() as c:
            return [_account(row) for row in c.execute(select(accounts).where(accounts.c.email == email.casefold()))]

    def accounts(
        self, search: str | None = None, role: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[AccountRecord]:
        """Accounts by name, from behind ``after``; ``search`` is looked for in the name."""
        wanted, counted = select(accounts), select(func.count()).select_from(accounts)
        conditions = []
        if search:
            conditions.append(has(accounts.c.name, searchable(kept_text(search, "search"))))
        if role is not None:
            conditions.append(accounts.c.role == role)
        wanted, counted = wanted.where(*conditions), counted.where(*conditions)
        if after is not None:
            wanted = wanted.where(accounts.c.name > place(after, str)[0])
        with self._db.read() as c:
            rows = c.execute(wanted.order_by(accounts.c.name).limit(limit + 1)).all()
            total = c.execute(counted).scalar_one()
        more = cursor(rows[limit - 1].name) if len(rows) > limit else None
        return Page([_account(row) for row in rows[:limit]], more, total)

    def has_administrator(self) -> bool:
        """Whether anybody may sign in who may do everything."""
        with self._db.read() as c:
            return c.execute(_administrators().limit(1)).first() is not None

    @tried_again
    def change_account(self, account: str, /, **changes: Any) -> AccountRecord:
        """Change fields of an account; a new role or password, or disabling, ends its sessions in the same moment."""
        with self._db.write() as c:
            old = _locked(c, account)
            new = replace(old, **changes)
            if old.role == ADMINISTRATOR and not old.disabled and (new.role != ADMINISTRATOR or new.disabled):
                _refuse_the_last(c, old)
            row = {name: value for name, value in _kept(new).items() if name != "id"}
            c.execute(update(accounts).where(accounts.c.id == account).values(row))
            if new.user != old.user:
                _make_user(c, new.user)
            if (new.role, new.password) != (old.role, old.password) or new.disabled:
                c.execute(delete(sessions).where(sessions.c.account == account))
        return new

    @tried_again
    def delete_account(self, account: str) -> AccountRecord:
        """Forget an account with its identities and sessions; the user whose history it kept stays."""
        with self._db.write() as c:
            old = _locked(c, account)
            if old.role == ADMINISTRATOR and not old.disabled:
                _refuse_the_last(c, old)
            c.execute(delete(sessions).where(sessions.c.account == account))
            c.execute(delete(identities).where(identities.c.account == account))
            c.execute(delete(accounts).where(accounts.c.id == account))
        return old

    @tried_again
    def link_identity(self, issuer: str, subject: str, account: str) -> None:
        """From now on this provider's ``subject`` is this account."""
        with self._db.write() as c:
            _locked(c, account)
            _link(c, (issuer, subject), account)

    def note_sign_in(self, account: str, at: datetime) -> None:
        """Somebody came in."""
        with self._db.write() as c:
            c.execute(update(accounts).where(accounts.c.id == account).values(signed_in_at=sure_moment(at)))

    def _one(self, condition: Any) -> AccountRecord | None:
        with self._db.read() as c:
            row = c.execute(select(accounts).where(condition)).first()
        return _account(row) if row is not None else None


def _administrators() -> Any:
    return select(accounts.c.id).where(accounts.c.role == ADMINISTRATOR, accounts.c.disabled.is_(False))


def _locked(c: Connection, account: str) -> AccountRecord:
    # All administrators are locked first and in order, so that two of them cannot end each other at once.
    c.execute(_administrators().order_by(accounts.c.id).with_for_update())
    row = c.execute(select(accounts).where(accounts.c.id == account).with_for_update()).first()
    if row is None:
        raise NotFound(f"there is no account {account!r}")
    return _account(row)


def _refuse_the_last(c: Connection, old: AccountRecord) -> None:
    if c.execute(_administrators().where(accounts.c.id != old.id).limit(1)).first() is None:
        raise Conflict(f"{old.name!r} is the last administrator; make somebody else one first")


def _link(c: Connection, identity: tuple[str, str], account: str) -> None:
    row = {"issuer": identity[0], "subject": checked_id(identity[1], "subject"), "account": account}
    made = c.execute(insert(c, identities).on_conflict_do_nothing().returning(identities.c.account), row).first()
    if made is None:
        raise Conflict("this identity belongs to an account already; sign in again")


def _make_user(c: Connection, user: str | None) -> None:
    if user is None:
        return
    known, made = user_keys(c, [user])
    if user not in known:
        raise forgotten(user)
    if made:
        bump(c, "data")


def _kept(record: AccountRecord) -> dict[str, Any]:
    return {
        "id": checked_id(record.id, "account"),
        "name": checked_id(record.name, "name"),
        "email": None if record.email is None else str(kept_text(record.email, "email")).casefold(),
        "role": record.role,
        "user": None if record.user is None else checked_id(record.user, "user"),
        "password": record.password,
        "disabled": record.disabled,
        "created_at": sure_moment(record.created_at, "created_at"),
        "signed_in_at": kept_moment(record.signed_in_at, "signed_in_at"),
    }


def _account(row: Sequence[Any]) -> AccountRecord:
    account, name, email, role, user, password, disabled, created_at, signed_in_at = row
    return AccountRecord(
        id=account,
        name=name,
        role=role,
        created_at=aware(created_at),
        email=email,
        user=user,
        password=password,
        disabled=bool(disabled),
        signed_in_at=aware_or_none(signed_in_at),
    )
