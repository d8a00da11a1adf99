"""Experiments from files and from the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip.cli import cli
from serendip.domain import Invalid
from serendip.flows.groups import Experiment, place_of


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty users in halves by an attribute; each views 10 posts, those of group b like two of them, of group a one."""
    monkeypatch.chdir(tmp_path)
    users = pl.DataFrame({"user_id": range(60), "exp_group": ["a", "b"] * 30})
    users.write_parquet("users.parquet")
    rows = [(user, post, "view") for user in range(60) for post in range(10)]
    rows += [(user, post, "like") for user in range(60) for post in range(1 + user % 2) if user >= 10]
    at = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 1), eager=True)[0]
    frame = pl.DataFrame(rows, schema=["user_id", "post_id", "action"], orient="row").with_columns(timestamp=at)
    frame[:300].write_parquet("first.parquet")
    frame[300:].write_parquet("second.parquet")
    return tmp_path


ANALYSE = ["experiment", "analyse", "--data", "first.parquet", "--data", "second.parquet"]


def test_files_are_judged_together_by_an_attribute(log: Path, capsys: pytest.CaptureFixture[str]):
    cli.main([*ANALYSE, "--by", "exp_group", "--users", "users.parquet", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    a, b = found["groups"]
    assert [(one["name"], one["users"], one["shown"], one["liked"]) for one in (a, b)] == [
        ("a", 30, 300, 25),
        ("b", 30, 300, 50),
    ]
    assert found["versus"][0]["rate"]["value"] == pytest.approx(25 / 300)
    assert found["versus"][0]["liking"]["value"] == 0
    assert not found["suspicious"]
    cli.main([*ANALYSE, "--by", "exp_group", "--users", "users.parquet"], standalone_mode=False)
    assert "fit a fair draw" in capsys.readouterr().out


def test_the_salt_draws_where_no_attribute_does_and_time_is_cut(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(Invalid, match="no experiment is declared"):
        cli.main(ANALYSE, standalone_mode=False)
    with pytest.raises(Invalid, match="--users"):
        cli.main([*ANALYSE, "--by", "exp_group"], standalone_mode=False)
    monkeypatch.setenv("SERENDIP_EXPERIMENT_GROUPS", "control,test")
    monkeypatch.setenv("SERENDIP_EXPERIMENT_SALT", "pepper")
    cli.main([*ANALYSE, "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    cli.main(["experiment", "group", *map(str, range(60)), "--json"], standalone_mode=False)
    groups = json.loads(capsys.readouterr().out)
    for one in found["groups"]:
        assert one["users"] == sum(name == one["name"] for name in groups.values())
    with pytest.raises(Invalid, match="turn them"):
        cli.main([*ANALYSE, "--since", "2026-02-01", "--until", "2026-01-01"], standalone_mode=False)


def test_groups_are_equally_likely_and_independent_of_each_other():
    both = np.array([[place_of(salt, f"user-{n}", 2) for n in range(4000)] for salt in ("one", "two")])
    # 4,000 fair draws lie within 2,000 +- 104, and pairs within 1,000 +- 90, but for one case in a thousand.
    assert (abs(both.sum(axis=1) - 2000) < 104).all()
    assert (abs(np.bincount(both[0] * 2 + both[1]) - 1000) < 90).all()
    three = Experiment.parse("s", ("a=home", "b", "c=topics"))
    assert three.scenarios == {"a": "home", "b": "home", "c": "topics"}
    assert {three.group(f"{n}") for n in range(100)} == {"a", "b", "c"}
