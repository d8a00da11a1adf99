from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from serendip.domain import Conflict, Interaction, InteractionKind, Invalid, Item, NotFound, Relation, User
from serendip.store import KeyRecord, Promotion, SessionRecord, Store, VersionRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def did(user: str, item: str, hours: float = 0, kind: str = "view", **more: object) -> Interaction:
    return Interaction(user, item, NOON + hours * HOUR, kind, **more)  # type: ignore[arg-type]


def test_a_history_is_what_happened_strictly_before_newest_last(store: Store) -> None:
    store.add_interactions([did("ann", "c", 2), did("ann", "a", 0), did("ann", "b", 1), did("bob", "a", 0)])
    assert [event.item for event in store.history("ann", NOON + 2 * HOUR, 10)] == ["a", "b"]
    assert [event.item for event in store.history("ann", NOON + 9 * HOUR, 2)] == ["b", "c"]
    assert store.history("stranger", NOON, 10) == []


def test_events_of_one_moment_keep_the_order_in_which_they_came(store: Store) -> None:
    items = [f"item-{n}" for n in range(20)]
    store.add_interactions([did("ann", item) for item in items])
    assert [event.item for event in store.history("ann", NOON + HOUR, 50)] == items


def test_histories_are_each_users_own_history(store: Store) -> None:
    store.add_interactions([did(user, f"{user}-{n}", n) for user in ("ann", "bob", "eve") for n in range(5)])
    together = store.histories(["ann", "eve", "stranger"], NOON + 4 * HOUR, 3)
    assert together == {user: store.history(user, NOON + 4 * HOUR, 3) for user in ("ann", "eve", "stranger")}


def test_seen_names_each_item_of_the_kinds_once(store: Store) -> None:
    store.add_interactions([did("ann", "a"), did("ann", "a", 1), did("ann", "b", 1, "buy"), did("ann", "c", 5)])
    assert sorted(store.seen("ann", ["view"], NOON + 5 * HOUR)) == ["a"]
    assert sorted(store.seen("ann", ["view", "buy"], NOON + 5 * HOUR)) == ["a", "b"]
    assert store.seen("ann", ["never"], NOON) == store.seen("stranger", ["view"], NOON) == []


def test_the_same_key_with_the_same_body_is_recorded_once(store: Store) -> None:
    first = store.add_interactions([did("ann", "a", key="k", value=4.5, context={"page": 1})])
    again = store.add_interactions([did("ann", "a", key="k", value=4.5, context={"page": 1})])
    assert (first.outcomes, again.outcomes) == (["recorded"], ["repeated"])
    assert first.ids == again.ids
    assert (again.recorded, again.repeated, again.new_users, again.new_items) == (0, 1, 0, 0)
    assert store.counts().interactions == 1


def test_the_same_key_with_another_body_is_refused_while_others_are_kept(store: Store) -> None:
    store.add_interactions([did("ann", "a", key="k")])
    told = store.add_interactions(
        [did("ann", "other", key="k"), did("bob", "b"), did("bob", "c", key="twice"), did("bob", "d", key="twice")]
    )
    refused, kept, first, second = told.outcomes
    assert isinstance(refused, Conflict)
    assert isinstance(second, Conflict)
    assert (kept, first) == ("recorded", "recorded")
    assert [number is None for number in told.ids] == [True, False, False, True]
    assert store.item("other") is None
    assert store.counts().interactions == 3


def test_a_key_repeated_within_a_batch_is_recorded_once(store: Store) -> None:
    told = store.add_interactions([did("ann", "a", key="k"), did("ann", "a", key="k")])
    assert told.outcomes == ["recorded", "repeated"]
    assert told.ids[0] == told.ids[1] is not None


def test_a_moment_that_we_filled_in_is_not_held_against_a_repetition(store: Store) -> None:
    store.add_interactions([did("ann", "a", 0, key="k")], now=NOON)
    later = NOON + HOUR
    assert store.add_interactions([did("ann", "a", 1, key="k")], now=later).outcomes == ["repeated"]
    assert isinstance(store.add_interactions([did("ann", "a", 1, key="k")]).outcomes[0], Conflict)


def test_without_a_key_every_row_is_added(store: Store) -> None:
    told = store.add_interactions([did("ann", "a"), did("ann", "a")])
    assert told.outcomes == ["recorded", "recorded"]
    assert told.ids[0] != told.ids[1]


@pytest.mark.parametrize(
    "wrong",
    [
        Interaction("", "a", NOON),
        Interaction("ann", "a\0", NOON),
        Interaction("ann", "\ud800", NOON),
        Interaction("ann", "a", NOON.replace(tzinfo=None)),
        Interaction("ann", "a", NOON, value=float("nan")),
        Interaction("ann", "a", NOON, context={"x": float("inf")}),
        Interaction("ann", "a", NOON, slate="\udfff"),
    ],
)
def test_a_row_that_cannot_be_kept_is_named_and_the_rest_is_kept(store: Store, wrong: Interaction) -> None:
    told = store.add_interactions([did("bob", "b"), wrong])
    assert told.outcomes[0] == "recorded"
    assert isinstance(told.outcomes[1], Invalid)
    assert store.counts().interactions == 1


