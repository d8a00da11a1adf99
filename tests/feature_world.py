"""A small log with everything that point-in-time features must bear, and their definition written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np

from serendip.data import Columns, Dataset, Vocabulary
from serendip.data.features import ANY, Entity, Feature
from serendip.domain import InteractionKind, micros

VIEW, LIKE, STARS = InteractionKind("view"), InteractionKind("like"), InteractionKind("stars", mode="latest")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000

CITIES = ["Köln", "Riga", None, "Köln", "東京", "Riga"]
TAGS: list[list[str]] = [["a", "b"], ["b"], [], ["a", "c", "b"], ["c"], ["d", "a"], ["b", "c"]]
TOPICS = ["news", "sport", "news", None, "film", "sport", "film"]
TEXTS = ["a red film", "the blue news", "", "красный фильм", "news of film", "sport and sport", "red and blue"]
PRICES = [1.0, 2.5, None, 10.0, 4.0, 4.0, 7.0]


def made_log(n_events: int = 220, seed: int = 3) -> Dataset:
    """Views, likes and stars of 6 users and 7 items over 12 days, oldest first; every third moment is shared."""
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.integers(0, 12 * 24, n_events * 2 // 3))
    at = np.sort(np.concatenate([hours, rng.choice(hours, n_events - len(hours))]))
    kind = rng.choice(3, n_events, p=[0.6, 0.3, 0.1])
    value = np.where(kind == 2, rng.integers(1, 6, n_events), np.nan)
    data = Dataset.of(
        rng.integers(0, 5, n_events),
        rng.integers(0, 6, n_events),
        Vocabulary(tuple(f"u{i}" for i in range(6))),
        Vocabulary(tuple(f"i{i}" for i in range(7))),
        kind=kind.astype(np.int16),
        value=value.astype(np.float32),
        at=np.array([micros(START + timedelta(hours=int(hour))) for hour in at], np.int64),
        kinds=(VIEW, LIKE, STARS),
    )
    return with_columns(data)


def with_columns(data: Dataset) -> Dataset:
    """The log with what is known of its items and users."""
    items = [
        {"tags": tags, "topic": topic, "text": text, "price": price, "flag": i % 2 == 0, "vector": [float(i), 1.0]}
        for i, (tags, topic, text, price) in enumerate(zip(TAGS, TOPICS, TEXTS, PRICES, strict=True))
    ]
    users = [{"city": city, "age": 20.0 + i} for i, city in enumerate(CITIES)]
    return replace(data, item_columns=Columns.of(items), user_columns=Columns.of(users))


COUNTERS = (
    "count(user)", "count(item, like)", "count(all, 1d)", "count(user x item)", "count(user, view, 36h)",
    "count(item.topic, like)", "count(item.tags)", "count(user x item.tags, view, 3d)", "count(user.city x item.topic)",
    "rate(item, like/view)", "rate(user x item.tags, like/view, 4d)", "decayed(item, 12h)", "decayed(user x item, 2d)",
    "decayed(user.city, like, 3d)", "trend(item, 1d/5d)", "trend(user x item.topic, view, 1d/5d)", "mean(item)",
    "mean(user, stars)", "mean(user x item.tags)", "recency(user)", "recency(item, like)", "recency(user x item.tags)",
    "age(item)", "age(user x item.topic, like)",
)  # fmt: skip

OTHERS = (
    "hour", "weekday", "day", "month", "user.city", "user.age", "item.price", "item.flag", "category(item.price)",
    "length(item.text)", "length(item.tags)", "text(item.text, 3)", "likeness(item.tags)", "likeness(item.text)",
    "likeness(item.vector)", "gap(item.price)", "usual(item.price)", "gap(age)", "usual(age)",
)  # fmt: skip


def literally(feature: Feature, data: Dataset, user: int, item: int, now: int) -> float:
    """What a counter is, as it is defined: one loop over all events for each of the entity's cells."""
    assert feature.entity is not None
    assert data.at is not None
    told = []
    for cell in product(*_cells(feature.entity, user, item)):
        events = [
            (data.kinds[data.kind[row]].name, float(data.value[row]), int(data.at[row]))
            for row in range(len(data))
            if data.at[row] < now
            and cell in product(*_cells(feature.entity, int(data.user_ix[row]), int(data.item_ix[row])))
        ]
        one = _told(feature, events, now)
        if not np.isnan(one):
            told.append(one)
    return float(np.mean(told)) if told else np.nan


def _cells(entity: Entity, user: int, item: int) -> tuple[Sequence[Any], Sequence[Any]]:
    """The words of both sides."""
    users = {None: [0], "": [user], "city": [CITIES[user]] if CITIES[user] else []}
    items = {None: [0], "": [item], "topic": [TOPICS[item]] if TOPICS[item] else [], "tags": TAGS[item]}
    return users[entity.user], items[entity.item]


def _told(feature: Feature, events: Sequence[tuple[str, float, int]], now: int) -> float:
    def of(kind: str, span: int | None = None) -> list[tuple[str, float, int]]:
        return [e for e in events if kind in (ANY, e[0]) and (span is None or e[2] >= now - span)]

    match feature.what:
        case "count":
            return len(of(feature.kind, feature.span))
        case "rate":
            whole = of(feature.base, feature.span)
            return len(of(feature.kind, feature.span)) / len(whole) if whole else np.nan
        case "trend":
            assert feature.span is not None
            assert feature.long_span is not None
            whole = of(feature.kind, feature.long_span)
            daily = len(of(feature.kind, feature.span)) / feature.span
            return daily / (len(whole) / feature.long_span) if whole else np.nan
        case "mean":
            values = [value for _, value, _ in of(feature.kind) if not np.isnan(value)]
            return float(np.mean(values)) if values else np.nan
        case "decayed":
            assert feature.span is not None
            return sum(0.5 ** ((now - at) / feature.span) for _, _, at in of(feature.kind))
        case "recency":
            return min(((now - at) / DAY for _, _, at in of(feature.kind)), default=np.nan)
        case _:
            return max(((now - at) / DAY for _, _, at in of(feature.kind)), default=np.nan)
