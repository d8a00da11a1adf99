from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sqlalchemy import insert, select

from serendip.domain import Conflict, Interaction, Invalid, Item, Relation, Slate, SlateItem, User
from serendip.store import AccountRecord, Act, Store, Stretch, TimetableRow
from serendip.store.schema import accounts, audit, identities, matrices, matrix_rows, sessions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def did(user: str, item: str, hours: float = 0, kind: str = "view", **more: object) -> Interaction:
    return Interaction(user, item, NOON + hours * HOUR, kind, **more)  # type: ignore[arg-type]


def test_many_who_change_one_record_at_once_lose_nothing(store: Store) -> None:
    def add_one(old: Item | None) -> Item:
        known = old or Item("counter", attributes={"n": 0})
        return replace(known, attributes={"n": known.attributes["n"] + 1})

    def work() -> None:
        for _ in range(10):
            store.change_item("counter", add_one)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.item("counter")
    assert found is not None
    assert found.attributes["n"] == 60


def test_of_many_who_create_the_same_user_one_does(store: Store) -> None:
    told: list[str] = []

    def work(n: int) -> None:
        def create(old: User | None) -> User:
            if old is not None:
                raise Conflict("taken")
            return User("ann", f"by {n}")

        try:
            store.change_user("ann", create)
        except Conflict:
            told.append("taken")
        else:
            told.append("made")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["made"] + ["taken"] * 7


def test_a_change_that_changes_nothing_is_not_counted_and_one_that_raises_leaves_everything(store: Store) -> None:
    store.put_users([User("ann", "Ann")])
    before = store.changes()
    assert store.change_user("ann", lambda old: old or User("ann")) == (User("ann", "Ann"), User("ann", "Ann"))
    assert store.changes() == before

    def refuse(_: object) -> User:
        raise Conflict("no")

    for act in (lambda: store.change_user("ann", refuse), lambda: store.delete_user("ann", refuse)):
        with pytest.raises(Conflict):
            act()
    assert store.user("ann") == User("ann", "Ann")
    store.change_user("ann", lambda _: User("ann", "A"))
    assert store.changes()["data"] > before["data"]
    assert [one.id for one in store.list_users(search="a").records] == ["ann"]


def test_many_are_put_and_deleted_together(store: Store) -> None:
    store.put_items([Item("a"), Item("b")])
    store.add_interactions([did("ann", "b")])
    done = store.change_items([Item("a", title="A"), Item("c")], ["b", "none"])
    assert (done.created, done.replaced, done.deleted) == (1, 1, 1)
    assert store.counts().interactions == 0
    told = store.change_users([User("bob")], ["ann"])
    assert (told.created, told.replaced, told.deleted) == (1, 0, 1)
    assert store.check() == []


def test_an_interaction_is_corrected_and_taken_back(store: Store) -> None:
    (number,) = store.add_interactions([did("ann", "a", 0, "rating", value=2.0, key="k", context={"page": 1})]).ids
    assert number is not None
    seen = {store.fingerprint()}
    right = did("ann", "b", 1, "rated", value=4.0)
    assert store.change_interaction(number, lambda _: right) == right == store.interaction(number)
    assert store.history("ann", NOON + 9 * HOUR, 9) == [right]
    seen.add(store.fingerprint())
    assert not store.delete_interaction(number + 1)
    assert store.delete_interaction(number)
    assert store.interaction(number) is None
    seen.add(store.fingerprint())
    assert len(seen) == 3
    store.add_interactions([did("ann", "a"), did("ann", "a", 1, "buy"), did("ann", "b"), did("bob", "a")])
    assert store.delete_interactions("ann", "a", "view") == 1
    assert store.delete_interactions("ann", item="a") == 1
    assert store.delete_interactions("ann") == 1
    assert store.delete_interactions("nobody") == 0
    assert store.counts().interactions == 1


def shown(name: str, user: str | None) -> Slate:
    return Slate(name, "home", "v", NOON, user, True, False, ())


