"""The server on a real port: what it refuses to listen on, whom it cuts, how it ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from serendip.domain import NotReady
from serendip.logs import JsonLines, set_up_logs
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_key
from serendip.web.serve import bound, check_port, running

from .conftest import NOON, World


@pytest.fixture
def kept(world: World, tmp_path: Path) -> Iterator[tuple[Store, Artifacts]]:
    import shutil

    shutil.copytree(world.folder, tmp_path / "kept")
    store = Store.open(f"sqlite:///{tmp_path / 'kept' / 'serendip.db'}")
    yield store, Artifacts(tmp_path / "kept" / "artifacts")
    store.close()


def test_a_port_in_use_and_an_address_that_is_not_ours_are_named() -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(NotReady, match="is in use"):
            check_port("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(NotReady, match="no address"):
        check_port("no.such.host.invalid", 0)
    with pytest.raises(NotReady, match="203"):
        check_port("203.0.113.7", 0)
    check_port("127.0.0.1", 0)


def test_the_server_answers_while_the_block_runs(kept: tuple[Store, Artifacts]) -> None:
    store, artifacts = kept
    key = new_key(store, "test", ("read", "write"), NOON)
    with running(store, artifacts, Settings(port=0)) as address:
        asked = urllib.request.Request(
            f"{address}/v1/recommendations?user=user-1&scenario=for-you", headers={"X-API-Key": key}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert len(json.load(answer)["items"]) == 10
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(asked, timeout=2)


def wait_for_end(connection: socket.socket, seconds: float) -> tuple[bytes, float]:
    """What comes until the other side closes, and how long that took."""
    connection.settimeout(seconds)
    start, received = time.monotonic(), b""
    try:
        while part := connection.recv(4096):
            received += part
    except ConnectionResetError:
        pass
    return received, time.monotonic() - start


def test_slow_senders_are_cut(kept: tuple[Store, Artifacts]) -> None:
    store, artifacts = kept
    key = new_key(store, "test", ("read", "write"), NOON)
    with running(store, artifacts, Settings(port=0, receive_seconds=0.5)) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as silent:
            assert wait_for_end(silent, 5)[1] < 3
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n")
            received, seconds = wait_for_end(slow, 5)
            assert received.startswith(b"HTTP/1.1 408")
            assert seconds < 3
        with socket.create_connection((host, int(port))) as slow_body:
            head = f"POST /v1/items HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
            slow_body.sendall(head.encode() + b"Content-Length: 100\r\n\r\n{")
            received, seconds = wait_for_end(slow_body, 5)
            assert received.startswith(b"HTTP/1.1 408")
            assert b"application/problem+json" in received
        with socket.create_connection((host, int(port))) as again:
            again.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            again.recv(4096)
            again.sendall(b"GET /healthz HTT")
            assert b"HTTP/1.1 408" in wait_for_end(again, 5)[0]


def test_endless_headers_are_cut(kept: tuple[Store, Artifacts]) -> None:
    store, artifacts = kept
    with running(store, artifacts, Settings(port=0)) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as long:
            try:
                long.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n")
                received = wait_for_end(long, 5)[0]
            except (ConnectionResetError, BrokenPipeError):
                received = b""
            assert received == b"" or received.startswith(b"HTTP/1.1 431")


SCRIPT = """
import sys
from pathlib import Path
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.serve import serve
folder = Path(sys.argv[1])
store = Store.open(f"sqlite:///{folder / 'serendip.db'}")
serve(store, Artifacts(folder / "artifacts"), Settings(port=0), lambda address: print(address, flush=True))
store.close()
print("ended well")
"""


def test_sigterm_lets_what_runs_finish_and_ends_well(world: World, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(world.folder, tmp_path / "kept")
    source = Path(__file__).parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "kept")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert not address.endswith(":0")
    assert (
        next(told["address"] for line in process.stdout if (told := json.loads(line))["message"] == "listening")
        == address
    )
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
            break
        except urllib.error.URLError:
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert rest.endswith("ended well\n")
    request = next(json.loads(line) for line in rest.splitlines() if '"route":"/healthz"' in line)
    assert request["status"] == 200
    assert request["duration_ms"] > 0


def test_a_line_of_the_log_is_json_and_a_file_is_used_where_one_is_named(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs(Settings(log_file=tmp_path / "logs" / "serendip.log", log_level="warning"))
        logging.getLogger("serendip.test").warning("careful %s", "now", extra={"route": "/x"})
        logging.getLogger("serendip.test").info("not this")
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = (tmp_path / "logs" / "serendip.log").read_text().splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["route"]) == ("warning", "careful now", "/x")
    record = logging.makeLogRecord({"msg": "odd", "thing": object()})
    assert json.loads(JsonLines().format(record))["thing"].startswith("<object")
