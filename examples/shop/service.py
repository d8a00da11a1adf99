"""The till's REST service of customers, as a made one: ``GET /users`` lists ids, ``GET /users/{id}`` tells of one.

Reads ``users.csv`` and answers on loopback; now and then it is busy, as such services are.
"""

from __future__ import annotations

import argparse
import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUSY = 50
"""Every so many requests one is told to come again."""


def customers(file: Path) -> dict[str, dict[str, list[float]]]:
    """What is known of every customer, as lists: somebody may buy in several countries."""
    found: dict[str, dict[str, list[float]]] = {}
    with file.open(newline="", encoding="utf-8") as told:
        for row in csv.DictReader(told):
            own = found.setdefault(row["user_id"], {name: [] for name in ("country", "R", "F", "M")})
            for name, values in own.items():
                values.append(float(row[name]))
    return found


def service(file: Path, port: int = 0) -> ThreadingHTTPServer:
    """The service, not yet running; port 0 takes a free one."""
    known = customers(file)
    lock, asked = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                asked[0] += 1
                busy = asked[0] % BUSY == 0
            id_ = self.path.removeprefix("/users/")
            if busy:
                self.say(503, {"detail": "busy"}, {"Retry-After": "0"})
            elif self.path == "/users":
                self.say(200, list(known))
            elif id_ in known:
                self.say(200, {"user_id": id_, "values": known[id_]})
            else:
                self.say(404, {"detail": "no such user"})

        def say(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            lengths = {"Content-Type": "application/json", "Content-Length": str(len(content))}
            for name, value in (lengths | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


@contextmanager
def running(file: Path) -> Iterator[str]:
    """The service's address while it runs."""
    server = service(file)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve until stopped."""
    told = argparse.ArgumentParser(description="The till's customers over HTTP.")
    told.add_argument("file", type=Path, help="users.csv")
    told.add_argument("--port", type=int, default=9000)
    given = told.parse_args()
    server = service(given.file, given.port)
    print(f"http://127.0.0.1:{server.server_address[1]}/users", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
