"""Fresh stores for tests, on SQLite and on a private PostgreSQL server that lives as long as the session.

A test file that wants the ``store`` fixture imports it, and what it needs, through its conftest:

    from databases import database, database_url, store
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest

from serendip.store import Store
from serendip.store.schema import metadata

_numbers = count(1)


class NoServerError(Exception):
    """The programs of a PostgreSQL server are not here."""


def _programs() -> Path:
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    raise NoServerError("the programs initdb and pg_ctl of PostgreSQL are not installed")


def _unprivileged() -> dict[str, object]:
    """The server refuses to run as root, so root lends it to somebody else."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise NoServerError("there is neither a user postgres nor nobody to run the server")


@cache
def server() -> str:
    """The folder of the server's socket; the server is started by the first who asks."""
    programs, account = _programs(), _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="serendip-pg-"))
    if account:
        os.chown(folder, account["user"], account["group"])  # type: ignore[arg-type]
    folder.chmod(0o755)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, **account)  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def stop() -> None:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

    run("initdb", "-D", str(data), "-U", "serendip", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c full_page_writes=off -c max_connections=100"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    atexit.register(stop)
    return str(folder)


def postgres_url(name: str = "") -> str:
    """The URL of a database on the private server."""
    return f"postgresql://serendip@/{name}?host={server()}"


def _command(sql: str) -> None:
    with psycopg.connect(postgres_url("postgres"), autocommit=True) as connection:
        connection.execute(sql)


@cache
def _migrated_on_postgres() -> str:
    _command("CREATE DATABASE serendip")
    url = postgres_url("serendip")
    Store.open(url, migrate=True).close()
    return url


def _emptied_on_postgres() -> str:
    """The one migrated database, emptied; making another for each test would take half a second."""
    url = _migrated_on_postgres()
    names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
    return url


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="serendip-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Store.open(f"sqlite:///{folder / 'template.db'}").close()
    return folder / "template.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; it runs on each."""
    if request.param == "postgresql":
        try:
            server()
        except NoServerError as missing:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(missing))
    name: str = request.param
    return name


@pytest.fixture
def empty_url(database: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which there is nothing yet."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'serendip.db'}"
        return
    name = f"test_{next(_numbers)}"
    _command(f"CREATE DATABASE {name}")
    yield postgres_url(name)
    _command(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(database: str, tmp_path: Path) -> str:
    """The URL of a migrated, empty database."""
    if database == "postgresql":
        return _emptied_on_postgres()
    path = tmp_path / "serendip.db"
    shutil.copy(_sqlite_template(), path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store on each database."""
    opened = Store.open(database_url)
    yield opened
    opened.close()
