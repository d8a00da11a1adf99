"""An experiment as people read it on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from serendip.cli.show import out

if TYPE_CHECKING:
    from serendip.evaluation.experiment import Analysis, Gap, Share


def show_analysis(found: Analysis) -> None:
    """The groups, whether they were drawn fairly, and how each stands against the first."""
    grid = Grid()
    for name in ("group", "users", "shown", "likes", "users with a like", "like rate"):
        grid.add_column(name, justify="left" if name == "group" else "right", no_wrap=True)
    for one in found.groups:
        numbers = (f"{n:,}" for n in (one.users, one.shown, one.liked))
        grid.add_row(escape(one.name), *numbers, _share(one.liking), _share(one.rate))
    out.print(grid)
    if found.suspicious:
        out.print(
            f"[red]the groups' sizes do not fit a fair draw (p = {found.mismatch_p:.2g}): find out why before "
            "believing any difference[/red]"
        )
    else:
        out.print(f"the groups' sizes fit a fair draw (p = {found.mismatch_p:.2g})")
    for versus in found.versus:
        out.print(f"\n[bold]{escape(versus.name)}[/bold] against {escape(found.groups[0].name)}")
        out.print(f"  users with a like  {_gap(versus.liking)}")
        out.print(f"  like rate          {_gap(versus.rate)}")
        out.print(f"  in {found.n_buckets:>3} buckets     {_gap(versus.bucketed)}")


def _share(one: Share) -> str:
    return f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]"


def _gap(one: Gap) -> str:
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]  p = {one.p:.2g}"
