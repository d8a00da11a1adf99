"""Customers out of a REST service: pull."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, declare_file, opened, print_json, where


@click.command()
@click.argument("url")
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1, 64), help="Requests on their way at a time."
)
@click.option("--attempts", default=6, show_default=True, type=click.IntRange(1, 20), help="Of one request.")
@click.option(
    "--timeout", default=15.0, show_default=True, metavar="SECONDS", help="Without a word for so long: given up."
)
@click.option(
    "--batch", default=500, show_default=True, type=click.IntRange(1, 10_000), help="Kept in one transaction."
)
@click.option("--token-file", metavar="FILE", help="Holds the token that is sent as Authorization: Bearer.")
@click.option(
    "--only", metavar="FILE", help="Only the users of a CSV file with a column user, such as an earlier --failed."
)
@click.option(
    "--failed", default="users.failed.csv", show_default=True, metavar="FILE", help="Where users go who cannot be read."
)
@where
@as_json
def pull(
    url: str, at_once: int, attempts: int, timeout: float, batch: int, token_file: str | None, only: str | None,
    failed: str, json: bool, database: str | None, artifacts: str | None,
) -> None:  # fmt: skip
    """Users and their attributes from a REST service: GET URL/users, then GET URL/users/{id} of each.

    Errors are asked again with growing pauses, Retry-After is heeded by all requests together, and a pull that was
    killed goes on where it stopped.
    """
    from serendip.cli.show import bar, out
    from serendip.domain import Invalid
    from serendip.flows.pull import pull, read_ids
    from serendip.sources.service import Politeness, Service

    try:
        token = None if token_file is None else Path(token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the token file {token_file} cannot be read: {error}", field="token-file") from None
    service = Service(url, token, Politeness(n_at_once=at_once, n_attempts=attempts, timeout_seconds=timeout))
    ids = None if only is None else read_ids(Path(only))
    try:
        with opened(database, artifacts) as (store, _), bar("users", None) as advance:
            declare_file(store)
            found = pull(
                store, service, only=ids, failed_file=Path(failed), batch=batch,
                progress=lambda done, _total: advance(done),
            )  # fmt: skip
    finally:
        service.close()
    if json:
        print_json(found.to_dict())
        return
    went_on = f", {found.done_before:,} done before" if found.done_before else ""
    changed = f" ({found.changed:,} changed)" if found.changed else ""
    out.print(
        f"users: {found.listed:,} listed{went_on}, {found.added:,} added, {found.repeated:,} there already{changed}, "
        f"{len(found.failed):,} failed" + (f", {found.forgotten:,} forgotten" if found.forgotten else ""),
        markup=False,
    )
    for one in found.failed[:5]:
        out.print(f"  {one['user']}: {one['what']}", style="red", markup=False)
    if found.failed_file:
        out.print(f"  all who failed are in {found.failed_file}; again: serendip pull {url} --only {found.failed_file}")
