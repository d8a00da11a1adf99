"""Odd data against every kind: a model that answers, or one typed error that says what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from serendip import models
from serendip import pipeline as pipelines
from serendip.data import Dataset, Queries, Vocabulary
from serendip.domain import InteractionKind, Invalid
from serendip.models import KINDS, Explains, HasNeighbours, Model, Predicts, memory
from serendip.pipeline import PipelineConfig, SourceConfig
from serendip.ranking import NOTHING
from worlds import DISLIKE, ask, checkerboard, rated, took, world

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def told(kind: str, data: Dataset, **settings: object) -> Model | None:
    """The model, or None where the data was refused in a sentence that names the kind and a way out."""
    try:
        return models.fit(kind, models.kind_of(kind).config(**settings), data)
    except Invalid as refusal:
        said = str(refusal)
        assert kind in said
        assert len(said.split()) > 8
        assert ";" in said or "," in said, "no way out is named"
        return None


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


def check_answers(kind: str, model: Model, queries: Queries, n_items: int) -> None:
    """Whatever can be asked of a model is answered by rows wholly finite or wholly NaN."""
    scores = model.score(queries)
    assert scores.shape == (len(queries), n_items)
    finite = np.isfinite(scores)
    assert (finite.all(axis=1) | np.isnan(scores).all(axis=1)).all()
    some = np.zeros((len(queries), 1), np.int32)
    if isinstance(model, Predicts):
        rating = model.predict(queries, some)
        assert (np.isfinite(rating[:, 0]) == finite.all(axis=1)).all()
    if isinstance(model, Explains):
        for shares in model.explain(queries, some):
            assert np.isfinite(shares).all()
    if isinstance(model, HasNeighbours):
        rows, likeness = model.neighbours(np.zeros(1, np.int32), n_items + 5)
        assert rows.shape == likeness.shape == (1, n_items + 5)
        assert 0 not in rows[0]


def stars(user: int, item: int, hours_ago: float = 1.0, value: float | None = None, kind: str = "interaction"):
    return took(user, item, hours_ago, kind, 1.0 + (user + 2 * item) % 5 if value is None else value)


def giant() -> Dataset:
    """One user with a million interactions over 300 items, beside fifty with five each."""
    rng = np.random.default_rng(0)
    n, n_items, others = 1_000_000, 300, 50
    user_ix = np.concatenate([np.zeros(n), np.repeat(np.arange(1, others + 1), 5)]).astype(np.int32)
    item_ix = rng.integers(0, n_items, len(user_ix)).astype(np.int32)
    value = rng.integers(1, 6, len(user_ix)).astype(np.float32)
    users, items = (Vocabulary(tuple(f"{letter}{n}" for n in range(size))) for letter, size in (("u", 51), ("i", 300)))
    at = 1_000_000 * np.arange(1, len(user_ix) + 1, dtype=np.int64)
    return Dataset.of(user_ix, item_ix, users, items, value=value, at=at)


WORLDS: dict[str, Callable[[], Dataset]] = {
    "no event": lambda: world([], 3),
    "no event and no item": lambda: world([]),
    "one event": lambda: world([stars(0, 0)]),
    "one user": lambda: world([stars(0, item, 9 - item) for item in range(5)]),
    "one item": lambda: world([stars(user, 0, 9 - user) for user in range(5)]),
    "nobody shares an item": lambda: world([stars(user, user) for user in range(5)]),
    "everybody took everything": lambda: world([stars(user, item) for user in range(6) for item in range(4)]),
    "one pair a thousand times": lambda: world([stars(0, 0)] * 1000),
    "all values equal": lambda: world([stars(u, i, value=3.0) for u in range(6) for i in range(4) if u != i]),
    "all values 0": lambda: world([stars(u, i, value=0.0) for u in range(6) for i in range(4) if u != i]),
    "values below 0": lambda: world([stars(u, i, value=-1.0 - i) for u in range(6) for i in range(4) if u != i]),
    "no values": checkerboard,
    "an infinite value": lambda: world([stars(0, 0), stars(1, 0, value=np.inf), stars(1, 1)]),
    "a giant value": lambda: world([stars(0, 0), stars(1, 0, value=1e30), stars(1, 1)]),
    "items and users without events": lambda: rated(checkerboard(untouched=5)).take(slice(0, 20)),
    "all at one moment": lambda: world([stars(u, i, 1.0) for u in range(6) for i in range(6) if (u + i) % 3]),
    "no moments": lambda: replace(rated(checkerboard()), at=None, until=None),
    "only negatives": lambda: world([stars(0, 0, kind="dislike"), stars(1, 1, kind="dislike")], kinds=(DISLIKE,)),
    "a weight of 0": lambda: world([stars(0, 0)], kinds=(InteractionKind("interaction", weight=0.0),)),
    "a negative weight": lambda: world([stars(0, 0)], kinds=(InteractionKind("interaction", weight=-1.0),)),
    "a weight that is no number": lambda: world([stars(0, 0)], kinds=(InteractionKind("interaction", weight=np.nan),)),
    "an infinite weight": lambda: world([stars(0, 0)], kinds=(InteractionKind("interaction", weight=np.inf),)),
    "tiny weights": lambda: world(
        [stars(u, i) for u in range(5) for i in range(4) if u != i], kinds=(InteractionKind("interaction", 1e-20),)
    ),
    "one giant user": giant,
}
REFUSED = {
    "no event",
    "no event and no item",
    "only negatives",
    "a weight of 0",
    "a negative weight",
    "a weight that is no number",
    "an infinite weight",
}
"""From these nobody can learn; the rest is refused only by who needs what it lacks."""


@EVERY_KIND
@pytest.mark.parametrize("name", WORLDS)
def test_odd_data_is_a_model_or_a_typed_refusal(kind: str, name: str) -> None:
    data = WORLDS[name]()
    model = told(kind, data)
    assert (model is None) or name not in REFUSED
    if model is None:
        return
    asked = everybody(data).take(np.arange(min(data.n_users, 12)))
    check_answers(kind, model, asked, data.n_items)
    event = stars(0, 0, kind=data.kinds[0].name)
    check_answers(
        kind, model, ask(data, [], [event], [event] * 3, [replace(event, item="never-heard-of")]), data.n_items
    )


USUALLY_FITTED = {"random", "popularity", "again", "item-knn", "ease", "als", "svd", "nmf"}
"""Kinds that need nothing but interactions that carry ratings."""


@pytest.mark.parametrize("kind", sorted(USUALLY_FITTED))
@pytest.mark.parametrize("name", ["one event", "one user", "one item", "all values equal", "one giant user"])
def test_small_and_lopsided_data_is_learnt_from(kind: str, name: str) -> None:
    assert told(kind, WORLDS[name]()) is not None


@EVERY_KIND
@pytest.mark.parametrize("n", [1, 3, 4, 50])
def test_more_places_than_items_are_left_empty(kind: str, n: int) -> None:
    data = world([stars(u, i) for u in range(5) for i in range(3) if u != i])
    source = SourceConfig(name=kind, model=kind)
    try:
        fitted = pipelines.fit(PipelineConfig(name=kind, sources=(source,)), data)
    except Invalid:
        return
    rows = fitted.answer(everybody(data), n).rows
    assert rows.shape == (data.n_users, n)
    for row in rows:
        shown = row[row != NOTHING]
        assert len(set(shown.tolist())) == len(shown) == min(n, 3)
        assert (row[len(shown) :] == NOTHING).all()


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if "n_factors" in kind.config.model_fields])
def test_more_factors_than_users_and_items_are_a_model(kind: str) -> None:
    data = world([stars(0, 0), stars(1, 1), stars(1, 0)])
    model = told(kind, data, n_factors=40)
    assert model is not None or kind not in USUALLY_FITTED
    if model is not None:
        check_answers(kind, model, everybody(data), data.n_items)


@EVERY_KIND
def test_too_little_memory_is_said_before_anything_is_taken(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = rated(checkerboard())
    if told(kind, data) is None:
        assert kind not in USUALLY_FITTED
        return
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    said, held = "", 0
    try:
        model = models.fit(kind, models.kind_of(kind).config(), data)
        held = sum(array.nbytes for array in model.arrays().values())
    except Invalid as refusal:
        said = str(refusal)
    # A refusal names the sum and the way out; who claims nothing takes but a few numbers for each user and item.
    assert re.search(rf"^{kind}.* GiB of memory .*; \w+", said) or 0 < held < 4096 * (data.n_users + data.n_items)
