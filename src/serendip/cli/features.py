"""Point-in-time features: what there is, and tables of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import click

from serendip.cli.options import as_json, clock, declare_file, opened, print_json, settings_of, where

if TYPE_CHECKING:
    from serendip.data import Dataset

Command = Callable[..., None]


def log_options(command: Command) -> Command:
    """Adds --from, --items, --users and --feature."""
    for flag, name, said in (
        ("--users", "users", "Attributes of users beside --from: a column user, all others are attributes."),
        ("--items", "items", "Attributes of items beside --from: a column item, all others are attributes."),
        ("--from", "from_", "An event log (Parquet, CSV, JSON lines) instead of what is recorded."),
    ):
        command = click.option(flag, name, metavar="FILE", help=said)(command)
    return click.option(
        "--feature", "lines", multiple=True, metavar="FEATURE", help="One, such as 'count(item, like, 7d)'; repeatable."
    )(command)


@click.group()
def features() -> None:
    """Point-in-time features: list them, build tables of them."""


@features.command("list")
@log_options
@where
@as_json
def list_(
    lines: tuple[str, ...],
    from_: str | None,
    items: str | None,
    users: str | None,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """The features that are taken where none are named (or those of --feature), with what each tells."""
    from rich.table import Table

    from serendip.cli.show import out
    from serendip.data.features.meaning import meaning
    from serendip.flows.features import definitions_of

    found = definitions_of(lines, _data(from_, items, users, database, artifacts))
    if json:
        print_json([{"feature": one.text, "numbers": one.n_parts, "meaning": meaning(one)} for one in found])
        return
    grid = Table("feature", "what it tells before a moment")
    for one in found:
        grid.add_row(one.text, meaning(one))
    out.print(grid)


@features.command("build")
@click.option(
    "--to", required=True, metavar="URL", help="postgresql://..., sqlite:///file.db, or a folder for Parquet."
)
@click.option("--shown", metavar="KIND", help="Only rows of this kind: what somebody was shown.")
@click.option("--positive", metavar="KIND", help="The kind that makes a shown row positive where it follows.")
@click.option("--within", default="1d", show_default=True, help="For so long: 30m, 12h, 7d.")
@click.option("--scenario", metavar="NAME", help="The features that the ranker of this scenario looks at.")
@log_options
@where
@as_json
def build_(
    to: str,
    shown: str | None,
    positive: str | None,
    within: str,
    scenario: str | None,
    lines: tuple[str, ...],
    from_: str | None,
    items: str | None,
    users: str | None,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Write a versioned table: a row an interaction, its features as of its own moment.

    The table's name says which definitions, data and release it is of. An interrupted build goes on where it stopped; a
    finished one is not made again.
    """
    from serendip.cli.show import bar, out
    from serendip.flows.features import build, definitions_of, label_of
    from serendip.store.feature_tables import FeatureTables

    label = label_of(shown, positive, within)
    if scenario is not None:
        lines = _of_scenario(scenario, lines, database, artifacts)
    own = None if from_ else settings_of(database, artifacts).database_url
    with closing(FeatureTables.at(to, own)) as tables:
        data = _data(from_, items, users, database, artifacts)
        definitions = definitions_of(lines, data, label)
        with bar("building features", 1000) as advance:
            done = build(data, definitions, tables, clock(), label, progress=lambda part: advance(int(part * 1000)))
    if json:
        print_json({"table": done.name, "rows": done.rows, "features": list(done.names), "made": done.made})
        return
    said = "" if done.made else ", which was there already"
    said += f", gone on after {done.resumed} batches" if done.made and done.resumed else ""
    out.print(f"{done.name}: {done.rows:,} rows of {len(done.names)} features{said}")


def _of_scenario(scenario: str, lines: tuple[str, ...], database: str | None, artifacts: str | None) -> tuple[str, ...]:
    """What the ranker of a scenario looks at, which nobody names besides."""
    from serendip.domain import Invalid
    from serendip.flows.features import looked_at

    if lines:
        raise Invalid("name either features or a scenario whose ranker looks at some, not both", field="scenario")
    with opened(database, artifacts) as (store, _):
        declare_file(store)
        return looked_at(store, scenario)


def _data(
    from_: str | None, items: str | None, users: str | None, database: str | None, artifacts: str | None
) -> Dataset:
    """The event log that a file holds, or the store."""
    from serendip.domain import Invalid
    from serendip.flows.features import logged, recorded

    if from_ is not None:
        return logged(from_, items=items, users=users)
    if items or users:
        raise Invalid("--items and --users belong to --from; the store knows its own attributes", field="from")
    with opened(database, artifacts) as (store, _):
        return recorded(store)
