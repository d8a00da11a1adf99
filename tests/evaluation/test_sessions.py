"""Sessions as questions: where they end, what each may know, and what is to be found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from serendip.data import Dataset, Vocabulary
from serendip.data.sessions import events_of, session_table, sessions_of
from serendip.domain import InteractionKind, Invalid, micros
from serendip.evaluation.sessions import GROUPS, compare_sessions, session_rounds
from serendip.pipeline import PipelineConfig

KINDS = (
    InteractionKind("view", hides=False),
    InteractionKind("cart", weight=10, hides=False),
    InteractionKind("buy", weight=20),
)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
Event = tuple[str, str, str, float]
"""User, item, kind, minutes after NOON."""


def data_of(events: list[Event]) -> Dataset:
    users, items = (Vocabulary.of(sorted({event[place] for event in events})) for place in (0, 1))
    names = [kind.name for kind in KINDS]
    return Dataset.of(
        users.rows([one[0] for one in events]),
        items.rows([one[1] for one in events]),
        users,
        items,
        kind=np.array([names.index(one[2]) for one in events]),
        at=np.array([micros(NOON + timedelta(minutes=one[3])) for one in events]),
        kinds=KINDS,
    )


BEFORE: list[Event] = [
    ("ann", "a", "view", -2000),
    ("ann", "b", "buy", -1990),
    ("s:1", "c", "view", -1500),
    ("bob", "d", "cart", -900),
]
AFTER: list[Event] = [
    ("ann", "c", "view", 10), ("ann", "d", "cart", 15), ("ann", "b", "cart", 20), ("ann", "a", "buy", 25),
    ("s:2", "a", "view", 30), ("s:2", "d", "view", 31), ("s:2", "d", "cart", 32),
    ("cid", "c", "cart", 40), ("ann", "e", "cart", 45), ("ann", "c", "cart", 300),
]  # fmt: skip


def asked(events: list[Event], **more: object) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Every question: who, of which group, what is known, what is to be found."""
    data = data_of(events)
    nobody = np.array([user.startswith("s:") for user in data.users.ids])
    found = []
    for turn in session_rounds(data, micros(NOON), nobody, **{"find": ("cart", "buy"), **more}):  # type: ignore[arg-type]
        queries, _ = turn.ask(slice(0, len(turn.user_ix)))
        assert (queries.own == turn.user_ix).all()
        for q, user in enumerate(turn.user_ix):
            rows = queries.item_ix[queries.indptr[q] : queries.indptr[q + 1]]
            history, relevant = ([data.items.ids[row] for row in own] for own in (rows, turn.relevant[q]))
            found.append((data.users.ids[user], GROUPS[turn.group[q]], tuple(history), tuple(relevant)))
    return found


def test_each_session_is_asked_at_its_start_and_in_its_middle():
    # b is bought, and so hidden; e nobody had met before the day; the session of ann at 300 is another one.
    assert sorted(asked(BEFORE + AFTER)) == sorted(
        [
            ("ann", "known, warm", ("a", "b"), ("a", "d")),
            ("ann", "known, warm", ("a", "b", "c", "d"), ("a",)),
            ("ann", "known, warm", ("a", "b", "c", "d", "b", "a", "e"), ("c",)),
            ("s:2", "anonymous, cold", (), ("d",)),
            ("s:2", "anonymous, warm", ("a",), ("d",)),
            ("cid", "known, cold", (), ("c",)),
        ]
    )


def test_events_of_one_moment_do_not_see_each_other():
    basket: list[Event] = [("cid", item, "cart", 40) for item in "abcd"]
    assert asked(BEFORE + basket) == [("cid", "known, cold", (), ("a", "b", "c", "d"))]


def test_the_future_of_a_question_never_reaches_it():
    """Whatever happens from the moment of a question on, its history stays the same."""
    whole = asked(BEFORE + AFTER)
    for n in range(1, len(AFTER)):
        cut = BEFORE + AFTER[:n]
        told = {(who, history) for who, _, history, _ in asked(cut)}
        middle = {(who, history) for who, _, history, _ in whole}
        # A session cut short has another middle; its start, and what came before, are as they were.
        assert {one for one in told if one[1] in {(), ("a", "b")}} <= middle


def test_models_know_what_was_before_the_day_of_the_session():
    data = data_of([*BEFORE, *AFTER, ("cid", "e", "cart", 2000), ("cid", "a", "cart", 2001)])
    nobody = np.zeros(data.n_users, bool)
    first, second = session_rounds(data, micros(NOON), nobody, ("cart",))
    assert (len(first.known), len(second.known)) == (len(BEFORE), len(BEFORE) + len(AFTER))
    assert first.known.at is not None
    assert first.known.at.max() < micros(NOON)
    # e was met on the first day, and may be found on the second.
    assert {data.items.ids[row] for row in second.relevant.item_ix} == {"a", "e"}


def test_a_kind_that_there_is_not_and_sessions_without_an_answer_are_refused():
    with pytest.raises(Invalid, match="no events of kind 'order'; the kinds are view, cart, buy"):
        asked(BEFORE + AFTER, find=("order",))
    views: list[Event] = [(f"u{n}", "a", "view", n * 100) for n in range(20)]
    data = data_of(views)
    with pytest.raises(Invalid, match="no session after the cut"):
        compare_sessions([PipelineConfig.parse("als")], data, np.zeros(data.n_users, bool), find=("cart",))
    with pytest.raises(Invalid, match="auc is not measured by session"):
        compare_sessions([PipelineConfig.parse("again")], data, np.zeros(data.n_users, bool), metrics=("auc",))


def test_who_takes_again_what_was_viewed_is_found_by_again_and_not_by_chance():
    rng, events = np.random.default_rng(0), list[Event]()
    for n in range(400):
        item, other = rng.integers(0, 60, 2)
        who = f"s:{n}" if n % 3 else f"u{n % 9}"
        events += [
            (who, f"i{item}", "view", 60.0 * n),
            (who, f"i{other}", "view", 60.0 * n + 1),
            (who, f"i{item}", "cart", 60.0 * n + 2),
        ]
    data = data_of(events)
    nobody = np.array([user.startswith("s:") for user in data.users.ids])
    table = compare_sessions(
        [PipelineConfig.parse("again")], data, nobody, find=("cart",), metrics=("recall@2", "ndcg@2")
    )
    groups = {group.name: group for group in table.groups}
    warm = groups["anonymous, warm"]
    assert warm.rows["again"]["recall@2"].mean == 1.0
    assert warm.against["again"].low > 0.8
    assert groups["anonymous, cold"].rows["again"] == groups["anonymous, cold"].rows["popular-7-days"]
    assert "nobody was asked who is known, cold" in table.notes
    assert str(table).count("anonymous, warm: ") == 1


def test_a_session_has_a_length_and_a_share_of_carts():
    data = data_of(
        [("ann", "a", "view", 0), ("ann", "b", "cart", 0.5), ("ann", "b", "cart", 31), ("bob", "a", "view", 1)]
    )
    sessions = sessions_of(data)
    assert len(sessions) == 3
    table = session_table(events_of(data, sessions))
    assert table.select("user", "seconds", "events", "items", "taken", "share").rows() == [
        ("ann", 30.0, 2, 2, 1, 0.5), ("bob", 0.0, 1, 1, 0, 0.0), ("ann", 0.0, 1, 1, 1, 1.0),
    ]  # fmt: skip
    assert table["begun"][0] == NOON
    assert isinstance(table, pl.DataFrame)
