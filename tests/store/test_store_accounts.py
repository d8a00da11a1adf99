from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from serendip.domain import Conflict, NotFound
from serendip.store import AccountRecord, Act, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def person(name: str, role: str = "member", **more: object) -> AccountRecord:
    return AccountRecord(f"id-{name}", name, role, NOON, **more)  # type: ignore[arg-type]


def test_an_account_is_kept_whole_and_its_user_is_made_bare(store: Store) -> None:
    ann = person("ann", "operator", email="Ann@Example.org", user="user-7", password="$argon2id$x")
    store.add_account(ann, ("https://provider.example", "17"))
    kept = store.account("id-ann")
    assert kept == AccountRecord(**{**vars(ann), "email": "ann@example.org"})
    assert store.account_named("ann") == store.account_of("https://provider.example", "17") == kept
    assert store.accounts_with_email("ANN@example.org") == [kept]
    assert store.known_user("user-7")
    assert store.account_of("https://other.example", "17") is None


def test_a_name_and_an_identity_belong_to_one_account(store: Store) -> None:
    store.add_account(person("ann"), ("issuer", "1"))
    with pytest.raises(Conflict, match="already"):
        store.add_account(AccountRecord("other", "ann", "member", NOON))
    with pytest.raises(Conflict, match="identity"):
        store.add_account(person("bob", user="bob"), ("issuer", "1"))
    assert store.account_named("bob") is None
    assert not store.known_user("bob")


def test_accounts_are_listed_by_name_in_pages(store: Store) -> None:
    for name in ("eve", "ann", "bob", "dan"):
        store.add_account(person(name, "operator" if name == "bob" else "member"))
    first = store.accounts(limit=3)
    assert ([one.name for one in first.records], first.total) == (["ann", "bob", "dan"], 4)
    assert [one.name for one in store.accounts(after=first.next, limit=3).records] == ["eve"]
    assert [one.name for one in store.accounts(role="operator").records] == ["bob"]
    assert [one.name for one in store.accounts(search="AN").records] == ["ann", "dan"]


def test_the_last_administrator_is_neither_removed_nor_demoted_nor_disabled(store: Store) -> None:
    store.add_account(person("ann", "administrator"))
    store.add_account(person("bob", "administrator", disabled=True))
    for act in (
        lambda: store.change_account("id-ann", role="operator"),
        lambda: store.change_account("id-ann", disabled=True),
        lambda: store.delete_account("id-ann"),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            act()
    store.change_account("id-bob", disabled=False)
    assert store.change_account("id-ann", role="operator").role == "operator"
    with pytest.raises(NotFound):
        store.change_account("id-nobody", role="operator")


def test_two_administrators_cannot_demote_each_other_at_once(store: Store, database_url: str) -> None:
    for _ in range(5):
        for name in ("ann", "bob"):
            if store.account(f"id-{name}") is None:
                store.add_account(person(name, "administrator"))
            else:
                store.change_account(f"id-{name}", role="administrator")
        begin, refused = threading.Barrier(2), []

        def demote(name: str, begin: threading.Barrier = begin, refused: list[str] = refused) -> None:
            begin.wait()
            try:
                store.change_account(f"id-{name}", role="member")
            except Conflict:
                refused.append(name)

        threads = [threading.Thread(target=demote, args=(name,)) for name in ("ann", "bob")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        assert store.has_administrator()


@pytest.mark.parametrize("changes", [{"role": "operator"}, {"password": "new"}, {"disabled": True}])
def test_a_new_role_or_password_and_disabling_end_the_sessions(store: Store, changes: dict[str, object]) -> None:
    store.add_account(person("ann", user="u"))
    store.add_account(person("bob"))
    store.add_session("a", "member", NOON + HOUR, "id-ann")
    store.add_session("b", "member", NOON + HOUR, "id-bob")
    found = store.session("a", NOON)
    assert found is not None
    assert (found.role, found.account, found.name, found.user) == ("member", "id-ann", "ann", "u")
    store.change_account("id-ann", email="ann@example.org")
    assert store.session("a", NOON) is not None
    store.change_account("id-ann", **changes)
    assert store.session("a", NOON) is None
    assert store.session("b", NOON) is not None


def test_a_session_begun_while_its_account_was_disabled_opens_nothing(store: Store) -> None:
    store.add_account(person("ann", disabled=True))
    store.add_session("late", "member", NOON + HOUR, "id-ann")
    assert store.session("late", NOON) is None


def test_what_is_over_is_swept_and_nothing_else(store: Store) -> None:
    store.add_session("old", "member", NOON)
    store.add_session("new", "member", NOON + HOUR)
    store.add_link("old", "member", NOON - HOUR)
    assert store.sweep_access(NOON) == 2
    assert store.sweep_access(NOON) == 0
    assert store.session("new", NOON) is not None


def test_the_audit_log_is_read_newest_first_in_pages_and_by_what_is_asked(store: Store) -> None:
    for n in range(5):
        actor = "account:ann" if n % 2 else "terminal"
        store.note(Act(NOON + n * HOUR, actor, f"act-{n}", "/v1/x", {"n": n}, "request"))
    first = store.acts(limit=2)
    assert [act.action for act in first.records] == ["act-4", "act-3"]
    assert [act.action for act in store.acts(after=first.next, limit=9).records] == ["act-2", "act-1", "act-0"]
    assert [act.action for act in store.acts(actor="account:ann").records] == ["act-3", "act-1"]
    found = store.acts(since=NOON + HOUR, until=NOON + 2 * HOUR).records
    assert [(act.at, act.detail, act.request_id) for act in found] == [(NOON + HOUR, {"n": 1}, "request")]
    assert store.acts(action="act-0").next is None
