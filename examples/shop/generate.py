"""A made fashion shop: what customers and passers-by view, put into the cart and buy, as its files have it.

``users.csv``, ``products.parquet``, ``train.parquet`` and ``test.parquet`` in one folder. About 85% of the rows are of
sessions without a customer. The same seed and moment make the same files. Events are made a block of sessions at a
time, so that 46.5 million rows need no more memory than one block.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

N_STYLES = 8
"""Ways of dressing; somebody has mostly one, and a product suits some."""
SECTIONS, FAMILIES_EACH, COLOURS = 4, 16, 40
COUNTRIES = (25, 34, 57, 29)
COUNTRY_SHARE = (0.45, 0.3, 0.15, 0.1)
KNOWN_SHARE = 0.15
"""Of the rows that have a customer."""
STAYS = 0.75
"""How often the next product is of the family that the session is about."""
AGAIN = 0.2
"""How often a product of the same session is looked at again."""
BLOCK = 150_000
"""Sessions that are made at once."""
WITHOUT_PICTURE = 0.07
PER_SESSION = 7.7
"""Rows of a session on average."""


@dataclass(frozen=True)
class Size:
    """How large the shop is."""

    customers: int = 1500
    products: int = 600
    rows: int = 60_000
    """About so many."""
    numbers: int = 1280
    """Of an image's embedding."""
    days: int = 42


@dataclass(frozen=True)
class Products:
    """What is sold, sorted by family, and what the files do not say."""

    family: NDArray[np.int64]
    """Shape (n,), as all but two of these."""
    colour: NDArray[np.int64]
    discount: NDArray[np.int64]
    suits: NDArray[np.float64]
    """How much it suits each style; shape (n, N_STYLES)."""
    draw: NDArray[np.float64]
    """How much it draws everybody."""
    launched: NDArray[np.float64]
    """Day on which it came; many look at what is new."""
    first: NDArray[np.int64]
    """Where each family begins, and the end; shape (n_families + 1,)."""

    def totals(self, day: float) -> NDArray[np.float64]:
        """Rising sums of what draws each style on a day, (N_STYLES, n + 1)."""
        age = day - self.launched
        new = np.where(age < 0, -6.0, 1.6 * np.exp(-np.maximum(age, 0) / 9))
        pull = np.exp((self.draw + new + 0.35 * self.discount)[:, None] + 1.1 * self.suits)
        return np.concatenate([np.zeros((N_STYLES, 1)), np.cumsum(pull.T, axis=1)], axis=1)


@dataclass(frozen=True)
class Customers:
    """Who is known by name; all of shape (n,)."""

    country: NDArray[np.int64]
    style: NDArray[np.int64]
    activity: NDArray[np.float64]


