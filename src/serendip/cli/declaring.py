"""The file of declarations: init, check, scenarios."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, clock, opened, print_json, where


@click.command()
@click.option("--example", metavar="NAME", help="Begin as one of the examples: social, community, shop, feed, reviews.")
@click.option("--folder", default=".", show_default=True, metavar="DIR", help="Made where it is not there.")
def init(example: str | None, folder: str) -> None:
    """Write a serendip.toml with comments, and a README that says what to do next; nothing there is overwritten."""
    from serendip.flows.begin import begin

    for path in begin(Path(folder), example):
        click.echo(f"wrote {path}")
    click.echo("next: serendip check, serendip import FILE --as interactions, serendip train --promote, serendip serve")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--no-data", is_flag=True, help="Look at the file alone.")
@where
@as_json
def check(file: Path | None, no_data: bool, json: bool, database: str | None, artifacts: str | None) -> None:
    """Look whether FILE (serendip.toml) is right and fits the data; names every line that is not. Exit code 1 then."""
    from serendip.domain import Invalid, NotFound, SerendipError
    from serendip.flows.check import check
    from serendip.flows.declare import Fault, inspect
    from serendip.jobs.kinds import checked
    from serendip.settings import settings_file, settings_of_file

    path = file or settings_file()
    if path is None or not path.exists():
        raise NotFound(f"there is no {path or 'serendip.toml'} here; `serendip init` writes one")
    faults: list[Fault] = []
    declared = inspect(path)[0]
    if declared is not None:
        try:
            settings_of_file(declared.settings)
            if "wire" in declared.settings:
                from serendip.web.wire import wires

                wires(tuple(declared.settings["wire"]))
        except Invalid as error:
            faults.append(declared.fault((str(error.field),), str(error)))
    if no_data or faults:
        found, remarks = check(path, checked, None, clock())
    else:
        if database is None and declared is not None and file is not None:
            database = declared.settings.get("database_url")
        try:
            with opened(database, artifacts) as (store, _):
                found, remarks = check(path, checked, store, clock())
        except SerendipError as error:
            found, remarks = check(path, checked, None, clock())
            remarks = [f"the data could not be looked at: {error}"]
    faults += found
    if json:
        told = [{"line": one.line, "field": one.field, "reason": one.said} for one in faults]
        print_json({"file": str(path), "faults": told, "remarks": remarks})
    else:
        for one in faults:
            click.echo(one.told(path))
        for remark in remarks:
            click.echo(f"note: {remark}")
        if not faults and declared is not None:
            names = ", ".join(declared.scenarios) or "none besides home and for-you"
            click.echo(f"{path} is right; scenarios: {names}")
    if faults:
        raise SystemExit(1)


@click.command()
@where
@as_json
def scenarios(json: bool, database: str | None, artifacts: str | None) -> None:
    """Where recommendations appear, who declared it, and which version is live there."""
    from serendip.flows.scenarios import kept, scenarios_of

    with opened(database, artifacts) as (store, _):
        found, live = scenarios_of(store), store.live()
    if json:
        print_json(
            [
                {
                    "scenario": name,
                    "origin": one.origin,
                    "config": kept(one.config),
                    "live": live[name].version if name in live else None,
                }
                for name, one in found.items()
            ]
        )
        return
    for name, one in found.items():
        config = one.config
        what = "+".join(config.candidates) or "the best of what was trained"
        serving = live[name].version if name in live else "nothing live"
        click.echo(f"{name}  ({one.origin})  {config.recommend} by {what}; gate {config.gate}; {serving}")
