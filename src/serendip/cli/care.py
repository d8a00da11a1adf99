"""Care for an installation: migrate, key, doctor."""

from __future__ import annotations

import click

from serendip.cli.options import as_json, clock, opened, print_json, settings_of, where


@click.command()
@where
@as_json
def migrate(json: bool, database: str | None, artifacts: str | None) -> None:
    """Bring the database to this release's form; takes a moment and loses nothing."""
    from serendip.store import Store

    settings = settings_of(database, artifacts)
    Store.open(settings.database_url, migrate=True).close()
    if json:
        print_json({"database": "ready"})
    else:
        click.echo("the database has this release's form")


@click.group()
def key() -> None:
    """API keys: create, list, revoke."""


@key.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "write", "admin"]), default=("read", "write"),
    show_default=True,
)  # fmt: skip
@where
@as_json
def create(name: str, scopes: tuple[str, ...], json: bool, database: str | None, artifacts: str | None) -> None:
    """Make a key called NAME and show it, this once."""
    from serendip.web.guard import new_key

    with opened(database, artifacts) as (store, _):
        secret = new_key(store, name, scopes, clock())
    if json:
        print_json({"name": name, "scopes": scopes, "key": secret})
    else:
        click.echo(f"{secret}\nIt is not shown again; send it as X-API-Key.")


@key.command("list")
@where
@as_json
def list_(json: bool, database: str | None, artifacts: str | None) -> None:
    """All keys, without their secrets."""
    with opened(database, artifacts) as (store, _):
        keys = store.keys()
    if json:
        print_json(
            [{"id": one.id, "name": one.name, "scopes": one.scopes, "created_at": one.created_at} for one in keys]
        )
        return
    for one in keys:
        click.echo(f"{one.id}  {one.name}  {','.join(one.scopes)}  made {one.created_at:%Y-%m-%d}")


@key.command()
@click.argument("id_")
@where
def revoke(id_: str, database: str | None, artifacts: str | None) -> None:
    """End the key with this id (see `serendip key list`); takes effect within a second."""
    from serendip.domain import NotFound

    with opened(database, artifacts) as (store, _):
        if not store.revoke_key(id_):
            raise NotFound(f"no key {id_!r}; `serendip key list` shows their ids")
    click.echo(f"{id_} opens nothing any more")


@click.command()
@click.option(
    "--warm",
    is_flag=True,
    help="Also compile the kernels now, a minute or two of work, so that no first fit or request waits for it.",
)
@where
@as_json
def doctor(warm: bool, json: bool, database: str | None, artifacts: str | None) -> None:
    """What is well and what is not on this machine and in this database; exit code 1 if something is not."""
    from serendip.flows.doctor import examine

    settings = settings_of(database, artifacts)
    findings = examine(settings.database_url, settings.artifacts, warm)
    if json:
        print_json([{"what": one.what, "well": one.well, "said": one.said} for one in findings])
    else:
        for one in findings:
            click.echo(f"{'ok ' if one.well else 'BAD'}  {one.what}: {one.said}")
    if not all(one.well for one in findings):
        raise SystemExit(1)