def test_an_erased_user_is_nowhere_and_comes_back_by_no_way(store: Store) -> None:
    store.put_users([User("ann-9", "Ann", {"age": 3}), User("bob")])
    store.add_interactions([did("ann-9", "a", key="k"), did("bob", "a")])
    store.put_relations([Relation("ann-9", "bob"), Relation("bob", "ann-9")])
    store.log_slate(shown("s-1", "ann-9"))
    _own_rows(store)
    places = tuple(SlateItem(user, 1.0, "user-knn") for user in ("ann-9", "eve"))
    store.log_slate(replace(shown("s-0", "bob"), scenario="friends", items=places))
    made, gone, linked = store.erase_user("ann-9", NOON, ["friends"])
    assert (gone.users, gone.interactions, gone.relations, gone.slates, gone.matrix_rows) == (1, 1, 2, 1, 1)
    assert linked == ["account-1"]
    assert store.accounts_of("ann-9") == []
    assert [one.digest for one in store.list_erasures(Stretch()).records] == [made.digest]
    for refused in (
        lambda: store.put_users([User("ann-9")]),
        lambda: store.change_user("ann-9", lambda _: User("ann-9")),
        lambda: store.put_relations([Relation("bob", "ann-9")]),
    ):
        with pytest.raises(Invalid, match="asked to be forgotten"):
            refused()
    told = store.add_interactions([did("ann-9", "b", key="x"), did("bob", "b"), did("ann-9", "b", key="x")])
    assert [isinstance(one, Invalid) for one in told.outcomes] == [True, False, True]
    assert told.recorded == 1
    assert set(store.change_users([User("ann-9"), User("eve")], []).refused) == {"ann-9"}
    rows = pl.DataFrame({"user": ["ann-9", "eve"], "item": ["a", "a"], "kind": "view", "at": [0, 0]})
    loaded = store.load_interactions(rows)
    assert (loaded.added, loaded.repeated, loaded.forgotten) == (1, 0, 1)
    assert store.load_users(pl.DataFrame({"id": ["ann-9", "eve"], "name": ["A", "E"]})).forgotten == 1
    assert store.load_relations(pl.DataFrame({"user": ["ann-9", "eve"], "other": ["bob", "bob"]})).forgotten == 1
    store.log_slate(shown("s-2", "ann-9"))
    store.flush_slates()
    friends, home = sorted(store.list_slates(Stretch()).records, key=lambda slate: slate.id)
    assert [place.item for place in friends.items] == ["eve"]
    assert home == shown("s-2", None)
    store.note(Act(NOON, "account:root", "delete_account", "/v1/accounts/1", {"name": "ann-9"}))
    assert store.acts().records[0].detail == {"name": made.digest}
    assert hits(store, "ann-9") == []
    assert store.lift_erasure(made.digest)
    assert not store.lift_erasure(made.digest)
    assert store.put_users([User("ann-9")]) == 1


def test_jobs_do_nothing_more_for_an_erased_user_and_do_not_name_them(store: Store) -> None:
    job = store.add_job("recommend", {"users": ["ann-9", "bob"], "to": "x.jsonl"}, NOON, created_by="ann-9")
    store.put_timetable([TimetableRow("daily", "recommend", "every 1d", {"users": ["ann-9"]})], "api", NOON)
    leased = store.claim_job("w", NOON, timedelta(minutes=1))
    assert leased is not None
    store.fail_job(job.id, leased.lease, NOON, "the user 'ann-9' is not there", retry=False)
    store.erase_user("ann-9", NOON)
    (kept,) = store.jobs().records
    assert kept.arguments["users"] == ["bob"]
    assert [row.arguments for row in store.timetable()] == [{"users": []}]
    assert hits(store, "ann-9") == []


def test_who_runs_the_place_keeps_the_account_when_its_user_is_erased(store: Store) -> None:
    store.add_account(AccountRecord("1", "root", "administrator", NOON, user="ann-9"))
    assert store.erase_user("ann-9", NOON)[2] == ["1"]
    kept = store.account("1")
    assert kept is not None
    assert kept.user is None


def _own_rows(store: Store) -> None:
    """An account, a session, an audited act and a row of likeness of the user ann-9."""
    key = int(np.array(store.user_ids()[0])[store.user_ids()[1].index("ann-9")])
    # An account is named as its user, unless somebody says otherwise.
    account = {"id": "account-1", "name": "ann-9", "role": "member", "user": "ann-9", "email": "ann-9@example.org"}
    account |= {"disabled": False, "created_at": 0}
    with store._db.write() as c:
        c.execute(insert(accounts), account)
        c.execute(insert(sessions), {"digest": "d", "role": "member", "expires_at": 9, "account": "account-1"})
        c.execute(insert(audit), {"at": 0, "actor": "x", "action": "delete_user", "target": "ann-9"})
        detail = '{"account":"1","name":"ann-9"}'
        c.execute(insert(audit), {"at": 0, "actor": "x", "action": "create_account", "detail": detail})
        c.execute(insert(audit), {"at": 0, "actor": "account:ann-9", "action": "sign_in"})
        c.execute(insert(identities), {"issuer": "i", "subject": "s", "account": "account-1"})
        c.execute(insert(matrices), {"name": "m", "of": "users", "version": 1})
        matrix = c.execute(select(matrices.c.id)).scalar_one()
        c.execute(insert(matrix_rows), {"matrix": matrix, "version": 1, "row_key": key, "columns": b"", "values": b""})


def hits(store: Store, word: str) -> list[str]:
    """Tables that hold ``word`` anywhere."""
    from serendip.store.schema import metadata

    with store._db.read() as c:
        return [t.name for t in metadata.sorted_tables if word in repr(c.execute(select(t)).all())]


def test_who_is_erased_while_others_record_them_is_gone_all_the_same(store: Store) -> None:
    for n in range(8):
        ghost = f"ghost-{n}"

        def record(user: str = ghost) -> None:
            for hour in range(6):
                store.add_interactions([did(user, "a", hour), did("bob", "a", hour)])
                store.change_users([User(user)], [])

        writers = [threading.Thread(target=record) for _ in range(3)]
        for writer in writers:
            writer.start()
        store.erase_user(ghost, NOON)
        for writer in writers:
            writer.join()
        assert hits(store, ghost) == []
    assert store.check() == []
    assert store.counts().interactions == 8 * 3 * 6