def test_recording_makes_missing_users_items_and_kinds(store: Store) -> None:
    told = store.add_interactions([did("ann", "a"), did("ann", "b", kind="buy"), did("bob", "a")])
    assert (told.new_users, told.new_items) == (2, 2)
    assert store.user("ann") == User("ann")
    assert store.item("b") == Item("b")
    assert store.kinds() == {"view": InteractionKind("view"), "buy": InteractionKind("buy")}
    assert store.known_user("bob")
    assert not store.known_user("eve")


def test_declared_kinds_come_back_and_can_be_declared_anew(store: Store) -> None:
    rating = InteractionKind("rating", "latest", 2.0, (0.5, 5.0), hides=False)
    store.declare_kinds([rating, InteractionKind("dislike", negative=True)])
    assert store.kinds()["rating"] == rating
    store.declare_kinds([InteractionKind("rating")])
    assert store.kinds()["rating"] == InteractionKind("rating")
    assert store.kinds()["dislike"].negative


def test_an_item_is_replaced_whole(store: Store) -> None:
    full = Item(
        "film",
        "films",
        "Der Übermut",
        "a text",
        ("drama", 'with "quotes", and commas'),
        "/p.svg",
        "https://example.org",
        {"year": 1999},
        NOON,
        NOON + HOUR,
        True,
    )
    assert store.put_items([full]) == 1
    assert store.item("film") == full
    assert store.put_items([Item("film", title="new"), Item("other")]) == 1
    assert store.items_by_id(["film", "other", "none"]) == {"film": Item("film", title="new"), "other": Item("other")}


def test_lists_go_through_everything_page_by_page(store: Store) -> None:
    ids = sorted([f"item-{n}" for n in range(25)] + ["Ärger", "ÿ", "Z", "a"], key=str.encode)
    store.put_items([Item(item) for item in ids])
    found: list[str] = []
    page = store.list_items(limit=7)
    while True:
        assert page.total == len(ids)
        found += [item.id for item in page.records]
        if page.next is None:
            break
        page = store.list_items(limit=7, after=page.next)
    assert found == ids


def test_a_search_looks_into_id_title_and_text_whatever_the_case(store: Store) -> None:
    store.put_items(
        [Item("x-1", title="Die STRASSE"), Item("x-2", text="weiße Straße"), Item("STRASSE"), Item("y", title="100%")]
    )
    assert {item.id for item in store.list_items(search="straße").records} == {"x-1", "x-2", "STRASSE"}
    assert {item.id for item in store.list_items(search="%").records} == {"y"}
    store.put_users([User("u-1", "Ann Ämter"), User("u-2")])
    assert {user.id for user in store.list_users(search="äMT").records} == {"u-1"}


def test_items_are_found_by_catalogue_and_by_whole_tag(store: Store) -> None:
    store.put_items(
        [
            Item("a", "films", tags=("drama", "war")),
            Item("b", "films", tags=("melodrama",)),
            Item("c", "books", tags=('x","drama', "drama")),
            Item("d", "books", tags=('x,"drama"',)),
        ]
    )
    assert [item.id for item in store.list_items(tags=["drama"]).records] == ["a", "c"]
    assert [item.id for item in store.list_items(tags=["drama"], catalogue="films").records] == ["a"]


def test_a_cursor_that_we_did_not_make_is_invalid(store: Store) -> None:
    for word in ("", "nonsense", "WzFd", "é"):
        with pytest.raises(Invalid):
            store.list_users(after=word)


