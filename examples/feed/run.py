"""The whole of `feed` with one command: made data imported, models trained and promoted, measured, the route served."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
from generate import Size, generate, midnight

from serendip.cli.start import start_anew
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key
from serendip.web.serve import running, serve

HERE = Path(__file__).parent


def commands(data: Path, parts: list[Path]) -> list[list[str]]:
    """What follows the making of the data, as one would type it."""
    files = [("users", data / "user_data.parquet"), ("items", data / "post_text_df.parquet")]
    imports = [["import", str(path), "--as", as_] for as_, path in files]
    imports += [["import", str(path)] for path in parts]
    return [["migrate"], ["check", "--no-data"], *imports, ["train", "--promote"], ["check"]]


def serendip(*arguments: str) -> None:
    """Run one verb, shown as it is typed."""
    print(f"\n$ serendip {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "serendip", *arguments], check=True)


def show_answers(address: str, user: int, before: str) -> None:
    """Ask as the older clients do: now, before everything, and for somebody who is not there."""
    with httpx2.Client(base_url=address, timeout=60) as client:

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


def present(settings: Settings, once: bool, user: int, before: str) -> None:
    """Serve until stopped; or ask once, show the answers, and end."""
    store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
    try:
        if once:
            with running(store, artifacts, settings) as address:
                show_answers(address, user, before)
            return
        address = f"http://{settings.host}:{settings.port}"
        print(f"\ncurl -s '{address}/post/recommendations/?id={user}&limit=5'")
        print(f"curl -s '{address}/post/recommendations/?id={user}&time={before}'")
        key = new_key(store, "feed", ("read", "write"), midnight())
        print(f"curl -s -H 'X-API-Key: {key}' '{address}/v1/recommendations?user={user}&explain=true'")
        serve(store, artifacts, settings)
    finally:
        store.close()


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/feed"), help="made anew at every start")
    told.add_argument("--port", type=int, default=8000)
    told.add_argument("--once", action="store_true", help="ask the route, show the answers, end")
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "posts", "rows"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    os.environ.setdefault("SERENDIP_CONFIG", str(HERE / "serendip.toml"))
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(given.folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{given.folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(given.folder / "artifacts"))
    data = given.folder / "data"
    print(f"$ python {HERE.name}/generate.py {data}", flush=True)
    parts = generate(data, midnight(), given.seed, Size(given.users, given.posts, given.rows))
    for arguments in commands(data, parts):
        serendip(*arguments)
    print(f"\n$ python {HERE.name}/measure.py home liked", flush=True)
    subprocess.run([sys.executable, str(HERE / "measure.py"), "home", "liked"], check=True)
    log = pl.scan_parquet(parts[0])
    first = log.select(pl.col("timestamp").min(), pl.col("user_id").first()).collect().row(0)
    present(read_settings(port=0 if given.once else given.port), given.once, first[1], first[0].isoformat())


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
