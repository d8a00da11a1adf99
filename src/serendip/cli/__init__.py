"""The flows from a terminal; every module but this one is loaded when its verb is called."""

from __future__ import annotations

import importlib
import sys

import click

from serendip import __version__
from serendip.domain import SerendipError

VERBS = {
    "init": "declaring",
    "check": "declaring",
    "demo": "start",
    "serve": "start",
    "work": "jobs",
    "jobs": "jobs",
    "import": "bring",
    "pull": "pull",
    "datasets": "bring",
    "export": "bring",
    "features": "features",
    "vectors": "vectors",
    "train": "versions",
    "evaluate": "versions",
    "tune": "tune",
    "experiment": "experiment",
    "models": "versions",
    "scenarios": "declaring",
    "promote": "versions",
    "rollback": "versions",
    "recommend": "ask",
    "similar": "ask",
    "sessions": "sessions",
    "segments": "segments",
    "migrate": "care",
    "account": "access",
    "key": "access",
    "doctor": "care",
}
"""Every verb and the module that holds it, in the order of the help page."""

SUMMARIES = {
    "init": "A serendip.toml to begin with, plain or as one of the examples.",
    "check": "Whether serendip.toml is right and fits the data, line by line.",
    "demo": "A small world (or your data), trained, measured and served.",
    "serve": "The API and the pages over HTTP.",
    "work": "Do jobs until told to stop.",
    "jobs": "Jobs: list, show, add, run, cancel; kinds; timetable.",
    "import": "Users, items, interactions, relations or vectors from a file or an SQL table.",
    "pull": "Users and their attributes from a REST service.",
    "datasets": "Known data sets: list, load, fetch.",
    "export": "Users, items or interactions into a file.",
    "features": "Point-in-time features: list them, build tables of them.",
    "vectors": "Vectors of items: made of their texts, imported, exported.",
    "train": "Measure pipelines on the last tenth of time and keep them as versions.",
    "evaluate": "Compare pipelines without keeping anything, on what is recorded or on files alone.",
    "tune": "Search the settings of pipelines on validation data.",
    "experiment": "Groups of users answered in different ways: who is where, and what came of it.",
    "models": "The versions that are kept, and which are live.",
    "scenarios": "Where recommendations appear, and what is live there.",
    "promote": "Make a version live, if the gate lets it.",
    "rollback": "Make the version live again that was live before.",
    "recommend": "What a user would like to see next.",
    "similar": "Items that are like an item.",
    "sessions": "Sessions of somebody or nobody: answer a file of them, list them, measure by them.",
    "segments": "Customers in groups, and how many groups there should be.",
    "migrate": "Bring the database to this release's form.",
    "account": "People who sign in: create, list, change, remove.",
    "key": "API keys: create, list, revoke.",
    "doctor": "What is well and what is not on this machine and in this database.",
}


class Verbs(click.Group):
    """The verbs, each imported when it is called, so that help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every verb."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """The command of one verb."""
        if name not in VERBS:
            return None
        module = importlib.import_module(f"serendip.cli.{VERBS[name]}")
        command: click.Command = getattr(module, name + "_" if name == "import" else name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The verbs with a line each, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="serendip")
def cli() -> None:
    """Recommendations you can serve, measure and explain.

    Settings come from a flag, else the environment (SERENDIP_..., DATABASE_URL, PORT), else serendip.toml, else the
    default. Every verb that answers takes --json.
    """


def main() -> None:
    """Run a verb; what a person can mend is one sentence on standard error and exit code 1."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SerendipError as error:
        click.echo(f"serendip: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
