"""The whole of `shop` with one command: made or real data loaded, customers pulled from a service, models trained and
promoted, a file of sessions answered, everything served."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from generate import Size, generate, midnight
from service import running as customers_running

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present

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
    return [["serendip", *verb] for verb in (*load, *told)]


def show_answers(served: Served) -> None:
    """Ask for somebody known, and for a session that is known to nobody."""
    store = served.store
    users = store.list_users(limit=200).records
    user = next((one.id for one in users if ":" not in one.id), users[0].id)
    with httpx2.Client(base_url=served.address, timeout=60, headers={"X-API-Key": served.key}) as client:

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


def requests(served: Served) -> list[str]:
    """What to try while it is served."""
    asked, told = f"{served.address}/v1/recommendations", f"curl -s -H 'X-API-Key: {served.key}'"
    item, kind = served.store.list_items(limit=1).records[0].id, next(iter(served.store.kinds()))
    body = f'{{"history": [{{"item": "{item}", "kind": "{kind}"}}], "n": 5}}'
    known = [f"{told} '{asked}?user={quote(user.id)}&n=5'" for user in served.store.list_users(limit=1).records]
    return [*known, f"{told} -H 'Content-Type: application/json' '{asked}' -d '{body}'"]


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = arguments("shop", __doc__)
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
    port = None if given.once else given.port
    begin(given.folder, HERE / ("serendip.toml" if given.set == "inditex" else "other.toml"), port)
    data = given.data or given.folder / "data"
    if given.data is None:
        print(f"$ python {HERE.name}/generate.py {data}", flush=True)
        generate(data, midnight(), given.seed, Size(given.customers, given.products, given.rows, given.numbers))
    with customers_running(data / "users.csv") if given.data is None else nullcontext() as till:
        for command in commands(given.set, data, given.folder, till):
            if command[2:3] == ["answer"] and not (data / "test.parquet").is_file():
                continue
            carry_out(command)
    # Asked once and at once, while kernels are still being compiled.
    deadline = 60 if given.once else None
    present("shop", port, show_answers, requests, deadline_seconds=deadline)


if __name__ == "__main__":
    end_well(main)