def products_of(rng: np.random.Generator, n: int, days: int) -> Products:
    """Products whose family, and a little their colour, says which style they suit."""
    n_families = min(SECTIONS * FAMILIES_EACH, max(2, n // 6))
    family = np.sort(rng.choice(n_families, n, p=_falling(n_families, 0.7)))
    colour = rng.choice(COLOURS, n, p=_falling(COLOURS, 0.8))
    of_family, of_colour = rng.gumbel(0, 0.8, (n_families, N_STYLES)), rng.gumbel(0, 0.5, (COLOURS, N_STYLES))
    suits = of_family[family] + of_colour[colour] + rng.gumbel(0, 0.4, (n, N_STYLES))
    launched = np.where(rng.random(n) < 0.6, -60.0, rng.uniform(-10, days, n))
    discount = (rng.random(n) < np.where(launched < 0, 0.3, 0.05)).astype(np.int64)
    suits -= suits.mean(axis=1, keepdims=True)
    first = np.searchsorted(family, np.arange(n_families + 1))
    return Products(family, colour, discount, suits, rng.normal(0, 0.7, n), launched, first)


def customers_of(rng: np.random.Generator, n: int) -> Customers:
    """Customers; what is worn differs by country, and few come often."""
    country = rng.choice(len(COUNTRIES), n, p=COUNTRY_SHARE)
    return Customers(country, _styles(rng, country), rng.lognormal(0, 1.0, n))


def write_products(rng: np.random.Generator, made: Products, numbers: int, file: Path) -> None:
    """The products with a picture's numbers: alike for what suits alike, is of a family, or has a colour."""
    n = len(made.family)
    seen = [rng.normal(0, 1, (size, numbers)) for size in (int(made.family.max()) + 1, COLOURS, N_STYLES)]
    parts = []
    for start in range(0, n, 4000):
        own = slice(start, min(start + 4000, n))
        picture = seen[0][made.family[own]] + 0.5 * seen[1][made.colour[own]] + 0.6 * made.suits[own] @ seen[2]
        picture += rng.normal(0, 0.8, picture.shape)
        parts.append(picture.astype(np.float32))
    pictures = pl.Series("embedding", np.concatenate(parts), dtype=pl.Array(pl.Float32, numbers))
    missing = rng.random(n) < WITHOUT_PICTURE
    section = made.family % SECTIONS + 1
    pl.DataFrame(
        {
            "discount": made.discount,
            "embedding": pictures.cast(pl.List(pl.Float32)),
            "partnumber": rng.permutation(np.arange(n)) + 1,
            "color_id": made.colour + 1,
            "cod_section": section,
            "family": made.family + 1,
        }
    ).with_columns(pl.when(pl.Series(~missing)).then("embedding").alias("embedding")).write_parquet(file)


def write_customers(rng: np.random.Generator, made: Customers, file: Path) -> None:
    """What the till knows: country, days since the last purchase, how many, and how much was spent."""
    bought = rng.poisson(2 + 6 * made.activity)
    spent = bought * rng.lognormal(3.3, 0.5, len(bought)) * (1 + 0.25 * made.style / N_STYLES)
    recent = np.minimum(365, rng.exponential(90 / (0.3 + made.activity)))
    pl.DataFrame(
        {
            "user_id": np.arange(1, len(bought) + 1),
            "country": np.array(COUNTRIES)[made.country],
            "R": recent.astype(np.int64),
            "F": bought,
            "M": spent.round(2),
        }
    ).write_csv(file)


def write_events(
    rng: np.random.Generator, goods: Products, people: Customers, size: Size, until: datetime,
    number: NDArray[np.int64], file: Path,
) -> int:  # fmt: skip
    """All sessions in order of their beginning, a block at a time; gives how many rows there are to learn from.

    Of the last day a quarter of the sessions is kept apart, its first halves in ``test.parquet``: those to be answered.
    """
    families = np.stack([_favoured(goods, style) for style in range(N_STYLES)])
    n_sessions = max(1, round(size.rows / PER_SESSION))
    parts = file.with_name(file.name + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    came = np.cumsum(people.activity)
    done, tests = 0, list[pl.DataFrame]()
    for place, first in enumerate(range(0, n_sessions, BLOCK)):
        here = min(BLOCK, n_sessions - first)
        span = size.days * first / n_sessions, size.days * (first + here) / n_sessions
        begun = np.sort(rng.uniform(*span, here))
        known = rng.random(here) < KNOWN_SHARE
        who = np.where(known, np.searchsorted(came, rng.uniform(0, came[-1], here)), -1)
        country = np.where(known, people.country[who], rng.choice(len(COUNTRIES), here, p=COUNTRY_SHARE))
        style = np.where(known & (rng.random(here) < 0.9), people.style[who], _styles(rng, country))
        frame = _rows(rng, goods, families, begun, style)
        session = frame["session"].to_numpy()
        told = frame.select(
            pl.Series("session_id", session + first + 1),
            (pl.lit((until - timedelta(days=size.days)).replace(tzinfo=None)) + pl.duration(milliseconds="ms"))
            .cast(pl.Datetime("ms")).alias("timestamp_local"),
            pl.col("cart").alias("add_to_cart"),
            pl.col("purchase"),
            pl.Series("user_id", who[session] + 1).replace(0, None),
            pl.Series("country", np.array(COUNTRIES)[country][session]),
            pl.Series("partnumber", number[frame["item"].to_numpy()]),
            pl.Series("device_type", (session * 7919 % 3 + 1).astype(np.int8)),
            pl.Series("pagetype", np.where(frame["cart"].to_numpy() > 0, 24, 8).astype(np.int8)),
        ).with_columns(pl.col("timestamp_local").dt.date().alias("date"))  # fmt: skip
        apart = pl.Series((begun >= size.days - 1) & (np.arange(first, first + here) % 4 == 0)).gather(session)
        told.filter(~apart).write_parquet(parts / f"{place:05}.parquet")
        done += told.height - int(apart.sum())
        halves = told.filter(apart).filter(pl.int_range(pl.len()).over("session_id") * 2 < pl.len().over("session_id"))
        tests.append(halves)
    pl.scan_parquet(parts / "*.parquet").sink_parquet(file)
    pl.concat(tests).write_parquet(file.with_name("test.parquet"))
    shutil.rmtree(parts)
    return done


def _rows(
    rng: np.random.Generator, goods: Products, families: NDArray[np.float64], begun: NDArray[np.float64],
    style: NDArray[np.int64],
) -> pl.DataFrame:  # fmt: skip
    """The rows of sessions that begin on days ``begun`` (n,): session (from 0), ms, item, cart, purchase."""
    n = len(begun)
    length = 1 + np.minimum(rng.geometric(1 / 7, n), 60) - (rng.random(n) < 0.5)
    session = np.repeat(np.arange(n), length)
    place = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    about = _by_style(rng, families, style)
    family = np.where(rng.random(len(session)) < STAYS, about[session], _by_style(rng, families, style[session]))
    item = _items(rng, goods, family, style[session], begun[session])
    again = (rng.random(len(session)) < AGAIN) & (place > 0)
    back = np.maximum(1, (rng.random(len(session)) * (place + 1)).astype(np.int64))
    item = np.where(again, item[np.arange(len(session)) - np.minimum(back, place)], item)
    ms = (begun[session] * 86_400_000).astype(np.int64) + np.cumsum(rng.exponential(25_000, len(session))).astype(
        np.int64
    )
    ms -= np.repeat(ms[np.cumsum(length) - length] - (begun * 86_400_000).astype(np.int64), length)
    wish = -5.6 + 0.9 * goods.suits[item, style[session]] + 0.4 * goods.discount[item] + 1.6 * again
    cart = rng.random(len(session)) < 1 / (1 + np.exp(-wish))
    bought = cart & (rng.random(len(session)) < 0.35)
    last = np.repeat(ms[np.cumsum(length) - 1], length)
    rows = pl.DataFrame({"session": session, "ms": ms, "item": item, "cart": cart, "purchase": np.zeros(len(ms), bool)})
    paid = pl.DataFrame(
        {
            "session": session[bought], "ms": last[bought] + 60_000, "item": item[bought],
            "cart": np.zeros(int(bought.sum()), bool), "purchase": np.ones(int(bought.sum()), bool),
        }
    )  # fmt: skip
    flags = pl.col("cart", "purchase").cast(pl.Int8)
    return pl.concat([rows, paid]).sort("session", "ms", maintain_order=True).with_columns(flags)


def _items(
    rng: np.random.Generator, goods: Products, family: NDArray[np.int64], style: NDArray[np.int64],
    day: NDArray[np.float64],
) -> NDArray[np.int64]:  # fmt: skip
    """A product of a family for each, by what draws the style in these three days; shape (n,)."""
    out, draw = np.empty(len(family), np.int64), rng.random(len(family))
    stretch = (day // 3).astype(np.int64)
    for one in np.unique(stretch):
        totals = goods.totals(3.0 * float(one) + 1.5)
        for own in range(N_STYLES):
            rows = np.flatnonzero((stretch == one) & (style == own))
            low, high = (totals[own][goods.first[family[rows] + more]] for more in (0, 1))
            found = np.searchsorted(totals[own], low + draw[rows] * (high - low), side="right") - 1
            out[rows] = np.clip(found, goods.first[family[rows]], goods.first[family[rows] + 1] - 1)
    return out


def _by_style(rng: np.random.Generator, shares: NDArray[np.float64], style: NDArray[np.int64]) -> NDArray[np.int64]:
    """A column for each style, by the rising shares of its row."""
    out, draw = np.empty(len(style), np.int64), rng.random(len(style))
    for own in range(N_STYLES):
        rows = style == own
        out[rows] = np.searchsorted(shares[own], draw[rows] * shares[own][-1], side="right")
    return np.minimum(out, shares.shape[1] - 1)


def _favoured(goods: Products, style: int) -> NDArray[np.float64]:
    """Rising shares of the families that have products, by how they suit a style."""
    pull = np.exp(1.2 * goods.suits[:, style])
    sums = np.add.reduceat(np.append(pull, 0), goods.first[:-1]) * (np.diff(goods.first) > 0)
    return np.asarray(np.cumsum(sums))


def _styles(rng: np.random.Generator, country: NDArray[np.int64]) -> NDArray[np.int64]:
    """A style each; every country has its favourites."""
    likely = np.exp(1.2 * np.cos(np.arange(N_STYLES)[None] - 2 * np.arange(len(COUNTRIES))[:, None]))
    rising = np.cumsum(likely / likely.sum(axis=1, keepdims=True), axis=1)
    return np.asarray((rng.random(len(country))[:, None] > rising[country]).sum(axis=1).clip(0, N_STYLES - 1))


def _falling(n: int, power: float) -> NDArray[np.float64]:
    """Shares of n things, the first the largest."""
    shares = 1 / np.arange(1, n + 1) ** power
    return np.asarray(shares / shares.sum())


def generate(folder: Path, until: datetime, seed: int = 7, size: Size | None = None) -> int:
    """Write the four files of a shop into ``folder``; gives how many rows of events there are."""
    size = size or Size()
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    goods, people = products_of(rng, size.products, size.days), customers_of(rng, size.customers)
    write_products(rng, goods, size.numbers, folder / "products.parquet")
    number = pl.read_parquet(folder / "products.parquet", columns=["partnumber"])["partnumber"].to_numpy()
    write_customers(rng, people, folder / "users.csv")
    return write_events(rng, goods, people, size, until, number, folder / "train.parquet")


def midnight() -> datetime:
    """The beginning of this day."""
    return datetime.combine(date.today(), datetime.min.time(), UTC)  # noqa: DTZ011


def main() -> None:
    """Read the command line and write the files."""
    told = argparse.ArgumentParser(description="A made fashion shop, as four files.")
    told.add_argument("folder", type=Path)
    told.add_argument("--until", type=datetime.fromisoformat, default=None, help="an ISO moment; this day's midnight")
    told.add_argument("--seed", type=int, default=7)
    for name in ("customers", "products", "rows", "numbers", "days"):
        told.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    given = told.parse_args()
    until = given.until or midnight()
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    size = Size(given.customers, given.products, given.rows, given.numbers, given.days)
    n = generate(given.folder, until, given.seed, size)
    print(f"users.csv, products.parquet, test.parquet and train.parquet ({n:,} rows) are in {given.folder}")


if __name__ == "__main__":
    main()
