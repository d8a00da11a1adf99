"""Groups of customers that are kept, and made again only for other data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip.domain import Interaction, Invalid, User
from serendip.flows.segments import config_of, segments
from serendip.models.segments import SegmentsConfig, elbow
from serendip.store import Artifacts, Store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RFM = SegmentsConfig(n_segments=2, columns=("R", "F", "M"))


def customers(store: Store, n: int = 40) -> None:
    """Half of them come often and lately, half seldom and long ago; one is not told of."""
    told = [(3, 40 + i, 900) if i % 2 else (200, 1, 20 + i) for i in range(n)]
    rows = [{"id": f"u{i}", "attributes": f'{{"R": {r}, "F": {f}, "M": {m}}}'} for i, (r, f, m) in enumerate(told)]
    store.load_users(pl.DataFrame([*rows, {"id": "stranger", "attributes": "{}"}]))


def test_groups_are_kept_and_read_again_until_the_data_change(store: Store, tmp_path: Path):
    customers(store)
    artifacts = Artifacts(tmp_path / "artifacts")
    first = segments(store, artifacts, RFM, NOW, tmp_path / "groups.csv")
    assert (first.reused, first.unknown, [group["users"] for group in first.groups]) == (False, 1, [20, 20])
    told = {round(group["R"]): (group["F"], group["M"]) for group in first.groups}
    assert told == {3: pytest.approx((60, 900)), 200: pytest.approx((1, 39))}
    groups = dict(pl.read_csv(tmp_path / "groups.csv").iter_rows())
    assert len({groups[f"u{i}"] for i in range(0, 40, 2)}) == len({groups[f"u{i}"] for i in range(1, 40, 2)}) == 1
    assert groups["u0"] != groups["u1"]
    again = segments(store, artifacts, RFM, NOW)
    assert again.reused
    assert (again.inertia, again.groups) == (first.inertia, first.groups)
    store.put_users([User("u1", attributes={"R": 300, "F": 1, "M": 5})])
    other = segments(store, artifacts, RFM, NOW)
    assert not other.reused
    assert sorted(group["users"] for group in other.groups) == [19, 21]


def test_without_columns_the_events_of_the_past_make_the_groups(store: Store, tmp_path: Path):
    artifacts, config = Artifacts(tmp_path / "artifacts"), SegmentsConfig(n_segments=2)
    with pytest.raises(Invalid, match="there are no users"):
        segments(store, artifacts, config, NOW)
    store.add_interactions([
        Interaction(f"u{i}", f"i{j}", NOW - timedelta(days=1 if i % 2 else 90, minutes=j), "view")
        for i in range(12) for j in range(20 if i % 2 else 1)
    ])  # fmt: skip
    found = segments(store, artifacts, config, NOW)
    assert (found.columns, [group["users"] for group in found.groups]) == (("R", "F", "M"), [6, 6])
    # As of a moment before the eager ones came, there is one kind of person only.
    before = segments(store, artifacts, config, NOW - timedelta(days=30))
    assert (before.unknown, [group["users"] for group in before.groups]) == (6, [6])
    assert segments(store, artifacts, config, NOW).reused


def test_the_elbow_is_where_the_curve_bends():
    assert elbow(np.array([100.0, 60, 20, 18, 16, 14, 12, 10])) == 3
    assert elbow(np.array([5.0, 5.0, 5.0])) == 1


def test_a_model_that_nobody_declared_is_refused(store: Store):
    assert config_of(store, None) == SegmentsConfig()
    with pytest.raises(Invalid, match="no scenario has a model of segments called 'vip'; there is none"):
        config_of(store, "vip")
