from __future__ import annotations

from datetime import UTC, datetime, timedelta

from serendip.domain import Interaction, Slate
from serendip.store import Store, Stretch

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
