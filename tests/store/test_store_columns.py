from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from serendip.domain import Interaction, Invalid, Item, Relation, Slate, SlateItem, User, micros
from serendip.domain import Reason as Because
from serendip.store import ImportProgress, Loaded, Store
from serendip.store.columns import LARGEST

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(text, json_values, max_size=3)
moments = st.datetimes(timezones=st.just(UTC), max_value=END.replace(tzinfo=None))
events = st.builds(
    Interaction,
    user=ids,
    item=ids,
    at=moments,
    kind=st.sampled_from(["view", "buy", "Bewertung"]),
    value=st.none() | numbers,
    context=st.none() | mappings.filter(bool),
    slate=st.none() | ids,
)
each_example = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def frame(*rows: tuple[str, str, int], key: bool = False, **columns: object) -> pl.DataFrame:
    made = pl.DataFrame(rows, schema=["user", "item", "at"], orient="row")
    made = made.with_columns(pl.lit("view").alias("kind"), **{name: pl.lit(value) for name, value in columns.items()})  # type: ignore[arg-type]
    if key:
        digests = [f"{user}|{item}|{at}".encode().ljust(16)[:16] for user, item, at in rows]
        made = made.with_columns(pl.Series("key", digests, dtype=pl.Binary))
    return made


@each_example
@given(events=st.lists(events, min_size=1, max_size=8))
def test_what_is_recorded_comes_back_equal(store: Store, events: list[Interaction]) -> None:
    before = {event.user: store.history(event.user, END, 10_000) for event in events}
    told = store.add_interactions(events)
    assert told.outcomes == ["recorded"] * len(events)
    for user, old in before.items():
        own = sorted(old + [event for event in events if event.user == user], key=lambda event: event.at)
        assert store.history(user, END, 10_000) == own
        assert set(store.seen(user, ["view", "buy", "Bewertung"], END)) == {event.item for event in own}


@each_example
@given(events=st.lists(events, min_size=1, max_size=8))
@example(events=[Interaction("ann", "film-1", NOON, value=1.7976931348623157e308)])
def test_a_history_as_columns_is_the_history(store: Store, events: list[Interaction]) -> None:
    store.add_interactions(events)
    users = [*dict.fromkeys(event.user for event in events), "nobody"]
    item_of = dict(zip(*store.item_ids(), strict=True))
    together = store.histories_columns(users, END, 5)
    for user in users:
        own, columns = store.history(user, END, 5), store.history_columns(user, END, 5)
        assert [item_of[key] for key in columns.item_key] == [event.item for event in own]
        assert columns.at.tolist() == [micros(event.at) for event in own]
        names = store.names_of_kinds(columns.kind.tolist())
        assert [names[code] for code in columns.kind] == [event.kind for event in own]
        given = [np.nan if event.value is None or abs(event.value) > LARGEST else event.value for event in own]
        np.testing.assert_allclose(columns.value, given, rtol=1e-14)
        for one, other in zip(vars(columns).values(), vars(together[user]).values(), strict=True):
            np.testing.assert_array_equal(one, other)
        touched = store.seen_keys(user, ["view", "buy", "Bewertung"], END)
        assert {item_of[key] for key in touched} == set(store.seen(user, ["view", "buy", "Bewertung"], END))


@each_example
@given(name=st.none() | text, attributes=mappings, user=ids)
def test_users_come_back_equal(store: Store, name: str | None, attributes: dict[str, object], user: str) -> None:
    record = User(user, name, attributes)
    store.put_users([record])
    assert store.user(user) == record


@each_example
@given(
    record=st.builds(
        Item,
        id=ids,
        catalogue=ids,
        title=st.none() | text,
        text=st.none() | text,
        tags=st.lists(text, max_size=3).map(tuple),
        attributes=mappings,
        available_from=st.none() | moments,
        available_until=st.none() | moments,
        hidden=st.booleans(),
    )
)
def test_items_come_back_equal_and_are_found_by_their_tags(store: Store, record: Item) -> None:
    store.put_items([record])
    assert store.item(record.id) == record
    for tag in record.tags:
        assert record in store.list_items(tags=[tag], limit=1000).records


