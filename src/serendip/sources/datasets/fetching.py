"""Data sets from their publishers: the right bytes whole, or nothing."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from serendip.domain import Invalid, NotReady
from serendip.sources.datasets.known import Known

TIMEOUT_SECONDS = 60

Progress = Callable[[int, int | None], None]
"""Told the bytes so far, and all of them where the publisher says how many."""


def fetch_known(known: Known, to: Path, progress: Progress | None = None) -> Path:
    """The folder ``to``/<name> with the set's files, fetched, checked against the pinned checksum, and unpacked.

    Everything happens in a draft folder that is renamed when it is complete;
    whatever goes wrong leaves nothing behind.
    """
    if known.url is None or known.sha256 is None:
        raise Invalid(f"{known.name} is not fetched by us; get it from {known.page} and name its folder with --from")
    target = to / known.name
    if target.exists():
        raise Invalid(f"{target} is there already; load it from there, or remove it to fetch it again")
    to.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{known.name}-", dir=to))
    try:
        archive = draft / "archive.zip"
        digest = _download(known.url, archive, progress)
        if digest != known.sha256:
            raise Invalid(
                f"{known.url} is not what it was: sha256 {digest}, not {known.sha256}; nothing was kept. "
                f"See {known.page}, and load what you get there with --from"
            )
        files = draft / "files"
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(files)
        inner = list(files.iterdir())
        whole = inner[0] if len(inner) == 1 and inner[0].is_dir() else files
        whole.rename(target)
    except zipfile.BadZipFile:
        raise Invalid(f"{known.url} is not a zip archive; nothing was kept") from None
    except OSError as error:
        raise NotReady(f"{known.name} could not be fetched from {known.url}: {_cause(error)}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def fetch_file(url: str, sha256: str, target: Path, progress: Progress | None = None) -> bool:
    """Get one file to ``target``, with the right checksum or not at all; False where it is there already.

    A file of another checksum that is there is not touched.
    """
    if target.exists():
        found = _digest_of(target)
        if found == sha256:
            return False
        raise Invalid(f"{target} is there already with sha256 {found}, not {sha256}; remove it to fetch it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        digest = _download(url, draft / "file", progress)
        if digest != sha256:
            raise Invalid(f"{url} is not what it was: sha256 {digest}, not {sha256}; nothing was kept")
        (draft / "file").rename(target)
    except OSError as error:
        raise NotReady(f"{target.name} could not be fetched from {url}: {_cause(error)}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _download(url: str, to: Path, progress: Progress | None) -> str:
    """Fetch ``url`` into a file and give the sha256 of what came."""
    digest, done = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "serendip"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, to.open("wb") as file:
        length = answer.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else None
        while block := answer.read(1 << 16):
            file.write(block)
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, total)
    if total is not None and done < total:
        raise NotReady(f"{url} stopped after {done} of {total} bytes; nothing was kept, try again")
    return digest.hexdigest()


def _cause(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server says {error.code} {error.reason}"
    return str(getattr(error, "reason", None) or error)
