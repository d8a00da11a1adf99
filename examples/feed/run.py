"""The whole of `feed` with one command: made data imported, models trained and promoted, measured, the route served."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
from generate import Size, generate, midnight

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present

HERE = Path(__file__).parent


def commands(data: Path, parts: list[Path]) -> list[list[str]]:
    """What follows the making of the data, as one would type it."""
    files = [("users", data / "user_data.parquet"), ("items", data / "post_text_df.parquet")]
    imports = [["import", str(path), "--as", as_] for as_, path in files]
    imports += [["import", str(path)] for path in parts]
    verbs = [["migrate"], ["check", "--no-data"], *imports, ["train", "--promote"], ["check"]]
    return [*(["serendip", *verb] for verb in verbs), ["python", str(HERE / "measure.py"), "home", "liked"]]


def show_answers(user: int, before: str, served: Served) -> None:
    """Ask as the older clients do: now, before everything, and for somebody who is not there."""
    with httpx2.Client(base_url=served.address, timeout=60) as client:

        def got(**asked: Any) -> Any:
            answer = client.get("/post/recommendations/", params=asked)
            return answer.status_code, answer.json()

        for said, asked in (
            ("now", {"id": user}),
            ("as of the beginning", {"id": user, "time": before, "limit": 2}),
            ("somebody unknown", {"id": 1}),
        ):
            status, found = got(**asked)
            print(f"\n{said}: {status}")
            for post in found if isinstance(found, list) else [found]:
                text = f"{post['id']:>5}  {post['topic']:<14}  {post['text'][:80]}" if "id" in post else str(post)
                print(f"  {text}")


def requests(user: int, before: str, served: Served) -> list[str]:
    """What to try while it is served."""
    asked = f"curl -s '{served.address}/post/recommendations/?id={user}"
    why = f"{served.address}/v1/recommendations?user={user}&explain=true"
    return [f"{asked}&limit=5'", f"{asked}&time={before}'", f"curl -s -H 'X-API-Key: {served.key}' '{why}'"]


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = arguments("feed", __doc__)
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "posts", "rows"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    port = None if given.once else given.port
    begin(given.folder, HERE / "serendip.toml", port)
    data = given.folder / "data"
    print(f"$ python {HERE.name}/generate.py {data}", flush=True)
    parts = generate(data, midnight(), given.seed, Size(given.users, given.posts, given.rows))
    for command in commands(data, parts):
        carry_out(command)
    log = pl.scan_parquet(parts[0])
    start, user = log.select(pl.col("timestamp").min(), pl.col("user_id").first()).collect().row(0)
    asked = user, start.isoformat()
    present("feed", port, partial(show_answers, *asked), partial(requests, *asked))


if __name__ == "__main__":
    end_well(main)
