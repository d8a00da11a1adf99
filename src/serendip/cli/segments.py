"""Groups of customers and the curve that says how many there should be: segments."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, opened, parse_moment, print_json, where


@click.command()
@click.option("--model", metavar="NAME", help="Which declared model of kind segments, where there are several.")
@click.option("--to", "to", metavar="FILE", help="The group of every user; ends in .csv or .parquet.")
@click.option(
    "--time", "time", metavar="MOMENT", help="As of this moment, where groups are made of events.  [default: now]"
)
@where
@as_json
def segments(
    model: str | None, to: str | None, time: str | None, json: bool, database: str | None, artifacts: str | None
) -> None:
    """Customers in groups by recency, frequency and money: how large each is, and the elbow of other numbers of groups.

    What was found is kept beside the versions, and read again while the data are unchanged.
    """
    from serendip.cli.show import out
    from serendip.flows.segments import config_of, segments

    with opened(database, artifacts) as (store, kept):
        config = config_of(store, model)
        found = segments(store, kept, config, parse_moment(time), None if to is None else Path(to))
    if json:
        print_json(found.to_dict())
        return
    said = "as kept, for the data are unchanged" if found.reused else "made and kept"
    out.print(f"{found.n_segments} groups by {', '.join(found.columns)}, {said}", markup=False)
    for group in found.groups:
        medians = "  ".join(f"{name} {group[name]:>10,.1f}" for name in found.columns)
        out.print(f"  group {group['segment']:.0f}: {group['users']:>9,.0f} users, medians {medians}", markup=False)
    if found.unknown:
        out.print(f"  {found.unknown:,} users belong to none: something of theirs is not known", markup=False)
    out.print(f"the curve bends most at {found.elbow} groups:", markup=False)
    for place, (inertia, apart) in enumerate(zip(found.inertia, found.silhouettes, strict=True), start=1):
        told = "" if apart != apart else f", silhouette {apart:.3f}"
        bar = "#" * round(50 * inertia / max(found.inertia[0], 1e-12))
        out.print(f"  {place:>3} {bar:<50} {inertia:,.0f}{told}", markup=False)
    if to is not None:
        out.print(f"the groups of all users are in {to}", markup=False)
