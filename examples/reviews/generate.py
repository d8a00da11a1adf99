"""A made shop with reviews, as one file with the columns of a well-known export: tastes, prices, stars and words.

Everybody likes a few of twelve sorts of products, products lean to one sort or two, and what is written speaks of the
sort and of how much it was liked. Stars follow taste, price and the product's own quality. The file is as untidy as a
real one: markup, prices as text, ranges and none, rows that are there twice, people without a name, empty texts, texts
in other scripts.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from words import FIRST, GENERAL, LAST, LIKED, MAKERS, NEITHER, NOT_LIKED, OTHER_SCRIPTS, SORTS

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

DAYS = 730
"""The shop is as old as this."""
HEADER = ("userName", "itemName", "description", "price", "rating", "reviewTime", "summary", "reviewText")


@dataclass(frozen=True)
class Size:
    """How much is made."""

    users: int = 1500
    products: int = 900
    reviews: int = 8000


@dataclass(frozen=True)
class Products:
    """What is sold."""

    name: list[str]
    description: list[str]
    sort: Floats
    """How much of each sort a product is, of shape (n_products, n_sorts)."""
    price: Floats
    quality: Floats
    opened: Floats
    """Days since the shop's first."""
    pull: Floats
    """How often it is bought, whoever buys."""


@dataclass(frozen=True)
class People:
    """Who buys."""

    name: list[str]
    taste: Floats
    """How much each likes each sort, of shape (n_users, n_sorts); rows sum to 1."""
    purse: Floats
    """The price, as a logarithm, that each is used to."""
    mild: Floats
    """How many stars more than others each gives."""
    activity: Floats


def products(rng: np.random.Generator, n: int) -> Products:
    """Names that are told apart, descriptions in the words of the sorts, prices that depend on the sort."""
    kinds = list(SORTS)
    first = rng.integers(len(kinds), size=n)
    second = np.where(rng.random(n) < 0.3, rng.integers(len(kinds), size=n), first)
    sort = np.zeros((n, len(kinds)))
    sort[np.arange(n), first] += 0.8
    sort[np.arange(n), second] += 0.2
    names, told = [], []
    for p in range(n):
        own = SORTS[kinds[first[p]]]
        maker = MAKERS[rng.integers(len(MAKERS))]
        names.append(f"{maker} {' '.join(rng.choice(own, 2, replace=False)).title()} {rng.integers(100, 999)}-{p}")
        words = [*rng.choice(own, 7), *rng.choice(SORTS[kinds[second[p]]], 4), *rng.choice(GENERAL, 6)]
        told.append(f"{kinds[first[p]].capitalize()}: {_sentence(rng, words)}")
    price = np.exp(2.2 + 0.15 * first + rng.normal(0, 0.7, n))
    return Products(
        names, told, sort, price, rng.normal(0, 0.5, n), rng.uniform(0, DAYS - 20, n), rng.lognormal(0, 0.7, n)
    )


def people(rng: np.random.Generator, n: int) -> People:
    """Tastes for two or three sorts each."""
    names = [f"{FIRST[rng.integers(len(FIRST))]} {LAST[rng.integers(len(LAST))]} {u}" for u in range(n)]
    names = [name.replace(" ", ", ", 1) if u % 97 == 0 else name for u, name in enumerate(names)]
    taste = rng.dirichlet(np.full(len(SORTS), 0.12), size=n)
    return People(names, taste, rng.normal(3.0, 0.5, n), rng.normal(0, 0.4, n), rng.lognormal(0, 1.0, n))


def bought(rng: np.random.Generator, who: People, what: Products, n: int) -> tuple[Whole, Whole, Floats]:
    """User, product and day of every review, each pair once, in order of time; shape (at most n,) each.

    A sort is drawn by the user's taste, a product of it by its pull, and the day soon after the product was new or
    after the user came.
    """
    came = rng.uniform(0, DAYS * 0.7, len(who.name))
    user = rng.choice(len(who.name), 2 * n, p=who.activity / who.activity.sum())
    sort = (rng.random(2 * n)[:, None] > np.cumsum(who.taste[user], axis=1)).sum(axis=1).clip(max=len(SORTS) - 1)
    product = np.empty(2 * n, np.int64)
    for one in range(len(SORTS)):
        mine = np.flatnonzero(sort == one)
        pull = what.pull * what.sort[:, one]
        # In a small shop a sort may have no product; who looks for it takes another.
        pull = pull if pull.any() else what.pull
        product[mine] = rng.choice(len(pull), len(mine), p=pull / pull.sum())
    since = np.maximum(came[user], what.opened[product])
    day = since + rng.exponential(150, 2 * n)
    fits = np.flatnonzero(day < DAYS)
    _, first = np.unique(user[fits] * len(what.name) + product[fits], return_index=True)
    chosen = np.sort(rng.permutation(fits[first])[:n])
    chosen = chosen[np.argsort(day[chosen], kind="stable")]
    return user[chosen], product[chosen], day[chosen]


