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
    from serendip.evaluation import RatingTable, Table
    from serendip.flows.bring import Report
    from serendip.flows.told import RankerTold
    from serendip.flows.tune import Tuned
    from serendip.sources import Mapping as Mapping_
    from serendip.sources import Source
    from serendip.sources.datasets import Known
    from serendip.store import Promotion, VersionRecord
    from serendip.web.pages.why import Said

WIDE = 200
"""Columns of a page where there is no terminal that says how wide it is."""

MOST_SAID = 3
"""Sentences of each item."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, highlight=False)


def title_of(item: str, items: Mapping[str, Item]) -> str:
    """An item's title beside its id."""
    known = items.get(item)
    return f"{known.title} ({item})" if known is not None and known.title else item


def show_slate(slate: Slate, items: Mapping[str, Item], told: Mapping[str, Sequence[Said]] | None = None) -> None:
    """A numbered list with sources, what is ``told`` of each item's score, and reasons."""
    who = f" for {escape(slate.user)}" if slate.user is not None else ""
    stranger = "" if slate.known or slate.user is None else ", not known before"
    out.print(f"[bold]{slate.scenario}[/bold]{who}{stranger}  [dim]{slate.version}  slate {slate.id}[/dim]")
    for place, one in enumerate(slate.items, start=1):
        out.print(f"{place:>3}  {escape(title_of(one.item, items))}  [dim]{one.score:.4g}  {one.source}[/dim]")
        for said in (told or {}).get(one.item, ())[:MOST_SAID]:
            out.print(f"       because {escape(said.words)} [dim]{said.percent}[/dim]")
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


def show_table(table: Table, metrics: Sequence[str] = ("ndcg@10", "recall@10", "hit-rate@10", "mrr@10")) -> None:
    """A comparison with its 95% intervals, best first."""
    out.print(f"\n[bold]{table.protocol}[/bold], {said_of(table)}")
    grid = Grid()
    grid.add_column("pipeline", no_wrap=True)
    shown = [metric for metric in metrics if metric in table.rows[0].metrics]
    for metric in shown:
        grid.add_column(metric, justify="right", no_wrap=True)
    whole = [metric for metric in metrics if metric in table.rows[0].catalogue]
    for metric in whole:
        grid.add_column(metric, justify="right", no_wrap=True)
    rival = table.baselines.get("popular-7-days") or table.baselines["popular"]
    grid.add_column(f"{table.metric} against {rival}", justify="right", no_wrap=True)
    for row in table.rows:
        cells = [f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}" for one in (row.metrics[m] for m in shown)]
        cells += [f"{row.catalogue[metric]:.4f}" for metric in whole]
        gap = row.vs.get(rival)
        beside = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]" if gap else ""
        grid.add_row(row.name, *cells, beside)
    out.print(grid)
    for note in table.notes:
        out.print(note, style="dim", markup=False)


def show_ratings(table: RatingTable) -> None:
    """Errors of predicted ratings with their 95% intervals and those of each fold, best first."""
    out.print(f"\n[bold]{table.about()}[/bold]; 95% intervals")
    grid = Grid()
    folds = [f"fold {n}" for n in range(1, table.n_folds + 1)] if table.n_folds > 1 else []
    for name in ("model", *table.shown, f"{table.metric} beside biases", *folds, "seconds a fit"):
        grid.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for row in table.rows:
        gap = row.vs.get("biases")
        cells = [f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}" for one in (row.metrics[m] for m in table.shown)]
        cells.append(f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]" if gap else "")
        cells += [f"{one:.4f}" for one in row.folds[table.metric]] if folds else []
        grid.add_row(row.name, *cells, f"{row.fit_seconds:.2f}" if row.fit_seconds else "")
    out.print(grid)
    for note in table.notes:
        out.print(note, style="dim", markup=False)


def show_tuned(found: Tuned, trials_file: str) -> None:
    """What a search found, best first, and how to measure it."""
    for one in found.best:
        reached = ", ".join(f"{name} {value:.4f}" for name, value in one.metrics.items())
        settings = " ".join(f"--set {name}={value}" for name, value in sorted(one.settings.items()))
        out.print(f"{one.pipeline}: {reached}", style="bold", markup=False)
        out.print(f"  {settings}", markup=False, soft_wrap=True)
    for trial in found.trials:
        if trial.error is not None:
            out.print(f"{trial.pipeline} {trial.number + 1} failed: {trial.error}", style="dim", markup=False)
    each = ", ".join(f"{name} {one['trials']:.0f} in {one['seconds']:.1f} s" for name, one in found.spent.items())
    before = f", {found.resumed} of them done before" if found.resumed else ""
    out.print(f"{found.budget} ({each}); every trial is in {trials_file}{before}", style="dim", markup=False)


def said_of(table: Table) -> str:
    """Who was asked, when, and what of."""
    when = f"{table.cut[:10]} to {table.until[:10]}" if table.cut and table.until else f"split {table.split}"
    refresh = f", refitted every {table.refresh_days:g} days" if table.refresh_days else ""
    return f"{when}: {table.n_queries:,} questions of {table.n_users:,} users{refresh}; 95% intervals"


