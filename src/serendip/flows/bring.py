"""Data in: look at a source, check its rows, keep them; going on where a killed import stopped."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import polars as pl

from serendip.domain import InteractionKind, Invalid, micros, moment
from serendip.flows.popular import popular_only
from serendip.sources import As, Checked, RowError, Source, datasets, infer, open_source, read
from serendip.sources import Mapping as ColumnMapping
from serendip.sources.datasets import LoadedSet
from serendip.sources.world import generate
from serendip.store import ImportProgress, Loaded, Store

DAY = 86_400_000_000
"""Microseconds: clocks and time zones of sources are not trusted to less."""

SCALES = [(1.0, 5.0), (0.5, 5.0), (0.0, 5.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0)]
"""Scales that people rate on, the narrowest first."""

SHOWN_ERRORS = 5
"""Refused rows that the report itself repeats; all are in the error file."""

Progress = Callable[[float | None, int], None]
"""Called with the share of the source that is done, where known, and the rows read."""


@dataclass
class Report:
    """What became of the rows of one part of an import: ``rows_read`` is the sum of the others."""

    source: str
    what: str
    """users, items, interactions, relations or vectors."""
    columns: dict[str, str] = field(default_factory=dict)
    """Our field -> their column."""
    rows_read: int = 0
    added: int = 0
    """New rows."""
    repeated: int = 0
    """Rows that were there already."""
    changed: int = 0
    """Of these, users and items that the row changed; what it has no column for stayed."""
    refused: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that are no data, by reason."""
    new_users: int = 0
    """Users made as bare rows because an interaction names them."""
    new_items: int = 0
    errors: list[RowError] = field(default_factory=list)
    """The first refused rows."""
    error_file: str | None = None
    notes: list[str] = field(default_factory=list)
    values: tuple[float, float] | None = None
    """Lowest and highest value of the interactions that were accepted."""
    dry_run: bool = False
    resumed_at: int = 0
    """Rows that an earlier import of the same source, cut short, had done."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"left_out": dict(self.left_out)}


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, beyond what it says itself."""

    columns: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    """The kind of interactions whose rows name none."""
    timezone: str = "UTC"
    scale: tuple[float, float] | None = None
    format: str | None = None
    encoding: str | None = None


def bring(
    store: Store,
    name: str,
    as_: As,
    reading: Reading,
    *,
    dry_run: bool = False,
    error_file: Path | None = None,
    looked: Callable[[Source, ColumnMapping], None] = lambda _source, _mapping: None,
    progress: Progress = lambda _done, _rows: None,
    now: datetime | None = None,
) -> Report:
    """Keep the rows of a file or an SQL table; every row is accounted for in the report.

    Each batch is one transaction that also notes how far it came: an import that was killed goes on there. Rows that
    are there already add nothing. ``looked`` is told the columns before anything is read.
    """
    source = open_source(name, reading.format, reading.encoding)
    mapping = infer(source, as_, reading.columns)
    looked(source, mapping)
    defaults = {}
    if as_ == "interactions" and "kind" not in mapping.fields:
        defaults["kind"] = reading.kind or mapping.kind
        if not dry_run:
            declare_missing(store, defaults["kind"], reading.scale)
    scale = reading.scale
    if scale is None and defaults and (known := store.kinds().get(defaults["kind"])) is not None:
        scale = known.scale
    identity = digest_of(source.digest, as_, mapping.fields, defaults, reading.timezone, reading.scale)
    before = None if dry_run else store.import_progress(identity)
    report = Report(name, as_, mapping.fields, notes=list(mapping.notes), dry_run=dry_run)
    # A source whose order may change is read from its start: the keys of its rows keep them from doubling.
    if before is not None and source.ordered:
        report.resumed_at = before.rows_done
        take_over(report, before.report)
    told = fields_told(mapping, defaults)
    checked = read(source, mapping, as_, reading.timezone, defaults, scale, report.resumed_at)
    keep(store, report, told, checked, None if dry_run else identity, error_file, progress, now)
    if not dry_run and defaults.get("kind") == "rating" and scale is None:
        infer_scale(store, report)
    return report


