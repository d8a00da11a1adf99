from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip.store import Store

N_ROWS, N_USERS, N_ITEMS, N_KILLS = 500_000, 2_000, 1_000, 21


@pytest.mark.slow
def test_an_import_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path):
    rng, chance = np.random.default_rng(5), random.Random(5)
    rows = pl.DataFrame(
        {
            "user": rng.integers(N_USERS, size=N_ROWS),
            "item": rng.integers(N_ITEMS, size=N_ROWS),
            # Few enough distinct moments that some rows are the same in every field: real repeats, which stay.
            "at": 1_700_000_000 + rng.integers(1000, size=N_ROWS),
        }
    )
    file, url = tmp_path / "events.csv", f"sqlite:///{tmp_path / 'killed.db'}"
    rows.write_csv(file)
    Store.open(url).close()

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "serendip", "import", str(file), "--database", url, "--json"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path)

    for kill in range(N_KILLS):
        before = kept(url)
        importing = start()
        deadline = time.monotonic() + 60
        if kill % 5 == 4:
            while kept(url) == before and time.monotonic() < deadline:
                time.sleep(0.02)
        # Short enough that an import on a fast machine does not come to its end before the last kill.
        time.sleep(chance.uniform(0, 0.1 if kill % 5 == 4 else 0.6))
        assert importing.poll() is None, f"finished before kill {kill + 1}: {importing.communicate()}"
        importing.send_signal(signal.SIGKILL)
        importing.communicate()
    last = start()
    said, complaint = last.communicate(timeout=300)
    assert last.returncode == 0, complaint
    store = Store.open(url)
    try:
        assert store.check() == []
        counts = store.counts()
        assert (counts.users, counts.items, counts.interactions) == (N_USERS, N_ITEMS, N_ROWS)
        columns = store.interaction_columns()
        _, user_ids = store.user_ids()
        by_user = dict(zip(*np.unique(columns["user_key"].to_numpy(), return_counts=True), strict=True))
        keys, _ = store.user_ids()
        of_file = dict(rows["user"].cast(pl.String).value_counts().iter_rows())
        assert {id_: by_user[key] for key, id_ in zip(keys, user_ids, strict=True)} == of_file
    finally:
        store.close()
    assert b'"rows_read": 500000' in said


def kept(url: str) -> int:
    store = Store.open(url)
    try:
        return store.counts().interactions
    finally:
        store.close()
