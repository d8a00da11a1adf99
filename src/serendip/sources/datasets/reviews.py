"""Reviews of products with text, a row a review, as shops export them: cleaned, and what is left out counted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from serendip.domain import InteractionKind, Invalid
from serendip.sources.cells import texts
from serendip.sources.datasets.amazon import said
from serendip.sources.datasets.known import LoadedSet, file_in, rows
from serendip.sources.datasets.wording import mid_price, plain_text
from serendip.sources.opening import open_source
from serendip.sources.source import FrameSource, RowError, Source, digest_of
from serendip.sources.words import plain

SCALE = (1.0, 5.0)
PRAISE = InteractionKind("five-stars", mode="latest", scale=SCALE)
"""What is aimed at: a review with the most stars there are."""
OTHER = InteractionKind("review", mode="latest", scale=SCALE, weight=0.0)
"""A review with fewer stars: no reason to recommend anything, and its product is not shown again."""

COLUMNS = {
    "user": "username reviewername user reviewer customer author",
    "user_id": "reviewerid userid customerid",
    "title": "itemname productname producttitle product title",
    "item_id": "asin itemid item productid parentasin",
    "description": "description productdescription",
    "price": "price",
    "value": "rating overall stars score",
    "at": "reviewtime unixreviewtime time timestamp date",
    "summary": "summary reviewtitle headline",
    "text": "reviewtext review text body",
}
"""Our names, and what they are called elsewhere."""
NEEDED = ("user", "title", "value", "at")

ANONYMOUS = frozenset(
    (
        "amazon customer",
        "kindle customer",
        "a customer",
        "customer",
        "amazon user",
        "a reader",
        "anonymous",
        "anon",
        "guest",
    )
)
"""Names that a shop gives to those who told none, in small letters."""
ANONYMOUS_ID = "anonymous:"
"""How the ids of those who wrote under such a name begin: one person a review, never taken for another."""

NO_USER = "reviews that name nobody"
NO_PRODUCT = "reviews that name no product"
REPEATED = "reviews that are there twice"
EARLIER = "earlier reviews of the same product by the same person"
SPELT_DATE = r"^\s*(\d{1,2})[ /](\d{1,2}),? (\d{4})\s*$"
"""A day as ``09 1, 2016``: month, day, year."""


def reviews(path: Path) -> LoadedSet:
    """A file of reviews: who wrote it, of which product, the stars, the moment, and where there are some its words."""
    source = open_source(file_in(path, "reviews.csv", "reviews.csv.gz", "reviews.parquet", "reviews.jsonl"))
    whole, errors = _read(source)
    cleaned, left_out, report = _cleaned(whole)
    events = cleaned.select("user", "item", "kind", "value", "at", "context")
    done = FrameSource(
        source.name, events, lines=cleaned["line"].to_numpy(), errors=errors, left_out=left_out, digest=source.digest
    )
    people, products = _people(cleaned), _products(cleaned)
    report |= {
        "people": int((people["anonymous"].is_null()).sum()),
        "products": products.height,
        "products without a price": int(products["price"].null_count()),
        "products without a description": int(products["text"].null_count()),
    }
    parts = [
        rows(
            _beside(source, "people", people),
            "users",
            "id name",
            attributes=["anonymous"],
        ),
        rows(
            _beside(source, "products", products),
            "items",
            "id title text",
            attributes=["price"],
            defaults={"catalogue": "products"},
        ),
        rows(done, "interactions", "user item kind value at context", scale=SCALE),
    ]
    return LoadedSet("product-reviews", parts, [PRAISE, OTHER], left_out | report)


def _beside(source: Source, what: str, frame: pl.DataFrame) -> FrameSource:
    """Rows made of the file's, each with the line where the first of these stands."""
    lines = frame["line"].to_numpy()
    return FrameSource(source.name, frame.drop("line"), lines=lines, digest=digest_of(source.digest, what))


def is_anonymous(name: str) -> bool:
    """Whether a name is one that a shop gives to those who told none."""
    return " ".join(name.split()).strip(" .").casefold() in ANONYMOUS


def _read(source: Source) -> tuple[pl.DataFrame, list[RowError]]:
    """All rows under our names with the line of each; what the file lacks is null."""
    theirs: dict[str, str] = {}
    for ours, names in COLUMNS.items():
        called = {plain(column).replace("_", ""): column for column in reversed(source.columns)}
        found = next((called[name] for name in names.split() if name in called), None)
        if found is not None:
            theirs[ours] = found
    ids = {"user": "user_id", "title": "item_id"}
    for name in NEEDED:
        if name not in theirs and ids.get(name) not in theirs:
            raise Invalid(
                f"{source.name} has no column {COLUMNS[name].split()[0]}; its columns are {', '.join(source.columns)}; "
                "reviews need a user, a product, a rating and a review time",
                field=name,
            )
    batches = list(source.batches())
    nothing = pl.DataFrame(schema=dict.fromkeys(source.columns, pl.String))
    frame = pl.concat([nothing, *(batch.frame for batch in batches)], how="diagonal_relaxed")
    told = [
        texts(frame[theirs[ours]]).alias(ours)
        if ours in theirs
        else pl.repeat(None, frame.height, dtype=pl.String, eager=True).alias(ours)
        for ours in COLUMNS
    ]
    lines = np.concatenate([np.empty(0, np.int64), *(batch.lines for batch in batches)])
    return pl.DataFrame([*told, pl.Series("line", lines)]), [error for batch in batches for error in batch.errors]


