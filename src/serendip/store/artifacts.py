"""Artifacts: a manifest and plain arrays in a folder of their own, verified before anything of them is used.

A version is written into a draft folder, brought to disk, and renamed into place; a half-written one is never seen.
Its id tells its content. Nothing in it is ever run: arrays of objects are refused, and there is no pickle.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from serendip.bundle import Arrays, read_bundle, sync_folder, write_bundle
from serendip.domain import Invalid, NotFound, NotReady
from serendip.store.lock import FileLock

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}")
_DRAFT = ".draft-"


class Artifacts:
    """A folder of versions, which several processes and machines may share."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def save(self, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
        """Keep a version under its ``manifest["name"]``; its id. The same content has the same id."""
        name = manifest.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Invalid(f"the name {name!r} cannot begin an id; use small letters, digits, '-', '_', '.'", "name")
        with _disk(self.folder), self._draft() as draft:
            version = write_bundle(draft, manifest, arrays)
            self._publish(draft, version)
        return version

    def load(self, version: str) -> tuple[dict[str, Any], Arrays]:
        """The manifest and the arrays, mapped from their files and read-only, once all of it is verified."""
        folder = self._folder(version)
        with _disk(folder):
            return read_bundle(folder, version)

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
        sync_folder(self.folder)

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
