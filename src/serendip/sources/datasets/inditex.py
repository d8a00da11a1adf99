"""Inditex: a fashion shop's views, carts and purchases, most of them of sessions without a customer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from serendip.domain import InteractionKind, Invalid, NotFound
from serendip.sources.cells import texts
from serendip.sources.datasets.known import LoadedSet, Part, file_in, rows
from serendip.sources.opening import open_source
from serendip.sources.source import Batch, FrameSource, Reshaped, RowError, Source, digest_of, with_frame

KINDS = [
    InteractionKind("view", weight=1.0, hides=False),
    InteractionKind("cart", weight=10.0, hides=False),
    InteractionKind("purchase", weight=20.0),
]
"""Confidence 1 + views + 10 carts; a viewed product is the likeliest to be put into the cart, and is shown again."""

SESSION = "session:"
"""Goes before a session's number where a session stands in for a customer."""

PICTURES = "embeddings.csv"
WORDS = {"family": "family", "section": "cod_section", "colour": "color_id"}
"""Our name for what is a word of a product, and theirs."""
PRODUCT = ["id", "tags", "section", "family", "colour", "discount"]
EVENT = ["user", "item", "at", "kind", "context"]
NEEDED = {
    "users.csv": ("user_id", "country", "R", "F", "M"),
    "products": ("partnumber", "family", "cod_section", "color_id", "discount"),
    "train": ("session_id", "user_id", "partnumber", "timestamp_local", "add_to_cart"),
}
"""The columns that each file must have."""


def inditex(folder: Path) -> LoadedSet:
    """``users.csv``, ``products.parquet``, ``embeddings.csv`` and ``train.parquet``; what is not there is left out.

    A session without a customer becomes a user of its own, ``session:123``: most rows are of such sessions, and what
    they tell about products would be lost without them.
    """
    products, events = _products_file(folder), _opened(file_in(folder, "train.parquet", "train.csv"), "train")
    parts: list[Part] = []
    try:
        people = _opened(file_in(folder, "users.csv"), "users.csv")
    except NotFound:
        notes = ["there is no users.csv: customers come from a service, with `serendip pull`"]
    else:
        notes, parts = [], [rows(_people(people), "users", "id", attributes=["country", "R", "F", "M"])]
    described = Reshaped(products, PRODUCT, _product, "products")
    shown = [name for name in PRODUCT if name not in ("id", "tags")]
    parts.append(rows(described, "items", "id tags", attributes=shown, defaults={"catalogue": "products"}))
    parts += _pictures(folder, products)
    parts.append(rows(Reshaped(events, EVENT, _event, "events"), "interactions", " ".join(EVENT)))
    return LoadedSet("inditex", parts, KINDS, notes=[*notes, "moments are local ones, kept as UTC"])


def _products_file(folder: Path) -> Source:
    """The products; a pickle is refused with the line that converts it, for reading one may run anything."""
    try:
        path = file_in(folder, "products.parquet")
    except NotFound:
        pickles = sorted(folder.glob("products*.pkl")) if folder.is_dir() else []
        if not pickles:
            raise
        raise Invalid(
            f"{pickles[0]} is a pickle, and reading one may run anything; where you trust it, convert it with "
            f'python -c "import pandas; pandas.read_pickle({str(pickles[0])!r}).to_parquet('
            f'{str(folder / "products.parquet")!r})"',
            field="products",
        ) from None
    return _opened(path, "products")


def _opened(path: Path, what: str) -> Source:
    if path.suffix == ".pkl":
        raise Invalid(f"{path} is a pickle, which is never read; name the folder that holds it", field="from")
    source = open_source(path)
    missing = [name for name in NEEDED[what] if name not in source.columns]
    if missing:
        raise Invalid(f"{path} has no column {missing[0]}; its columns are {', '.join(source.columns)}", missing[0])
    return source


def _whole(cell: pl.Expr) -> pl.Expr:
    """A number's text as an id: 12.0, as frames with missing cells write it, is 12."""
    return cell.cast(pl.String).str.strip_chars().str.strip_suffix(".0").replace("", None)


