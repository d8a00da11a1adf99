from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the commands run in, with a database and versions of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'here.db'}")
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "versions"))
    return tmp_path
