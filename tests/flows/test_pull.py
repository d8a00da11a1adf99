"""Customers out of a REST service: told in full through faults, gone on with after a kill, listed where they fail."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from databases import database, store
from serendip.domain import Invalid, NotReady
from serendip.flows.pull import pull, read_ids
from serendip.sources.service import Failed, Politeness, Service, attributes_of, retry_after
from serendip.store import Store
from shop_service import Shop, serving, values

__all__ = ["database", "store"]

QUICK = Politeness(n_at_once=4, n_attempts=3, first_seconds=0.001, longest_seconds=0.01, timeout_seconds=5)
Asking = Callable[..., Service]


@pytest.fixture
def asking() -> Iterator[Asking]:
    """Makes a shop, and what asks it."""
    opened, servers = [], []

    def make(shop: Shop, manners: Politeness = QUICK) -> Service:
        server = serving(shop)
        servers.append(server)
        opened.append(Service(f"http://127.0.0.1:{server.server_address[1]}", manners=manners))
        return opened[-1]

    yield make
    for service, server in zip(opened, servers, strict=True):
        service.close()
        server.shutdown()
        server.server_close()


def test_every_customer_is_kept_though_the_service_fails_now_and_then(store: Store, asking: Asking, tmp_path: Path):
    shop = Shop(list(range(1, 201)))
    report = pull(store, asking(shop), batch=40, failed_file=tmp_path / "failed.csv")
    assert (report.listed, report.added, report.failed) == (200, 200, [])
    assert store.counts().users == 200
    # A customer of two countries has the row of most purchases, as far as there are any.
    one = store.users_by_id(["30"])["30"]
    assert one.attributes == {name: own[0] for name, own in values(30).items()}
    assert shop.most <= 4
    again = pull(store, asking(shop), batch=40)
    assert (again.added, again.repeated, again.changed) == (0, 200, 0)


def test_who_cannot_be_read_is_listed_and_asked_again_alone(store: Store, asking: Asking, tmp_path: Path):
    odd: dict[str, bytes | int] = {
        "3": b"not json", "5": 404, "7": b'{"user_id": 8, "values": {"F": [1]}}', "11": b'{"user_id": 11}',
        "13": b'{"user_id": 13, "values": {"F": [1, 2], "R": [1]}}', "17": b'{"user_id": 17, "values": {"R": [NaN]}}',
        "19": 500, "21": b'{"values": {"country": [1000000000000000000000000]}}', "22": b"[" * 200_000,
        "23": rb'{"values": {"country": ["\ud800"]}}', "25": rb'{"values": {"a\u0000b": [1]}}',
        "26": b'{"values": {"country": [1e400]}}',
    }  # fmt: skip
    shop, failed = Shop(list(range(1, 31)), odd=dict(odd), flaky=False), tmp_path / "failed.csv"
    service = asking(shop)
    report = pull(store, service, failed_file=failed)
    assert (report.added, {one["user"] for one in report.failed}) == (18, set(odd))
    assert {one["user"]: one["what"] for one in report.failed}["5"] == "status 404"
    assert (shop.asked["/users/5"], shop.asked["/users/19"]) == (1, 3)
    assert set(read_ids(failed)) == set(odd)
    shop.odd.clear()
    rest = pull(store, service, only=read_ids(failed))
    assert (rest.listed, rest.added, rest.failed) == (12, 12, [])
    failed.write_text("user,what\n")
    with pytest.raises(Invalid, match="names no users"):
        read_ids(failed)
    failed.write_text("user,what\n7,\n,gone\n")
    with pytest.raises(Invalid, match="line 3: the user id is empty"):
        read_ids(failed)


def test_a_service_that_goes_away_ends_the_pull_which_then_goes_on(store: Store, asking: Asking):
    shop = Shop(list(range(100, 400)), flaky=False)
    service = asking(shop)

    def leave(done: int, _total: int) -> None:
        shop.away = done >= 100

    with pytest.raises(NotReady, match="100 of 300 customers are kept; run the same command again"):
        pull(store, service, batch=50, progress=leave)
    assert store.counts().users == 100
    # Not all 50 of the batch are waited for.
    assert len(shop.asked) <= 1 + 100 + 25 + QUICK.n_at_once
    shop.away = False
    before = dict(shop.asked)
    report = pull(store, service, batch=50)
    assert (report.done_before, report.added) == (100, 200)
    assert shop.asked["/users/150"] == before["/users/150"] == 1


def test_everybody_waits_where_the_service_asks_for_it():
    shop = Shop([1, 2, 3, 4], flaky=False)
    slept: list[float] = []
    server = serving(shop)
    service = Service(f"http://127.0.0.1:{server.server_address[1]}", manners=QUICK, sleep=slept.append)
    service._hold(0.2)
    begun = time.monotonic()
    told = service.users(["1", "2", "3", "4"])
    assert not any(isinstance(one, Failed) for one in told)
    assert time.monotonic() - begun >= 0.15
    assert slept
    with pytest.raises(NotReady, match="left alone for 9000 seconds"):
        service._hold(9000)
    service.close()
    server.shutdown()
    server.server_close()
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert retry_after("Mon, 01 Jun 2026 12:00:30 GMT", noon) == 30
    assert (retry_after("7", noon), retry_after("soon", noon), retry_after(None, noon)) == (7, None, None)


@pytest.mark.parametrize(
    ("listed", "said"), [({"a": 1}, "no list of ids"), ([None], "is no id"), ([], "lists no customers")]
)
def test_a_list_that_is_none_is_refused(store: Store, asking: Asking, listed: object, said: str):
    with pytest.raises(Invalid, match=said):
        pull(store, asking(Shop(listed)))  # type: ignore[arg-type]
    assert store.counts().users == 0


def test_an_address_that_is_none_or_tells_a_password_is_refused():
    for url in ("ftp://x", "shop", "http://ann:secret@shop", "http://[bad", "http://shop:x", "http://\xe9..x"):
        with pytest.raises(Invalid):
            Service(url)
    for seconds in (-1.0, float("nan")):
        with pytest.raises(Invalid, match="timeout"):
            Service("http://shop", manners=Politeness(timeout_seconds=seconds))
    with pytest.raises(Invalid, match="token"):
        Service("http://shop", "one\ntwo")
    assert attributes_of("7", {"values": {"country": [25, 34], "F": [1, 9], "R": [3, 4]}}) == {
        "country": 34,
        "F": 9,
        "R": 4,
    }


def test_a_pull_that_is_killed_again_and_again_loses_and_doubles_nobody(tmp_path: Path):
    source = str(Path(__file__).parents[2] / "src")
    url = f"sqlite:///{tmp_path / 'killed.db'}"
    Store.open(url).close()
    program = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "shop_service.py"), "800"], stdout=subprocess.PIPE, text=True
    )
    chance = random.Random(5)
    try:
        assert program.stdout is not None
        address = f"http://127.0.0.1:{program.stdout.readline().strip()}"
        command = [
            sys.executable,
            "-m",
            "serendip",
            "pull",
            address,
            "--database",
            url,
            "--batch",
            "60",
            "--at-once",
            "4",
        ]
        command += ["--json"]
        for _ in range(3):
            before = kept(url)
            pulling = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": source},
                cwd=tmp_path,
            )
            deadline = time.monotonic() + 60
            while kept(url) == before and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.15))
            assert pulling.poll() is None, pulling.communicate()
            pulling.send_signal(signal.SIGKILL)
            pulling.communicate()
            assert kept(url) > before
        last = subprocess.run(
            command, capture_output=True, env=os.environ | {"PYTHONPATH": source}, cwd=tmp_path, timeout=120, check=True
        )
    finally:
        program.kill()
        program.communicate()
    said = json.loads(last.stdout)
    assert said["listed"] == 800
    assert said["done_before"] >= 120
    assert said["done_before"] + said["added"] + said["repeated"] == 800
    assert said["failed"] == []
    opened = Store.open(url)
    try:
        assert opened.check() == []
        assert opened.counts().users == 800
    finally:
        opened.close()


def kept(url: str) -> int:
    opened = Store.open(url)
    try:
        return opened.counts().users
    finally:
        opened.close()