def main_rows(people: pl.DataFrame) -> pl.DataFrame:
    """A row each of customers who have several, in order of appearance: that of most purchases (F), else the first."""
    most = pl.col("F").cast(pl.Float64, strict=False).fill_null(-1)
    ranked = people.with_row_index("row_").sort(most, "row_", descending=[True, False])
    return ranked.unique("id", keep="first", maintain_order=True).sort("row_").drop("row_")


def _people(source: Source) -> FrameSource:
    batches = list(source.batches())
    told = [_whole(pl.col("user_id")).alias("id"), _whole(pl.col("country")).alias("country"), "R", "F", "M"]
    every = pl.concat([batch.frame.select(told) for batch in batches]) if batches else pl.DataFrame()
    if not every.height:
        raise Invalid(f"{source.name} holds no customer; leave the file out where customers come from a service")
    every = every.with_columns(pl.Series("line_", np.concatenate([batch.lines for batch in batches])))
    errors = [error for batch in batches for error in batch.errors]
    for name in ("R", "F", "M"):
        # One text among the numbers would make all of them texts.
        text = pl.col(name).cast(pl.String).str.strip_chars()
        bad = (text != "") & ~text.cast(pl.Float64, strict=False).is_finite().fill_null(False)
        no = every.select(bad.fill_null(False)).to_series()
        refused = every.filter(no).select("line_", pl.col(name).cast(pl.String))
        errors += [RowError(line, name, "is no number", cell) for line, cell in refused.iter_rows()]
        every = every.filter(~no)
    errors.sort(key=lambda error: error.line)
    kept = main_rows(every)
    left_out = {SEVERAL: every.height - kept.height} if kept.height < every.height else {}
    return FrameSource(
        source.name, kept.drop("line_"), lines=kept["line_"].to_numpy(), errors=errors, left_out=left_out,
        digest=digest_of(source.digest, "people"),
    )  # fmt: skip


SEVERAL = "further rows of customers who have several; that of most purchases counts"


def _product(batch: Batch) -> Batch:
    """Family, section and colour are numbers without a more and less: they become words, and tags."""
    words = {
        ours: pl.concat_str(pl.lit(f"{ours} "), _whole(pl.col(theirs))).alias(ours) for ours, theirs in WORDS.items()
    }
    return with_frame(
        batch,
        batch.frame.select(
            _whole(pl.col("partnumber")).alias("id"),
            pl.concat_list(words["family"], words["section"], words["colour"]).list.drop_nulls().alias("tags"),
            words["section"],
            words["family"],
            words["colour"],
            _whole(pl.col("discount")).alias("discount"),
        ),
    )


def _pictures(folder: Path, products: Source) -> list[Part]:
    """The vectors of pictures: a column of the products, and ``embeddings.csv`` of all columns but the product's."""
    found = []
    if "embedding" in products.columns:
        found.append(rows(Reshaped(products, ["item", "vector"], _picture, "pictures"), "vectors", "item vector"))
    if folder.is_dir() and (path := folder / PICTURES).is_file():
        source = open_source(path)
        item = next((name for name in ("partnumber", "product_id") if name in source.columns), source.columns[0])
        own = [name for name in source.columns if name in ("embedding", "vector")]
        columns = ["item", *(["vector"] if own else [name for name in source.columns if name != item])]
        named = {item: "item"} | ({own[0]: "vector"} if own else {})
        apart = Reshaped(source, columns, lambda batch: _renamed(batch, named, columns), "pictures apart")
        found.append(rows(apart, "vectors", "item vector" if own else "item"))
    return found


def _renamed(batch: Batch, named: dict[str, str], columns: list[str]) -> Batch:
    frame = batch.frame.rename(named).select(columns).with_columns(_whole(pl.col("item")))
    return with_frame(batch, frame)


def _picture(batch: Batch) -> Batch:
    """The products that have a picture."""
    cell = pl.col("embedding")
    empty = cell.is_null()
    if isinstance(batch.frame.schema["embedding"], pl.List | pl.Array):
        empty = empty | (cell.cast(pl.List(pl.Float32)).list.len() == 0)
        cell = cell.cast(pl.List(pl.Float32))
    elif batch.frame.schema["embedding"] == pl.String:
        empty = empty | cell.str.strip_chars().is_in(["", "[]", "nan", "None"])
    frame = batch.frame.select(_whole(pl.col("partnumber")).alias("item"), cell.alias("vector"), empty.alias("empty"))
    have = ~frame["empty"]
    n_empty = int(frame["empty"].sum())
    left_out = {WITHOUT: n_empty} if n_empty else {}
    return Batch(frame.filter(have).drop("empty"), batch.lines[have.to_numpy()], batch.errors, left_out, batch.done)


