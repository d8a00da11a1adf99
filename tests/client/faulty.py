"""A server on loopback that misbehaves as a test tells it, and may pass requests on to a real one."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Faulty:
    """What each request meets, in turn; after the last one, everything is passed on."""

    target: str | None
    """The real server's address."""
    faults: list[Callable[[Faulty, Received], Reply | None]] = field(default_factory=list)
    """Each gives a reply, or None to hang up without a word."""
    received: list[Received] = field(default_factory=list)
    address: str = ""

    def pass_on(self, asked: Received) -> Reply:
        assert self.target is not None
        request = urllib.request.Request(
            self.target + asked.path, asked.body or None, {**asked.headers, "Host": "x"}, method=asked.method
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, dict(refused.headers), refused.read()


def hang_up(server: Faulty, asked: Received) -> None:
    """The connection breaks before anything is done."""


def lose_the_answer(server: Faulty, asked: Received) -> None:
    """What was asked is done, and the connection breaks before anybody hears of it."""
    server.pass_on(asked)


def refuse(status: int, **headers: str) -> Callable[[Faulty, Received], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _server, _asked: (status, named, b'{"detail": "not now"}')


def say(content: bytes, status: int = 200, **headers: str) -> Callable[[Faulty, Received], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _server, _asked: (status, named, content)


def slow(seconds: float) -> Callable[[Faulty, Received], Reply]:
    def wait(server: Faulty, asked: Received) -> Reply:
        time.sleep(seconds)
        return server.pass_on(asked) if server.target else (200, {}, b"{}")

    return wait


@contextmanager
def misbehaving(*faults: Callable[[Faulty, Received], Reply | None], target: str | None = None) -> Iterator[Faulty]:
    """A server that does ``faults`` one after the other."""
    told = Faulty(target, list(faults))
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Received(self.command, self.path, dict(self.headers), body)
            with turn:
                told.received.append(asked)
                fault = told.faults.pop(0) if told.faults else Faulty.pass_on
            reply = fault(told, asked)
            if reply is None:
                self.close_connection = True
                return
            status, headers, content = reply
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