@each_example
@given(values=st.lists(st.none() | numbers, min_size=1, max_size=10))
def test_training_columns_give_every_value_bit_for_bit(store: Store, values: list[float | None]) -> None:
    before = store.interaction_columns().height
    at = END - timedelta(days=1)
    store.add_interactions([Interaction("ann", "a", at, value=value) for value in values])
    assert store.interaction_columns()["value"].to_list()[before:] == values


def test_training_columns_are_in_order_of_time_then_of_recording(store: Store) -> None:
    store.add_interactions(
        [
            Interaction("ann", item, NOON + timedelta(n), kind)
            for item, n, kind in [("late", 2, "buy"), ("first", 0, "view"), ("second", 0, "buy"), ("middle", 1, "view")]
        ]
    )
    keys, names = store.item_ids()
    name_of = dict(zip(keys.tolist(), names, strict=True))
    columns = store.interaction_columns()
    assert columns.schema == {
        "user_key": pl.Int64,
        "item_key": pl.Int64,
        "kind": pl.Int16,
        "value": pl.Float64,
        "at": pl.Int64,
    }
    assert [name_of[key] for key in columns["item_key"]] == ["first", "second", "middle", "late"]
    assert [store.kind_names()[code] for code in columns["kind"]] == ["view", "buy", "view", "buy"]
    some = store.interaction_columns(since=NOON + timedelta(1), until=NOON + timedelta(2))
    assert some["at"].to_list() == [micros(NOON + timedelta(1))]
    assert store.interaction_columns(since=END).height == 0


def test_columns_of_an_empty_store_are_empty(store: Store) -> None:
    assert store.interaction_columns().height == store.item_columns().height == 0
    keys, names = store.user_ids()
    assert (keys.tolist(), names) == ([], [])
    assert store.vectors("text")[0].tolist() == []
    assert store.check() == []


def test_item_columns_hold_what_filters_look_at(store: Store) -> None:
    store.put_items(
        [Item("a", "films", tags=("x", "y"), attributes={"price": 2}, available_until=NOON), Item("b", hidden=True)]
    )
    rows = store.item_columns().rows(named=True)
    assert [(row["id"], row["catalogue"], row["tags"], row["hidden"]) for row in rows] == [
        ("a", "films", ["x", "y"], False),
        ("b", "items", [], True),
    ]
    assert json.loads(rows[0]["attributes"]) == {"price": 2}
    assert (rows[0]["available_from"], rows[0]["available_until"]) == (None, micros(NOON))


def test_a_frame_is_loaded_once_however_often_it_comes(store: Store) -> None:
    rows = frame(("ann", "a", 1), ("ann", "b", 2), ("bob", "a", 3), ("bob", "a", 3), key=True, value=1.5)
    assert store.load_interactions(rows) == Loaded(3, 1, 2, 2)
    assert store.load_interactions(rows) == Loaded(0, 4)
    assert store.load_interactions(frame(("bob", "c", 9), ("bob", "c", 9))) == Loaded(2, 0, 0, 1)
    assert store.counts().interactions == 5
    assert [event.item for event in store.history("bob", NOON, 10)] == ["a", "c", "c"]


def test_loaded_contexts_values_and_odd_ids_come_back(store: Store) -> None:
    odd = 'quote" comma, \\ new\nline \\N'
    rows = frame((odd, odd, 1), context=json.dumps({"a": odd}), value=0.1)
    store.load_interactions(rows)
    (event,) = store.history(odd, NOON, 5)
    assert (event.item, event.value, event.context) == (odd, 0.1, {"a": odd})


@pytest.mark.parametrize("wrong", ["", "nul\0", "x" * 513])
def test_a_frame_with_an_impossible_id_is_refused_whole(store: Store, wrong: str) -> None:
    with pytest.raises(Invalid):
        store.load_interactions(frame(("ann", "a", 1), ("ann", wrong, 2)))
    assert store.counts().interactions == 0


