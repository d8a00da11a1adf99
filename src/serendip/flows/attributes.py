"""What the store knows of items and users besides interactions, as columns for the models that read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from serendip.data import UNKNOWN, Column, Columns, Dataset, Vocabulary
from serendip.domain import moment
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.store import Store

WINDOW = ("available_from", "available_until")
"""Attributes of every item, ISO moments where it is not always available."""


def with_attributes(store: Store, data: Dataset, configs: Iterable[PipelineConfig]) -> Dataset:
    """``data`` with the attributes that the models of ``configs`` may learn from; as it is where there are none.

    Items have title, text and tags beside their own attributes, and stored vectors that a setting ``vectors`` names.
    """
    configs = list(configs)
    sources = [source for config in configs for source in (*config.sources, *config.fallback)]
    reads = {room for config in configs for room in config.reads}
    if "item_columns" in reads:
        names = {str(name) for source in sources if (name := source.settings.get("vectors"))}
        told = [feature for config in configs if config.ranker is not None for feature in config.ranker.features]
        names |= {feature.column for feature in told if feature.what == "likeness" and feature.column is not None}
        data = replace(data, item_columns=_items(store, data.items, names))
    if "user_columns" in reads:
        data = replace(data, user_columns=_users(store, data.users))
    return data


def with_all_attributes(store: Store, data: Dataset, vectors: Iterable[str] = ()) -> Dataset:
    """``data`` with every attribute of its items and users, and stored ``vectors``."""
    return replace(data, item_columns=_items(store, data.items, vectors), user_columns=_users(store, data.users))


def with_filtered(store: Store, data: Dataset, vectors: Iterable[str] = ()) -> Dataset:
    """``data`` with all that filters and diversity may look at: what serving knows of its items, and stored vectors."""
    columns = data.item_columns or _items(store, data.items, ())
    records: list[Mapping[str, Any]] = [{} for _ in range(len(data.items))]
    frame = store.item_columns()
    for item, *told in frame.select("id", "catalogue", *WINDOW).iter_rows():
        if (row := data.items.row(item)) != UNKNOWN:
            moments = [None if at is None else moment(at).isoformat() for at in told[1:]]
            records[row] = dict(zip(("id", "catalogue", *WINDOW), (item, told[0], *moments), strict=True))
    more = dict(Columns.of(records, ("id", "catalogue", *WINDOW)).columns)
    for name in vectors:
        if name not in columns.columns and (found := vectors_of(store, data.items, name)) is not None:
            more[name] = found
    return replace(data, item_columns=Columns(columns.n_rows, {**columns.columns, **more}))


def _items(store: Store, items: Vocabulary, vectors: Iterable[str]) -> Columns:
    records: list[Mapping[str, Any]] = [{} for _ in range(len(items))]
    for item, title, text, tags, attributes in store.item_attributes().iter_rows():
        if (row := items.row(item)) != UNKNOWN:
            records[row] = {**orjson.loads(attributes or "{}"), "title": title, "text": text, "tags": tags}
    columns = Columns.of(records, ("title", "text", "tags"))
    told = {name: column for name in vectors if (column := vectors_of(store, items, name)) is not None}
    return Columns(columns.n_rows, {**columns.columns, **told})


def _users(store: Store, users: Vocabulary) -> Columns:
    records: list[Mapping[str, Any]] = [{} for _ in range(len(users))]
    for user, attributes in store.user_attributes().iter_rows():
        if (row := users.row(user)) != UNKNOWN:
            records[row] = orjson.loads(attributes or "{}")
    return Columns.of(records)


def vectors_of(store: Store, items: Vocabulary, name: str) -> Column | None:
    """The stored vectors called ``name``, a row an item; None where there are none."""
    owners, numbers = store.vectors(name)
    if not len(owners):
        return None
    keys, ids = store.item_ids()
    place = np.minimum(np.searchsorted(keys, owners), len(keys) - 1)
    there = keys[place] == owners
    rows = items.rows([ids[one] for one in place[there]])
    spread = np.full((len(items), numbers.shape[1]), np.nan, np.float32)
    spread[rows[rows != UNKNOWN]] = numbers[there][rows != UNKNOWN]
    return Column(vectors=spread)


def profiles_of(store: Store, pipeline: Pipeline, users: Sequence[str | None]) -> Columns | None:
    """The profiles of those who ask, a row each; None where ``pipeline`` looks at none."""
    if "user_columns" not in pipeline.config.reads:
        return None
    records = store.users_by_id({user for user in users if user is not None})
    return Columns.of([records[user].attributes if user in records else {} for user in users])
