"""Everything recorded, into files that can be imported again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import orjson
import polars as pl

from serendip.domain import Invalid, NotReady
from serendip.flows.said import every_context
from serendip.store import Page, Store

T = TypeVar("T")


def export(store: Store, what: str, file: Path) -> int:
    """Write all users, items or interactions into ``file`` and say how many; an old file is replaced only when done."""
    write = WRITERS.get(file.suffix)
    if write is None:
        raise Invalid(f"{file} ends in none of {', '.join(WRITERS)}; the ending says the format", field="to")
    frame = {"users": users, "items": items, "interactions": interactions}[what](store)
    if file.suffix == ".csv":
        lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
        frame = frame.with_columns(pl.col(name).list.join("|") for name in lists)
    draft = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(frame, draft)
        draft.replace(file)
    except (OSError, pl.exceptions.ComputeError) as error:
        draft.unlink(missing_ok=True)
        raise NotReady(f"{file} could not be written: {getattr(error, 'strerror', None) or error}") from None
    return frame.height


def interactions(store: Store) -> pl.DataFrame:
    """user, item, kind, value, at (microseconds since 1970), oldest first; and the context (JSON) where any has one."""
    columns = store.interaction_columns(numbered=True)
    beside = [(event.id, event.context) for event in every_context(store)]
    names = store.kind_names()
    user_keys, user_ids = store.user_ids()
    item_keys, item_ids = store.item_ids()
    users = pl.DataFrame({"user_key": user_keys, "user": user_ids}, schema_overrides={"user": pl.String})
    items = pl.DataFrame({"item_key": item_keys, "item": item_ids}, schema_overrides={"item": pl.String})
    kinds = pl.DataFrame(
        {"kind": list(names), "name": list(names.values())}, schema={"kind": columns.schema["kind"], "name": pl.String}
    )
    joined = (
        columns.join(users, on="user_key", how="inner", maintain_order="left")
        .join(items, on="item_key", how="inner", maintain_order="left")
        .join(kinds, on="kind", how="inner", maintain_order="left")
    )
    if beside:
        told = pl.DataFrame(beside, schema={"id": pl.Int64, "context": pl.String}, orient="row")
        joined = joined.join(told, on="id", how="left", maintain_order="left")
    more = ["context"] if beside else []
    return joined.select("user", "item", pl.col("name").alias("kind"), "value", "at", *more)


def items(store: Store) -> pl.DataFrame:
    """A row an item, with attributes as JSON."""
    records = [item for page in _pages(store.list_items) for item in page]
    return pl.DataFrame(
        {
            "id": [item.id for item in records],
            "catalogue": [item.catalogue for item in records],
            "title": pl.Series([item.title for item in records], dtype=pl.String),
            "text": pl.Series([item.text for item in records], dtype=pl.String),
            "tags": pl.Series([list(item.tags) for item in records], dtype=pl.List(pl.String)),
            "image": pl.Series([item.image for item in records], dtype=pl.String),
            "url": pl.Series([item.url for item in records], dtype=pl.String),
            "attributes": [_json(item.attributes) for item in records],
            "available_from": pl.Series([item.available_from for item in records], dtype=pl.Datetime("us", "UTC")),
            "available_until": pl.Series([item.available_until for item in records], dtype=pl.Datetime("us", "UTC")),
            "hidden": [item.hidden for item in records],
        }
    )


def users(store: Store) -> pl.DataFrame:
    """A row a user, with attributes as JSON."""
    records = [user for page in _pages(store.list_users) for user in page]
    return pl.DataFrame(
        {
            "id": [user.id for user in records],
            "name": pl.Series([user.name for user in records], dtype=pl.String),
            "attributes": [_json(user.attributes) for user in records],
        }
    )


def _pages(listing: Callable[..., Page[T]]) -> Iterator[Sequence[T]]:
    after = None
    while True:
        page = listing(after=after, limit=1000)
        yield page.records
        after = page.next
        if after is None:
            return


def _json(attributes: object) -> str:
    text: str = orjson.dumps(attributes).decode()
    return text


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".jsonl": lambda frame, file: frame.write_ndjson(file),
    ".parquet": lambda frame, file: frame.write_parquet(file),
}
