"""The application on a port: until it is told to stop, or for as long as a block runs."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic, sleep
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serendip.domain import NotReady
from serendip.jobs.worker import Worker, working
from serendip.logs import set_up_logs
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.services import system_clock

DRAIN_SECONDS = 20
"""After SIGTERM, requests that run may finish within this long."""
MAX_HEADER_BYTES = 64 * 1024
BACKLOG = 512

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def protocol_with_deadline(seconds: float) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, which cuts a connection whose request line and headers do not arrive within ``seconds``.

    The body's deadline and size are the application's business (``middleware.Limits``).
    """

    class Deadline(HttpToolsProtocol):
        _due: asyncio.TimerHandle | None = None
        _received = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._arm()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._received = 0
            self._arm()

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            self._weigh(len(url))

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            self._weigh(len(name) + len(value))

        def on_headers_complete(self) -> None:
            self._disarm()
            if self._received <= MAX_HEADER_BYTES:
                super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def _arm(self) -> None:
            if self._due is None:
                self._due = self.loop.call_later(seconds, self._cut, TOO_SLOW)

        def _disarm(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

        def _weigh(self, n_bytes: int) -> None:
            self._received += n_bytes
            if self._received > MAX_HEADER_BYTES:
                self._cut(TOO_LONG)

        def _cut(self, answer: bytes) -> None:
            self._disarm()
            if not self.transport.is_closing():
                self.transport.write(answer)
                self.transport.close()

    return Deadline


def bound(host: str, port: int) -> socket.socket:
    """A socket on the address; NotReady in one sentence where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise NotReady(f"there is no address {host!r} on this machine; try --host 127.0.0.1") from None
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise NotReady(f"port {port} of {host} is in use; stop what runs there or choose another --port") from None
        if error.errno == errno.EACCES:
            raise NotReady(f"port {port} needs more rights than we have; choose a --port above 1023") from None
        raise NotReady(f"{host} port {port} cannot be listened on: {error.strerror}; try --host 127.0.0.1") from None
    return found


def check_port(host: str, port: int) -> None:
    """NotReady where ``serve`` could not listen; nothing stays open."""
    bound(host, port).close()


def _server(store: Store, artifacts: Artifacts, settings: Settings) -> uvicorn.Server:
    options: dict[str, Any] = {
        "http": protocol_with_deadline(settings.receive_seconds),
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "backlog": BACKLOG,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }
    return uvicorn.Server(uvicorn.Config(create_app(store, artifacts, settings), **options))


def serve(
    store: Store, artifacts: Artifacts, settings: Settings, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Answer requests, and do jobs unless told not to, until SIGTERM or SIGINT; what runs then may finish.

    ``ready`` is told the address once it is ours.
    """
    with bound(settings.host, settings.port) as opened:
        set_up_logs(settings)
        host, port = opened.getsockname()[:2]
        address = f"http://{host}:{port}"
        ready(address)
        logging.getLogger("serendip.web").info("listening", extra={"address": address})
        # uvicorn drains, then sends itself the signal once more; by then we only want to return.
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        jobs = working(Worker(store, settings, system_clock)) if settings.worker else nullcontext()
        try:
            with jobs:
                _server(store, artifacts, settings).run(sockets=[opened])
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def running(store: Store, artifacts: Artifacts, settings: Settings) -> Iterator[str]:
    """The server in a thread of its own while the block runs; gives its address."""
    with bound(settings.host, settings.port) as opened:
        server = _server(store, artifacts, settings)
        server.config.load()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="serendip-server", daemon=True)
        thread.start()
        until = monotonic() + DRAIN_SECONDS
        while not server.started:
            if not thread.is_alive() or monotonic() > until:
                raise NotReady("the server did not start; the log says why")
            sleep(0.01)
        host, port = opened.getsockname()[:2]
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(DRAIN_SECONDS)
