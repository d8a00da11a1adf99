"""The example ``reviews`` as its README tells it: every step of the old system, by our command, on both databases."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from starlette.testclient import TestClient

from databases import database, empty_url
from serendip.cli import cli
from serendip.domain import Invalid, NotReady
from serendip.settings import read_settings
from serendip.sources import datasets
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key

__all__ = ["database", "empty_url"]

ROOT = Path(__file__).parents[2]
REVIEWS = ROOT / "examples" / "reviews"
SMALL = ["--users", "150", "--products", "100", "--reviews", "1500"]
NOW = datetime.now(UTC)


def steps() -> list[str]:
    """Our commands of the README's table, in order."""
    table = re.findall(r"^\| [^|]+ \| `([^`]+)`", (REVIEWS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) > 14
    return table


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a script of the example defines."""
    monkeypatch.syspath_prepend(str(REVIEWS))
    return runpy.run_path(str(REVIEWS / name))


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of the table, in this process."""
    program, *arguments = command.split()
    if program == "python":
        more = SMALL if arguments[0].endswith("generate.py") else []
        monkeypatch.setattr(sys, "argv", [*arguments, *more])
        monkeypatch.syspath_prepend(str(REVIEWS))
        runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        return
    assert program == "serendip"
    cli.main(arguments, standalone_mode=False)


@pytest.fixture
def installed(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERENDIP_CONFIG", str(REVIEWS / "serendip.toml"))
    monkeypatch.setenv("DATABASE_URL", empty_url)
    monkeypatch.setenv("SERENDIP_ARTIFACTS", str(tmp_path / "artifacts"))


@pytest.mark.usefixtures("installed")
def test_every_step_of_the_old_manual_is_walked_by_our_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for command in steps():
        if command.startswith(("serendip", "python")) and "fetch.py" not in command and command != "serendip serve":
            run(command, monkeypatch)
    compared = json.loads((tmp_path / "var/reviews/compared.json").read_text(encoding="utf-8"))
    names = {row["name"] for row in compared["judging"]}
    networks = {"network", "network-items"} if find_spec("torch") else set()
    assert names == {"als", "words", "popular", "popular-30-days"} | networks
    settings = read_settings()
    store, artifacts = Store.open(settings.database_url), Artifacts(settings.artifacts)
    app = create_app(store, artifacts, settings, lambda: NOW)
    admin = {"X-API-Key": new_key(store, "wire", ("read", "write", "admin"), NOW)}
    answers: dict[str, Any] = {}
    with TestClient(app) as client:
        for step in steps():
            method, path, *body = step.split(" ", 2)
            if method == "GET":
                answer = client.get(path.replace("Ada", client.get("/random_users").json()[0]))
            elif method == "POST":
                answer = client.post(path, headers=admin, json=json.loads(body[0]) if body else None)
            else:
                continue
            assert answer.status_code == 200, answer.text
            answers[step] = answer.json()
        everybody = client.get("/random_users?n=100").json()
        slates = client.get("/recommendations", params={"users": everybody, "as": "id"}).json()
    assert len(answers) == 7
    assert isinstance(answers['POST /reload_model {"retrain": true}']["job"], int)
    assert list(slates) == everybody
    assert {len(slate) for slate in slates.values()} == {5}
    done = {name: {one.item for one in store.history(name, until=NOW, limit=500)} for name in everybody}
    assert all(done.values())
    assert not any(done[name] & set(slate) for name, slate in slates.items())
    assert len({tuple(slate) for slate in slates.values()}) > 50, "answers are each one's own"
    newcomers = answers["GET /recommendations?users=Ada,nobody&as=id"]["nobody"]
    columns, (keys, ids) = store.interaction_columns(), store.item_ids()
    names_of = dict(zip(keys.tolist(), ids, strict=True))
    since = int(columns["at"].max()) - timedelta(days=30) // timedelta(microseconds=1)  # type: ignore[arg-type]
    kinds = store.kind_names()
    praise: dict[str, int] = {}
    for key, kind, at in columns.select("item_key", "kind", "at").iter_rows():
        if kinds[kind] == "five-stars" and at >= since:
            praise[names_of[key]] = praise.get(names_of[key], 0) + 1
    store.close()
    assert sorted((praise[item] for item in newcomers), reverse=True) == sorted(praise.values(), reverse=True)[:5]


def test_the_made_reviews_are_untidy_and_taste_decides_their_stars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = script("generate.py", monkeypatch)
    n = made["generate"](tmp_path / "reviews.csv", NOW, 3, made["Size"](200, 150, 2000))
    loaded = datasets.load("product-reviews", tmp_path)
    kept = sum(checked.frame.height for checked in loaded.parts[-1].rows)
    assert n == kept + loaded.report["reviews that are there twice"] > 1800
    for what in (
        "reviews under an anonymous name, each set apart",
        "reviews without a word",
        "products without a price",
    ):
        assert 0 < loaded.report[what] < 200, what
    rng = np.random.default_rng(0)
    who, what = made["people"](rng, 200), made["products"](rng, 150)
    user, product = rng.integers(200, size=4000), rng.integers(150, size=4000)
    given = made["stars"](rng, who, what, user, product)
    liked = (who.taste[user] * what.sort[product]).sum(axis=1) > 0.3
    assert given[liked].mean() > given[~liked].mean() + 0.5
    assert 0.45 < (given == 5).mean() < 0.65


def test_the_answers_of_a_site_become_reviews_with_real_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [
        'Id="1" PostTypeId="1" OwnerUserId="8" CreationDate="2020-01-01T00:00:00" Title="Why tea?" '
        'Body="&lt;p&gt;Hm&lt;/p&gt;" AcceptedAnswerId="3"',
        *(
            f'Id="{2 + n}" PostTypeId="2" ParentId="1" OwnerUserId="{n}" CreationDate="2020-01-0{2 + n}T00:00:00" '
            f'Body="&lt;p&gt;Since {n}&lt;/p&gt;" Score="{score}"'
            for n, score in enumerate((-2, 0, 0, 1, 3, 4))
        ),
        'Id="9" PostTypeId="2" ParentId="77" OwnerUserId="1" CreationDate="2020-01-09T00:00:00" Body="lost" Score="1"',
    ]  # fmt: skip
    (tmp_path / "Posts.xml").write_text("<posts>\n" + "".join(f"<row {row} />\n" for row in rows) + "</posts>\n")
    assert script("from_stackexchange.py", monkeypatch)["convert"](tmp_path, tmp_path / "out" / "reviews.csv") == 6
    parts = {part.as_: next(iter(part.rows)).frame for part in datasets.load("product-reviews", tmp_path / "out").parts}
    # The second answer is the accepted one.
    assert parts["interactions"].sort("at")["value"].to_list() == [1, 5, 2, 3, 4, 5]
    assert parts["items"].select("id", "title", "text").rows() == [("1", "Why tea?", "Hm")]
    assert json.loads(parts["interactions"]["context"][0]) == {"text": "Since 0"}


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[str]:
    """A folder that is published on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "reviews.csv").write_text("userName,itemName,rating,reviewTime\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "there")))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_are_fetched_whole_and_unchanged_or_not_at_all(
    publisher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fetch, settings, to = script("fetch.py", monkeypatch)["fetch_all"], tmp_path / "datasets.toml", tmp_path / "data"
    right = hashlib.sha256((tmp_path / "there" / "reviews.csv").read_bytes()).hexdigest()

    def told(url: str = "reviews.csv", digest: str = right, file: str = "mine.csv") -> None:
        settings.write_text(f'[mine]\nurl = "{publisher}/{url}"\nsha256 = "{digest}"\nfile = "{file}"\n')

    told(digest="0" * 64)
    with pytest.raises(Invalid, match="nothing was kept"):
        fetch(settings, to)
    told(url="gone.csv")
    with pytest.raises(NotReady, match="404"):
        fetch(settings, to)
    assert list(to.iterdir()) == []
    told()
    assert fetch(settings, to) == [to / "mine.csv"]
    assert (to / "mine.csv").read_bytes() == (tmp_path / "there" / "reviews.csv").read_bytes()
    (tmp_path / "there" / "reviews.csv").unlink()
    assert fetch(settings, to) == [to / "mine.csv"], "what is there unchanged is not asked for again"
    (to / "mine.csv").write_text("mine")
    with pytest.raises(Invalid, match="remove it"):
        fetch(settings, to)
    told(file="../mine.csv")
    with pytest.raises(Invalid, match=r"\[mine\] needs file"):
        fetch(settings, to)


def test_without_prices_the_network_is_compared_without_them(monkeypatch: pytest.MonkeyPatch):
    configs = script("compare.py", monkeypatch)["configs"]
    for priced in (True, False):
        made = {one.name: one.sources[0].settings for one in configs("sentences", priced)}
        assert ("price" in made.get("network", {"price": 1} if priced else {})) == priced
        assert made["words"]["vectors"] == "sentences"
    without = {one.name: one.sources[0].settings for one in configs(said=None)}
    assert "network-items" not in without
    assert "said" not in without.get("network", {})


def test_auc_counts_pairs_ties_by_half_and_chance_is_one_half(monkeypatch: pytest.MonkeyPatch):
    interval = script("compare.py", monkeypatch)["auc_interval"]
    # Liked score 3, 2, 2, the others 2 and 1: of six pairs 3>2, 3>1, 2=2, 2>1, 2=2, 2>1 make 4 + 2/2.
    scores, liked = np.array([3.0, 2, 2, 2, 1]), np.array([True, True, True, False, False])
    found = interval(scores, liked, np.arange(5), 0)
    assert found.mean == pytest.approx(5 / 6)
    assert interval(np.ones(5), liked, np.arange(5), 0).mean == 0.5
    assert found.low <= found.mean <= found.high


@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_without_a_screen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("REVIEWS_SMALL", "1")
    notebook = nbformat.read(REVIEWS / "report.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(REVIEWS)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_the_smallest_shop_can_be_made_and_an_empty_one_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = script("generate.py", monkeypatch)
    for products in (1, 5):
        n = made["generate"](tmp_path / "few.csv", NOW, 7, made["Size"](20, products, 20))
        assert 0 < n <= 25
    monkeypatch.setattr(sys, "argv", ["generate.py", str(tmp_path / "none.csv"), "--users", "0"])
    with pytest.raises(SystemExit):
        made["main"]()
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.usefixtures("installed")
def test_a_step_that_lacks_the_one_before_says_which_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run("serendip migrate", monkeypatch)
    with pytest.raises(SystemExit, match="no reviews; `serendip datasets load"):
        run("python examples/reviews/compare.py", monkeypatch)
    with pytest.raises(SystemExit, match=r"no Posts\.xml"):
        run("python examples/reviews/from_stackexchange.py nowhere out.csv", monkeypatch)
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(SystemExit):
        run(f"python examples/reviews/run.py --folder {kept} --once --from nowhere.csv", monkeypatch)
    assert "there is no nowhere.csv" in capsys.readouterr().err
    assert kept.is_dir()
