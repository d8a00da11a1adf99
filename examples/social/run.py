"""The whole of `social` with one command: made data imported, models trained and promoted, both routes served."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
from generate import Size, generate, midnight

from serendip.cli.start import start_anew
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key
from serendip.web.serve import running, serve

HERE = Path(__file__).parent
MAPS = {
    "events": ("--map", "text=description", "--map", "available_until=date", "--map", "available_from=published"),
    "participations": ("--map", "item=event"),
    "follows": ("--map", "user=follower", "--map", "other=followed"),
    "users": (),
}
"""Which column of a file is which field, where its name does not say."""


def commands(data: Path) -> list[list[str]]:
    """What follows the making of the data, as one would type it."""
    files = (("users", "users.jsonl"), ("items", "events.jsonl"), ("relations", "follows.csv"))
    files += (("interactions", "participations.csv"),)
    imports = [["import", str(data / name), "--as", as_, *MAPS[Path(name).stem]] for as_, name in files]
    return [["migrate"], ["check"], *imports, ["train", "--promote"], ["check"]]


def serendip(*arguments: str) -> None:
    """Run one verb, shown as it is typed."""
    print(f"\n$ serendip {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "serendip", *arguments], check=True)


def show_answers(address: str, key: str) -> None:
    """Ask both routes as the older clients do, for two users of them, and one user with reasons."""
    with httpx2.Client(base_url=address, timeout=60, headers={"X-API-Key": key}) as client:

        def got(path: str, **options: Any) -> Any:
            answer = client.get(path, **options)
            answer.raise_for_status()
            return answer.json()

        events, people = got("/events_recommendations"), got("/match_all_users")
        for user in ("1", "nuevo-1"):
            print(f"\nuser {user}")
            for name, date, tags in zip(
                *(events[user][one] for one in ("event_name", "time", "eventTags")), strict=True
            ):
                print(f"  {date}  {name}  ({', '.join(tags)})")
            for name, degree in zip(people[user]["username"], people[user]["degree"], strict=True):
                print(f"  {name}, {degree}")
        asked = {"user": "1", "scenario": "events", "explain": "true"}
        slate = got("/v1/recommendations", params=asked)
        print("\nwhat user 1 joined and is expected to join, by cluster:")
        for one in slate["interests"]:
            print(f"  {one['name']:<26} {one['count']:>4.0f}  {one['expected']:>6.2f}")
    print(f"\nanswered {len(events)} users with events and {len(people)} with people")


def present(settings: Settings, once: bool) -> None:
    """Serve until stopped; or ask once, show the answers, and end."""
    store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
    key = new_key(store, "social", ("read", "write"), midnight())
    try:
        if once:
            with running(store, artifacts, settings) as address:
                show_answers(address, key)
            return
        address = f"http://{settings.host}:{settings.port}"
        for path in (
            "events_recommendations", "match_all_users", "events_recommendations?update_AWS_DB=yes",
            "v1/recommendations?user=1&scenario=events&explain=true",
        ):  # fmt: skip
            print(f"curl -s -H 'X-API-Key: {key}' '{address}/{path}'")
        serve(store, artifacts, settings)
    finally:
        store.close()


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/social"), help="made anew at every start")
    told.add_argument("--port", type=int, default=8000)
    told.add_argument("--once", action="store_true", help="ask both routes, show the answers, end")
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "events", "participations"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    os.environ.setdefault("SERENDIP_CONFIG", str(HERE / "serendip.toml"))
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(given.folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{given.folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(given.folder / "artifacts"))
    data = given.folder / "data"
    print(f"$ python {HERE.name}/generate.py {data}", flush=True)
    generate(data, midnight(), given.seed, Size(given.users, given.events, given.participations))
    for arguments in commands(data):
        serendip(*arguments)
    present(read_settings(port=0 if given.once else given.port), given.once)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