def test_progress_is_kept_with_the_rows_it_tells_of(store: Store) -> None:
    assert store.import_progress("digest") is None
    progress = ImportProgress("digest", 2, {"left_out": {"empty": 1}})
    store.load_interactions(frame(("ann", "a", 1)), progress)
    assert store.import_progress("digest") == progress
    with pytest.raises(Invalid):
        store.load_interactions(frame(("", "a", 1)), ImportProgress("digest", 3))
    assert store.import_progress("digest") == progress
    store.load_users(pl.DataFrame({"id": ["ann"]}), ImportProgress("digest", 4))
    assert store.import_progress("digest") == ImportProgress("digest", 4)
    store.finish_import("digest")
    assert store.import_progress("digest") is None


def test_users_items_and_relations_are_loaded_as_records(store: Store) -> None:
    users = pl.DataFrame({"id": ["ann", "bob"], "name": ["Ann", None], "attributes": ['{"x":1}', None]})
    assert store.load_users(users) == Loaded(2, 0, new_users=2)
    assert store.user("ann") == User("ann", "Ann", {"x": 1})
    items = pl.DataFrame({"id": ["a", "a"], "title": ["old", "new"], "tags": [["t"], ["t"]], "available_from": [1, 2]})
    assert store.load_items(items).new_items == 1
    assert store.item("a") == Item(
        "a", title="new", tags=("t",), available_from=datetime(1970, 1, 1, microsecond=2, tzinfo=UTC)
    )
    assert store.load_relations(pl.DataFrame({"user": ["ann"], "other": ["eve"]})) == Loaded(1, 0, new_users=1)
    assert store.relations("ann") == [Relation("ann", "eve")]


def test_vectors_come_back_by_item_key(store: Store) -> None:
    store.put_items([Item("b"), Item("a")])
    vectors = pl.DataFrame({"item": ["a", "b", "new"], "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]})
    assert store.load_vectors("text", vectors) == Loaded(3, 0, new_items=1)
    assert store.load_vectors("text", vectors[:1]) == Loaded(0, 1)
    keys, numbers = store.vectors("text")
    assert keys.tolist() == store.item_ids()[0].tolist()
    np.testing.assert_array_equal(numbers, np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32))
    with pytest.raises(Invalid, match="another name"):
        store.load_vectors("text", pl.DataFrame({"item": ["a"], "vector": [[1.0]]}))


@pytest.mark.parametrize("relaxed", [(), ("hide", "filter")])
def test_a_logged_slate_can_be_read_at_once_and_after_it_is_flushed(store: Store, relaxed: tuple[str, ...]) -> None:
    because = Because("past", 0.25, "view", NOON)
    slate = Slate(
        "s-1",
        "home",
        "als-1",
        NOON,
        "ann",
        True,
        False,
        (SlateItem("a", 0.5, "als", (because,), {"als": 0.1}), SlateItem("b", -1e-300, "popularity")),
        "short",
        relaxed,
    )
    store.log_slate(slate)
    assert store.slate("s-1") == slate
    store.flush_slates()
    assert store.slate("s-1") == slate
    assert store.slate("s-2") is None
    store.delete_user("ann")
    assert store.slate("s-1") is None


def test_slates_are_flushed_by_themselves_and_at_the_end(database_url: str) -> None:
    store = Store.open(database_url)
    other = Store.open(database_url)
    store.log_slate(Slate("s-1", "home", "v", NOON, None, False, True, ()))
    store.close()
    assert other.slate("s-1") == Slate("s-1", "home", "v", NOON, None, False, True, ())
    other.close()


def test_only_items_that_open_or_close_have_a_span(store: Store) -> None:
    store.put_items([Item("always"), Item("from", available_from=NOON), Item("until", available_until=NOON)])
    keys, spans = store.item_spans()
    every, names = store.item_ids()
    assert [names[every.tolist().index(key)] for key in keys] == ["from", "until"]
    widest = np.iinfo(np.int64)
    assert spans.tolist() == [[micros(NOON), widest.max], [widest.min, micros(NOON)]]
