"""The whole of `reviews` with one command: data made or read, texts turned into vectors, models compared, trained and
promoted, the older system's routes served."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from compare import TORCH
from from_stackexchange import convert
from generate import Size, generate, midnight, positive

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present
from serendip.flows.reviewers import random_names

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


def show_answers(served: Served) -> None:
    """Ask every route as the older clients do."""
    with httpx2.Client(base_url=served.address, timeout=60) as client:

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
            answer = client.post(path, headers={"X-API-Key": served.key})
            answer.raise_for_status()
            print(f"POST {path}: {answer.json()['status']}")


def requests(served: Served) -> list[str]:
    """What to try while it is served."""
    somebody = quote(random_names(served.store, 1)[0])
    named = f"users={somebody}&users=nobody"
    asked = ("random_users?n=3", f"check_users?{named}", f"recommendations?{named}")
    told = f"curl -s -X POST -H 'X-API-Key: {served.key}'"
    return [f"curl -s '{served.address}/{path}'" for path in asked] + [
        f"{told} '{served.address}/{path}'" for path in ("reload_data", "reload_model")
    ]


def main() -> None:
    """Read the command line; do everything anew in the folder."""
    told = arguments("reviews", __doc__)
    told.add_argument("--from", dest="data", type=Path, help="a file of reviews, or a Stack Exchange site's folder")
    told.add_argument("--model", help="a sentence model's folder; without one texts are compared by words")
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "products", "reviews"):
        told.add_argument(f"--{name}", type=positive, default=getattr(Size(), name))
    given = told.parse_args()
    for path in (given.data, given.model):
        if path is not None and not Path(path).exists():
            told.error(f"there is no {path}")
    port = None if given.once else given.port
    begin(given.folder, HERE / "serendip.toml", port)
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
    present("reviews", port, show_answers, requests, scopes=("read", "write", "admin"))


if __name__ == "__main__":
    end_well(main)
