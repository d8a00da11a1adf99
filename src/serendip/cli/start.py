"""Start something: demo, serve."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from serendip.cli.options import clock, declare_file, settings_of, where

if TYPE_CHECKING:
    from datetime import datetime

    from serendip.settings import Settings
    from serendip.store import Artifacts, Store


@click.command()
@click.option("--host", metavar="ADDRESS", help="0.0.0.0 lets other machines in.  [default: 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="0 takes a free one.  [default: 8000]")
@click.option("--worker/--no-worker", default=None, help="Do jobs too, one at a time.  [default: --worker]")
@where
def serve(host: str | None, port: int | None, worker: bool | None, database: str | None, artifacts: str | None) -> None:
    """The API and the pages over HTTP, until it is told to stop."""
    from serendip.cli.access import note
    from serendip.flows.accounts import first_administrator
    from serendip.store import Artifacts, Store
    from serendip.web.serve import serve

    settings = settings_of(database, artifacts, host=host, port=port, worker=worker)
    store = Store.open(settings.database_url)
    try:
        declare_file(store)
        made = first_administrator(store, now := clock())
        if made is not None:
            account, password = made
            note(store, now, "create_account", account.name, role=account.role)
            click.echo(f"The first administrator: name {account.name}, password {password}")
            click.echo("It is not shown again; change it on the page /account, or by `serendip account set-password`.")

        def ready(address: str) -> None:
            click.echo(f"Sign in at {address}/sign-in. API keys: serendip key create NAME")

        serve(store, Artifacts(settings.artifacts), settings, ready)
    finally:
        store.close()


@click.command()
@click.option(
    "--data", metavar="PATH", help="A known data set's folder, or a file of interactions.  [default: a world]"
)
@click.option("--dataset", metavar="NAME", help="Which known data set PATH is, if its name does not say.")
@click.option("--once", is_flag=True, help="Ask before and after one recorded interaction, then end.")
@click.option("--host", metavar="ADDRESS", help="[default: 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="0 takes a free one.  [default: 8000]")
@click.option("--folder", default="var/demo", show_default=True, help="Made anew at every start.")
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same world.")
def demo(
    data: str | None,
    dataset: str | None,
    once: bool,
    host: str | None,
    port: int | None,
    folder: str,
    seed: int,
) -> None:
    """A small world (or your data): imported, trained, measured, promoted and served, all in --folder."""
    from serendip.store import Artifacts, Store
    from serendip.web.serve import check_port

    home = Path(folder)
    settings = settings_of(
        f"sqlite:///{home / 'serendip.db'}",
        str(home / "artifacts"),
        host=host,
        port=0 if once and port is None else port,
    )
    check_port(settings.host, settings.port)
    with alone(home):
        start_anew(home)
        store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
        try:
            fill(store, artifacts, data, dataset, seed)
            present(store, artifacts, settings, once)
        finally:
            store.close()


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Inside, no other demo or example uses this folder: it would be emptied under it."""
    from serendip.domain import Invalid
    from serendip.store.lock import FileLock

    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise Invalid(f"{home} is not a folder; name another with --folder")
    try:
        home.absolute().parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home.with_name(home.name + ".lock"))
        taken = lock.take()
    except OSError as error:
        raise Invalid(f"{home} cannot be used: {error.strerror}; name another with --folder") from None
    try:
        if not taken:
            raise Invalid(
                f"another demo or example is running in {home}; stop it, or name another folder with --folder"
            )
        yield
    finally:
        lock.close()


def start_anew(home: Path) -> None:
    """Remove what an earlier demo left; a folder that holds anything else is not touched."""
    from serendip.domain import Invalid

    marker = home / ".serendip-demo"
    if home.exists() and any(home.iterdir()) and not marker.exists():
        raise Invalid(f"{home} is not a demo's folder and would be emptied; name another with --folder")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    marker.touch()


