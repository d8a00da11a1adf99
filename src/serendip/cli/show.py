"""Answers as people read them on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from serendip.domain import Item, Slate

if TYPE_CHECKING:
    from serendip.evaluation import Table
    from serendip.store import Promotion, VersionRecord

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False)


def title_of(item: str, items: Mapping[str, Item]) -> str:
    """An item's title beside its id."""
    known = items.get(item)
    return f"{known.title} ({item})" if known is not None and known.title else item


def show_slate(slate: Slate, items: Mapping[str, Item]) -> None:
    """A numbered list with sources and reasons."""
    who = f" for {escape(slate.user)}" if slate.user is not None else ""
    stranger = "" if slate.known or slate.user is None else ", not known before"
    out.print(f"[bold]{slate.scenario}[/bold]{who}{stranger}  [dim]{slate.version}  slate {slate.id}[/dim]")
    for place, one in enumerate(slate.items, start=1):
        out.print(f"{place:>3}  {escape(title_of(one.item, items))}  [dim]{one.score:.4g}  {one.source}[/dim]")
        total = sum(abs(reason.share) for reason in one.reasons) or 1.0
        for reason in one.reasons:
            part = f"{reason.share / total:.0%} of what is shown"
            out.print(f"       because of {escape(title_of(reason.item, items))} [dim]{reason.kind}, {part}[/dim]")
    if slate.note:
        out.print(f"[yellow]{escape(slate.note)}[/yellow]")


def show_neighbours(item: str, source: str, found: Sequence[tuple[str, float]], items: Mapping[str, Item]) -> None:
    """A numbered list with likenesses."""
    out.print(f"like [bold]{escape(title_of(item, items))}[/bold]  [dim]{source}[/dim]")
    for place, (one, likeness) in enumerate(found, start=1):
        out.print(f"{place:>3}  {escape(title_of(one, items))}  [dim]{likeness:.4f}[/dim]")


def show_table(table: Table, metrics: Sequence[str] = ("ndcg@10", "recall@10", "hit_rate@10", "mrr@10")) -> None:
    """A comparison with its intervals, best first."""
    grid = Grid(title=table.title, title_justify="left", title_style="bold", caption_justify="left")
    grid.add_column("pipeline", no_wrap=True)
    shown = [metric for metric in metrics if any(metric in row.metrics for row in table.rows)]
    for metric in shown:
        grid.add_column(metric, justify="right", no_wrap=True)
    grid.add_column("against popular-7-days", justify="right", no_wrap=True)
    for row in sorted(table.rows, key=lambda row: -row.metrics[shown[0]].mean):
        cells = [f"{row.metrics[m].mean:.4f} ±{row.metrics[m].half_width:.4f}" for m in shown]
        against = row.vs.get("popular-7-days")
        beside = f"{against.mean:+.4f} [{against.low:+.4f}, {against.high:+.4f}]" if against else "-"
        grid.add_row(row.name, *cells, beside)
    out.print(grid)


@contextmanager
def steps(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Says on standard error what is being done; one line that changes on a terminal, silence elsewhere."""
    if quiet or not err.is_terminal:
        yield lambda _: None
        return
    with err.status("") as status:
        yield lambda what: status.update(what)


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; call with the number done so far. Silent where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def show_versions(records: Sequence[VersionRecord], live: Mapping[str, Promotion]) -> None:
    """A line a version, newest first."""
    if not records:
        out.print("no versions yet; `serendip train` makes some")
        return
    grid = Grid()
    for column in ("version", "made", "learnt from", "ndcg@10 replayed", "live as"):
        grid.add_column(column, no_wrap=True)
    for record in records:
        measured = record.manifest["measured"]["protocols"]
        first = next(iter(measured.values()))
        row = next(row for row in first["rows"] if row["name"] == record.manifest["pipeline"]["name"])
        score = row["metrics"]["ndcg@10"]
        grid.add_row(
            record.id,
            f"{record.created_at:%Y-%m-%d %H:%M}",
            f"{record.manifest['data']['n_interactions']:,}",
            f"{score['mean']:.4f} [{score['low']:.4f}, {score['high']:.4f}]",
            ", ".join(name for name, one in live.items() if one.version == record.id),
        )
    out.print(grid)


def show_version(record: VersionRecord, live: Mapping[str, Promotion]) -> None:
    """What one version is, and its tables."""
    from serendip.evaluation import Table
    from serendip.store import Promotion, VersionRecord

    where = [name for name, one in live.items() if one.version == record.id]
    data = record.manifest["data"]
    out.print(
        f"[bold]{record.id}[/bold]  made {record.created_at:%Y-%m-%d %H:%M}  {'live as ' + ', '.join(where) if where else ''}"
    )
    out.print(f"{data['n_interactions']:,} interactions of {data['n_users']:,} users with {data['n_items']:,} items")
    out.print(record.manifest["gate"]["sentence"], markup=False)
    for table in record.manifest["measured"]["protocols"].values():
        show_table(Table.from_dict(table))
