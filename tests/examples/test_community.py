"""The journey of examples/community: every step of its README's table, on both databases."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

from databases import database, database_url
from serendip.cli import cli
from serendip.cli.options import declare_file
from serendip.client import RecSysApi
from serendip.flows.demo import regular_user
from serendip.settings import read_settings
from serendip.store import Artifacts, Store
from serendip.web.serve import running

__all__ = ["database", "database_url"]

FOLDER = Path(__file__).parents[2] / "examples" / "community"
NOW = datetime.now(UTC)


class Journey:
    """Somebody who walks the table, and what was learnt on the way."""

    def __init__(self, store: Store, address: str) -> None:
        self.store, self.address = store, address
        self.key = ""

    def asked(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {"Authorization": f"Token {self.key}"} if self.key else {}
        answer = httpx2.request(method, self.address + path, headers=headers, timeout=60, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def load(self) -> None:
        import load

        load.load(self.store, None, None, load.ABOVE, NOW)
        votes = self.store.votes()
        assert 50 < len(votes.keys) < 400
        assert self.store.counts().items == len(votes.keys)

    def make_a_key(self) -> None:
        self.key = re.search(r"sd_\S+", typed("key", "create", "programs")).group()  # type: ignore[union-attr]

    def run(self, job: str) -> None:
        assert "done" in typed("jobs", "run", job)
        assert "nothing was added, edited or deleted" in typed("jobs", "run", job)

    def see_the_timetable(self) -> None:
        told = typed("jobs", "timetable")
        for name in ("svd-similarity", "nmf-similarity", "content-similarity"):
            assert re.search(rf"{name}.*every 1", told), told

    def serve(self) -> None:
        assert httpx2.get(f"{self.address}/healthz").status_code == 200

    def read_pages(self) -> None:
        with RecSysApi(self.key, self.address) as api:
            items = [item["id"] for item in api.items(limit=100)]
        assert len(items) == len(set(items)) == self.store.counts().items
        assert httpx2.get(f"{self.address}/api/items/?offset=0&limit=100").status_code == 200, "reading is open"

    def vote(self) -> None:
        user, item = regular_user(self.store), self.store.list_items(limit=1).records[0].id
        before = self.store.counts().interactions
        assert httpx2.post(f"{self.address}/api/interactions/", json={}).status_code == 401
        self.asked("POST", "/api/interactions/", 422, json={"user": user, "item": item})
        self.asked("POST", "/api/interactions/", 201, json={"user": user, "item": item, "rating": 4})
        assert self.store.counts().interactions == before + 1
        assert "done" in typed("jobs", "run", "svd-similarity"), "there is something new now"

    def run_a_job_of_ones_own(self) -> None:
        import sample_job

        with RecSysApi(self.key, self.address) as api:
            done = [sample_job.run(api, nearest=3) for _ in range(3)]
        assert [one["version"] for one in done] == [1, 2, 3]
        assert [one["deleted"] for one in done] == [0, 0, done[0]["cells"]]
        assert done[0]["cells"] > 100
        matrix = next(one for one in self.store.matrices() if one.name == sample_job.NAME)
        assert (matrix.version, self.store.matrix_versions(matrix.id)) == (3, [2, 3])

    def recommend(self) -> None:
        user = regular_user(self.store)
        first = {one.id for one in self.store.list_items(limit=20).records}
        rows = {}
        for name in ("SVD", "NMF", "Content", "Cosine"):
            row = self.asked("GET", f"/v1/recommenders/{name}/recommendations", params={"user": user, "n": 10})
            rows[name] = [place["item"] for place in row["items"]]
            scores = [place["score"] for place in row["items"]]
            assert len(scores) == 10
            assert scores == sorted(scores, reverse=True)
            assert not set(rows[name]) & set(self.store.seen(user, ["rating"], datetime.now(UTC)))
            assert set(rows[name]) - first, "not the first 20 items"
        assert rows["SVD"] != rows["NMF"]

    def see_my_page(self) -> None:
        address = f"{self.address}/people/{regular_user(self.store)}"
        headers = {"X-API-Key": self.key, "accept": "text/html"}
        for page in (address, f"{address}/lists"):
            told = httpx2.get(page, headers=headers).raise_for_status().text
            titles = re.findall(r"<h2[^>]*>(SVD|NMF|Content|Cosine)\b", told)
            assert titles == ["SVD", "NMF", "Content", "Cosine"], page

    def list_versions(self) -> None:
        assert self.asked("GET", "/api/similarity-matrix/1/versions/") == [{"version": 1}, {"version": 2}]

    def delete_a_version(self) -> None:
        gone = self.asked("DELETE", "/api/similarity-matrix/1/versions/1/")
        assert gone == {"matrix": 1, "version": 1, "deleted": gone["deleted"]}
        assert gone["deleted"] > 1000
        self.asked("DELETE", "/api/similarity-matrix/1/versions/2/", 409)


def steps(journey: Journey) -> dict[str, Callable[[], None]]:
    """What is done for each command of the table, in its order."""
    return {
        "python examples/community/load.py": journey.load,
        "serendip key create programs": journey.make_a_key,
        "serendip jobs run svd-similarity": lambda: journey.run("svd-similarity"),
        "serendip jobs run nmf-similarity": lambda: journey.run("nmf-similarity"),
        "serendip jobs run content-similarity": lambda: journey.run("content-similarity"),
        "serendip jobs timetable": journey.see_the_timetable,
        "serendip serve": journey.serve,
        "GET /api/items/?offset=0&limit=100": journey.read_pages,
        "POST /api/interactions/": journey.vote,
        "python examples/community/sample_job.py ADDRESS TOKEN": journey.run_a_job_of_ones_own,
        "GET /v1/recommenders/SVD/recommendations?user=ann": journey.recommend,
        "GET /people/ann": journey.see_my_page,
        "GET /api/similarity-matrix/1/versions/": journey.list_versions,
        "DELETE /api/similarity-matrix/1/versions/1/": journey.delete_a_version,
    }


def typed(*words: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_step_of_the_table_is_walked(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setenv("SERENDIP_CONFIG", str(FOLDER / "serendip.toml"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "artifacts"))
    settings = read_settings(port=0)
    store = Store.open(database_url)
    declare_file(store)
    try:
        with running(store, Artifacts(settings.artifacts), settings) as address:
            journey = Journey(store, address)
            found = re.findall(r"^\|[^|]+\| `([^`]+)` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
            known = steps(journey)
            assert found == list(known)
            for command in found:
                known[command]()
    finally:
        store.close()


@pytest.mark.filterwarnings("ignore")  # of the notebook's machinery, not of ours
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1] / "src"))
    whole = nbformat.read(FOLDER / "ratings.ipynb", as_version=4)
    NotebookClient(whole, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.get("execution_count") for cell in whole.cells if cell.cell_type == "code")
