"""A row of recommendations from a recommender's matrices: what people alike liked, and what is like what one liked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

import numpy as np

from serendip.domain import (
    HISTORY_LIMIT,
    Interaction,
    InteractionKind,
    Invalid,
    Item,
    Reason,
    Slate,
    SlateItem,
    checked_id,
)
from serendip.flows.recommend import MOST
from serendip.models.kept import Doubles, Keys, liking, together, votes
from serendip.store import MatrixRows, Store

By = Literal["users", "items", "both"]

N_REASONS = 3
"""Items of one's own that are named as reasons for an item."""


def recommend_by_matrices(
    store: Store, recommender: str, user: str, n: int, now: datetime, by: By = "both", explain: bool = False
) -> Slate:
    """The best ``n`` items by the matrices of ``recommender``, without those that ``user`` has met.

    ``by`` users: each item's sum over the people most alike ``user`` of their likeness times how much they liked it.
    ``by`` items: its sum over the items ``user`` met of the items' likeness times how much they were liked. Both: each
    side as shares of its largest. Only items with more said for them than against are in a row.
    """
    checked_id(user, "user")
    if by not in get_args(By):
        raise Invalid(f"{by!r} says nothing of items; ask by {', '.join(get_args(By))}", field="by")
    if not 1 <= n <= MOST:
        raise Invalid(f"n is {n}; ask for 1 to {MOST} items", field="n")
    kinds = store.kinds()
    history = store.history(user, until=now, limit=HISTORY_LIMIT)
    liked = _liked(history, kinds)
    paired = store.paired_rows(recommender, user, list(liked))
    own = {key: liked[item] for item, key in store.keys_of("items", list(liked)).items()}
    sides: dict[str, tuple[Keys, Doubles]] = {}
    if paired.items is not None and by != "users":
        weight = np.array([own.get(key, 0.0) for key in paired.items.keys.tolist()])
        size = np.diff(paired.items.indptr)
        sides["items"] = votes(paired.items.columns, paired.items.values, np.repeat(weight, size))
    if paired.people is not None and by != "items":
        sides["users"] = _by_people(store, paired.people, kinds, now)
    keys, scores = together(list(sides.values()))
    places = _best(store, keys, scores, user, n, now, kinds, "+".join(sides) or "none")
    if explain and paired.items is not None and "items" in sides:
        places = _explained(store, places, paired.items, own)
    short = len(places) < n
    slate = Slate(
        secrets.token_hex(8),
        recommender,
        ", ".join(f"{of} {version}" for of, version in paired.versions.items()) or "no matrix",
        now,
        user,
        bool(history) or store.known_user(user),
        short,
        places,
        _note(sides, liked, len(places)) if short else None,
    )
    store.log_slate(slate)
    return slate


def _liked(history: Sequence[Interaction], kinds: Mapping[str, InteractionKind]) -> dict[str, float]:
    """How much each item of a history was liked: the newest rating or dislike counts, before anything else."""
    found: dict[str, float] = {}
    weak: dict[str, float] = {}
    for event in history:
        kind = kinds.get(event.kind) or InteractionKind(event.kind)
        sure = kind.negative or (kind.scale is not None and event.value is not None)
        (found if sure else weak)[event.item] = liking(kind, event.value)
    return weak | found


def _by_people(
    store: Store, people: MatrixRows, kinds: Mapping[str, InteractionKind], now: datetime
) -> tuple[Keys, Doubles]:
    """What the people of one row say of every item that any of them met."""
    ids = store.ids_of("users", people.columns.tolist())
    likeness = {ids[key]: x for key, x in zip(people.columns.tolist(), people.values, strict=True) if key in ids}
    histories = store.histories(list(likeness), until=now, limit=HISTORY_LIMIT)
    said = [
        (item, likeness[user], how)
        for user, history in histories.items()
        for item, how in _liked(history, kinds).items()
    ]
    by_id = store.keys_of("items", sorted({item for item, _, _ in said}))
    rows = [(by_id[item], alike, how) for item, alike, how in said if item in by_id]
    columns, alike, how = zip(*rows, strict=True) if rows else ((), (), ())
    return votes(np.array(columns, np.int64), np.array(alike, np.float64), np.array(how, np.float64))


def _best(
    store: Store,
    keys: Keys,
    scores: Doubles,
    user: str,
    n: int,
    now: datetime,
    kinds: Mapping[str, InteractionKind],
    source: str,
) -> tuple[SlateItem, ...]:
    """The best that may be shown; equal ones by a hash of item and user."""
    hiding = [kind.name for kind in kinds.values() if kind.hides or kind.negative]
    seen = set(store.seen(user, kinds=hiding, until=now))
    ids = store.ids_of("items", keys[scores > 0].tolist())
    candidates = [
        (-score, _tie(item, user), item)
        for key, score in zip(keys.tolist(), scores.tolist(), strict=True)
        if score > 0 and (item := ids.get(key)) is not None and item not in seen
    ]
    candidates.sort()
    places: list[SlateItem] = []
    for start in range(0, len(candidates), MOST):
        block = candidates[start : start + MOST]
        records = store.items_by_id([item for _, _, item in block])
        for score, _, item in block:
            if len(places) < n and item in records and _shown(records[item], now):
                places.append(SlateItem(item, -score, source))
        if len(places) == n:
            break
    return tuple(places)


def _tie(item: str, user: str) -> bytes:
    return hashlib.blake2b(f"{item}\0{user}".encode(), digest_size=8).digest()


def _shown(item: Item, now: datetime) -> bool:
    early = item.available_from is not None and now < item.available_from
    late = item.available_until is not None and now >= item.available_until
    return not (item.hidden or early or late)


def _explained(
    store: Store, places: tuple[SlateItem, ...], rows: MatrixRows, own: Mapping[int, float]
) -> tuple[SlateItem, ...]:
    """The same with one's own items that say most for each, and their shares of what items say of it."""
    by_id = store.keys_of("items", [place.item for place in places])
    owner = np.repeat(rows.keys, np.diff(rows.indptr))
    said = rows.values * np.array([own.get(key, 0.0) for key in owner.tolist()])
    names = store.ids_of("items", rows.keys.tolist())
    told = []
    for place in places:
        here = np.flatnonzero(rows.columns == by_id.get(place.item, -1))
        here = here[np.argsort(-said[here], kind="stable")][:N_REASONS]
        reasons = tuple(Reason(names[owner[cell]], float(said[cell])) for cell in here if owner[cell] in names)
        told.append(SlateItem(place.item, place.score, place.source, reasons))
    return tuple(told)


def _note(sides: Mapping[str, object], liked: Mapping[str, float], n: int) -> str:
    """Why a row is short."""
    if not sides:
        return "the recommender has no matrix to go by; run its job, or give it one"
    if not liked:
        return "nothing is known of this user's taste yet; a few ratings will do"
    return f"only {n} items have more said for them than against"