def stars(rng: np.random.Generator, who: People, what: Products, user: Whole, product: Whole) -> Whole:
    """From 1 to 5, more than half of them 5: taste, quality, a price that the user is used to, and chance."""
    match = (who.taste[user] * what.sort[product]).sum(axis=1)
    dear = np.abs(np.log(what.price[product]) - who.purse[user])
    liking = 2.6 * match + what.quality[product] - 0.5 * dear + who.mild[user] + rng.normal(0, 0.7, len(user))
    bounds = np.quantile(liking, [0.07, 0.14, 0.25, 0.44]) if len(user) else np.zeros(4)
    return np.searchsorted(bounds, liking) + 1


def _sentence(rng: np.random.Generator, words: Sequence[str]) -> str:
    order = rng.permutation(len(words))
    return " ".join(words[i] for i in order)


def rows(rng: np.random.Generator, who: People, what: Products, n: int, until: datetime) -> Iterator[tuple[str, ...]]:
    """The reviews as a file holds them, untidy."""
    kinds = list(SORTS)
    user, product, day = bought(rng, who, what, n)
    given = stars(rng, who, what, user, product)
    start = until - timedelta(days=DAYS)
    nameless, empty, strange, twice = (rng.random(len(user)) < share for share in (0.03, 0.02, 0.01, 0.02))
    for r in range(len(user)):
        p, liked = product[r], given[r]
        mood = LIKED if liked > 3 else NEITHER if liked == 3 else NOT_LIKED
        about = SORTS[kinds[int(np.argmax(what.sort[p] * who.taste[user[r]]))]]
        text = _sentence(rng, [*rng.choice(about, 5), *rng.choice(mood, 4), *rng.choice(GENERAL, 5)])
        if strange[r]:
            text = OTHER_SCRIPTS[r % len(OTHER_SCRIPTS)]
        if r % 50 == 7:
            text = f"<p>{text}</p><br/>Works &amp; lasts."
        row = (
            "Amazon Customer" if nameless[r] else who.name[user[r]],
            what.name[p],
            "" if p % 40 == 3 else f"<b>{what.description[p]}</b>" if p % 11 == 5 else what.description[p],
            price_text(what.price[p], int(p)),
            f"{liked}.0",
            f"{start + timedelta(days=float(day[r])):%m %d, %Y}",
            "" if empty[r] else f"{'Five Stars' if liked == 5 else ' '.join(rng.choice(mood, 2))}",
            "" if empty[r] else text,
        )
        yield row
        if twice[r]:
            yield row


def price_text(price: float, p: int) -> str:
    """As shops write it: mostly one amount, some ranges, some nothing or nonsense."""
    if p % 23 == 4:
        return "" if p % 2 else "nan"
    if p % 29 == 6:
        return ".a-box-inner{background-color:#fff}"
    if p % 13 == 2:
        return f"${price * 0.8:,.2f} - ${price * 1.2:,.2f}"
    return f"${price:,.2f}"


def generate(file: Path, until: datetime, seed: int = 7, size: Size | None = None) -> int:
    """Write the reviews of a made shop into ``file``; how many rows it has."""
    size = size or Size()
    rng = np.random.default_rng(seed)
    who, what = people(rng, size.users), products(rng, size.products)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(HEADER)
        n = 0
        for row in rows(rng, who, what, size.reviews, until):
            writer.writerow(row)
            n += 1
    return n


def positive(text: str) -> int:
    """A number of the command line that is 1 or more."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is {text}, and must be 1 or more")
    return int(text)


def midnight() -> datetime:
    """The beginning of this day."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def main() -> None:
    """Read the command line and write the file."""
    told = argparse.ArgumentParser(description="Reviews of a made shop, as one CSV file.")
    told.add_argument("file", type=Path)
    told.add_argument("--until", type=datetime.fromisoformat, default=None, help="an ISO moment; this day's midnight")
    told.add_argument("--seed", type=int, default=7)
    for name in ("users", "products", "reviews"):
        told.add_argument(f"--{name}", type=positive, default=getattr(Size(), name))
    given = told.parse_args()
    until = given.until or midnight()
    n = generate(given.file, until, given.seed, Size(given.users, given.products, given.reviews))
    print(f"{given.file} has {n:,} reviews")


if __name__ == "__main__":
    main()
