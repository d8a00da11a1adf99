"""A real browser before a server of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.guard import new_link
from serendip.web.serve import running

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def browsing(world: Path, kept: Path) -> Iterator[Any]:
    """A page that is signed in at a server over a copy of ``world``, and the list of everything it complained of."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no {CHROMIUM}; install chromium")
        pytest.skip(f"there is no {CHROMIUM}; install chromium to drive the pages")
    api = pytest.importorskip("playwright.sync_api")
    shutil.copytree(world, kept)
    store = Store.open(f"sqlite:///{kept / 'serendip.db'}")
    link = new_link(store, "administrator", datetime.now(UTC))
    with running(store, Artifacts(kept / "artifacts"), Settings(port=0)) as address, api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=address)
        page.complaints = []
        page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(address) else page.complaints.append(f"outside: {r.url}"))
        page.goto(link)
        yield page
        browser.close()
    store.close()


def check_page(page: Any, address: str, width: int) -> None:
    """A page that is not wider than the window, has one headline, shows every picture and complains of nothing."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length") == 0
    assert page.complaints == []
