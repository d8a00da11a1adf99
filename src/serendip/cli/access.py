"""Who comes in: accounts of people, keys of programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from serendip.cli.options import as_json, clock, opened, parse_moment, print_json, where

if TYPE_CHECKING:
    from datetime import datetime

    from serendip.store import AccountRecord, Store

ROLES = click.Choice(["member", "operator", "administrator"])


def note(store: Store, now: datetime, action: str, target: str, **detail: Any) -> None:
    """A line of the audit log for what was done from this terminal."""
    from serendip.store import Act

    store.note(Act(now, "terminal", action, target, detail or None))


def asked_password() -> str:
    """A password, typed twice and not shown; or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


@click.group()
def account() -> None:
    """Accounts of people who sign in."""


@account.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="member", show_default=True)
@click.option("--email", help="Known to be theirs: a provider that verified it signs them in.")
@click.option("--user", metavar="ID", help="Whose history the account reads and writes.  [default: NAME]")
@click.option("--password", is_flag=True, help="Ask for a password, or read it from standard input.")
@where
@as_json
def create(
    name: str,
    role: str,
    email: str | None,
    user: str | None,
    password: bool,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Make an account; without --password, show a sign-in link that works once, within an hour."""
    from serendip.flows.access import new_account_link
    from serendip.flows.accounts import create_account

    secret = asked_password() if password else None
    with opened(database, artifacts) as (store, _):
        now = clock()
        made = create_account(store, name, role, now, secret, email, user)
        note(store, now, "create_account", made.name, role=role)
        link = None if password else new_account_link(store, made, now)
    if json:
        print_json({**shown(made), "link": link})
        return
    click.echo(f"{made.name} may sign in as {made.role}" + (f", once at {link} of the server" if link else ""))


@account.command("list")
@where
@as_json
def list_accounts(json: bool, database: str | None, artifacts: str | None) -> None:
    """All accounts."""
    found: list[AccountRecord] = []
    with opened(database, artifacts) as (store, _):
        after: str | None = None
        while page := store.accounts(after=after, limit=1000):
            found += page.records
            after = page.next
            if after is None:
                break
    if json:
        print_json([shown(one) for one in found])
        return
    for one in found:
        seen = f"last in {one.signed_in_at:%Y-%m-%d}" if one.signed_in_at else "never in"
        click.echo(f"{one.name}  {one.role}{'  disabled' if one.disabled else ''}  user {one.user or '-'}  {seen}")


def shown(record: AccountRecord) -> dict[str, Any]:
    """An account as --json prints it."""
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "email": record.email,
        "user": record.user,
        "disabled": record.disabled,
        "created_at": record.created_at,
        "signed_in_at": record.signed_in_at,
    }


@account.command("set-password")
@click.argument("name")
@where
def set_password_(name: str, database: str | None, artifacts: str | None) -> None:
    """A new password for NAME, typed or from standard input; signs the account out everywhere."""
    from serendip.flows.accounts import find_account, set_password

    with opened(database, artifacts) as (store, _):
        found = find_account(store, name)
        set_password(store, found.id, asked_password())
        note(store, clock(), "set_account_password", found.name)
    click.echo(f"{found.name} has a new password")


def changed(name: str, database: str | None, artifacts: str | None, said: str, **changes: Any) -> None:
    """Change an account and say so."""
    from serendip.flows.accounts import change_account, find_account

    with opened(database, artifacts) as (store, _):
        found = find_account(store, name)
        change_account(store, found.id, **changes)
        note(store, clock(), "update_account", found.name, **{k: v for k, v in changes.items() if k != "user"})
    click.echo(f"{found.name} {said}")


@account.command()
@click.argument("name")
@where
def disable(name: str, database: str | None, artifacts: str | None) -> None:
    """Sign NAME out and let it in no more; nothing else is lost."""
    changed(name, database, artifacts, "is disabled", disabled=True)


@account.command()
@click.argument("name")
@where
def enable(name: str, database: str | None, artifacts: str | None) -> None:
    """Let NAME in again."""
    changed(name, database, artifacts, "may sign in", disabled=False)


@account.command()
@click.argument("name")
@click.argument("role", type=ROLES)
@where
def role(name: str, role: str, database: str | None, artifacts: str | None) -> None:
    """Give NAME another role; signs the account out."""
    changed(name, database, artifacts, f"is {role} now", role=role)


@account.command()
@click.argument("name")
@click.argument("user")
@where
def link(name: str, user: str, database: str | None, artifacts: str | None) -> None:
    """From now on NAME reads and writes the history of USER."""
    changed(name, database, artifacts, f"is user {user} now", user=user)


@account.command()
@click.argument("name")
@where
def invite(name: str, database: str | None, artifacts: str | None) -> None:
    """Show a link that signs in as NAME, once, within an hour."""
    from serendip.flows.access import new_account_link
    from serendip.flows.accounts import find_account

    with opened(database, artifacts) as (store, _):
        found, now = find_account(store, name), clock()
        path = new_account_link(store, found, now)
        note(store, now, "create_account_link", found.name)
    click.echo(path)


@account.command()
@click.argument("name")
@where
def delete(name: str, database: str | None, artifacts: str | None) -> None:
    """Remove NAME and sign it out; the history of its user stays."""
    from serendip.flows.accounts import find_account

    with opened(database, artifacts) as (store, _):
        found = find_account(store, name)
        store.delete_account(found.id)
        note(store, clock(), "delete_account", found.name)
    click.echo(f"{found.name} is removed")


@click.group()
def key() -> None:
    """API keys: create, list, revoke."""


@key.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "write", "admin"]), default=("read", "write"),
    show_default=True,
)  # fmt: skip
@click.option("--expires", metavar="MOMENT", help="When it ends, such as 2027-01-01; otherwise when it is revoked.")
@where
@as_json
def create_key(
    name: str, scopes: tuple[str, ...], expires: str | None, json: bool, database: str | None, artifacts: str | None
) -> None:
    """Make a key called NAME and show it, this once."""
    from serendip.flows.access import make_key

    with opened(database, artifacts) as (store, _):
        now = clock()
        made = make_key(store, name, scopes, now, parse_moment(expires) if expires else None)
        note(store, now, "create_key", made.record.id, name=name, scopes=list(scopes))
    if json:
        print_json({"id": made.record.id, "name": name, "scopes": scopes, "key": made.plain})
    else:
        click.echo(f"{made.plain}\nIt is not shown again; send it as X-API-Key.")


@key.command("list")
@where
@as_json
def list_keys(json: bool, database: str | None, artifacts: str | None) -> None:
    """All keys, without their secrets."""
    with opened(database, artifacts) as (store, _):
        keys = store.keys()
    if json:
        print_json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "scopes": one.scopes,
                    "created_at": one.created_at,
                    "expires_at": one.expires_at,
                    "used_at": one.used_at,
                }
                for one in keys
            ]
        )
        return
    for one in keys:
        used = f"last used {one.used_at:%Y-%m-%d}" if one.used_at else "never used"
        ends = f"  ends {one.expires_at:%Y-%m-%d}" if one.expires_at else ""
        click.echo(f"{one.id}  {one.name}  {','.join(one.scopes)}  made {one.created_at:%Y-%m-%d}  {used}{ends}")


@key.command()
@click.argument("id_")
@where
def revoke(id_: str, database: str | None, artifacts: str | None) -> None:
    """End the key with this id (see `serendip key list`); takes effect within a second."""
    from serendip.domain import NotFound

    with opened(database, artifacts) as (store, _):
        if not store.revoke_key(id_):
            raise NotFound(f"no key {id_!r}; `serendip key list` shows their ids")
        note(store, clock(), "revoke_key", id_)
    click.echo(f"{id_} opens nothing any more")
