"""The whole of `community` with one command: films and votes loaded, both similarity jobs run and put on the timetable,
models trained and promoted, everything served."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from sample_job import run as run_sample

from serendip.cli.start import start_anew
from serendip.client import RecSysApi
from serendip.flows.demo import regular_user
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store, TimetableRow
from serendip.web.guard import new_key
from serendip.web.serve import running, serve

HERE = Path(__file__).parent
JOBS = ("svd-similarity", "nmf-similarity", "content-similarity")
TIMETABLE = [TimetableRow(name, name, "every 1h") for name in JOBS]


def commands(source: list[str]) -> list[list[str]]:
    """What is done before serving, as one would type it."""
    load = [str(HERE / "load.py"), *source]
    return [["serendip", "migrate"], ["python", *load], *(["serendip", "jobs", "run", name] for name in JOBS)]


def carry_out(command: list[str]) -> None:
    """One command, shown as it is typed."""
    print(f"\n$ {' '.join(command)}", flush=True)
    program = [sys.executable] if command[0] == "python" else [sys.executable, "-m", "serendip"]
    subprocess.run([*program, *command[1:]], check=True)


def show(address: str, key: str, user: str) -> None:
    """A row of recommendations by each recommender, and the sample job over the wire."""
    with RecSysApi(key, address) as api:
        print(f"\nsample job: {run_sample(api)}")
        print(f"{api.users().body.count:,} users, {api.items().body.count:,} items over the wire")
    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=60) as client:

        def got(path: str, **asked: Any) -> Any:
            answer = client.get(path, params=asked)
            answer.raise_for_status()
            return answer.json()

        for one in got("/v1/recommenders")["recommenders"]:
            row = got(f"/v1/recommenders/{one['name']}/recommendations", user=user, n=5)
            titles = ", ".join(place["title"] or place["item"] for place in row["items"]) or row["note"]
            print(f"{one['name']:<8} for {user} ({row['version']}): {titles}")


def present(settings: Settings, once: bool) -> None:
    """Serve until stopped; or show the answers and end."""
    store, artifacts, now = Store.open(settings.database_url), Artifacts(settings.artifacts), datetime.now(UTC)
    store.put_timetable(TIMETABLE, "api", now)
    key, user = new_key(store, "community", ("read", "write"), now), regular_user(store)
    try:
        if once:
            with running(store, artifacts, settings) as address:
                show(address, key, user)
            return
        address = f"http://{settings.host}:{settings.port}"
        print(f"\ncurl -s '{address}/api/items/?limit=3'")
        print(f"curl -s -H 'Authorization: Token {key}' '{address}/v1/recommenders/SVD/recommendations?user={user}'")
        print(f"python {HERE.name}/sample_job.py {address} {key}\n")
        serve(store, artifacts, settings)
    finally:
        store.close()


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/community"), help="made anew at every start")
    told.add_argument("--port", type=int, default=8000)
    told.add_argument("--once", action="store_true", help="show the answers and end")
    told.add_argument("--set", help="a data set, as `serendip datasets` lists them; without: a made-up world")
    told.add_argument("--from", dest="data", help="where its files are")
    told.add_argument("--above", default="0.12", help="the popularity that items must exceed")
    given = told.parse_args()
    os.environ.setdefault("SERENDIP_CONFIG", str(HERE / "serendip.toml"))
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(given.folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{given.folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(given.folder / "artifacts"))
    source = ["--set", given.set, "--from", given.data] if given.set else []
    for command in commands([*source, "--above", given.above]):
        carry_out(command)
    present(read_settings(port=0 if given.once else given.port), given.once)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
