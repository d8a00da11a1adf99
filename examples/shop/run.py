"""The whole of `shop` with one command: made or real data loaded, customers pulled from a service, models trained and
promoted, a file of sessions answered, everything served."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from generate import Size, generate, midnight
from service import running as customers_running

from serendip.cli.start import start_anew
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key
from serendip.web.serve import running, serve

HERE = Path(__file__).parent
FOUND = {"inditex": "cart,purchase", "otto": "clicks,carts,orders", "online-retail": "purchase"}
"""What is to be found in a session, by data set."""
CARTS = {"inditex": "cart", "otto": "carts", "online-retail": "purchase"}
MEASURED = {
    "inditex": [
        "again+taste+item-knn*0.5+popular-7-days*0.2",
        "als",
        "again",
        "looks+family*0.5",
        "customers",
        "country",
    ],
    "otto": ["again+taste*0.5+item-knn*0.5+popular-7-days*0.2", "als", "again", "item-knn"],
    "online-retail": ["again+taste*0.5+item-knn*0.5+popular-7-days*0.2", "als", "again", "item-knn", "customers"],
}
ANONYMOUS = {"inditex": "session:", "otto": "", "online-retail": "basket:"}
"""How the ids of those begin who are nobody known; an empty one: all."""
SHARE = {"inditex": "0.1", "otto": "0.3", "online-retail": "0.1"}
"""Of the events, the last in time: of the twenty sessions of otto's sample a tenth would hold hardly a question."""


def commands(name: str, data: Path, folder: Path, till: str | None) -> list[list[str]]:
    """What follows the making of the data, as one would type it."""
    pulled = [["pull", till, "--failed", str(folder / "users.failed.csv")]] if till else []
    load = [["migrate"], *pulled, ["datasets", "load", name, "--from", str(data)], ["check"], ["train", "--promote"]]
    told = [["sessions", "list", "--to", str(folder / "sessions.csv"), "--take", CARTS[name]]]
    evaluate = ["sessions", "evaluate", *MEASURED[name], "--find", FOUND[name]]
    told += [[*evaluate, "--anonymous", ANONYMOUS[name], "--share", SHARE[name], "--most", "5000"]]
    if name == "inditex":
        answer = ["sessions", "answer", str(data / "test.parquet"), "--to", str(folder / "target.json")]
        told += [["segments", "--model", "customers", "--to", str(folder / "segments.csv")], answer]
    return [*load, *told]


def serendip(*arguments: str) -> None:
    """Run one verb, shown as it is typed."""
    print(f"\n$ serendip {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "serendip", *arguments], check=True)


def show_answers(address: str, key: str, store: Store) -> None:
    """Ask for somebody known, and for a session that is known to nobody."""
    users = store.list_users(limit=200).records
    user = next((one.id for one in users if ":" not in one.id), users[0].id)
    with httpx2.Client(base_url=address, timeout=60, headers={"X-API-Key": key}) as client:

        def got(answer: httpx2.Response) -> Any:
            answer.raise_for_status()
            return answer.json()

        def show(who: str, slate: Any) -> None:
            print(f"\n{who}, by {slate['version']}")
            for one in slate["items"]:
                print(f"  {one['item']:<10} {one['source']}")

        show(f"user {user}", got(client.get("/v1/recommendations", params={"user": user, "n": 5})))
        items = [one.id for one in store.list_items(limit=3).records]
        kind = next(iter(store.kinds()))
        session = {"history": [{"item": item, "kind": kind} for item in items], "n": 5}
        show(f"a session that met {', '.join(items)}", got(client.post("/v1/recommendations", json=session)))


def present(settings: Settings, once: bool) -> None:
    """Serve until stopped; or ask once, show the answers, and end."""
    store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
    key = new_key(store, "shop", ("read", "write"), datetime.now(UTC))
    try:
        if once:
            with running(store, artifacts, settings) as address:
                show_answers(address, key, store)
            return
        address = f"http://{settings.host}:{settings.port}"
        print(f"\ncurl -s -H 'X-API-Key: {key}' '{address}/v1/recommendations?user=1&n=5'")
        item = store.list_items(limit=1).records[0].id
        body = f'{{"history": [{{"item": "{item}", "kind": "{next(iter(store.kinds()))}"}}], "n": 5}}'
        sent = f"curl -s -H 'X-API-Key: {key}' -H 'Content-Type: application/json'"
        print(f"{sent} '{address}/v1/recommendations' -d '{body}'")
        serve(store, artifacts, settings)
    finally:
        store.close()


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/shop"), help="made anew at every start")
    told.add_argument("--port", type=int, default=8000)
    told.add_argument("--once", action="store_true", help="ask, show the answers, end")
    told.add_argument("--seed", type=int, default=7)
    told.add_argument(
        "--set", choices=list(FOUND), default="inditex", help="which data set; made where no --from is given"
    )
    told.add_argument("--from", dest="data", type=Path, help="where its files are")
    for name in ("customers", "products", "rows", "numbers"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    if given.set != "inditex" and given.data is None:
        told.error(f"--set {given.set} needs --from: only inditex is made")
    file = "serendip.toml" if given.set == "inditex" else "other.toml"
    os.environ.setdefault("SERENDIP_CONFIG", str(HERE / file))
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(given.folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{given.folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(given.folder / "artifacts"))
    data = given.data or given.folder / "data"
    if given.data is None:
        print(f"$ python {HERE.name}/generate.py {data}", flush=True)
        generate(data, midnight(), given.seed, Size(given.customers, given.products, given.rows, given.numbers))
    with customers_running(data / "users.csv") if given.data is None else nullcontext() as till:
        for arguments in commands(given.set, data, given.folder, till):
            if arguments[1:2] == ["answer"] and not (data / "test.parquet").is_file():
                continue
            serendip(*arguments)
    if given.once:
        # Asked once and at once, while kernels are still being compiled.
        present(read_settings(port=0, deadline_seconds=60), once=True)
    else:
        present(read_settings(port=given.port), once=False)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
