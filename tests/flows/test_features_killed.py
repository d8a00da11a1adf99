"""A build of a feature table whose process is killed, on each database: whole batches stay, nothing comes twice."""

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
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from databases import database, empty_url
from serendip.data.features import parse_features
from serendip.domain import NotFound, moment
from serendip.flows.features import Label, build, logged, read_feature_table
from serendip.store.feature_tables import FeatureTables

__all__ = ["database", "empty_url"]

N_ROWS, N_BATCH, N_KILLS = 6_000, 50, 2
FEATURES = ("count(item, view)", "rate(user, like/view)", "count(user x item)", "recency(item)", "hour")

BUILD = """
import sys
from test_features_killed import built
built(sys.argv[1], sys.argv[2])
"""


def events(folder: Path) -> str:
    """A log of views and likes, several of them at each moment."""
    rng = np.random.default_rng(2)
    rows = pl.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, 200, N_ROWS)],
            "item": [f"i{i}" for i in rng.integers(0, 50, N_ROWS)],
            "kind": rng.choice(["view", "like"], N_ROWS, p=[0.8, 0.2]),
            "at": [moment(1_700_000_000_000_000 + 60_000_000 * int(i)) for i in np.sort(rng.integers(0, 9000, N_ROWS))],
        }
    )
    rows.write_parquet(folder / "events.parquet")
    return str(folder / "events.parquet")


def built(file: str, to: str) -> None:
    """The build that is killed, and that goes on."""
    data = logged(file)
    tables = FeatureTables.at(to)
    build(data, parse_features(FEATURES), tables, moment(data.now), Label("view", "like"), batch_rows=N_BATCH)
    tables.close()


def kept(url: str) -> tuple[int, int, int]:
    """Batches that are said to be there, rows that are said to be, and rows that are."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as c:
            name, n_batches, n_rows = c.execute(
                text("SELECT name, n_batches, n_rows FROM serendip_feature_tables")
            ).one()
            return n_batches, n_rows, c.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
    finally:
        engine.dispose()


def started(url: str, more_than: int) -> bool:
    try:
        return kept(url)[0] > more_than
    except SQLAlchemyError:  # there is no table yet, or it is being made
        return False


@pytest.mark.slow
def test_a_build_that_is_killed_again_and_again_has_the_rows_of_one_that_was_not(empty_url: str, tmp_path: Path):
    file, chance = events(tmp_path), random.Random(4)
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (root / "src", root / "tests", Path(__file__).parent)))
    }
    n_batches = 0
    for _ in range(N_KILLS):
        program = subprocess.Popen(
            [sys.executable, "-c", BUILD, file, empty_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        deadline = time.monotonic() + 60
        while not started(empty_url, n_batches) and program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.05))
        assert program.poll() is None, f"finished before it was killed: {program.communicate()}"
        program.send_signal(signal.SIGKILL)
        program.communicate()
        before, n_batches = n_batches, kept(empty_url)[0]
        assert before < n_batches < N_ROWS / N_BATCH
        n_said, n_there = kept(empty_url)[1:]
        assert n_said == n_there, "the rows are those of whole batches"
        try:
            read_feature_table(empty_url)
        except NotFound:
            continue
        raise AssertionError("a table that is not finished was read")
    built(file, empty_url)
    built(file, str(tmp_path / "whole"))
    killed, whole = read_feature_table(empty_url), read_feature_table(str(tmp_path / "whole"))
    np.testing.assert_array_equal(killed.matrix, whole.matrix)
    np.testing.assert_array_equal(killed.label, whole.label)
    np.testing.assert_array_equal(killed.at, whole.at)
    np.testing.assert_array_equal(killed.group, whole.group)
    assert len(killed.at) == pl.read_parquet(file).filter(pl.col("kind") == "view").height
