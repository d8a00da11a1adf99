"""Who asks: histories as a pipeline's rows, and what is hidden from each asker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from serendip.data import UNKNOWN, ItemLists, ItemRows, Queries
from serendip.domain import HISTORY_LIMIT, InteractionKind, micros
from serendip.flows.said import said_with
from serendip.pipeline import Pipeline
from serendip.store import Store

EVERYTHING = 1_000_000_000
"""A history is never longer."""


@dataclass(frozen=True)
class KeyRows:
    """The rows of a pipeline's items by the store's keys."""

    keys: NDArray[np.int64]
    """Rising."""
    rows: ItemRows

    @staticmethod
    def of(keys: NDArray[np.int64]) -> KeyRows:
        """``keys[row]`` is the key of an item; -1 where it had none."""
        order = np.argsort(keys, kind="stable").astype(np.int32)
        order = order[keys[order] >= 0]
        return KeyRows(keys[order], order)

    def find(self, keys: NDArray[np.int64]) -> ItemRows:
        """Rows of ``keys``, UNKNOWN where an item is not the pipeline's; shape (n,)."""
        if not len(self.keys):
            return np.full(len(keys), UNKNOWN, np.int32)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.rows[place], UNKNOWN).astype(np.int32)


@dataclass(frozen=True)
class Askers:
    """Some users at a moment."""

    queries: Queries
    hidden: ItemLists
    """Rows of what each is not shown again."""
    known: list[bool]
    disliked: ItemLists | None = None
    """Rows of what each is never shown; None: what the queries themselves say."""


def askers(
    store: Store,
    pipeline: Pipeline,
    rows: KeyRows,
    users: Sequence[str],
    now: datetime,
    limit: int = HISTORY_LIMIT,
) -> Askers:
    """What ``users`` did before ``now``, their last ``limit`` events, and what is hidden from them for it."""
    if len(users) == 1:
        told = [store.history_columns(users[0], now, limit)]
    else:
        found = store.histories_columns(users, now, limit)
        told = [found[user] for user in users]
    item_ix = rows.find(np.concatenate([one.item_key for one in told]))
    kinds, kind = _kinds(store, pipeline, np.concatenate([one.kind for one in told]))
    asker = np.repeat(np.arange(len(users)), [len(one) for one in told])
    met = item_ix != UNKNOWN
    size = np.bincount(asker[met], minlength=len(users))
    asked = Queries.of_rows(
        size,
        item_ix[met],
        pipeline.items,
        kinds,
        kind[met],
        np.concatenate([one.value for one in told])[met].astype(np.float32),
        np.concatenate([one.at for one in told])[met],
        micros(now),
        users,
        pipeline.users,
    )
    said = pipeline.config.said
    events = np.concatenate([one.id for one in told])[met] if said else None
    queries = asked if events is None else replace(asked, event_columns=said_with(store, said, events))
    hides = np.array([one.hides or one.negative for one in kinds], np.bool_)
    negative = np.array([one.negative for one in kinds], np.bool_)
    hidden, hiding = [], [one.name for one, flag in zip(kinds, hides, strict=True) if flag]
    disliked, disliking = [], [one.name for one in kinds if one.negative]
    for q, user in enumerate(users):
        if len(told[q]) < limit:
            own = slice(queries.indptr[q], queries.indptr[q + 1])
            hidden.append(queries.item_ix[own][hides[queries.kind[own]]])
            disliked.append(queries.item_ix[own][negative[queries.kind[own]]])
        else:
            # What is hidden or disliked may lie further back than the history that models are told.
            hidden.append(_met(store, rows, user, hiding, now))
            disliked.append(_met(store, rows, user, disliking, now))
    ranker, long = pipeline.ranker, any(len(one) == limit for one in told)
    if long and ranker is not None and micros(now) < ranker.features.until:
        # Of a past moment nothing but the history tells what an asker's own counters were.
        queries = replace(queries, whole=askers(store, pipeline, rows, users, now, EVERYTHING).queries)
    known = [bool(len(one)) or store.known_user(user) for one, user in zip(told, users, strict=True)]
    return Askers(queries, ItemLists.of(hidden), known, ItemLists.of(disliked))


def _met(store: Store, rows: KeyRows, user: str, kinds: Sequence[str], now: datetime) -> ItemRows:
    """Rows of the items that ``user`` ever did something of ``kinds`` with, before ``now``."""
    if not kinds:
        return np.empty(0, np.int32)
    found = rows.find(store.seen_keys(user, kinds, now))
    return np.asarray(found[found != UNKNOWN], np.int32)


def _kinds(
    store: Store, pipeline: Pipeline, codes: NDArray[np.int64]
) -> tuple[tuple[InteractionKind, ...], NDArray[np.int16]]:
    """The pipeline's kinds and after them others that the events are of; and each event's place among them."""
    told = np.unique(codes)
    names = store.names_of_kinds(told.tolist())
    place = {kind.name: i for i, kind in enumerate(pipeline.kinds)}
    kinds = list(pipeline.kinds)
    places = np.zeros(len(told), np.int16)
    for i, code in enumerate(told.tolist()):
        if names[code] not in place:
            place[names[code]] = len(kinds)
            kinds.append(InteractionKind(names[code]))
        places[i] = place[names[code]]
    return tuple(kinds), places[np.searchsorted(told, codes)]
