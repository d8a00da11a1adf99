"""What the client does when the server or the way to it fails; nothing here waits, the pauses are only noted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip import client, domain
from serendip.client import AsyncClient, Client, Retries, batches
from serendip.client.call import encoded
from serendip.client.errors import retry_after

from .faulty import Faulty, hang_up, misbehaving, refuse, say, slow

HEALTHY = b'{"status": "ok", "version": "1", "problems": []}'
RECORDED = b'{"recorded": 1, "repeated": 0, "new_users": 0, "new_items": 0, "refused": []}'


def patient(server: Faulty, pauses: list[float] | None = None, **told: object) -> Client:
    """A client that notes its pauses instead of making them, and whose jitter is always the longest."""
    noted = [] if pauses is None else pauses
    return Client(server.address, "key", sleep=noted.append, chance=lambda: 1.0, **told)  # type: ignore[arg-type]


def test_a_question_is_asked_again_until_it_is_answered():
    pauses: list[float] = []
    faults = (hang_up, refuse(503), refuse(502), refuse(504), say(HEALTHY))
    with misbehaving(*faults) as server, patient(server, pauses) as asker:
        assert asker.health().status == "ok"
    assert len(server.received) == 5
    assert pauses == [0.25, 0.5, 1.0, 2.0]


def test_the_asynchronous_client_asks_again_in_the_same_way():
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)

    async def ask(address: str) -> str:
        async with AsyncClient(address, sleep=noted, chance=lambda: 1.0) as asker:
            return (await asker.health()).status

    with misbehaving(hang_up, refuse(503, Retry_After="3"), say(HEALTHY)) as server:
        assert asyncio.run(ask(server.address)) == "ok"
    assert pauses == [0.25, 3.0]


def test_the_pause_that_the_server_asks_for_is_made():
    pauses: list[float] = []
    faults = (refuse(429, Retry_After="7"), refuse(503, Retry_After="2"), say(HEALTHY))
    with misbehaving(*faults) as server, patient(server, pauses) as asker:
        asker.health()
    assert pauses == [7.0, 2.0]


def test_a_date_in_retry_after_is_held_against_the_servers_own_clock():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    later = format_datetime(noon + timedelta(seconds=90), usegmt=True)
    assert retry_after({"retry-after": later, "date": format_datetime(noon, usegmt=True)}) == 90
    assert retry_after({"retry-after": format_datetime(noon, usegmt=True), "date": later}) == 0
    assert retry_after({"retry-after": "soon"}) is None


def test_pauses_longer_than_the_time_left_are_not_begun():
    pauses: list[float] = []
    with (
        misbehaving(refuse(429, Retry_After="61")) as server,
        patient(server, pauses) as asker,
        pytest.raises(client.TooMany, match="not now") as refused,
    ):
        asker.health()
    assert refused.value.retry_after_seconds == 61
    assert not pauses


def test_attempts_come_to_an_end():
    with (
        misbehaving(*[refuse(503)] * 9) as server,
        patient(server, retries=Retries(n_attempts=3)) as asker,
        pytest.raises(client.NotReady),
    ):
        asker.health()
    assert len(server.received) == 3


def test_all_attempts_together_keep_the_deadline():
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    retries = Retries(n_attempts=1000, first_seconds=1, longest_seconds=4)
    with misbehaving(*[refuse(503)] * 50) as server:
        whole = Client(server.address, retries=retries, sleep=sleep, clock=lambda: now, chance=lambda: 1.0)
        with whole.within(20) as asker, pytest.raises(client.NotReady):
            asker.health()
    # Pauses of 1, 2, 4, 4, 4 and 4 come to 19 seconds; one more would end after the twentieth.
    assert now == 19
    assert len(server.received) == 7


def test_a_slow_answer_is_given_up_and_asked_for_again():
    with misbehaving(slow(1.0), say(HEALTHY)) as server, patient(server, attempt_seconds=0.2) as asker:
        assert asker.health().status == "ok"
    with (
        misbehaving(slow(1.0)) as server,
        patient(server, deadline_seconds=0.2) as asker,
        pytest.raises(client.Unreachable, match=r"within 0\.2 s"),
    ):
        asker.health()


def test_what_may_have_been_carried_out_is_not_sent_twice():
    for fault, error in ((hang_up, client.Unreachable), (refuse(503), client.NotReady)):
        for ask in (
            lambda asker: asker.create_job("train"),
            lambda asker: asker.replace_item("film-1", if_match='"tag"'),
            lambda asker: asker.update_item("film-1", title="x"),
            lambda asker: asker.promote("home", "als-1"),
        ):
            with misbehaving(fault, say(b"{}")) as server, patient(server) as asker, pytest.raises(error):
                ask(asker)
            assert len(server.received) == 1


def test_a_creation_sent_again_says_that_it_may_be_a_repetition():
    made = b'{"id": "film-1"}'
    with misbehaving(refuse(429), hang_up, say(made)) as server, patient(server) as asker:
        assert asker.create_item("film-1").id == "film-1"
    assert ["Idempotency-Key" in one.headers for one in server.received] == [False, False, True]


def test_what_was_refused_unheard_or_never_left_is_sent_again():
    made = b'{"id": 1, "kind": "train", "state": "queued"}'
    with misbehaving(refuse(429), say(made, 201)) as server, patient(server) as asker:
        assert not asker.create_job("train").ended
    tried: list[float] = []
    with pytest.raises(client.Unreachable, match="after 6 attempts"):
        Client("http://127.0.0.1:9", sleep=tried.append).create_job("train")
    assert len(tried) == 5


def test_what_cannot_be_kept_is_not_sent_again():
    body = json.dumps(
        {"detail": "value: too high", "request_id": "r1", "errors": [{"field": "value", "reason": "too high"}]}
    )
    with (
        misbehaving(say(body.encode(), 422)) as server,
        patient(server) as asker,
        pytest.raises(domain.Invalid, match="too high") as refused,
    ):
        asker.record("ann", "film-1", value=9)
    error = refused.value
    assert isinstance(error, client.Invalid)
    assert (error.field, error.request_id, error.status) == ("value", "r1", 422)
    assert len(server.received) == 1
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.errors) == (str(error), error.errors)


def test_each_recording_carries_a_key_that_its_retries_repeat():
    with misbehaving(hang_up, say(RECORDED), say(RECORDED)) as server, patient(server) as asker:
        asker.record("ann", "film-1")
        asker.record("ann", "film-1")
    first, again, other = (json.loads(one.body)["key"] for one in server.received)
    assert first == again != other


def test_deleting_what_an_attempt_without_answer_deleted_is_no_error():
    with misbehaving(hang_up, refuse(404)) as server, patient(server) as asker:
        asker.delete_item("film-1")
    with misbehaving(refuse(404)) as server, patient(server) as asker, pytest.raises(client.NotFound):
        asker.delete_item("film-1")


def test_what_is_no_answer_of_a_server_is_called_that():
    for content in (b"<html>welcome</html>", b"[]", b'{"status": 7}'):
        with misbehaving(say(content)) as server, patient(server) as asker, pytest.raises(client.Unexpected):
            asker.health()
    with (
        misbehaving(say(b'{"users": 7, "next": null}')) as server,
        patient(server) as asker,
        pytest.raises(client.Unexpected, match="the answer is not"),
    ):
        list(asker.users())


def test_nobody_is_sent_elsewhere_with_the_key():
    with (
        misbehaving(say(HEALTHY)) as other,
        misbehaving(say(b"", 307, Location=other.address)) as server,
        patient(server) as asker,
        pytest.raises(client.Refused, match="307"),
    ):
        asker.health()
    assert not other.received


def test_what_is_no_address_no_json_or_no_id_is_refused_at_once():
    for url in ("", "127.0.0.1:8000", "ftp://x", "http://", "http://x/?key=1"):
        with pytest.raises(domain.Invalid, match="address"):
            Client(url)
    with misbehaving() as server, patient(server) as asker:
        for value in (float("nan"), object()):
            with pytest.raises(domain.Invalid, match="JSON"):
                asker.update_item("film-1", attributes={"price": value})
        # An empty id would be the address of the list.
        for id in ("", 7, "a\0"):
            with pytest.raises(domain.Invalid, match="the user id"):
                asker.delete_user(id)  # type: ignore[arg-type]
    assert not server.received


def test_the_key_is_never_shown():
    assert "secret" not in repr(Client("http://x", "secret"))


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.001, 10), st.floats(0.001, 100))
def test_pauses_grow_twofold_up_to_the_longest(attempt: int, chance: float, first: float, longest: float):
    retries = Retries(first_seconds=first, longest_seconds=longest)
    assert 0 <= retries.pause_seconds(attempt, chance) <= longest
    reach = [retries.pause_seconds(one, 1.0) for one in range(1, 40)]
    assert all(later == pytest.approx(min(2 * before, longest)) for before, later in pairwise(reach))


@pytest.fixture
def trickle() -> Iterator[str]:
    """A server that sends an answer for ever, a little at a time."""
    ended = threading.Event()

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not ended.wait(0.02):
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_answer_that_trickles_is_given_up_too(trickle: str):
    with Client(trickle, deadline_seconds=0.3) as asker, pytest.raises(client.Unreachable, match=r"within 0\.3 s"):
        asker.health()

    async def ask() -> None:
        async with AsyncClient(trickle, deadline_seconds=0.3) as asker:
            await asker.health()

    with pytest.raises(client.Unreachable, match=r"within 0\.3 s"):
        asyncio.run(ask())


ROWS = st.dictionaries(st.sampled_from(["user", "item", "kind"]), st.text(st.characters(exclude_categories=["Cs"])))


@given(st.lists(ROWS, max_size=30), st.integers(1, 5), st.integers(1, 200))
def test_parts_hold_every_row_once_and_keep_their_bounds(rows: list[dict[str, str]], most: int, n_bytes: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_ROWS", most)
        patch.setattr(batches, "MOST_BYTES", n_bytes)
        parts = list(batches.parts_of(iter(rows)))
    assert [row for part in parts for row in part] == rows
    assert all(1 <= len(part) <= most for part in parts)
    assert all(len(part) == 1 or len(encoded(part)) <= n_bytes for part in parts)