WITHOUT = "products without a picture"


def event_columns(columns: list[str]) -> list[pl.Expr]:
    """The columns user, item, at, kind and context of a frame with theirs."""
    session, customer = _whole(pl.col("session_id")), _whole(pl.col("user_id"))
    cart = pl.col("add_to_cart").cast(pl.Int64, strict=False) == 1
    bought = pl.col("purchase").cast(pl.Int64, strict=False) == 1 if "purchase" in columns else pl.lit(False)
    kind = pl.when(bought).then(pl.lit("purchase")).when(cart).then(pl.lit("cart")).otherwise(pl.lit("view"))
    return [
        pl.coalesce(customer, pl.concat_str(pl.lit(SESSION), session)).alias("user"),
        _whole(pl.col("partnumber")).alias("item"),
        pl.col("timestamp_local").alias("at"),
        kind.alias("kind"),
        # A customer's session is told by nothing else; a session's own would say it twice.
        pl.when(customer.is_not_null())
        .then(pl.concat_str(pl.lit('{"session": "'), _quoted(session), pl.lit('"}')))
        .alias("context"),
    ]


def _quoted(text: pl.Expr) -> pl.Expr:
    """A text as it stands within a JSON text."""
    return text.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)


def _event(batch: Batch) -> Batch:
    """Whose event each is, and of what kind; a row without a session and a customer is refused."""
    frame = batch.frame
    flag = texts(frame["add_to_cart"].cast(pl.String))
    bad = ~flag.str.strip_suffix(".0").is_in(["0", "1", "true", "false"]).fill_null(False)
    cleaned = frame.with_columns(flag.str.strip_suffix(".0").replace({"true": "1", "false": "0"}).alias("add_to_cart"))
    errors = [
        RowError(int(batch.lines[row]), "add_to_cart", "is neither 0 nor 1", flag[int(row)])
        for row in np.flatnonzero(bad)
    ]
    told = cleaned.select(event_columns(frame.columns)).filter(~bad)
    merged = sorted([*batch.errors, *errors], key=lambda error: error.line)
    return Batch(told, batch.lines[~bad.to_numpy()], merged, batch.left_out, batch.done)


def has_sessions(columns: list[str]) -> bool:
    """Whether a file's columns are those of ``train.parquet``, but for what a file of sessions need not say."""
    return all(name in columns for name in NEEDED["train"] if name not in ("add_to_cart", "user_id"))


def session_events(source: Source) -> Part:
    """The events of a file of sessions, such as the one that is to be answered; ``session`` stands beside each."""
    columns = ["user", "item", "at", "kind", "context"]

    def told(batch: Batch) -> Batch:
        frame = batch.frame
        if "add_to_cart" not in frame.columns:
            frame = frame.with_columns(add_to_cart=pl.lit("0"))
        if "user_id" not in frame.columns:
            frame = frame.with_columns(user_id=pl.lit(None, pl.String))
        return _event(with_frame(batch, frame))

    return rows(Reshaped(source, columns, told, "sessions"), "interactions", " ".join(columns))


def all_events(path: Path) -> pl.DataFrame:
    """All rows of ``train.parquet`` at once, for who learns without a store: user, item, kind and at, in their order.

    Nothing is checked row by row: what is no moment, or has no id, is an Invalid.
    """
    try:
        lazy = pl.scan_parquet(path)
        schema = lazy.collect_schema()
        at = pl.col("at").str.to_datetime() if schema["timestamp_local"] == pl.String else pl.col("at")
        told = lazy.select(event_columns(schema.names())).select("user", "item", "kind", at.cast(pl.Datetime("us")))
        found = told.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Invalid(f"{path} is not a readable train.parquet: {str(error).splitlines()[0]}", field="from") from None
    for name in ("user", "item", "at"):
        if found[name].null_count():
            raise Invalid(f"{path} has {found[name].null_count():,} rows without {name}; leave them out", field=name)
    return found
