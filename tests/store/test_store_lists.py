from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serendip.domain import Interaction, Invalid, Item, Relation, Slate, User
from serendip.store import Page, Store, Stretch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shown(name: str, hours: float, user: str | None = "ann", scenario: str = "home") -> Slate:
    return Slate(name, scenario, "v", NOON + hours * HOUR, user, True, False, ())


def test_slates_are_listed_newest_first_by_user_scenario_and_moment(store: Store) -> None:
    for n in range(5):
        store.log_slate(shown(f"s-{n}", n, "ann" if n % 2 else "bob", "home" if n < 4 else "shop"))
    first = store.list_slates(Stretch(limit=3, count=True))
    rest = store.list_slates(Stretch(limit=3, after=first.next))
    assert [one.id for one in first.records + rest.records] == ["s-4", "s-3", "s-2", "s-1", "s-0"]
    assert (first.total, rest.total, rest.next) == (5, None, None)
    assert [one.id for one in store.list_slates(Stretch("at"), user="bob").records] == ["s-0", "s-2", "s-4"]
    assert [one.id for one in store.list_slates(Stretch(), scenario="shop").records] == ["s-4"]
    between = store.list_slates(Stretch(), since=NOON + HOUR, until=NOON + 3 * HOUR)
    assert [one.id for one in between.records] == ["s-2", "s-1"]


def test_old_slates_are_dropped_unless_an_interaction_names_them(store: Store) -> None:
    for n in range(6):
        store.log_slate(shown(f"s-{n}", n))
    store.flush_slates()
    store.add_interactions([Interaction("ann", "a", NOON + HOUR, "view", slate="s-1")])
    assert store.drop_slates(NOON + 3 * HOUR) == 2
    assert [one.id for one in store.list_slates(Stretch("at")).records] == ["s-1", "s-3", "s-4", "s-5"]
    assert store.drop_slates(NOON + 4 * HOUR, keep_named=False) == 2
    assert [one.id for one in store.list_slates(Stretch("at")).records] == ["s-4", "s-5"]


def did(user: str, item: str, hours: float = 0, kind: str = "view", **more: object) -> Interaction:
    return Interaction(user, item, NOON + hours * HOUR, kind, **more)  # type: ignore[arg-type]


def through(ask: Callable[[str | None], Page[Any]]) -> list[Any]:
    found, after = [], None
    while True:
        page = ask(after)
        found += page.records
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("sort", ["id", "title", "created"])
def test_every_order_goes_through_everything_once_and_backwards_too(store: Store, sort: str) -> None:
    titles = [None, "b", "B", "a", "é", "a", None, "Z"]
    made = [Item(f"i-{(n * 5) % 8}", title=title) for n, title in enumerate(titles)]
    for item in made:
        store.put_items([item])
    keys = {"id": lambda one: one.id, "title": lambda one: ((one.title or "").encode(), one.id), "created": made.index}
    wanted = [item.id for item in sorted(made, key=keys[sort])]
    forwards = through(lambda after: store.list_items(after=after, limit=3, sort=sort))
    backwards = through(lambda after: store.list_items(after=after, limit=3, sort="-" + sort))
    assert [item.id for item in forwards] == wanted
    assert [item.id for item in backwards] == wanted[::-1]


def test_a_cursor_belongs_to_its_order_and_unknown_orders_are_named(store: Store) -> None:
    store.put_users([User(f"u-{n}") for n in range(3)])
    page = store.list_users(limit=1)
    with pytest.raises(Invalid, match="cursor"):
        store.list_users(after=page.next, sort="name")
    with pytest.raises(Invalid, match="the orders are id, -id, name"):
        store.list_users(sort="age")


def test_attributes_are_met_by_the_text_that_spells_them(store: Store) -> None:
    store.put_users(
        [
            User("a", attributes={"age": 30, "city": "Jaén", "vip": True}),
            User("b", attributes={"age": 30.0, "city": "30", "vip": "true"}),
            User("c", attributes={"age": "30", 'od"d': 1, "a.b": 2.5, "none": None}),
            User("d"),
        ]
    )

    def found(**wanted: str) -> list[str]:
        return [user.id for user in store.list_users(attributes=wanted).records]

    assert found(age="30") == ["a", "b", "c"]
    assert found(age="30", city="Jaén") == ["a"]
    assert found(vip="true") == ["a", "b"]
    assert found(**{"a.b": "2.50"}) == ["c"]
    assert found(age="31") == found(height="30") == found(none="null") == []
    with pytest.raises(Invalid, match="quotes"):
        found(**{'od"d': "1"})


def test_items_are_found_by_tags_they_have_and_have_not(store: Store) -> None:
    store.put_items(
        [Item("a", tags=("x", "y")), Item("b", tags=("x",), hidden=True), Item("c"), Item("d", tags=("-x",))]
    )

    def found(**wanted: object) -> list[str]:
        return [item.id for item in store.list_items(**wanted).records]  # type: ignore[arg-type]

    assert found(tags=["x"]) == ["a", "b"]
    assert found(tags=["x", "y"]) == ["a"]
    assert found(without=["y"]) == ["b", "c", "d"]
    assert found(tags=["x"], without=["y"]) == ["b"]
    assert found(hidden=True) == ["b"]
    assert found(hidden=False, without=["x"]) == ["c", "d"]


def test_interactions_are_found_by_moment_value_and_slate(store: Store) -> None:
    store.add_interactions([did("ann", f"i-{n}", n, "rating", value=n, slate=f"s-{n % 2}") for n in range(6)])

    def found(**wanted: object) -> list[str]:
        return [one.interaction.item for one in store.recent_interactions(9, **wanted).records]  # type: ignore[arg-type]

    assert found(since=NOON + 4 * HOUR) == ["i-5", "i-4"]
    assert found(until=NOON + 2 * HOUR, sort="at") == ["i-0", "i-1"]
    assert found(at_least=2, at_most=3) == ["i-3", "i-2"]
    assert found(slate="s-1", at_least=2) == ["i-5", "i-3"]
    assert store.recent_interactions(2, at_least=2, count=True).total == 4
    assert len(through(lambda after: store.recent_interactions(4, before=after, sort="recorded"))) == 6


def test_relations_are_found_from_both_sides(store: Store) -> None:
    store.put_relations([Relation("ann", "bob"), Relation("ann", "eve", "blocks"), Relation("bob", "eve")])
    assert store.list_relations(Stretch(), other="eve").records == [
        Relation("ann", "eve", "blocks"),
        Relation("bob", "eve"),
    ]
    assert store.list_relations(Stretch(), kind="blocks").records == [Relation("ann", "eve", "blocks")]
    assert len(through(lambda after: store.list_relations(Stretch("other", after, 1)))) == 3
    assert store.has_relation(Relation("ann", "bob"))
    assert store.delete_relation(Relation("ann", "bob"))
    assert not store.delete_relation(Relation("ann", "bob"))
    assert not store.has_relation(Relation("ann", "bob"))
    made, dropped = store.change_relations([Relation("x", "y")], [Relation("bob", "eve"), Relation("no", "body")])
    assert (made.added, made.new_users, dropped) == (1, 2, 1)
