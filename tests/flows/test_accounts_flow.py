from __future__ import annotations

from datetime import UTC, datetime

import pytest

from serendip.domain import Conflict, Invalid
from serendip.flows.accounts import Introduced, account_of, create_account, first_administrator, sign_in
from serendip.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = "correct horse battery"


def test_the_first_start_makes_an_administrator_and_later_ones_do_not(store: Store) -> None:
    made = first_administrator(store, NOON)
    assert made is not None
    account, password = made
    assert (account.name, account.role, len(password) >= 20) == ("admin", "administrator", True)
    signed_in = sign_in(store, "admin", password)
    assert signed_in is not None
    assert signed_in.id == account.id
    assert first_administrator(store, NOON) is None


def test_a_name_that_cannot_be_read_is_refused(store: Store) -> None:
    for name in ("", "  ", "a\nb", "a\0b", "x" * 101):
        with pytest.raises(Invalid, match="name"):
            create_account(store, name, "member", NOON)
    assert sign_in(store, "a\0b", GOOD) is None


def test_who_comes_by_a_provider_is_known_by_its_id_then_by_a_verified_address_then_new(store: Store) -> None:
    ann = create_account(store, "ann", "operator", NOON, email="ann@example.org")
    who = Introduced("https://p.example", "1", "ann@example.org")
    found = account_of(store, who, "member", True, NOON)
    assert found is not None
    assert found.id == ann.id
    # From then on the address does not matter.
    known = account_of(store, Introduced("https://p.example", "1"), "member", True, NOON)
    assert known is not None
    assert known.id == ann.id
    unverified = account_of(store, Introduced("https://p.example", "2", None, "ann"), "member", True, NOON)
    assert unverified is not None
    assert unverified.id != ann.id
    assert (unverified.name != "ann", unverified.role, unverified.user) == (True, "member", unverified.name)
    assert account_of(store, Introduced("https://p.example", "3"), "member", False, NOON) is None


def test_a_new_account_does_not_get_the_history_of_a_user_who_has_its_name(store: Store) -> None:
    create_account(store, "bob", "member", NOON, user="eve@example.org")
    made = account_of(store, Introduced("https://p.example", "1", "eve@example.org"), "member", True, NOON)
    assert made is not None
    assert made.user != "eve@example.org"


def test_an_address_of_two_accounts_signs_in_to_neither(store: Store) -> None:
    for name in ("ann", "bob"):
        create_account(store, name, "member", NOON, email="both@example.org")
    with pytest.raises(Conflict, match="2 accounts"):
        account_of(store, Introduced("https://p.example", "1", "both@example.org"), "member", True, NOON)
