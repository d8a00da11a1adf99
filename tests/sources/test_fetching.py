"""Fetching from a publisher that stands on this machine."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from serendip.domain import Invalid, NotReady
from serendip.sources.datasets import NAMES, fetch
from serendip.sources.datasets.fetching import fetch_known
from serendip.sources.datasets.known import Known


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(zipfile.ZipInfo("ml/ratings.csv"), "userId,movieId\n1,2\n")
        file.writestr(zipfile.ZipInfo("ml/movies.csv"), "movieId,title\n2,Heat\n")
    return packed.getvalue()


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = archive()
        if self.path == "/gone.zip":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(
            body[:50] if self.path == "/cut.zip" else b"x" * len(body) if self.path == "/other.zip" else body
        )

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def known() -> Iterator[Known]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/ml.zip"
    yield replace(NAMES["movielens-latest-small"], url=url, sha256=hashlib.sha256(archive()).hexdigest())
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_fetched_is_checked_unpacked_and_named(known: Known, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    folder = fetch_known(known, tmp_path / "sets", lambda done, total: told.append((done, total)))
    assert folder == tmp_path / "sets" / known.name
    assert sorted(path.name for path in folder.iterdir()) == ["movies.csv", "ratings.csv"]
    assert told[-1] == (len(archive()), len(archive()))
    assert [path.name for path in folder.parent.iterdir()] == [known.name]
    with pytest.raises(Invalid, match="is there already"):
        fetch_known(known, tmp_path / "sets")


@pytest.mark.parametrize(
    ("file", "error", "word"),
    [
        ("other.zip", Invalid, "is not what it was"),
        ("cut.zip", NotReady, "stopped after"),
        ("gone.zip", NotReady, "404"),
    ],
)
def test_what_goes_wrong_leaves_nothing_behind(
    file: str, error: type[Exception], word: str, known: Known, tmp_path: Path
) -> None:
    assert known.url is not None
    with pytest.raises(error, match=word):
        fetch_known(replace(known, url=known.url.replace("ml.zip", file)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_archive_leaves_nothing_behind(known: Known, tmp_path: Path) -> None:
    assert known.url is not None
    digest = hashlib.sha256(b"x" * len(archive())).hexdigest()
    with pytest.raises(Invalid, match="not a zip"):
        fetch_known(replace(known, url=known.url.replace("ml.zip", "other.zip"), sha256=digest), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nobody_answering_is_said_so(known: Known, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="could not be fetched"):
        fetch_known(replace(known, url="http://127.0.0.1:9/ml.zip"), tmp_path)


def test_a_set_without_a_checksum_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"github\.com/sidooms/MovieTweetings"):
        fetch("movietweetings", tmp_path)