def test_the_latest_interactions_come_newest_first_page_by_page(store: Store) -> None:
    store.add_interactions([did("ann", f"i-{n}", n // 2, "view" if n % 3 else "buy") for n in range(10)])
    first = store.recent_interactions(6)
    rest = store.recent_interactions(6, before=first.next)
    assert [row.interaction.item for row in first.records + rest.records] == [f"i-{n}" for n in reversed(range(10))]
    assert rest.next is None
    assert [row.interaction.item for row in store.recent_interactions(9, kind="buy").records] == [
        "i-9",
        "i-6",
        "i-3",
        "i-0",
    ]
    assert len(store.recent_interactions(9, user="ann", item="i-3").records) == 1
    assert store.recent_interactions(9, user="bob").records == []


def test_deleting_a_user_takes_everything_of_theirs(store: Store) -> None:
    store.add_interactions([did("ann", "a"), did("bob", "a")])
    store.put_relations([Relation("ann", "bob"), Relation("bob", "ann", "blocks")])
    assert store.delete_user("ann")
    assert not store.delete_user("ann")
    counts = store.counts()
    assert (counts.users, counts.interactions, counts.relations) == (1, 1, 0)
    assert store.history("ann", NOON + HOUR, 5) == []
    assert store.check() == []


def test_a_deleted_items_key_is_never_given_again(store: Store) -> None:
    store.add_interactions([did("ann", "a"), did("ann", "b")])
    before = dict(zip(store.item_ids()[1], store.item_ids()[0].tolist(), strict=True))
    assert store.delete_item("b")
    assert [event.item for event in store.history("ann", NOON + HOUR, 5)] == ["a"]
    store.put_items([Item("b"), Item("c")])
    after = dict(zip(store.item_ids()[1], store.item_ids()[0].tolist(), strict=True))
    assert after["a"] == before["a"]
    assert not {after["b"], after["c"]} & set(before.values())


def test_relations_come_back_and_are_kept_once(store: Store) -> None:
    assert store.put_relations([Relation("ann", "bob"), Relation("ann", "bob"), Relation("ann", "eve", "blocks")]) == 2
    assert store.put_relations([Relation("ann", "bob")]) == 0
    assert store.relations("ann") == [Relation("ann", "eve", "blocks"), Relation("ann", "bob")]
    assert store.relations("bob") == []


def test_every_write_that_changes_answers_is_counted(store: Store) -> None:
    def topics_of(write: object) -> set[str]:
        before = store.changes()
        write()  # type: ignore[operator]
        return {topic for topic, n in store.changes().items() if n > before[topic]}

    version = VersionRecord("als-1", "als", NOON, {})
    key = KeyRecord("k", "sd_", "digest", ("read",), "mine", NOON)
    assert topics_of(lambda: store.add_interactions([did("ann", "a", key="1")])) == {"data", "items", "kinds"}
    assert topics_of(lambda: store.add_interactions([did("ann", "a", 1)])) == {"data"}
    assert topics_of(lambda: store.add_interactions([did("ann", "a", key="1")])) == set()
    assert topics_of(lambda: store.put_items([Item("a")])) == {"items"}
    assert topics_of(lambda: store.put_users([User("a")])) == {"data"}
    assert topics_of(lambda: store.declare_kinds([InteractionKind("buy")])) == {"kinds", "data"}
    assert topics_of(lambda: store.delete_item("a")) == {"items", "data"}
    assert topics_of(lambda: store.delete_item("a")) == set()
    assert topics_of(lambda: store.add_version(version)) == {"versions"}
    assert topics_of(lambda: store.promote("home", "als-1", NOON)) == {"versions"}
    assert topics_of(lambda: store.add_key(key)) == {"keys"}
    assert topics_of(lambda: store.revoke_key("k")) == {"keys"}


def test_the_fingerprint_follows_the_data(store: Store) -> None:
    seen = {store.fingerprint()}
    for write in (
        lambda: store.add_interactions([did("ann", "a")]),
        lambda: store.put_items([Item("a", title="new")]),
        lambda: store.put_users([User("ann", "Ann")]),
        lambda: store.delete_item("a"),
    ):
        write()
        assert store.fingerprint() == store.fingerprint()
        seen.add(store.fingerprint())
    assert len(seen) == 5


def test_promotions_remember_what_was_live_before(store: Store) -> None:
    for n in (1, 2):
        store.add_version(VersionRecord(f"als-{n}", "als", NOON + n * HOUR, {"metrics": {"ndcg": 0.1 * n}}))
    store.promote("home", "als-1", NOON)
    store.promote("home", "als-2", NOON + HOUR, reason="better", override=True)
    assert store.live() == {"home": Promotion("home", "als-2", NOON + HOUR, "better", True, "als-1")}
    assert [promotion.version for promotion in store.promotions("home")] == ["als-2", "als-1"]
    assert [version.id for version in store.versions("als")] == ["als-2", "als-1"]
    assert store.versions("other") == []
    with pytest.raises(NotFound):
        store.promote("home", "als-3", NOON)
    with pytest.raises(Conflict, match="home"):
        store.drop_version("als-2")
    assert store.drop_version("als-1")
    assert store.version("als-1") is None
    found = store.version("als-2")
    assert found is not None
    assert found.manifest == {"metrics": {"ndcg": 0.2}}


def test_a_key_is_found_by_its_digest_until_it_is_revoked(store: Store) -> None:
    key = KeyRecord("k1", "sd_ab", "d" * 64, ("read", "write"), "my key", NOON, NOON + HOUR)
    store.add_key(key)
    assert store.key("d" * 64) == key
    store.touch_key("k1", NOON + HOUR)
    (used,) = store.keys()
    assert used.used_at == NOON + HOUR
    with pytest.raises(Conflict):
        store.add_key(key)
    assert store.revoke_key("k1")
    assert store.key("d" * 64) is None


def test_a_sign_in_link_works_once_and_not_after_its_time(store: Store) -> None:
    store.add_link("one", "administrator", NOON)
    store.add_link("late", "administrator", NOON)
    assert store.use_link("one", NOON - HOUR) == "administrator"
    assert store.use_link("one", NOON - HOUR) is None
    assert store.use_link("late", NOON) is None


def test_a_session_ends_by_itself_or_when_it_is_ended(store: Store) -> None:
    store.add_session("s", "operator", NOON)
    assert store.session("s", NOON - HOUR) == SessionRecord("operator")
    assert store.session("s", NOON) is None
    assert store.end_session("s")
    assert store.session("s", NOON - HOUR) is None
