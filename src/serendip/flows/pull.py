"""Customers out of a REST service into the store, a batch at a time; a pull that was cut short goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from serendip.domain import Invalid, NotReady, checked_id
from serendip.flows.bring import digest_of
from serendip.sources.service import IN_A_ROW, UNASKED, Failed, Service
from serendip.store import ImportProgress, Store

BATCH = 500
"""Customers that are asked for, and kept in one transaction."""

Progress = Callable[[int, int], None]
"""Told how many customers of how many are done."""


@dataclass
class Pulled:
    """What became of a service's customers: those listed are done before, added, repeated, left out or failed."""

    service: str
    listed: int = 0
    done_before: int = 0
    """Of an earlier pull that was cut short."""
    added: int = 0
    repeated: int = 0
    """Customers that were there already,"""
    changed: int = 0
    """of whom this many were changed."""
    forgotten: int = 0
    """Customers who asked to be forgotten; they are left out."""
    failed: list[dict[str, str]] = field(default_factory=list)
    """Everybody of whom nothing was learnt, and why; with those of the earlier pull."""
    failed_file: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def pull(
    store: Store,
    service: Service,
    *,
    only: Sequence[str] | None = None,
    failed_file: Path | None = None,
    batch: int = BATCH,
    progress: Progress = lambda _done, _total: None,
) -> Pulled:
    """Keep every customer of ``service``, or only these, as users with attributes.

    A batch is one transaction that also notes how far it came, so that after a kill the same pull goes on behind it.
    Customers who cannot be read are listed in ``failed_file``; where so many in a row give no answer that the service
    must be away, the pull ends.
    """
    ids = service.ids() if only is None else sorted(set(only))
    if not ids:
        raise Invalid(f"{service.url} lists no customers; nothing was kept", field="url")
    identity = digest_of("pull", service.url, *([] if only is None else ids))
    before = store.import_progress(identity)
    report = Pulled(service.url, len(ids))
    after = ""
    if before is not None:
        after, report.failed = before.report["after"], list(before.report["failed"])
    left = [one for one in ids if one > after]
    report.done_before = len(ids) - len(left)
    for start in range(0, len(left), batch):
        chunk = left[start : start + batch]
        told = service.users(chunk)
        if (away := is_away(told)) is not None:
            raise NotReady(
                f"{service.url} gives no answers any more ({away}); "
                f"{report.done_before + start:,} of {len(ids):,} customers are kept; run the same command again, "
                "it goes on there"
            )
        report.failed += [{"user": one.id, "what": one.what} for one in told if isinstance(one, Failed)]
        done = report.done_before + start + len(chunk)
        mark = ImportProgress(identity, done, {"after": chunk[-1], "failed": report.failed})
        loaded = store.load_users(_frame([one for one in told if not isinstance(one, Failed)]), mark)
        report.added += loaded.added
        report.repeated += loaded.repeated
        report.changed += loaded.changed
        report.forgotten += loaded.forgotten
        progress(done, len(ids))
    if report.failed and failed_file is not None:
        write_failed(failed_file, report.failed)
        report.failed_file = str(failed_file)
    store.finish_import(identity)
    if len(report.failed) == len(ids):
        first = report.failed[0]
        raise Invalid(
            f"nothing was kept: none of {len(ids):,} customers could be read, the first, {first['user']!r}: "
            f"{first['what']}",
            field="url",
        )
    return report


def _frame(users: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Users as the store loads them, a row each."""
    return pl.DataFrame(
        [(one["id"], orjson.dumps(one["attributes"]).decode()) for one in users],
        schema={"id": pl.String, "attributes": pl.String},
        orient="row",
    )


def is_away(told: Sequence[dict[str, Any] | Failed]) -> str | None:
    """Why the service must be away: it was left unasked, or the last answers were none; None where it is there."""
    silent = [one for one in told if isinstance(one, Failed) and one.again]
    last = told[-IN_A_ROW:]
    ended = len(last) == IN_A_ROW and all(isinstance(one, Failed) and one.again for one in last)
    return silent[0].what if ended or any(one.what == UNASKED for one in silent) else None


def write_failed(file: Path, failed: Sequence[dict[str, str]]) -> None:
    """Who could not be read, and why; ``read_ids`` takes the same file."""
    try:
        with file.open("w", newline="", encoding="utf-8") as out:
            rows = csv.DictWriter(out, ("user", "what"))
            rows.writeheader()
            rows.writerows(failed)
    except OSError as error:
        raise NotReady(
            f"{file} cannot be written: {error.strerror}; name another with --failed, and run the same command again"
        ) from None


def read_ids(file: Path) -> list[str]:
    """The ids in the column user of a CSV file."""
    try:
        with file.open(newline="", encoding="utf-8") as told:
            rows = csv.DictReader(told)
            if "user" not in (rows.fieldnames or []):
                raise Invalid(f"{file} has no column user; it needs one with the ids", field="only")
            ids = [_id_in(file, rows.line_num, row["user"]) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}", field="only") from None
    if not ids:
        raise Invalid(f"{file} names no users, so nobody is asked for", field="only")
    return ids


def _id_in(file: Path, line: int, told: str | None) -> str:
    try:
        return checked_id(told or "", "user")
    except Invalid as error:
        raise Invalid(f"{file}, line {line}: {error}", field="only") from None
