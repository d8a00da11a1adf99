"""Rows by recommender: sums over the matrices, best first, nothing met before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from serendip.domain import Interaction, InteractionKind, Invalid, Item, NotFound
from serendip.flows.rows import recommend_by_matrices
from serendip.store import Cell, RecommenderRecord, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rated(user: str, item: str, value: float) -> Interaction:
    return Interaction(user, item, NOON - timedelta(hours=1), "rating", value)


@pytest.fixture
def small(store: Store) -> Store:
    """ann loves tea and hates rum; bob is much like ann, cyd a little."""
    store.declare_kinds([InteractionKind("rating", "latest", scale=(1.0, 5.0))])
    store.add_interactions(
        [
            rated("ann", "tea", 5),
            rated("ann", "rum", 1),
            rated("bob", "tea", 4),
            rated("bob", "cup", 5),
            rated("bob", "gin", 1),
            rated("cyd", "pot", 5),
            rated("cyd", "cup", 3),
            Interaction("new", "tea", NOON - timedelta(days=400), "rating", 3.0),
        ]
    )
    people, things = store.add_matrix("people", "users").id, store.add_matrix("things", "items").id
    store.add_cells(
        [
            Cell("ann", "bob", 0.8, people, 1),
            Cell("ann", "cyd", 0.2, people, 1),
            Cell("tea", "cup", 0.5, things, 1),
            Cell("tea", "pot", 0.4, things, 1),
            Cell("rum", "gin", 0.9, things, 1),
            Cell("rum", "pot", 0.1, things, 1),
        ]
    )
    store.switch_matrices({people: 1, things: 1}, [RecommenderRecord("R", None, people, things)])
    return store


def row(store: Store, by: str, n: int = 5) -> list[tuple[str, float]]:
    slate = recommend_by_matrices(store, "R", "ann", n, NOON, by)  # type: ignore[arg-type]
    return [(place.item, round(place.score, 6)) for place in slate.items]


def test_people_alike_speak_with_their_likeness_and_items_with_theirs(small: Store):
    # Of a scale from 1 to 5, 5 counts 1, 4 counts .5, 3 counts 0 and 1 counts -1.
    # By people: cup .8 * 1 + .2 * 0 = .8, pot .2 * 1 = .2, gin -.8, tea was met. Largest: .8.
    assert row(small, "users") == [("cup", 1.0), ("pot", 0.25)]
    # By items: cup .5 * 1, pot .4 * 1 - .1 * 1 = .3, gin -.9. Largest: .5.
    assert row(small, "items") == [("cup", 1.0), ("pot", 0.6)]
    assert row(small, "both") == [("cup", 2.0), ("pot", 0.85)]
    assert row(small, "both", 1) == [("cup", 2.0)]


def test_a_row_is_a_slate_that_says_whose_it_is_and_why(small: Store):
    slate = recommend_by_matrices(small, "R", "ann", 2, NOON, explain=True)
    assert (slate.scenario, slate.version, slate.known, slate.exhausted) == ("R", "users 1, items 1", True, False)
    assert [(reason.item, round(reason.share, 6)) for reason in slate.items[1].reasons] == [("tea", 0.4), ("rum", -0.1)]


def test_hidden_and_past_items_are_not_shown(small: Store):
    small.put_items([Item("cup", hidden=True), Item("pot", available_until=NOON)])
    assert row(small, "both") == []


def test_strangers_and_people_without_neighbours_are_told_why_their_row_is_short(small: Store):
    stranger = recommend_by_matrices(small, "R", "nobody", 3, NOON)
    assert (stranger.known, stranger.exhausted, stranger.items) == (False, True, ())
    assert "a few ratings" in str(stranger.note)
    assert "said for them" in str(recommend_by_matrices(small, "R", "new", 3, NOON).note)
    with pytest.raises(NotFound, match="no recommender 'S'"):
        recommend_by_matrices(small, "S", "ann", 3, NOON)
    with pytest.raises(Invalid, match="n is 0"):
        recommend_by_matrices(small, "R", "ann", 0, NOON)
