"""What several verbs share: where the data is, how an answer is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from serendip.domain import InteractionKind, Invalid

if TYPE_CHECKING:
    from serendip.flows.live import Live
    from serendip.settings import Settings
    from serendip.store import Artifacts, Store

Command = Callable[..., None]


def where(command: Command) -> Command:
    """Adds --database and --artifacts."""
    command = click.option("--artifacts", metavar="DIR", help="Folder of model versions.  [default: var/artifacts]")(
        command
    )
    return click.option(
        "--database", metavar="URL", help="sqlite:///file or postgresql://...  [default: sqlite:///var/serendip.db]"
    )(command)


def files(command: Command) -> Command:
    """Adds --data, --train, --validation, --test, --items and --users."""
    for flag, said in (
        ("--users", "Attributes of users beside the files: a column user with the ids, all others are attributes."),
        ("--items", "Attributes of items beside the files: a column item with the ids, all others are attributes."),
        ("--test", "What is to be found, cut off by others."),
        ("--validation", "What is to be found while tuning, cut off by others."),
        ("--train", "What is learnt from, where others made the parts."),
        ("--data", "A file that --split cuts: CSV, TSV, ::, JSON lines, Parquet, or lines of user item item ..."),
    ):
        command = click.option(flag, metavar="FILE", help=said)(command)
    return command


def as_json(command: Command) -> Command:
    """Adds --json."""
    return click.option("--json", "json", is_flag=True, help="Answer as JSON on standard output.")(command)


def settings_of(database: str | None, artifacts: str | None, **more: Any) -> Settings:
    """Settings with what the flags say on top."""
    from serendip.settings import read_settings

    given = {"database_url": database, "artifacts": artifacts, **more}
    return read_settings(**given)


@contextmanager
def opened(database: str | None, artifacts: str | None) -> Iterator[tuple[Store, Artifacts]]:
    """The store and the artifacts that the settings name; closed at the end."""
    from serendip.store import Artifacts, Store

    settings = settings_of(database, artifacts)
    store = Store.open(settings.database_url)
    try:
        yield store, Artifacts(settings.artifacts)
    finally:
        store.close()


def declare_file(store: Store) -> None:
    """Bring what serendip.toml declares into the store, if there is such a file."""
    from serendip.settings import settings_file

    path = settings_file()
    if path is not None:
        from serendip.flows.declare import declare, read

        declare(store, read(path), clock())


def declared_kinds() -> tuple[InteractionKind, ...]:
    """The kinds of interaction that serendip.toml declares, if there is such a file."""
    from serendip.settings import settings_file

    path = settings_file()
    if path is None:
        return ()
    from serendip.flows.declare import read

    return tuple(read(path).kinds.values())


@contextmanager
def live(database: str | None, artifacts: str | None) -> Iterator[tuple[Store, Live]]:
    """The store, and what is live in it."""
    from serendip.flows.live import Live

    with opened(database, artifacts) as (store, kept):
        now_live = Live(store, kept)
        now_live.catch_up(clock())
        yield store, now_live


def print_json(answer: object) -> None:
    """``answer`` as indented JSON on standard output."""
    import orjson

    click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())


def clock() -> datetime:
    """Now; the only place of the terminal that looks at a clock."""
    return datetime.now(UTC)


def parse_moment(text: str | None) -> datetime:
    """An ISO moment, naive ones UTC; none is now."""
    if text is None:
        return clock()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no moment; write for example 2026-03-01T12:00", field="time") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def parse_pairs(pairs: tuple[str, ...], flag: str) -> dict[str, str]:
    """``NAME=VALUE`` options as a dict."""
    out = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Invalid(f"{flag} {pair} is not of the form NAME=VALUE", field=flag)
        out[name] = value
    return out


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``--set NAME=VALUE``; values are read as JSON where they can be, else as text."""
    import orjson

    out: dict[str, Any] = {}
    for name, value in parse_pairs(pairs, "--set").items():
        try:
            out[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            out[name] = {"True": True, "False": False, "None": None}.get(value, value)
    return out