def fill(store: Store, artifacts: Artifacts, data: str | None, dataset: str | None, seed: int) -> None:
    """Import, train, measure and promote, telling what comes out."""
    from serendip.cli.show import out, show_report, show_table, steps
    from serendip.flows.bring import bring_anything, bring_world
    from serendip.flows.promote import publish
    from serendip.flows.train import configs_of, train

    now = clock()
    with steps() as progress:
        progress("importing")
        reports = bring_world(store, seed, now) if data is None else bring_anything(store, Path(data), now, dataset)
        for report in reports:
            show_report(report)
        trained = train(store, artifacts, configs_of(store, (), {}), now, seed, progress)
        for table in trained.tables.values():
            show_table(table)
        for name, why in trained.left_out.items():
            out.print(f"left out {name}: {why}", style="yellow", markup=False)
        progress("promoting")
        for sentence in publish(store, trained.versions, now):
            out.print(sentence, markup=False)


def present(store: Store, artifacts: Artifacts, settings: Settings, once: bool) -> None:
    """Serve, and say how to look: the address, a user, a key, three requests."""
    from serendip.flows.demo import regular_user, some_kind
    from serendip.web.guard import new_key, new_link
    from serendip.web.serve import running, serve

    now = clock()
    key = new_key(store, "demo", ("read", "write", "admin"), now)
    user, kind = regular_user(store), some_kind(store)
    if once:
        with running(store, artifacts, settings) as address:
            ask_twice(address, key, user, kind)
        return
    address = f"http://{settings.host}:{settings.port}"
    link = new_link(store, "administrator", now)
    item = next_item(store, artifacts, user, now)
    click.echo(f"\nOpen  {address}{link}\n      (it signs you in, once)\nuser  {user}\nkey   {key}\n")
    ask = f"{address}/v1/recommendations?user={quote(user)}&scenario=for-you&n=5"
    curl = f"curl -s -H 'X-API-Key: {key}'"
    body = shlex.quote(event_json(user, item, kind))
    click.echo(f"{curl} {shlex.quote(ask)}")
    click.echo(f"{curl} -H 'Content-Type: application/json' -d {body} {address}/v1/interactions")
    click.echo(f"{curl} {shlex.quote(ask + '&explain=true')}\n")
    serve(store, artifacts, settings)


def next_item(store: Store, artifacts: Artifacts, user: str, now: datetime) -> str:
    """The first item that would be recommended to ``user``."""
    from serendip.flows.live import FOR_YOU, Live
    from serendip.flows.recommend import Ask, recommend

    live = Live(store, artifacts)
    live.catch_up(now)
    slate = recommend(store, live, user, Ask(FOR_YOU, 1), now)
    return slate.items[0].item if slate.items else store.list_items(limit=1).records[0].id


def event_json(user: str, item: str, kind: tuple[str, float | None]) -> str:
    """The body of one interaction."""
    import orjson

    name, value = kind
    body = {"user": user, "item": item, "kind": name} | ({} if value is None else {"value": value})
    return orjson.dumps(body).decode()


def ask_twice(address: str, key: str, user: str, kind: tuple[str, float | None]) -> None:
    """Over HTTP: ask, record an interaction with the last item shown, ask again, and show what changed."""
    import httpx2

    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=30) as client:

        def slate() -> dict[str, Any]:
            query = {"user": user, "scenario": "for-you", "n": "8", "explain": "true"}
            answer = client.get("/v1/recommendations", params=query)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

        before = slate()
        if not before["items"]:
            click.echo(f"\n{user} has met every item there is; nothing is left to recommend")
            return
        taken = before["items"][-1]
        body = event_json(user, taken["item"], kind)
        client.post("/v1/interactions", content=body, headers={"Content-Type": "application/json"}).raise_for_status()
        after = slate()
    click.echo(f"\nfor {user}, before:")
    show_places(before)
    click.echo(f"{user} now has a {kind[0]} of {taken.get('title') or taken['item']}. After:")
    show_places(after)
    if [one["item"] for one in before["items"]] == [one["item"] for one in after["items"]]:
        raise SystemExit("the answer did not change")


def show_places(slate: dict[str, Any]) -> None:
    """One line an item, with what it is because of."""
    for place, one in enumerate(slate["items"], start=1):
        because = " and ".join(reason.get("title") or reason["item"] for reason in one["reasons"][:2])
        told = f"{one['source']}, because of {because}" if because else one["source"]
        click.echo(f"  {place}. {one.get('title') or one['item']}  ({told})")
