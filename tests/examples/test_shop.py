"""The example ``shop`` as its README tells it: every step of the old system, by our command, on both databases."""

from __future__ import annotations

import json
import re
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path

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
SHOP = ROOT / "examples" / "shop"
SMALL = ["--rows", "9000", "--customers", "250", "--products", "90", "--numbers", "24"]
NOW = datetime.now(UTC)


def steps() -> list[str]:
    """Our commands of the README's table, in order."""
    table = re.findall(r"^\| [^|]+ \| `(.+)` \|$", (SHOP / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) > 12
    return [step.replace("\\|", "|") for step in table]


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of the table, in this process."""
    program, *arguments = command.split()
    if program == "python":
        monkeypatch.setattr(sys, "argv", [*arguments, *SMALL])
        runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        return
    assert program == "serendip"
    cli.main(arguments, standalone_mode=False)


@pytest.fixture
def installed(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SHOP))
    monkeypatch.setenv("SERENDIP_CONFIG", str(SHOP / "serendip.toml"))
    monkeypatch.setenv("DATABASE_URL", empty_url)
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "artifacts"))


@pytest.mark.usefixtures("installed")
def test_every_step_of_the_old_manual_is_walked_by_our_command(monkeypatch: pytest.MonkeyPatch, capsys):
    made, *rest = [step for step in steps() if not step.startswith(("GET ", "POST "))]
    run(made, monkeypatch)
    told = runpy.run_path(str(SHOP / "service.py"))
    with told["running"](Path("var/shop/data/users.csv")) as till:
        for step in rest:
            if step != "serendip serve":
                run(step.replace("http://127.0.0.1:9000", till), monkeypatch)
    said = capsys.readouterr().out
    assert "users: 250 listed, 250 added, 0 there already, 0 failed" in said
    assert "the curve bends most at" in said
    groups = ("known, warm", "known, cold", "anonymous, warm", "anonymous, cold")
    assert [group for group in groups if re.search(rf"^{group}: [1-9]", said, re.MULTILINE)] == list(groups)
    trials = [json.loads(line) for line in Path("var/shop/trials.jsonl").read_text().splitlines()]
    assert {(one["settings"]["n_factors"], one["settings"]["regularization"]) for one in trials} == {
        (factors, ridge) for factors in ("16", "48") for ridge in ("10", "100")
    }
    assert_answers()


def assert_answers() -> None:
    """The batch file and the API name products, five of them; a session's own events count."""
    asked = pl.read_parquet("var/shop/data/test.parquet")
    products = set(pl.read_parquet("var/shop/data/products.parquet")["partnumber"])
    target = json.loads(Path("var/shop/target.json").read_text())["target"]
    assert set(target) == set(asked["session_id"].cast(pl.String))
    assert all(len(set(items)) == 5 and set(items) <= products for items in target.values())
    answered = pl.read_csv("var/shop/answered.csv")
    assert answered["events"].sum() == asked.height
    assert answered["taken"].sum() == asked["add_to_cart"].sum()
    assert pl.read_csv("var/shop/segments.csv")["user"].len() == 250
    settings = read_settings()
    store = Store.open(settings.database_url)
    assert {name: (kind.weight, kind.hides) for name, kind in store.kinds().items()} == {
        "view": (1.0, False), "cart": (10.0, False), "purchase": (20.0, True),
    }  # fmt: skip
    bought = {one.item for one in store.history("1", NOW, 500) if one.kind == "purchase"}
    app = create_app(store, Artifacts(settings.artifacts), settings, lambda: NOW)
    key = new_key(store, "shop", ("read", "write"), NOW)
    with TestClient(app, headers={"X-API-Key": key}) as client:
        for step in steps():
            if step.startswith("GET "):
                answer = client.get(step.removeprefix("GET "))
                assert answer.status_code == 200, answer.text
                assert len(answer.json()["items"]) == 5
                assert not bought & {one["item"] for one in answer.json()["items"]} or "user=1" not in step
        viewed = next(one.id for one in store.list_items(limit=90).records)
        session = {"history": [{"item": viewed, "kind": "cart"}], "n": 5, "scenario": "for-you"}
        slate = client.post("/v1/recommendations", json=session).json()
        empty = client.post("/v1/recommendations", json={**session, "history": []}).json()
    store.close()
    # What is in the cart is the likeliest to be bought, and is not hidden.
    assert viewed in {one["item"] for one in slate["items"]}
    assert [one["item"] for one in slate["items"]] != [one["item"] for one in empty["items"]]


@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_without_a_screen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(SHOP / "report.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(SHOP)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    said = "".join(output.get("text", "") for output in outputs)
    assert "made: True; the second time read again: True" in said
