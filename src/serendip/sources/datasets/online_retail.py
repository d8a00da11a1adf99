"""Online Retail: a shop's invoice lines, with everything that is no purchase told apart and counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.domain import InteractionKind, Invalid
from serendip.sources.cells import MISSING, Refusals, numbers, texts
from serendip.sources.datasets.known import LoadedSet, file_in, rows
from serendip.sources.interactions import NOT_A_MOMENT
from serendip.sources.moments import tell_form, to_micros
from serendip.sources.opening import open_source
from serendip.sources.source import FrameSource, RowError, Source, digest_of
from serendip.sources.words import plain

PURCHASE = InteractionKind("purchase", hides=False)
"""People of this shop buy the same things again and again."""

TIMEZONE = "Europe/London"

COLUMNS = {
    "invoice": ["invoiceno", "invoice"],
    "item": ["stockcode"],
    "title": ["description"],
    "quantity": ["quantity"],
    "moment": ["invoicedate"],
    "price": ["unitprice", "price"],
    "customer": ["customerid"],
    "country": ["country"],
}
"""Our names, and theirs in the first and in the second edition of the set."""

SERVICES = """POST DOT M C2 C3 D S B CRUK AMAZONFEE|BANK CHARGES|ADJUST ADJUST2 TEST001 TEST002 GIFT SP1002"""
"""Codes of postage, carriage, manual entries, discounts, samples, bad debt, commissions, fees and tests."""

SERVICE = "postage, fees, manual and other lines that are no product"
REPEATED = "lines that repeat another one in every field"
CANCELLATION = "cancellations"
NOTHING_SOLD = "lines with no positive quantity (breakage, corrections)"
NO_PRICE = "lines without a price (stock corrections, gifts)"
CANCELLED = "purchases that were cancelled afterwards"


@dataclass
class _Lines:
    """The readable lines of the file, and what is wrong with the others."""

    frame: pl.DataFrame
    errors: list[RowError]
    line: NDArray[np.int64]
    reason: NDArray[np.object_] = field(init=False)
    """Why a line is left out, of shape (n_lines,); None for a purchase."""

    def __post_init__(self) -> None:
        self.reason = np.full(self.frame.height, None, object)

    def leave_out(self, where: pl.Series | NDArray[np.bool_], reason: str) -> None:
        """Give a reason to the lines that have none yet."""
        mask = where.fill_null(False).to_numpy() if isinstance(where, pl.Series) else where
        self.reason[mask & (self.reason == None)] = reason  # noqa: E711

    @property
    def kept(self) -> NDArray[np.bool_]:
        return np.array([reason is None for reason in self.reason], bool)

    def counts(self) -> dict[str, int]:
        """How many lines each reason took, in the order in which they were asked."""
        reasons = [SERVICE, REPEATED, CANCELLATION, NOTHING_SOLD, NO_PRICE, CANCELLED]
        return {reason: n for reason in reasons if (n := int((self.reason == reason).sum()))}


def online_retail(path: Path) -> LoadedSet:
    """``online_retail.csv``, gzipped or not; purchases with their quantity, as customers or as single baskets."""
    source = open_source(file_in(path, "online_retail.csv.gz", "online_retail.csv", "Online Retail.csv", "data.csv"))
    lines = _read(source)
    frame = lines.frame
    _leave_out(lines)
    quantity, reduced, unmatched = _cancel(lines)
    left_out = lines.counts()
    kept = pl.Series(lines.kept)
    bought = frame.with_columns(quantity.alias("quantity")).filter(kept)
    baskets = bought.filter(pl.col("customer").is_null())
    report = left_out | {
        "purchases kept": bought.height,
        "of these, reduced by a cancellation": reduced,
        "of these, without a customer (the basket stands in for one)": baskets.height,
        "baskets that stand in for a customer": baskets["invoice"].n_unique(),
        "cancellations that match no earlier purchase": unmatched,
    }
    events = bought.select("user", "item", pl.col("moment").alias("at"), pl.col("quantity").alias("value"))
    done = FrameSource(
        source.name,
        events,
        lines=lines.line[lines.kept],
        errors=lines.errors,
        left_out=left_out,
        digest=source.digest,
    )
    people, products = _people(bought), _products(bought)
    parts = [
        rows(
            FrameSource(f"{source.name}: customers", people, digest=digest_of(source.digest, "customers")),
            "users",
            "id",
            attributes=["country"],
        ),
        rows(
            FrameSource(f"{source.name}: products", products, digest=digest_of(source.digest, "products")),
            "items",
            "id title",
            attributes=["price"],
            defaults={"catalogue": "products"},
        ),
        rows(done, "interactions", "user item at value", defaults={"kind": PURCHASE.name}),
    ]
    return LoadedSet("online-retail", parts, [PURCHASE], report, notes=[f"moments are {TIMEZONE} time, kept as UTC"])


def _read(source: Source) -> _Lines:
    """All lines with typed quantity, price and moment; those that cannot be read as errors."""
    theirs = {}
    for ours, names in COLUMNS.items():
        found = [column for column in source.columns if plain(column).replace("_", "") in names]
        if not found:
            raise Invalid(f"{source.name} has no column {names[0]}; its columns are {', '.join(source.columns)}")
        theirs[ours] = found[0]
    batches = list(source.batches())
    frame = pl.concat([batch.frame.select(pl.col(c).alias(ours) for ours, c in theirs.items()) for batch in batches])
    refusals = Refusals(np.concatenate([batch.lines for batch in batches]))
    for name in ("invoice", "item"):
        refusals.refuse(texts(frame[name]).is_null(), name, MISSING, frame[name])
    moments = to_micros(frame["moment"], tell_form(frame["moment"].head(1000)), TIMEZONE)
    refusals.refuse(moments.is_null(), "at", NOT_A_MOMENT, frame["moment"])
    typed = frame.with_columns(
        numbers(frame["quantity"], "value", refusals).alias("quantity"),
        numbers(frame["price"], "price", refusals).alias("price"),
        moments.alias("moment"),
        texts(frame["title"]).str.strip_chars().alias("title"),
        texts(frame["customer"]).str.strip_suffix(".0").alias("customer"),
    ).with_columns(
        pl.coalesce("customer", pl.lit("basket:") + pl.col("invoice")).alias("user"),
    )
    errors = [error for batch in batches for error in batch.errors] + refusals.errors
    return _Lines(typed.filter(pl.Series(refusals.ok)), errors, refusals.lines[refusals.ok])


def _leave_out(lines: _Lines) -> None:
    """Everything that can be told from a line alone, and lines that are there twice."""
    frame = lines.frame
    services = [
        code for group in SERVICES.split("|") for code in ([group] if group == "BANK CHARGES" else group.split())
    ]
    lines.leave_out(frame["item"].str.to_uppercase().is_in(services), SERVICE)
    lines.leave_out(~frame.select(pl.struct(pl.all()).is_first_distinct()).to_series(), REPEATED)
    lines.leave_out(frame["invoice"].str.starts_with("C"), CANCELLATION)
    lines.leave_out(frame["quantity"].fill_null(0.0) <= 0, NOTHING_SOLD)
    lines.leave_out(frame["price"].fill_null(0.0) <= 0, NO_PRICE)


def _cancel(lines: _Lines) -> tuple[pl.Series, int, int]:
    """Take what was cancelled from the customer's latest earlier purchases of the product.

    Gives the quantities that remain, how many purchases were reduced and kept,
    and how many cancellations found nothing, or not enough, to cancel.
    """
    frame = lines.frame.with_columns(pl.Series("place", np.arange(lines.frame.height)), pl.Series("kept", lines.kept))
    cancelling = pl.Series(lines.reason == CANCELLATION)
    theirs = frame.with_columns(cancelling.alias("cancels")).filter(pl.col("customer").is_not_null())
    asked = theirs.filter("cancels").select("customer", "item").unique()
    matters = theirs.filter(pl.col("cancels") | pl.col("kept")).join(asked, on=["customer", "item"], how="semi")
    remaining = lines.frame["quantity"].to_numpy().copy()
    reduced: set[int] = set()
    unmatched = int((cancelling & lines.frame["customer"].is_null()).sum())
    # Of each customer and product, the places of purchases with something left, the latest last.
    earlier: dict[tuple[str, str], list[int]] = {}
    in_time = matters.sort("moment", "place").select("customer", "item", "place", "quantity", "cancels")
    for customer, item, place, quantity, cancels in in_time.iter_rows():
        purchases = earlier.setdefault((customer, item), [])
        if not cancels:
            purchases.append(place)
            continue
        left = -quantity
        while left > 0 and purchases:
            latest = purchases[-1]
            taken = min(left, remaining[latest])
            remaining[latest] -= taken
            left -= taken
            reduced.add(latest)
            if remaining[latest] == 0:
                purchases.pop()
        unmatched += left > 0
    lines.leave_out((remaining == 0) & lines.kept, CANCELLED)
    return pl.Series(remaining), sum(bool(remaining[place] > 0) for place in reduced), unmatched


def _people(bought: pl.DataFrame) -> pl.DataFrame:
    """Every user with the country of most of their lines."""
    return _most_frequent(bought, "user", "country").rename({"user": "id"}).sort("id")


def _products(bought: pl.DataFrame) -> pl.DataFrame:
    """Every product with its most frequent description and its median price."""
    prices = bought.group_by("item").agg(pl.col("price").median().round(2))
    return _most_frequent(bought, "item", "title").join(prices, on="item").rename({"item": "id"}).sort("id")


def _most_frequent(bought: pl.DataFrame, of: str, what: str) -> pl.DataFrame:
    """The commonest ``what`` of every ``of``; of equally common ones the first in the alphabet."""
    counted = bought.group_by(of, what).len().sort("len", what, descending=[True, False], nulls_last=True)
    return counted.group_by(of, maintain_order=True).agg(pl.col(what).drop_nulls().first())