def keep(
    store: Store,
    report: Report,
    told: Collection[str],
    batches: Iterable[Checked],
    identity: str | None,
    error_file: Path | None = None,
    progress: Progress = lambda _done, _rows: None,
    now: datetime | None = None,
) -> None:
    """Put checked batches into the store, one transaction each, and count them into ``report``.

    ``told`` are the fields that the source has. ``identity`` names the import, so that it can go on; None counts only
    and keeps nothing. Rows with a moment more than a day after ``now`` are refused.
    """
    with ExitStack() as files:
        write_error = None
        for whole in batches:
            batch = without_future(whole, now) if now is not None else whole
            if batch.errors and error_file is not None and write_error is None:
                resumed = report.resumed_at > 0 and error_file.exists()
                file = files.enter_context(opened(error_file, "a" if resumed else "w"))
                write_error = csv.writer(file)
                report.error_file = str(error_file)
                if not resumed:
                    write_error.writerow(["line", "field", "what", "value"])
            for error in batch.errors:
                if write_error is not None:
                    value = None if error.value is None else error.value.encode(errors="replace").decode()
                    write_error.writerow([error.line, error.field, error.what, value])
            count(report, batch)
            if identity is not None:
                mark = ImportProgress(identity, report.rows_read, saved(report))
                loaded = LOADERS[report.what](store, only_told(batch.frame, told), mark)
            else:
                loaded = Loaded(batch.frame.height, 0, 0, 0)
            report.added += loaded.added
            report.repeated += loaded.repeated
            report.changed += loaded.changed
            report.new_users += loaded.new_users
            report.new_items += loaded.new_items
            if loaded.forgotten:
                report.left_out[FORGOTTEN] += loaded.forgotten
            progress(batch.done, report.rows_read)
    if identity is not None:
        store.finish_import(identity)
    if not report.rows_read:
        raise Invalid(f"{report.source} holds no rows; nothing was imported")
    if report.refused and report.refused + sum(report.left_out.values()) == report.rows_read:
        first = report.errors[0]
        raise Invalid(
            f"nothing of {report.source} was imported: all {report.refused:,} rows were refused, the first in line "
            f"{first.line} ({first.field or 'row'}: {first.what})",
            field=first.field,
        )


def without_future(batch: Checked, now: datetime) -> Checked:
    """The batch without interactions that have not happened yet, which become refused rows."""
    if "at" not in batch.frame.columns:
        return batch
    late = batch.frame["at"].to_numpy() > micros(now) + DAY
    if not late.any():
        return batch
    what = f"lies in the future: it is {now:%Y-%m-%d} here"
    told = zip(batch.lines[late], batch.frame["at"].to_numpy()[late], strict=True)
    errors = [RowError(int(line), "at", what, f"{moment(at):%Y-%m-%d}") for line, at in told]
    kept = batch.frame.filter(pl.Series(~late))
    merged = sorted(batch.errors + errors, key=lambda error: error.line)
    return replace(batch, frame=kept, lines=batch.lines[~late], errors=merged)


def opened(file: Path, mode: str) -> TextIO:
    """The error file, ready to be written."""
    try:
        return file.open(mode, newline="", encoding="utf-8")  # type: ignore[return-value]
    except OSError as error:
        raise Invalid(
            f"the refused rows cannot be written to {file}: {error.strerror}; name another file with --errors"
        ) from None


def fields_told(mapping: ColumnMapping, defaults: Mapping[str, str]) -> set[str]:
    """The fields that a source says something about."""
    return {*mapping.fields, *defaults, *(["attributes"] if mapping.attributes else [])}


def only_told(frame: pl.DataFrame, told: Collection[str]) -> pl.DataFrame:
    """Users and items without the columns that the source does not have, so that these stay as they are."""
    return frame.select([name for name in frame.columns if name in told]) if "id" in frame.columns else frame


def count(report: Report, batch: Checked) -> None:
    """Put what can be told without the store into the report."""
    report.rows_read += batch.rows_read
    report.refused += len(batch.errors)
    report.left_out.update(batch.left_out)
    if "value" in batch.frame.columns and batch.frame["value"].count():
        found = batch.frame["value"].drop_nulls().to_numpy()
        seen = report.values or (np.inf, -np.inf)
        report.values = min(seen[0], float(found.min())), max(seen[1], float(found.max()))
    report.errors += batch.errors[: SHOWN_ERRORS - len(report.errors)] if len(report.errors) < SHOWN_ERRORS else []
    report.notes += [note for note in batch.notes if note not in report.notes]


def saved(report: Report) -> dict[str, Any]:
    """The counts that an import which goes on needs again; what the store adds is added after each batch."""
    return {
        "rows_read": report.rows_read,
        "refused": report.refused,
        "left_out": dict(report.left_out),
        "errors": [asdict(error) for error in report.errors],
        "error_file": report.error_file,
        "values": report.values,
    }


