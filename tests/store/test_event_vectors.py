"""Vectors of what was said with interactions: theirs alone, gone with them, and never of two makers; both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from serendip.domain import Interaction, Invalid
from serendip.store import EventContext, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def wrote(user: str, item: str, text: str | None, hours: float = 0) -> Interaction:
    context = None if text is None else {"text": text}
    return Interaction(user, item, NOON + timedelta(hours=hours), "review", 5.0, context)


def vectors_of(events: list[EventContext]) -> np.ndarray:
    """Of each text how long it is, and 1."""
    return np.array([[len(event.said), 1] for event in events], np.float32)


@pytest.fixture
def told(store: Store) -> Store:
    store.add_interactions(
        [
            wrote("ann", "tea", "good"),
            wrote("ann", "jam", None, 1),
            wrote("bob", "tea", "no"),
            wrote("ann", "pie", "dry", 2),
        ]
    )
    events = store.event_contexts()
    assert store.load_event_vectors("said", "counting", events, vectors_of(events)) == 3
    return store


def test_what_was_said_is_the_summary_and_the_text_of_the_context() -> None:
    assert EventContext(1, '{"summary":"Good","text":"Sings","page":3}').said == "Good. Sings"
    assert EventContext(1, '{"text":" ","summary":7}').said == ""


def test_each_interaction_has_its_own_and_only_those_without_one_are_asked_for(told: Store) -> None:
    numbers, vectors = told.event_vectors("said")
    np.testing.assert_array_equal(vectors, [[4, 1], [2, 1], [3, 1]])
    assert told.event_contexts(without="said") == []
    assert [event.said for event in told.event_contexts(without="other")] == ["good", "no", "dry"]
    assert [event.said for event in told.event_contexts(after=int(numbers[0]), limit=1)] == ["no"]
    own = told.history_columns("ann", NOON + timedelta(hours=9), 10)
    some, found = told.event_vectors_of("said", own.id)
    np.testing.assert_array_equal(some, [numbers[0], numbers[2]])
    np.testing.assert_array_equal(found, [[4, 1], [3, 1]])
    assert told.event_vectors_with([int(numbers[1])]) == [(int(numbers[1]), "said", [2.0, 1.0])]
    assert [len(part) for part in told.event_vectors_of("other", own.id)] == [0, 0]


def test_they_go_with_their_interaction_and_with_words_that_were_changed(told: Store) -> None:
    first = told.event_contexts()[0].id
    told.change_interaction(first, lambda _: wrote("ann", "tea", "good", 5))
    assert len(told.event_vectors("said")[0]) == 3, "another moment leaves the words as they were"
    told.change_interaction(first, lambda _: wrote("ann", "tea", "bitter"))
    assert first not in told.event_vectors("said")[0]
    told.delete_interactions("bob")
    assert len(told.event_vectors("said")[0]) == 1
    told.erase_user("ann", NOON)
    assert len(told.event_vectors("said")[0]) == 0
    assert told.check() == []


def test_what_was_changed_while_its_vector_was_made_gets_none(told: Store) -> None:
    events = told.event_contexts()
    told.change_interaction(events[0].id, lambda _: wrote("ann", "tea", "bitter"))
    told.delete_interaction(events[1].id)
    assert told.load_event_vectors("other", "counting", events, vectors_of(events)) == 1


def test_two_makers_do_not_mix_under_one_name(told: Store) -> None:
    events = told.event_contexts()
    with pytest.raises(Invalid, match="were made by counting, and these by guessing"):
        told.load_event_vectors("said", "guessing", events, vectors_of(events))
    with pytest.raises(Invalid, match="not finite"):
        told.load_event_vectors("third", "guessing", events, vectors_of(events) * np.inf)
    assert told.event_vectors_by("said") == "counting"
    assert told.remove_event_vectors("said") == 3
    assert told.event_vectors_by("said") is None
    assert told.load_event_vectors("said", "guessing", events, vectors_of(events)) == 3


def test_two_lengths_do_not_mix_under_one_name_and_no_vector_is_without_numbers(told: Store) -> None:
    events = told.event_contexts()
    with pytest.raises(Invalid, match="have 2 numbers, and these 3; make them under another name"):
        told.load_event_vectors("said", "counting", events[:1], np.ones((1, 3), np.float32))
    with pytest.raises(Invalid, match="hold no numbers"):
        told.load_event_vectors("third", "counting", events, np.ones((3, 0), np.float32))
    np.testing.assert_array_equal(told.event_vectors("said")[1], [[4, 1], [2, 1], [3, 1]])
    assert told.event_vectors_by("third") is None
