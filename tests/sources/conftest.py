"""Small files to be read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file with this content, whose name says nothing of its format."""

    def write(content: str | bytes, name: str = "data.txt", *, zipped: bool = False) -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if zipped else data)
        return path

    return write
