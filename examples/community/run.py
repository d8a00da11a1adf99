"""The whole of `community` with one command: films and votes loaded, both similarity jobs run and put on the timetable,
models trained and promoted, everything served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from sample_job import run as run_sample

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present
from serendip.client import RecSysApi
from serendip.flows.demo import regular_user

HERE = Path(__file__).parent
JOBS = ("svd-similarity", "nmf-similarity", "content-similarity")


def commands(source: list[str]) -> list[list[str]]:
    """What is done before serving, as one would type it."""
    load = [str(HERE / "load.py"), *source]
    jobs = (["serendip", "jobs", "run", name] for name in JOBS)
    return [["serendip", "migrate"], ["python", *load], ["serendip", "check"], *jobs]


def show_answers(served: Served) -> None:
    """A row of recommendations by each recommender, and the sample job over the wire."""
    user = regular_user(served.store)
    with RecSysApi(served.key, served.address) as api:
        print(f"\nsample job: {run_sample(api)}")
        print(f"{api.users().body.count:,} users, {api.items().body.count:,} items over the wire")
    with httpx2.Client(base_url=served.address, headers={"X-API-Key": served.key}, timeout=60) as client:

        def got(path: str, **asked: Any) -> Any:
            answer = client.get(path, params=asked)
            answer.raise_for_status()
            return answer.json()

        for one in got("/v1/recommenders")["recommenders"]:
            row = got(f"/v1/recommenders/{one['name']}/recommendations", user=user, n=5)
            titles = ", ".join(place["title"] or place["item"] for place in row["items"]) or row["note"]
            print(f"{one['name']:<8} for {user} ({row['version']}): {titles}")


def requests(served: Served) -> list[str]:
    """What to try while it is served."""
    asked = f"{served.address}/v1/recommenders/SVD/recommendations?user={regular_user(served.store)}"
    return [
        f"curl -s '{served.address}/api/items/?limit=3'",
        f"curl -s -H 'Authorization: Token {served.key}' '{asked}'",
        f"python {HERE.name}/sample_job.py {served.address} {served.key}",
    ]


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = arguments("community", __doc__)
    told.add_argument("--set", help="a data set, as `serendip datasets` lists them; without: a made-up world")
    told.add_argument("--from", dest="data", help="where its files are")
    told.add_argument("--above", default="0.12", help="the popularity that items must exceed")
    given = told.parse_args()
    port = None if given.once else given.port
    begin(given.folder, HERE / "serendip.toml", port)
    source = ["--set", given.set, "--from", given.data] if given.set else []
    for command in commands([*source, "--above", given.above]):
        carry_out(command)
    present("community", port, show_answers, requests)


if __name__ == "__main__":
    end_well(main)
