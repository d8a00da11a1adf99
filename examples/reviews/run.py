"""The whole of `reviews` with one command: data made or read, texts turned into vectors, models compared, trained and
promoted, the older system's routes served."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
from compare import TORCH
from from_stackexchange import convert
from generate import Size, generate, midnight, positive

from serendip.cli.start import start_anew
from serendip.domain import SerendipError
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key
from serendip.web.serve import running, serve

HERE = Path(__file__).parent


def commands(reviews: Path, folder: Path, model: str | None) -> list[list[str]]:
    """What follows the making of the data, as one would type it."""
    by = ["--model", model] if model else []
    return [
        ["serendip", "migrate"],
        ["serendip", "check"],
        ["serendip", "datasets", "load", "product-reviews", "--from", str(reviews)],
        ["serendip", "vectors", "make", "words", "--cache", str(folder / "vectors"), *by],
        ["serendip", "vectors", "make", "reviews", "--of", "interactions", "--cache", str(folder / "vectors"), *by],
        ["python", str(HERE / "compare.py"), "--to", str(folder / "compared.json")],
        ["serendip", "train", "--promote"],
        ["serendip", "check"],
    ]


def carry_out(command: list[str]) -> None:
    """One command, shown as it is typed."""
    print(f"\n$ {' '.join(command)}", flush=True)
    program = [sys.executable] if command[0] == "python" else [sys.executable, "-m", "serendip"]
    subprocess.run([*program, *command[1:]], check=True)


def show_answers(address: str, key: str) -> None:
    """Ask every route as the older clients do."""
    with httpx2.Client(base_url=address, timeout=60) as client:

        def got(path: str, **asked: Any) -> Any:
            answer = client.get(path, params=asked or None)
            answer.raise_for_status()
            return answer.json()

        somebody = got("/random_users", n=2)
        print(f"\nsomebody: {'; '.join(somebody)}")
        print(f"known: {got('/check_users', users=[*somebody, 'nobody'])}")
        for name, titles in got("/recommendations", users=[*somebody, "nobody"]).items():
            print(f"\n{name}")
            for title in titles:
                print(f"  {title}")
        print()
        for path in ("/reload_data", "/reload_model"):
            answer = client.post(path, headers={"X-API-Key": key})
            answer.raise_for_status()
            print(f"POST {path}: {answer.json()['status']}")


def present(settings: Settings, once: bool) -> None:
    """Serve until stopped; or ask once, show the answers, and end."""
    store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
    key = new_key(store, "reviews", ("read", "write", "admin"), midnight())
    try:
        if once:
            with running(store, artifacts, settings) as address:
                show_answers(address, key)
            return
        address = f"http://{settings.host}:{settings.port}"
        for path in ("random_users?n=3", "check_users?users=a,b", "recommendations?users=a,b"):
            print(f"curl -s '{address}/{path}'")
        for path in ("reload_data", "reload_model"):
            print(f"curl -s -X POST -H 'X-API-Key: {key}' '{address}/{path}'")
        serve(store, artifacts, settings)
    finally:
        store.close()


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--folder", type=Path, default=Path("var/reviews"), help="made anew at every start")
    told.add_argument("--port", type=int, default=8000)
    told.add_argument("--once", action="store_true", help="ask every route, show the answers, end")
    told.add_argument("--from", dest="data", type=Path, help="a file of reviews, or a Stack Exchange site's folder")
    told.add_argument("--model", help="a sentence model's folder; without one texts are compared by words")
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "products", "reviews"):
        told.add_argument(f"--{name}", type=positive, default=getattr(Size(), name))
    given = told.parse_args()
    for path in (given.data, given.model):
        if path is not None and not Path(path).exists():
            told.error(f"there is no {path}")
    os.environ.setdefault("SERENDIP_CONFIG", str(HERE / "serendip.toml"))
    if "DATABASE_URL" not in os.environ and "SERENDIP_DATABASE_URL" not in os.environ:
        start_anew(given.folder)
        os.environ["SERENDIP_DATABASE_URL"] = f"sqlite:///{given.folder / 'serendip.db'}"
    os.environ.setdefault("SERENDIP_ARTIFACTS", str(given.folder / "artifacts"))
    reviews = given.folder / "reviews.csv"
    if given.data is None:
        print(f"$ python {HERE.name}/generate.py {reviews}", flush=True)
        generate(reviews, midnight(), given.seed, Size(given.users, given.products, given.reviews))
    elif (given.data / "Posts.xml").is_file():
        print(f"$ python {HERE.name}/from_stackexchange.py {given.data} {reviews}", flush=True)
        convert(given.data, reviews)
    else:
        reviews = given.data
    if not find_spec("torch"):
        print(TORCH)
    for command in commands(reviews, given.folder, given.model):
        carry_out(command)
    present(read_settings(port=0 if given.once else given.port), given.once)


if __name__ == "__main__":
    try:
        main()
    except SerendipError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
