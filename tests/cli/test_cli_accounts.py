from __future__ import annotations

import io
import json
import re
import socket
from pathlib import Path

import pytest
from test_cli import run

from serendip.flows.accounts import sign_in
from serendip.store import Store

GOOD = "correct horse battery"


def opened(here: Path) -> Store:
    return Store.open(f"sqlite:///{here / 'here.db'}")


def test_an_account_lives_from_the_terminal(here: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    code, said, _ = run(capsys, "account", "create", "Ann", "--role", "administrator")
    assert (code, "/sign-in?link=" in said) == (0, True)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    assert run(capsys, "account", "create", "bob", "--password", "--user", "user-7")[0] == 0
    for arguments in (("role", "bob", "operator"), ("link", "bob", "user-8"), ("disable", "bob"), ("enable", "bob")):
        assert run(capsys, "account", *arguments)[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("another good one\n"))
    assert run(capsys, "account", "set-password", "BOB")[0] == 0
    (_, bob) = json.loads(run(capsys, "account", "list", "--json")[1])
    assert (bob["name"], bob["role"], bob["user"], bob["disabled"]) == ("bob", "operator", "user-8", False)
    assert "bob  operator  user user-8  never in" in run(capsys, "account", "list")[1]
    assert run(capsys, "account", "invite", "bob")[1].startswith("/sign-in?link=")
    store = opened(here)
    assert sign_in(store, "bob", "another good one") is not None
    assert sign_in(store, "bob", GOOD) is None
    acts = store.acts().records
    store.close()
    assert {act.actor for act in acts} == {"terminal"}
    assert [act.action for act in acts] == [
        "create_account_link",
        "set_account_password",
        *["update_account"] * 4,
        *["create_account"] * 2,
    ]
    assert run(capsys, "account", "delete", "bob")[0] == 0


def test_what_cannot_be_done_to_an_account_is_one_sentence(here: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    run(capsys, "account", "create", "ann", "--role", "administrator")
    for arguments, why in (
        (("create", "ANN"), "already"),
        (("disable", "ann"), "last administrator"),
        (("role", "ann", "member"), "last administrator"),
        (("delete", "nobody"), "no account"),
    ):
        code, _, said = run(capsys, "account", *arguments)
        assert (code, why in said, said.count("\n")) == (1, True, 1)
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert "10 to" in run(capsys, "account", "set-password", "ann")[2]


def test_keys_from_the_terminal_are_kept_in_the_audit_log_without_their_secrets(here: Path, capsys):
    made = json.loads(run(capsys, "key", "create", "shop", "--scope", "read", "--expires", "2099-01-01", "--json")[1])
    assert "ends 2099-01-01" in run(capsys, "key", "list")[1]
    assert run(capsys, "key", "revoke", made["id"])[0] == 0
    store = opened(here)
    assert [act.action for act in store.acts().records] == ["revoke_key", "create_key"]
    assert made["key"] not in str(store.acts().records)
    store.close()


def test_the_first_start_prints_how_to_sign_in_once(here: Path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        first = run(capsys, "serve", "--port", port)
        second = run(capsys, "serve", "--port", port)
    assert "in use" in first[2]
    found = re.search(r"name (\S+), password (\S+)", first[1])
    assert found is not None
    store = opened(here)
    account = sign_in(store, *found.groups())
    (act,) = store.acts().records
    assert (act.actor, act.action, act.target) == ("terminal", "create_account", "admin")
    assert found[2] not in str(act)
    store.close()
    assert account is not None
    assert account.role == "administrator"
    assert "password" not in second[1]
    assert "link=" not in second[1]
