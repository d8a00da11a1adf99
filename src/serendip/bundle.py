"""A manifest and plain arrays in a folder, verified before anything of them is used.

Whoever keeps one, a store or a notebook, writes it into a folder that nobody looks at and renames that into place.
Nothing in it is ever run: arrays of objects are refused, and there is no pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serendip.domain import Invalid

FORMAT = 1
"""Raised when what is written can no longer be read by older versions of the program."""
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 << 20

_FILE = re.compile(r"[0-9]{1,6}\.npy")
_KINDS = "biufSU"
"""Numbers and fixed-width text, by numpy's letters; nothing that refers to objects."""

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


def write_bundle(draft: Path, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Write all of it into the folder ``draft`` and bring it to disk; its id, which begins with the manifest's name."""
    for key in ("format", "files", "checksum"):
        if key in manifest:
            raise Invalid(f"the manifest's field {key!r} is written by the program; leave it out", field=key)
    files = {title: _written(draft, n, title, array) for n, (title, array) in enumerate(arrays.items())}
    whole = {**manifest, "format": FORMAT, "files": files}
    whole["id"] = _content_id(whole)
    whole["checksum"] = hashlib.sha256(_canonical(whole)).hexdigest()
    _write(draft / MANIFEST, _canonical(whole))
    sync_folder(draft)
    written: str = whole["id"]
    return written


def read_bundle(folder: Path, title: str | None = None) -> tuple[dict[str, Any], Arrays]:
    """The manifest and the arrays, mapped from their files and read-only, once all of it is verified.

    ``title`` is the id it must have; None: any.
    """
    manifest = _manifest(folder, title)
    return manifest, {name: _array(folder, name, told) for name, told in manifest["files"].items()}


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


def _manifest(folder: Path, title: str | None) -> dict[str, Any]:
    """The manifest of a folder, if it is what was written there."""
    path, version = folder / MANIFEST, title or str(folder)
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
    known = found.get("id")
    if not isinstance(found.get("name"), str) or _content_id(found) != known or known != (title or known):
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


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
