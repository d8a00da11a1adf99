"""Artifacts: a manifest and plain arrays in a folder of their own, verified before anything of them is used.

A version is written into a draft folder, brought to disk, and renamed into place; a half-written one is never seen.
Its id tells its content. Nothing in it is ever run: arrays of objects are refused, and there is no pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from serendip.domain import Invalid, NotFound, NotReady
from serendip.store.lock import FileLock

FORMAT = 1
"""Raised when what is written can no longer be read by older versions of the program."""
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 << 20

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}")
_FILE = re.compile(r"[0-9]{1,6}\.npy")
_DRAFT = ".draft-"
_KINDS = "biufSU"
"""Numbers and fixed-width text, by numpy's letters; nothing that refers to objects."""

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Artifacts:
    """A folder of versions, which several processes and machines may share."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def save(self, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
        """Keep a version under its ``manifest["name"]``; its id. The same content has the same id."""
        name = manifest.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Invalid(f"the name {name!r} cannot begin an id; use small letters, digits, '-', '_', '.'", "name")
        for key in ("format", "files", "checksum"):
            if key in manifest:
                raise Invalid(f"the manifest's field {key!r} is written by the store; leave it out", field=key)
        with _disk(self.folder), self._draft() as draft:
            files = {title: _written(draft, n, title, array) for n, (title, array) in enumerate(arrays.items())}
            whole = {**manifest, "format": FORMAT, "files": files}
            whole["id"] = _content_id(whole)
            whole["checksum"] = hashlib.sha256(_canonical(whole)).hexdigest()
            _write(draft / MANIFEST, _canonical(whole))
            _sync_folder(draft)
            self._publish(draft, whole["id"])
        version: str = whole["id"]
        return version

    def load(self, version: str) -> tuple[dict[str, Any], Arrays]:
        """The manifest and the arrays, mapped from their files and read-only, once all of it is verified."""
        folder = self._folder(version)
        with _disk(folder):
            manifest = _manifest(folder, version)
            return manifest, {title: _array(folder, title, told) for title, told in manifest["files"].items()}

    def remove(self, version: str) -> bool:
        """Delete a version; whether there was one. Processes that have it mapped keep it until they let go."""
        try:
            folder = self._folder(version)
        except NotFound:
            return False
        with _disk(folder):
            gone = self.folder / f"{_DRAFT}{secrets.token_hex(8)}"
            folder.rename(gone)
            shutil.rmtree(gone)
        return True

    def ids(self) -> list[str]:
        """Ids of the versions that are there, in order."""
        with _disk(self.folder):
            if not self.folder.is_dir():
                return []
            return sorted(entry.name for entry in self.folder.iterdir() if _ID.fullmatch(entry.name))

    def clean_drafts(self) -> int:
        """Delete drafts whose writer is no more; how many."""
        with _disk(self.folder):
            drafts = [draft for draft in self.folder.glob(_DRAFT + "*") if draft.suffix != ".lock"]
            return sum(_cleaned(draft) for draft in drafts)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """A folder to write into, which is gone afterwards unless it was renamed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{_DRAFT}{secrets.token_hex(8)}"
        lock = FileLock(draft.with_name(draft.name + ".lock"))
        try:
            lock.take()
            draft.mkdir()
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            lock.path.unlink(missing_ok=True)
            lock.close()

    def _publish(self, draft: Path, version: str) -> None:
        """Rename a finished draft into place; a version that is there and sound stays, a damaged one makes room."""
        target = self.folder / version
        if target.exists():
            try:
                self.load(version)
            except (Invalid, NotReady):
                self.remove(version)
            else:
                return
        try:
            draft.rename(target)
        except OSError:
            # Another process may have published the same content meanwhile.
            self.load(version)
        _sync_folder(self.folder)

    def _folder(self, version: str) -> Path:
        folder = self.folder / version if _ID.fullmatch(version) else None
        if folder is None or folder.is_symlink() or not folder.is_dir():
            raise NotFound(f"no artifact {version!r} in {self.folder}; it was removed, or trained elsewhere")
        return folder


def _cleaned(draft: Path) -> bool:
    """Whether a draft was deleted, which is so unless its writer still holds its lock."""
    lock = FileLock(draft.with_name(draft.name + ".lock"))
    try:
        dead = lock.take()
        if dead:
            shutil.rmtree(draft, ignore_errors=True)
            lock.path.unlink(missing_ok=True)
    finally:
        lock.close()
    return dead


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotReady(
            f"the artifacts in {folder} cannot be used: {error}; check the disk's room and rights"
        ) from error


