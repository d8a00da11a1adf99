"""Care for an installation: migrate, doctor."""

from __future__ import annotations

import click

from serendip.cli.options import as_json, print_json, settings_of, where


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