def _cleaned(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int], dict[str, int]]:
    """The reviews that stay, how many went for which reason, and what else was done to how many."""
    frame = frame.with_columns(_one_line(pl.col("user")), _one_line(pl.col("title")))
    frame = frame.with_columns(pl.coalesce("user_id", "user").alias("user"), pl.col("user").alias("name"))
    left_out: dict[str, int] = {}

    def drop(keep: pl.Expr, reason: str) -> None:
        nonlocal frame
        kept = frame.filter(keep.fill_null(False))
        left_out[reason] = frame.height - kept.height
        frame = kept

    drop(pl.col("user").is_not_null(), NO_USER)
    drop(pl.coalesce("item_id", "title").is_not_null(), NO_PRODUCT)
    drop(pl.struct(pl.exclude("line")).is_first_distinct(), REPEATED)
    frame, report = _plain(frame)
    anonymous = frame["name"].fill_null("").map_elements(is_anonymous, return_dtype=pl.Boolean)
    digest = pl.Series(
        [_digest(str(row)) for row in frame.select("item_id", "title", "at", "value", "context").iter_rows()]
    )
    frame = frame.with_columns(
        pl.when(anonymous & frame["user_id"].is_null())
        .then(pl.lit(ANONYMOUS_ID) + digest)
        .otherwise("user")
        .alias("user"),
        pl.Series("anonymous", anonymous),
        pl.coalesce("item_id", pl.col("title").map_elements(product_id, return_dtype=pl.String)).alias("item"),
        _moments(frame["at"]).alias("at"),
    )
    stars = frame["value"].str.strip_chars().cast(pl.Float64, strict=False)
    frame = frame.with_columns(
        pl.when(stars == SCALE[1]).then(pl.lit(PRAISE.name)).otherwise(pl.lit(OTHER.name)).alias("kind")
    )
    order = frame.with_row_index("place").sort(_when(frame["at"]), "place")
    last = order.unique(["user", "item"], keep="last", maintain_order=True)["place"]
    drop(pl.int_range(pl.len()).is_in(last.to_list()), EARLIER)
    report["reviews under an anonymous name, each set apart"] = int(frame["anonymous"].sum())
    report["reviews without a word"] = int(frame["context"].null_count())
    return frame, {reason: n for reason, n in left_out.items() if n}, report


def _one_line(text: pl.Expr) -> pl.Expr:
    """Single spaces, none around; null where nothing is left. Capital letters stay."""
    squeezed = text.str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(squeezed.str.len_bytes() > 0).then(squeezed)


def _plain(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Words without markup, prices as numbers, what was said as one context."""
    words = {name: _without_markup(frame[name]) for name in ("title", "description", "summary", "text")}
    stripped = sum(int(frame[name].str.contains("[<&]").fill_null(False).sum()) for name in words)
    prices = frame["price"].unique().to_list()
    price = frame["price"].replace_strict(prices, [mid_price(one) for one in prices], return_dtype=pl.String)
    given = frame["price"].is_not_null() & ~frame["price"].str.to_lowercase().is_in(["nan", "none", "null"])
    contexts = [said(*told) for told in zip(words["summary"], words["text"], strict=True)]
    report = {
        "texts whose markup was stripped": stripped,
        "reviews whose product's price cannot be read": int((given & price.is_null()).sum()),
    }
    return (
        frame.with_columns(
            *(column.alias(name) for name, column in words.items()),
            price.cast(pl.Float64).alias("price"),
            pl.Series("context", contexts, dtype=pl.String),
        ),
        report,
    )


def _without_markup(column: pl.Series) -> pl.Series:
    """The same texts as plain words; only those that hold markup are parsed, the others have their spaces squeezed."""
    marked = column.str.contains("[<&]").fill_null(False)
    held = column.filter(marked).unique()
    parsed = dict(zip(held, map(plain_text, held), strict=True))
    told = pl.Series([parsed.get(cell, cell) for cell in column], dtype=pl.String) if parsed else column
    return pl.select(_one_line(pl.lit(told))).to_series()


def _moments(at: pl.Series) -> pl.Series:
    """Days as ``09 1, 2016`` in ISO 8601; everything else as it is."""
    parts = [at.str.extract(SPELT_DATE, place) for place in (1, 2, 3)]
    iso = parts[2] + "-" + parts[0].str.zfill(2) + "-" + parts[1].str.zfill(2)
    return iso.fill_null(at)


def _when(at: pl.Series) -> pl.Series:
    """What orders moments of one form: numbers by size, ISO by the alphabet."""
    numbers = at.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() <= at.null_count() else at


def product_id(title: str) -> str:
    """The id of a product that has nothing but its name; names that differ in one letter's case are different."""
    return f"p-{_digest(title)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _people(cleaned: pl.DataFrame) -> pl.DataFrame:
    """Everybody who wrote, with the name and the first line; ``anonymous`` is told of those only who are."""
    first = cleaned.unique("user", keep="first", maintain_order=True)
    flag = pl.when("anonymous").then(pl.lit(True)).alias("anonymous")
    return first.select(pl.col("user").alias("id"), "name", flag, "line")


def _products(cleaned: pl.DataFrame) -> pl.DataFrame:
    """Every product with its longest description, the median of its prices, and its first line."""
    length = pl.col("description").str.len_chars().fill_null(0)
    longest = pl.col("description").sort_by(length, descending=True, maintain_order=True).first()
    return (
        cleaned.group_by("item", maintain_order=True)
        .agg(
            pl.col("title").drop_nulls().first(),
            longest.alias("text"),
            pl.col("price").median().round(2),
            pl.col("line").first(),
        )
        .rename({"item": "id"})
    )