def _canonical(manifest: Mapping[str, Any]) -> bytes:
    """The one way to write a manifest, so that its bytes can be compared."""
    try:
        return json.dumps(manifest, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"the manifest is not plain JSON: {error}; keep numbers, text, lists and mappings") from None


def _content_id(manifest: Mapping[str, Any]) -> str:
    told = {key: value for key, value in manifest.items() if key not in ("id", "created_at", "checksum")}
    return f"{manifest['name']}-{hashlib.sha256(_canonical(told)).hexdigest()[:12]}"


def _written(draft: Path, n: int, title: str, given: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Write one array; what the manifest says of it."""
    array = np.asarray(given, order="C")
    if array.dtype.kind not in _KINDS:
        raise Invalid(f"the array {title!r} is of type {array.dtype}; only numbers and text can be kept")
    path = draft / f"{n}.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": path.name,
        "sha256": digest,
        "bytes": path.stat().st_size,
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "finite": bool(np.isfinite(array).all()) if array.dtype.kind == "f" else True,
    }


def _manifest(folder: Path, version: str) -> dict[str, Any]:
    """The manifest of a folder, if it is what was written there."""
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
        raise _damaged(version, "its manifest is missing, or is no file of sensible size")
    raw = path.read_bytes()
    try:
        found = json.loads(raw)
        sound = isinstance(found, dict) and _canonical(found) == raw
    except (ValueError, RecursionError, Invalid):
        sound = False
    if not sound:
        raise _damaged(version, "its manifest is not as it was written")
    if found.get("format") != FORMAT:
        raise Invalid(
            f"the artifact {version} has format {found.get('format')!r} and this version of serendip reads {FORMAT}; "
            "train it again"
        )
    told = {key: value for key, value in found.items() if key != "checksum"}
    if found.get("checksum") != hashlib.sha256(_canonical(told)).hexdigest():
        raise _damaged(version, "its manifest does not fit its checksum")
    if not isinstance(found.get("name"), str) or found.get("id") != version or _content_id(found) != version:
        raise _damaged(version, "its id does not fit its content")
    if not isinstance(found.get("files"), dict):
        raise _damaged(version, "its manifest names no files")
    manifest: dict[str, Any] = found
    return manifest


def _array(folder: Path, title: str, told: object) -> np.ndarray[Any, Any]:
    """One array, mapped, if its file is what the manifest says."""
    version = folder.name
    if not isinstance(told, dict) or not isinstance(told.get("file"), str) or not _FILE.fullmatch(told["file"]):
        raise _damaged(version, f"its manifest names no proper file for {title!r}")
    path = folder / told["file"]
    if path.is_symlink() or not path.is_file() or path.stat().st_size != told.get("bytes"):
        raise _damaged(version, f"the file of {title!r} is missing or has another size")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != told.get("sha256"):
            raise _damaged(version, f"the file of {title!r} is not as it was written")
        file.seek(0)
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another format of file")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except (ValueError, EOFError) as error:
            raise _damaged(version, f"the file of {title!r} is no array: {error}") from None
        begin = file.tell()
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    if dtype.kind not in _KINDS or fortran or dtype.str != told.get("dtype") or list(shape) != told.get("shape"):
        raise _damaged(version, f"the array {title!r} is of another type or shape than its manifest says")
    if begin + n_bytes != told["bytes"]:
        raise _damaged(version, f"the array {title!r} does not fill its file")
    try:
        # An empty file cannot be mapped.
        array = np.memmap(path, dtype=dtype, mode="r", offset=begin, shape=shape) if n_bytes else np.zeros(shape, dtype)
    except (ValueError, OverflowError, MemoryError) as error:
        raise _damaged(version, f"the array {title!r} has no possible shape: {error}") from None
    if dtype.kind == "f" and told.get("finite") is not False and not np.isfinite(array).all():
        raise _damaged(version, f"the array {title!r} holds numbers that are not finite")
    return array


def _damaged(version: str, how: str) -> Invalid:
    return Invalid(f"the artifact {version} is damaged: {how}; remove it and train it again, or restore a copy")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
