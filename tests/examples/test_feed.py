"""The example ``feed`` as its README tells it: every step of the old system, by our command, on both databases."""

from __future__ import annotations

import re
import runpy
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient
from starlette.testclient import TestClient

from databases import database, empty_url
from serendip.cli import cli
from serendip.settings import read_settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key

__all__ = ["database", "empty_url"]

ROOT = Path(__file__).parents[2]
FEED = ROOT / "examples" / "feed"
SMALL = ["--users", "80", "--posts", "50", "--rows", "4000"]
NOW = datetime.now(UTC)


def steps() -> list[str]:
    """Our commands of the README's table, in order."""
    table = re.findall(r"^\| [^|]+ \| `([^`]+)`", (FEED / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) > 12
    return table


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of the table, in this process."""
    program, *arguments = command.split()
    if program == "python":
        monkeypatch.setattr(sys, "argv", [*arguments, *(SMALL if "generate.py" in command else [])])
        monkeypatch.syspath_prepend(str(FEED))
        runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        return
    assert program == "serendip"
    cli.main(arguments, standalone_mode=False)


@pytest.fixture
def installed(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERENDIP_CONFIG", str(FEED / "serendip.toml"))
    monkeypatch.setenv("DATABASE_URL", empty_url)
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("SERENDIP_EXPERIMENT_GROUPS", "control=liked,test=home")
    return tmp_path


@pytest.mark.skipif(find_spec("catboost") is None, reason="the ranker needs the extra rank")
def test_every_step_of_the_old_manual_is_walked_by_our_command(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    said: dict[str, str] = {}
    for command in steps():
        if not command.startswith("GET ") and command != "serendip serve":
            run(command, monkeypatch)
            said[command] = capsys.readouterr().out
    # The file holds what the other database held: nothing is added.
    assert "4,000 there already" in said["serendip import var/feed/data/feed_data-000.parquet"]
    measured = said["python examples/feed/measure.py home liked"]
    assert all(name in measured for name in ("shown rows", "full catalogue", "random", "liked within topic", "home"))
    assert "fair draw" in said["serendip experiment analyse --shown view --by exp_group"]
    monkeypatch.delenv("SERENDIP_EXPERIMENT_GROUPS")
    settings = read_settings()
    store = Store.open(settings.database_url)
    key = new_key(store, "feed", ("read", "write"), NOW)
    answers: dict[str, Any] = {}
    with TestClient(create_app(store, Artifacts(settings.artifacts), settings, lambda: NOW)) as client:
        for step in steps():
            if step.startswith("GET "):
                headers = {"X-API-Key": key} if "/v1/" in step else {}
                answer = client.get(step.removeprefix("GET "), headers=headers)
                assert answer.status_code == 200, answer.text
                answers[step] = answer.json()
        assert client.get("/post/recommendations/?id=7").json() == {"detail": "User not found"}
    store.close()
    five, twenty, why = answers.values()
    assert [len(five), len(twenty), len(why["items"])] == [5, 20, 5]
    posts = pl.read_parquet(installed / "var/feed/data/post_text_df.parquet")
    texts = {row["post_id"]: row for row in posts.iter_rows(named=True)}
    for post in [*five, *twenty]:
        assert post == {"id": post["id"], "text": texts[post["id"]]["text"], "topic": texts[post["id"]]["topic"]}
    assert [one["id"] for one in five] == [int(one["item"]) for one in why["items"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The log of a small world."""
    folder = tmp_path_factory.mktemp("feed")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(FEED))
        generate = runpy.run_path(str(FEED / "generate.py"))
    until = datetime(2026, 1, 1, tzinfo=UTC)
    for name in ("once", "again"):
        generate["generate"](folder / name, until, 7, generate["Size"](300, 80, 30_000))
    logs = [pl.read_parquet(folder / name / "feed_data-*.parquet") for name in ("once", "again")]
    assert logs[0].equals(logs[1]), "the same seed makes the same log"
    return logs[0].with_columns(
        topic=pl.col("post_id").replace_strict(
            dict(pl.read_parquet(folder / "once" / "post_text_df.parquet").select("post_id", "topic").iter_rows())
        )
    )


def test_the_made_log_has_the_rows_asked_for_in_order_of_time_and_a_like_behind_every_target(made: pl.DataFrame):
    assert len(made) == 30_000
    assert made["timestamp"].is_sorted()
    assert made["timestamp"].max() < datetime(2026, 1, 1)  # noqa: DTZ001
    likes, views = made.filter(pl.col("action") == "like"), made.filter(pl.col("action") == "view")
    assert views["target"].sum() == len(likes)
    assert likes["target"].sum() == 0
    assert views["target"].mean() == pytest.approx(0.11, abs=0.02)
    # Each like follows a view of the same reader and post, within 20 seconds.
    before = views.filter(pl.col("target") == 1).select("user_id", "post_id", "timestamp", seen="timestamp")
    joined = likes.sort("timestamp").join_asof(
        before.sort("timestamp"), on="timestamp", by=["user_id", "post_id"], check_sortedness=False
    )
    assert (joined["timestamp"] - joined["seen"]).dt.total_seconds().max() < 20


def test_readers_of_the_made_log_have_tastes_that_last(made: pl.DataFrame):
    # Whoever liked a topic more than others do in the first half likes it more in the second: what there is to learn.
    views = made.filter(pl.col("action") == "view").with_row_index()
    half = views.with_columns(late=pl.col("index") >= len(views) // 2)
    rates = half.group_by("user_id", "topic", "late").agg(rate=pl.col("target").mean(), n=pl.len())
    rates = rates.filter(pl.col("n") >= 5)
    rates = rates.with_columns(rate=pl.col("rate") - pl.col("rate").mean().over("topic", "late"))
    early, late = rates.filter(~pl.col("late")), rates.filter(pl.col("late"))
    both = early.join(late, on=["user_id", "topic"])
    assert len(both) > 300
    assert both.select(pl.corr("rate", "rate_right")).item() > 0.15


@pytest.mark.skipif(find_spec("catboost") is None, reason="the ranker needs the extra rank")
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_without_a_screen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("FEED_SIZE", "200,80,12000")
    notebook = nbformat.read(FEED / "report.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(FEED)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