def show_columns(source: Source, mapping: Mapping_) -> None:
    """Which column was taken for what, before anything is read."""
    fields = ", ".join(f"{field} = {column}" for field, column in mapping.fields.items())
    out.print(f"{source.name}: {source.format}; {fields}", markup=False)
    if mapping.attributes:
        out.print(f"attributes: {', '.join(mapping.attributes)}", style="dim", markup=False)
    for note in mapping.notes:
        out.print(note, style="dim", markup=False)


def show_report(report: Report) -> None:
    """Every row of an import, accounted for."""
    verb = "would be added" if report.dry_run else "added"
    parts = [f"{report.rows_read:,} rows read", f"{report.added:,} {verb}"]
    there = f"{report.repeated:,} there already" + (f" ({report.changed:,} changed)" if report.changed else "")
    parts += [there] if report.repeated else []
    parts += [f"{report.refused:,} refused"] if report.refused else []
    parts += [f"{sum(report.left_out.values()):,} left out"] if report.left_out else []
    out.print(f"{report.what}: " + ", ".join(parts), markup=False)
    for reason, n in sorted(report.left_out.items(), key=lambda one: -one[1]):
        out.print(f"  left out: {n:>9,}  {reason}", markup=False)
    if report.what == "interactions" and (report.new_users or report.new_items):
        out.print(f"  made as bare rows: {report.new_users:,} users, {report.new_items:,} items")
    if report.resumed_at:
        out.print(f"  went on after row {report.resumed_at:,}, where an earlier import had stopped")
    for note in report.notes if report.what == "interactions" else ():
        out.print(f"  {note}", style="dim", markup=False)
    for error in report.errors:
        out.print(f"  line {error.line}: {error.field or 'row'}: {error.what}", style="red", markup=False)
    if report.refused > len(report.errors) and report.error_file:
        out.print(f"  all refused rows are in {report.error_file}", markup=False)


def show_datasets(known: Mapping[str, Known]) -> None:
    """A line a data set."""
    grid = Grid()
    for column in ("name", "what it is", "licence", "can be fetched"):
        grid.add_column(column)
    for name, one in known.items():
        grid.add_row(name, one.what, one.licence, "yes" if one.fetchable else "")
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
        first = measured.get("replayed") or measured.get("frozen") or {"rows": []}
        rows = [row for row in first["rows"] if row["name"] == record.manifest["pipeline"]["name"]]
        scores = [row["metrics"]["ndcg@10"] for row in rows]
        said = [f"{one['mean']:.4f} [{one['low']:.4f}, {one['high']:.4f}]" for one in scores]
        grid.add_row(
            record.id,
            f"{record.created_at:%Y-%m-%d %H:%M}",
            f"{record.manifest['data']['n_interactions']:,}",
            *(said or ["not measured"]),
            ", ".join(name for name, one in live.items() if one.version == record.id),
        )
    out.print(grid)


def show_version(record: VersionRecord, live: Mapping[str, Promotion]) -> None:
    """What one version is, and its tables."""
    from serendip.evaluation import Table
    from serendip.flows.told import ranker_told

    where = [name for name, one in live.items() if one.version == record.id]
    data = record.manifest["data"]
    place = f"live as {', '.join(where)}" if where else "not live"
    out.print(f"[bold]{record.id}[/bold]  made {record.created_at:%Y-%m-%d %H:%M}, {place}")
    out.print(f"{data['n_interactions']:,} interactions of {data['n_users']:,} users with {data['n_items']:,} items")
    out.print(record.manifest["gate"]["sentence"], markup=False)
    if (told := ranker_told(record.manifest)) is not None:
        show_ranker(told)
    for table in record.manifest["measured"]["protocols"].values():
        show_table(Table.from_dict(table))


def show_ranker(told: RankerTold) -> None:
    """What a ranker learnt, how far the candidates let it go, and its features, the weightiest first."""
    out.print(f"\n[bold]ranker[/bold] {told.kind}, {told.objective}, grown by {told.library}")
    out.print(told.grown, markup=False)
    out.print(f"learnt from {told.practised}", markup=False)
    for one in told.reached:
        beside = ""
        if one.gap is not None:
            gap, low, high = one.gap
            beside = f", {gap:+.4f} [{low:+.4f}, {high:+.4f}] beside {one.single}, its best single source"
        ceiling = "" if one.ceiling is None else f"; {one.ceiling:.1%} of what was to be found was among the candidates"
        out.print(f"{one.protocol}: {one.metric} {one.mean:.4f}{beside}{ceiling}", markup=False)
    grid = Grid()
    grid.add_column("feature", no_wrap=True)
    grid.add_column("part of all shares", justify="right")
    for name, part in told.importances:
        grid.add_row(escape(name), "left out" if name in told.dropped else f"{part:.2%}")
    out.print(grid)
