"""Data in and out: import, datasets, export."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, clock, declare_file, opened, parse_pairs, print_json, where
from serendip.domain import Invalid

KINDS_OF_ROWS = ["users", "items", "interactions", "relations", "vectors"]


@click.command("import")
@click.argument("source")
@click.option("--as", "as_", type=click.Choice(KINDS_OF_ROWS), default="interactions", show_default=True)
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="For example user=CustomerID.")
@click.option("--kind", metavar="KIND", help="The kind of interactions whose rows name none.")
@click.option("--scale", metavar="LOW:HIGH", help="Lowest and highest value; rows outside are refused.")
@click.option("--timezone", default="UTC", show_default=True, help="Where moments without one are local.")
@click.option(
    "--format", "format_", metavar="FORMAT", help="csv, tsv, ::, jsonl, parquet or sequences, if not inferred."
)
@click.option("--encoding", metavar="NAME", help="Of a text file, if not UTF-8.")
@click.option(
    "--errors", "errors", metavar="FILE", help="Where refused rows go.  [default: SOURCE's name + .errors.csv]"
)
@click.option("--dry-run", is_flag=True, help="Look and check, keep nothing.")
@where
@as_json
def import_(
    source: str,
    as_: str,
    columns: tuple[str, ...],
    kind: str | None,
    scale: str | None,
    timezone: str,
    format_: str | None,
    encoding: str | None,
    errors: str | None,
    dry_run: bool,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Users, items, interactions, relations or vectors from SOURCE: a file, or an SQL table as postgresql://...?table=T.

    CSV, TSV, ::, JSON lines, Parquet, gzip of these. Rows that are there already add nothing; a killed import goes on
    where it stopped.
    """
    from serendip.cli.show import bar, show_columns, show_report
    from serendip.flows.bring import Reading, bring

    reading = Reading(parse_pairs(columns, "--map"), kind, timezone, parse_scale(scale), format_, encoding)
    error_file = Path(errors) if errors else Path(f"{Path(source.split('?')[0]).name}.errors.csv")
    with opened(database, artifacts) as (store, _), bar(f"importing {as_}", 1000) as advance:
        if not dry_run:
            declare_file(store)
        report = bring(
            store,
            source,
            as_,  # type: ignore[arg-type]
            reading,
            dry_run=dry_run,
            error_file=error_file,
            looked=(lambda _s, _m: None) if json else show_columns,
            progress=lambda done, _rows: advance(int((done or 0) * 1000)),
            now=clock(),
        )
    if json:
        print_json(report.to_dict())
    else:
        show_report(report)


def parse_scale(text: str | None) -> tuple[float, float] | None:
    """``LOW:HIGH`` as numbers."""
    if text is None:
        return None
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise Invalid(f"--scale {text} is not of the form LOW:HIGH; write for example 1:5", field="scale") from None
    return low, high


def parse_reviews(text: str | None) -> tuple[int, int] | None:
    """``LOW:HIGH`` as whole numbers."""
    if text is None:
        return None
    try:
        low, high = map(int, text.split(":"))
    except ValueError:
        raise Invalid(
            f"--reviews {text} is not of the form LOW:HIGH; write for example 500:1500", field="reviews"
        ) from None
    return low, high


@click.group(invoke_without_command=True)
@click.pass_context
@as_json
def datasets(ctx: click.Context, json: bool) -> None:
    """Known data sets: what they are; `datasets load` maps one to users, items and interactions."""
    if ctx.invoked_subcommand is not None:
        return
    from serendip.cli.show import show_datasets
    from serendip.sources.datasets import NAMES

    if json:
        print_json(
            {
                name: {
                    "title": one.title,
                    "what": one.what,
                    "licence": one.licence,
                    "page": one.page,
                    "files": one.files,
                }
                for name, one in NAMES.items()
            }
        )
    else:
        show_datasets(NAMES)


@datasets.command()
@click.argument("name")
@click.option("--from", "path", required=True, metavar="PATH", help="The folder or file of the data set.")
@click.option(
    "--above",
    type=float,
    metavar="POPULARITY",
    help="Only items more popular than this, from 0 to 1: minmax(mean rating x minmax(number of votes)).",
)
@click.option(
    "--reviews",
    metavar="LOW:HIGH",
    help="amazon-books: how many reviews those who are kept wrote.  [default: 500:1500]",
)
@where
@as_json
def load(
    name: str,
    path: str,
    above: float | None,
    reviews: str | None,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Map the data set NAME at PATH to users, items and interactions, and keep them."""
    from serendip.cli.show import show_report, steps
    from serendip.flows.bring import bring_dataset

    with opened(database, artifacts) as (store, _), steps(quiet=json) as progress:
        declare_file(store)
        progress(f"loading {name}")
        reports = bring_dataset(store, name, Path(path), above=above, reviews=parse_reviews(reviews))
        # What the operator's file says of a kind goes before what the set says.
        declare_file(store)
    if json:
        print_json([report.to_dict() for report in reports])
        return
    for report in reports:
        show_report(report)


@datasets.command()
@click.argument("name")
@click.option("--to", "folder", required=True, metavar="DIR", help="Where to put it.")
def fetch(name: str, folder: str) -> None:
    """Fetch the data set NAME from its publisher, where its licence allows it, and check it."""
    from serendip.cli.show import out, steps
    from serendip.sources.datasets import fetch

    with steps() as progress:
        progress(f"fetching {name}")
        path = fetch(name, Path(folder))
    out.print(f"{path} is whole; now: serendip datasets load {name} --from {path}", markup=False)


@click.command()
@click.argument("what", type=click.Choice(["users", "items", "interactions"]))
@click.option("--to", "file", required=True, metavar="FILE", help="Ends in .csv, .jsonl or .parquet.")
@where
@as_json
def export(what: str, file: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """All users, items or interactions into a file that `serendip import` reads again."""
    from serendip.cli.show import out
    from serendip.flows.export import export

    with opened(database, artifacts) as (store, _):
        rows = export(store, what, Path(file))
    if json:
        print_json({"file": file, "rows": rows})
    else:
        out.print(f"{rows:,} {what} are in {file}", markup=False)
