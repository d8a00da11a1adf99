"""The example ``social`` as its README tells it: every step of the old system, by our command, on both databases."""

from __future__ import annotations

import re
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
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
SOCIAL = ROOT / "examples" / "social"
SMALL = ["--users", "150", "--events", "250", "--participations", "2500"]
NOW = datetime.now(UTC)


def steps() -> list[str]:
    """Our commands of the README's table, in order."""
    table = re.findall(r"^\| [^|]+ \| `([^`]+)`", (SOCIAL / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) > 10
    return table


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of the table, in this process."""
    program, *arguments = command.split()
    if program == "python":
        monkeypatch.setattr(sys, "argv", [*arguments, *SMALL])
        monkeypatch.syspath_prepend(str(SOCIAL))
        runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        return
    assert program == "serendip"
    cli.main(arguments, standalone_mode=False)


@pytest.fixture
def installed(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERENDIP_CONFIG", str(SOCIAL / "serendip.toml"))
    monkeypatch.setenv("DATABASE_URL", empty_url)
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "artifacts"))


@pytest.mark.usefixtures("installed")
def test_every_step_of_the_old_manual_is_walked_by_our_command(monkeypatch: pytest.MonkeyPatch):
    commands = [step for step in steps() if not step.startswith("GET ")]
    for command in commands:
        if command != "serendip serve":
            run(command, monkeypatch)
    settings = read_settings()
    store = Store.open(settings.database_url)
    app = create_app(store, Artifacts(settings.artifacts), settings, lambda: NOW)
    key = new_key(store, "social", ("read", "write"), NOW)
    answers: dict[str, Any] = {}
    with TestClient(app, headers={"X-API-Key": key}) as client:
        # Recent popularity is renewed seconds after the start, which would fall between two of the steps.
        app.state.services.live.catch_up(NOW)
        for step in steps():
            if step.startswith("GET "):
                answer = client.get(step.removeprefix("GET "))
                assert answer.status_code == 200, answer.text
                answers[step.removeprefix("GET ")] = answer.json()
        records = {one.id: one for one in store.list_items(limit=1000).records}
        follows = {user: {one.other for one in store.relations(user)} for user in answers["/match_all_users"]}
    store.close()
    events, people = answers["/events_recommendations"], answers["/match_all_users"]
    assert len(events) == len(people) == 152
    assert {len(lists[name]) for lists in events.values() for name in lists} == {3}
    assert {len(lists[name]) for lists in people.values() for name in lists} == {4}
    for lists in events.values():
        until = [records[item].available_until for item in lists["_id"]]
        assert all(date is not None and date > NOW for date in until)
        assert lists["time"] == [f"{date:%m-%d-%Y}" for date in until]
    assert not any({user, *follows[user]} & set(lists["_id"]) for user, lists in people.items())
    assert answers["/events_recommendations?update_AWS_DB=yes"] == events
    assert events["nuevo-1"]["_id"]
    assert events["nuevo-2"]["_id"]
    alone = answers["/v1/recommendations?user=1&scenario=events&explain=true"]
    assert [one["item"] for one in alone["items"]] == events["1"]["_id"]
    assert len(alone["interests"]) == 9
    alike = answers["/v1/recommendations?user=1&scenario=people"]
    assert [one["item"] for one in alike["items"]] == people["1"]["_id"]


def test_the_table_of_clusters_has_the_26_tags_that_events_are_made_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SOCIAL))
    words = runpy.run_path(str(SOCIAL / "words.py"))
    import tomllib

    table = tomllib.loads((SOCIAL / "serendip.toml").read_text(encoding="utf-8"))["models"]["interests"]["clusters"]
    assert table == {tag: cluster for cluster, tags in words["CLUSTERS"].items() for tag in tags}
    assert (len(table), len(set(table.values()))) == (26, 9)


@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_without_a_screen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(SOCIAL / "report.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(SOCIAL)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
