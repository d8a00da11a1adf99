"""A shop's REST service of customers that answers badly, as a program of its own: ``python shop_service.py N``."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Shop:
    """What it lists, how it misbehaves, and what it was asked."""

    ids: list[object]
    odd: dict[str, bytes | int] = field(default_factory=dict)
    """For an id: a body instead of the right one, or a status that is always given."""
    flaky: bool = True
    """Every third customer is refused once before being told, in turn: 500, 429 with Retry-After, hanging up."""
    away: bool = False
    slow: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)
    """When it was asked while it had told everybody to wait; stays empty where they do."""
    wait_until: float = 0.0
    most: int = 0
    """The most requests that were here at once."""
    here: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def values(number: int) -> dict[str, list[object]]:
    """What is known of a customer; every tenth buys in two countries."""
    one = {"country": [25], "R": [number % 365], "F": [number % 50], "M": [number * 1.5]}
    return (
        {name: [*own, *([34] if name == "country" else [0])] for name, own in one.items()} if number % 10 == 0 else one
    )  # type: ignore[return-value]


def serving(shop: Shop) -> ThreadingHTTPServer:
    """The service on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with shop.lock:
                shop.here += 1
                shop.most = max(shop.most, shop.here)
                shop.asked[self.path] = n = shop.asked.get(self.path, 0) + 1
                if time.monotonic() < shop.wait_until:
                    shop.at.append(time.monotonic())
            try:
                time.sleep(shop.slow)
                self.answer(n)
            finally:
                with shop.lock:
                    shop.here -= 1

        def answer(self, n: int) -> None:
            if self.path == "/users":
                return self.say(200, json.dumps(shop.ids).encode())
            id_ = self.path.removeprefix("/users/")
            if shop.away:
                return self.say(503, b"{}")
            if id_ in shop.odd:
                told = shop.odd[id_]
                return self.say(told, b"{}") if isinstance(told, int) else self.say(200, told)
            number = int(id_)
            if shop.flaky and n == 1 and number % 3 == 0:
                if number % 9 == 0:
                    return self.say(500, b"oops")
                if number % 9 == 3:
                    return self.say(429, b"{}", **{"Retry-After": "0"})
                self.close_connection = True
                return None
            return self.say(200, json.dumps({"user_id": number, "values": values(number)}).encode())

        def say(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


if __name__ == "__main__":
    made = serving(Shop(list(range(1, int(sys.argv[1]) + 1)), slow=0.002))
    print(made.server_address[1], flush=True)
    threading.Event().wait()
