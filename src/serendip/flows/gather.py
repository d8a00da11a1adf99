"""From the store's rows to the arrays that models learn from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from serendip.data import UNKNOWN, Dataset, Hashes, Vocabulary
from serendip.domain import ORDER_ONLY, InteractionKind, micros
from serendip.flows.said import said_with
from serendip.store import Store

ALWAYS = np.iinfo(np.int64)

HOUR = 3_600_000_000
"""In microseconds."""


def gather(
    store: Store,
    until: datetime | None = None,
    items: Vocabulary | None = None,
    users: Hashes | None = None,
    said: Collection[str] = (),
) -> Dataset:
    """All interactions strictly before ``until``, as one dataset over all users and items of the store.

    Rows that came without moments have an order only; data of nothing else is given without moments.
    ``items``: another vocabulary to use, such as a live pipeline's; events with items outside it are left out.
    ``users``: those that come first, in this order, whether the store has them still or not.
    ``said``: vectors of what was said with the events, by name.
    """
    columns = store.interaction_columns(until=until, numbered=bool(said))
    # Ids are read after the rows, so that every row finds its ids unless they were deleted meanwhile.
    user_keys, user_ids = store.user_ids()
    item_keys, item_ids = store.item_ids()
    vocabulary = items if items is not None else Vocabulary(tuple(item_ids))
    row_of_key = np.arange(len(item_ids)) if items is None else vocabulary.rows(item_ids)
    kinds, code = kinds_of(store)
    everybody = Vocabulary(tuple(user_ids)) if users is None else joined(users, user_ids)
    user_place = rows_of_keys(columns["user_key"].to_numpy(), user_keys)
    user_row = np.arange(len(user_ids)) if users is None else everybody.rows(user_ids)
    user_ix = np.where(user_place == UNKNOWN, UNKNOWN, user_row[user_place] if len(user_row) else UNKNOWN)
    item_place = rows_of_keys(columns["item_key"].to_numpy(), item_keys)
    item_ix = np.where(item_place == UNKNOWN, UNKNOWN, row_of_key[item_place] if len(row_of_key) else UNKNOWN)
    at = columns["at"].to_numpy()
    has_moments = bool(len(at)) and int(at.max()) >= ORDER_ONLY
    keep = (user_ix != UNKNOWN) & (item_ix != UNKNOWN)
    kind = code[columns["kind"].to_numpy()]
    value = columns["value"].to_numpy()
    found = Dataset.of(
        user_ix[keep],
        item_ix[keep],
        everybody,
        vocabulary,
        kind=kind[keep],
        value=value[keep],
        at=at[keep] if has_moments else None,
        kinds=kinds,
    )
    spans = open_spans(store, item_keys, row_of_key, len(vocabulary))
    told = said_with(store, said, columns["id"].to_numpy()[keep]) if said else None
    return replace(found, item_open=spans, event_columns=told)


def up_to(data: Dataset, now: datetime) -> Dataset:
    """``data``, which holds all there was before ``now``, as of the start of that hour, or after its last event.

    Windows end there, so that they are renewed each hour where nothing happens.
    """
    return data if data.at is None else replace(data, until=max(data.now, micros(now) // HOUR * HOUR))


def joined(first: Hashes, ids: list[str]) -> Vocabulary:
    """``first`` by those of ``ids`` that they are hashes of, nameless where there is none; then the other ids."""
    names, rows = list(first.nameless.ids), first.rows(ids)
    for name, row in zip(ids, rows.tolist(), strict=True):
        if row == UNKNOWN:
            names.append(name)
        else:
            names[row] = name
    return Vocabulary(tuple(names))


def open_spans(
    store: Store, item_keys: NDArray[np.int64], row_of_key: NDArray[np.integer], n_items: int
) -> NDArray[np.int64] | None:
    """From when until when each item of a vocabulary is available, (n_items, 2); None where all always are."""
    keys, spans = store.item_spans()
    place = rows_of_keys(keys, item_keys)
    spans = spans[place != UNKNOWN]
    rows = row_of_key[place[place != UNKNOWN]] if len(row_of_key) else place[:0]
    if not (rows != UNKNOWN).any():
        return None
    out = np.tile(np.array([[ALWAYS.min, ALWAYS.max]], np.int64), (n_items, 1))
    out[rows[rows != UNKNOWN]] = spans[rows != UNKNOWN]
    return out


def kinds_of(store: Store) -> tuple[tuple[InteractionKind, ...], NDArray[np.int16]]:
    """The store's kinds in order of their codes, and the position among them of every code."""
    names = store.kind_names()
    declared = store.kinds()
    codes = sorted(names)
    kinds = tuple(declared.get(names[code], InteractionKind(names[code])) for code in codes)
    position = np.zeros(max(codes, default=0) + 1, np.int16)
    for place, code in enumerate(codes):
        position[code] = place
    return kinds or (InteractionKind("interaction"),), position


def rows_of_keys(wanted: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of ``wanted`` stands in the ascending ``keys``; UNKNOWN where it does not. Shape of ``wanted``."""
    if not len(keys):
        return np.full(len(wanted), UNKNOWN, np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, UNKNOWN)
