"""Experiments: who is in which group, and what the groups made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from serendip.cli.options import as_json, opened, parse_moment, parse_pairs, print_json, settings_of, where
from serendip.domain import Invalid

if TYPE_CHECKING:
    from serendip.flows.groups import Experiment


@click.group()
def experiment() -> None:
    """Groups of users who are answered in different ways: `experiment group`, `experiment analyse`.

    The settings experiment_groups and experiment_salt declare who answers whom.
    """


@experiment.command()
@click.argument("users", nargs=-1, required=True)
@as_json
def group(users: tuple[str, ...], json: bool) -> None:
    """The group that each of USERS is in."""
    declared = _declared()
    found = {user: declared.group(user) for user in users}
    if json:
        print_json(found)
        return
    for user, name in found.items():
        click.echo(f"{user}: {name}")


@experiment.command("analyse")
@click.option("--since", metavar="MOMENT", help="From this moment on.  [default: everything before --until]")
@click.option("--until", metavar="MOMENT", help="Exclusive.  [default: now]")
@click.option("--shown", default="slates", metavar="KIND", help="What counts as shown: slates, or a kind such as view.")
@click.option("--liked", default="like", show_default=True, metavar="KIND", help="What counts as a like.")
@click.option("--by", metavar="ATTRIBUTE", help="The attribute of users that says the group, instead of the salt.")
@click.option("--data", multiple=True, metavar="FILE", help="Interactions of files instead of the store; repeatable.")
@click.option("--users", metavar="FILE", help="With --data and --by: the attributes of users.")
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="With --data: for example kind=action.")
@where
@as_json
def analyse(
    since: str | None,
    until: str | None,
    shown: str,
    liked: str,
    by: str | None,
    data: tuple[str, ...],
    users: str | None,
    columns: tuple[str, ...],
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Whether the groups were drawn fairly, how many liked something and how often, with intervals."""
    from datetime import UTC, datetime

    from serendip.cli.show_experiment import show_analysis
    from serendip.flows.experiment import Asked, analyse_files, analyse_store

    start = parse_moment(since) if since else datetime(1970, 1, 1, tzinfo=UTC)
    asked = Asked(start, parse_moment(until), "view" if data and shown == "slates" else shown, liked)
    declared = None if by else _declared()
    if data:
        found = analyse_files(data, declared, asked, by, users, parse_pairs(columns, "--map"))
    else:
        with opened(database, artifacts) as (store, _):
            found = analyse_store(store, declared, asked, by)
    if json:
        print_json(found.to_dict())
    else:
        show_analysis(found)


def _declared() -> Experiment:
    """The experiment of the settings."""
    from serendip.flows.groups import Experiment

    settings = settings_of(None, None)
    if not settings.experiment_groups:
        raise Invalid(
            "no experiment is declared; set experiment_groups, such as control=home,test=topics, and experiment_salt",
            field="experiment_groups",
        )
    return Experiment.parse(settings.experiment_salt, settings.experiment_groups)
