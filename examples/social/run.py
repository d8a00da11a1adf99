"""The whole of `social` with one command: made data imported, models trained and promoted, both routes served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from generate import Size, generate, midnight

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present

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
    verbs = [["migrate"], ["check"], *imports, ["train", "--promote"], ["check"]]
    return [["serendip", *verb] for verb in verbs]


def show_answers(served: Served) -> None:
    """Ask both routes as the older clients do, for two users of them, and one user with reasons."""
    with httpx2.Client(base_url=served.address, timeout=60, headers={"X-API-Key": served.key}) as client:

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


def requests(served: Served) -> list[str]:
    """What to try while it is served."""
    paths = (
        "events_recommendations", "match_all_users", "events_recommendations?update_AWS_DB=yes",
        "v1/recommendations?user=1&scenario=events&explain=true",
    )  # fmt: skip
    return [f"curl -s -H 'X-API-Key: {served.key}' '{served.address}/{path}'" for path in paths]


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = arguments("social", __doc__)
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "events", "participations"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    port = None if given.once else given.port
    begin(given.folder, HERE / "serendip.toml", port)
    data = given.folder / "data"
    print(f"$ python {HERE.name}/generate.py {data}", flush=True)
    generate(data, midnight(), given.seed, Size(given.users, given.events, given.participations))
    for command in commands(data):
        carry_out(command)
    present("social", port, show_answers, requests)


if __name__ == "__main__":
    end_well(main)