def take_over(report: Report, before: Mapping[str, Any]) -> None:
    """Start ``report`` from what an import that was cut short had counted."""
    report.rows_read, report.refused = before["rows_read"], before["refused"]
    report.left_out = Counter(before["left_out"])
    report.errors = [RowError(**error) for error in before["errors"]]
    report.error_file = before["error_file"]
    report.values = tuple(before["values"]) if before["values"] else None


def declare_missing(store: Store, kind: str, scale: tuple[float, float] | None) -> None:
    """Declare a kind that nobody declared: of a rating the newest counts."""
    known = store.kinds().get(kind)
    if known is None:
        store.declare_kinds([InteractionKind(kind, "latest" if kind == "rating" else "accumulate", scale=scale)])
    elif scale is not None and known.scale != scale:
        store.declare_kinds([replace(known, scale=scale)])


def infer_scale(store: Store, report: Report) -> None:
    """Declare the scale that ratings seem to be on: the narrowest usual one that holds them all, and say so."""
    low, high = report.values or (np.inf, -np.inf)
    scale = next((one for one in SCALES if one[0] <= low and high <= one[1]), None)
    if scale is not None and low <= high:
        store.declare_kinds([replace(store.kinds()["rating"], scale=scale)])
        report.notes.append(f"ratings are taken to go from {scale[0]:g} to {scale[1]:g}; --scale says otherwise")


def digest_of(*parts: object) -> str:
    """What makes an import the same import."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def bring_dataset(
    store: Store,
    name: str,
    path: Path,
    progress: Progress = lambda _d, _r: None,
    above: float | None = None,
    reviews: tuple[int, int] | None = None,
) -> list[Report]:
    """Map a known data set to users, items and interactions, and keep them; a report for each.

    Only items of a popularity above ``above``, where it is told, and of ``amazon-books`` only people with as many
    reviews as ``reviews`` says.
    """
    loaded = datasets.load(name, path, reviews)
    return bring_set(store, loaded if above is None else popular_only(loaded, above), progress)


def bring_set(store: Store, loaded: LoadedSet, progress: Progress = lambda _d, _r: None) -> list[Report]:
    """Keep the parts of a data set in their order; each goes on where a killed import of it stopped."""
    store.declare_kinds(loaded.kinds)
    reports = []
    for as_, rows in loaded.parts:
        identity = digest_of(rows.digest, as_, rows.mapping.fields, rows.defaults, rows.timezone)
        before = store.import_progress(identity)
        report = Report(loaded.name, as_, rows.mapping.fields, notes=list(rows.mapping.notes))
        if before is not None:
            report.resumed_at = before.rows_done
            take_over(report, before.report)
        keep(
            store,
            report,
            fields_told(rows.mapping, rows.defaults),
            rows.read(skip=report.resumed_at),
            identity,
            progress=progress,
        )
        reports.append(report)
    counted = {reason for report in reports for reason in report.left_out}
    told = [f"{count:,} {what}" for what, count in loaded.report.items() if what not in counted]
    reports[-1].notes += told + loaded.notes
    return reports


def bring_world(store: Store, seed: int, now: datetime, above: float | None = None) -> list[Report]:
    """A generated world of people and films, whose last day is yesterday."""
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    made = generate(seed=seed, until=until)
    loaded = LoadedSet(made.name, made.parts, made.kinds)
    return bring_set(store, loaded if above is None else popular_only(loaded, above))


def bring_anything(store: Store, path: Path, now: datetime, name: str | None = None) -> list[Report]:
    """A known data set, told by ``name`` or by what its folder or file is called, else a file of interactions."""
    found = name or next((known for known in datasets.NAMES if known in str(path.resolve().name)), None)
    if found is not None:
        return bring_dataset(store, found, path)
    if path.is_dir():
        known = ", ".join(datasets.NAMES)
        raise Invalid(f"{path} is a folder; say which data set it is with --dataset: {known}")
    return [bring(store, str(path), "interactions", Reading(), now=now)]


FORGOTTEN = "rows of users who asked to be forgotten"
"""What the report calls rows that were left out because of an erasure."""

VECTORS = "given"
"""The name that imported vectors of items are kept under."""

Loader = Callable[[Store, pl.DataFrame, ImportProgress | None], Loaded]

LOADERS: dict[str, Loader] = {
    "users": Store.load_users,
    "items": Store.load_items,
    "interactions": Store.load_interactions,
    "relations": Store.load_relations,
    "vectors": lambda store, frame, progress: store.load_vectors(VECTORS, frame, progress),
}
