"""An application with one command: a folder made anew, its steps carried out as one types them, then served or shown.

For the programs in ``examples``, and those that begin as a copy of one.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from serendip.cli.options import clock, declare_file
from serendip.cli.start import alone, start_anew
from serendip.domain import SerendipError
from serendip.settings import read_settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key, new_link
from serendip.web.serve import check_port, running, serve


def arguments(name: str, about: str | None) -> ArgumentParser:
    """What every such program takes on its command line; it may add its own."""
    parser = ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, default=Path("var", name), help="made anew at every start")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--once", action="store_true", help="ask, show the answers, end")
    return parser


def begin(folder: Path, config: Path, port: int | None = None) -> None:
    """Empty the folder, and let all that follows use it and the settings in ``config``.

    The folder is this process's until it ends. What the environment names already stays: another database is not
    emptied. A ``port`` that ``present`` could not listen on is refused now, not when everything is trained.
    """
    os.environ.setdefault("SERENDIP_CONFIG", str(config))
    settings = read_settings(port=port or 0)
    check_port(settings.host, settings.port)
    ours = ExitStack()
    ours.enter_context(alone(folder))
    atexit.register(ours.close)
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(folder / "artifacts"))


def carry_out(command: Sequence[str]) -> None:
    """One command of ``serendip`` or ``python``, shown as it is typed."""
    click.echo(f"\n$ {' '.join(command)}")
    program = [sys.executable] if command[0] == "python" else [sys.executable, "-m", "serendip"]
    subprocess.run([*program, *command[1:]], check=True)


@dataclass(frozen=True)
class Served:
    """The application as it is reached."""

    store: Store
    address: str
    key: str


def present(
    name: str,
    port: int | None,
    show: Callable[[Served], None],
    requests: Callable[[Served], Iterable[str]],
    scopes: Sequence[str] = ("read", "write"),
    **settings: Any,
) -> None:
    """Serve on ``port`` until stopped, and say first which ``requests`` to try; without a port ``show`` it, and end."""
    told = read_settings(port=port or 0, **settings)
    store, artifacts = Store.open(told.database_url), Artifacts(told.artifacts)
    try:
        declare_file(store)
        key = new_key(store, name, tuple(scopes), clock())
        if port is None:
            with running(store, artifacts, told) as address:
                show(Served(store, address, key))
            return

        def ready(address: str) -> None:
            link = new_link(store, "administrator", clock())
            click.echo(f"\nOpen  {address}{link}\n      (it signs you in, once)\nkey   {key}\n")
            for request in requests(Served(store, address, key)):
                click.echo(request)

        serve(store, artifacts, told, ready)
    finally:
        store.close()


def end_well(main: Callable[[], None]) -> None:
    """Run ``main``; what it refuses is one sentence, and a step that failed has said why."""
    try:
        main()
    except SerendipError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
