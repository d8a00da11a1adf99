"""Jobs in this process: what is skipped, what is refused, what files and tables get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from serendip.domain import Conflict, Interaction, InteractionKind, Invalid, Item
from serendip.jobs.by_hand import run_by_hand
from serendip.jobs.kinds import JOBS, checked, told
from serendip.settings import Settings
from serendip.store import Artifacts, JobRecord, Store

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Place:
    """A store, artifacts and settings; time stands still."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.artifacts = Artifacts(folder / "versions")
        self.settings = Settings(import_folder=folder / "in", export_folder=folder / "out")
        self.said: list[str] = []

    def run(self, kind: str, /, **arguments: Any) -> JobRecord:
        def show(stage: str, done: int | None, total: int | None, message: str | None) -> None:
            self.said.append(f"{stage} {done}/{total} {message}")

        return run_by_hand(self.store, self.artifacts, self.settings, kind, arguments, lambda: NOON, show)


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Place:
    store.declare_kinds([InteractionKind("view", hides=False)])
    store.add_interactions(
        Interaction(f"user-{n % 12}", f"film-{(n * 7 + n // 12) % 10}", START + n * timedelta(hours=7), "view")
        for n in range(120)
    )
    return Place(store, tmp_path)


def test_training_is_skipped_while_the_data_is_unchanged_and_its_record_says_so(place: Place):
    first = place.run("train", pipelines=["popular"])
    assert (first.state, first.attempts) == ("done", 1), first.error
    assert first.result["live"]["home"] == first.result["versions"][0]
    again = place.run("train", pipelines=["popular"])
    assert (again.state, again.result) == ("skipped", None)
    assert again.message == f"nothing was added, edited or deleted since job {first.id}"
    assert place.run("train", pipelines=["popular"], seed=1).state == "done"
    assert place.run("train", pipelines=["popular"], force=True).state == "done"
    place.store.put_items([Item("film-1", title="Edited")])
    assert place.run("train", pipelines=["popular"]).state == "done"
    place.store.delete_user("user-3")
    assert place.run("train", pipelines=["popular"]).state == "done"
    assert place.run("train", pipelines=["popular"]).state == "skipped"


def test_what_is_declared_of_scenarios_concerns_training_and_no_matrix(place: Place):
    place.store.declare_kinds([InteractionKind("rating", scale=(1.0, 5.0))])
    place.store.add_interactions(
        Interaction(f"user-{n % 12}", f"film-{n % 10}", START + n * timedelta(hours=7), "rating", 1.0 + n % 5)
        for n in range(60)
    )
    runs = (("nmf-similarity", {"measure": False}), ("train", {"pipelines": ["popular"]}))
    for kind, arguments in runs:
        assert place.run(kind, **arguments).state == "done"
    assert place.store.declare_scenarios({"mine": {"candidates": ["popular"]}}, NOON)
    assert [place.run(kind, **arguments).state for kind, arguments in runs] == ["skipped", "done"]


def test_there_is_nothing_to_do_without_data(store: Store, tmp_path: Path):
    empty = Place(store, tmp_path)
    for kind in ("train", "evaluate", "popularity"):
        assert empty.run(kind).state == "skipped"


def test_popularity_is_fitted_anew_in_what_is_live_and_the_rest_stays(place: Place):
    trained = place.run("train", pipelines=["item-knn"])
    (was,) = trained.result["versions"]
    place.store.promote("home", was, NOON)
    seen = NOON - timedelta(hours=1)
    place.store.add_interactions([Interaction(f"late-{n}", "film-9", seen, "view") for n in range(30)])
    done = place.run("popularity")
    assert {one["was"] for one in done.result["refreshed"]} == {was}
    (now,) = {one["now"] for one in done.result["refreshed"]}
    assert place.store.live()["home"].version == now
    assert place.store.live()["home"].previous == was
    before, after = (place.artifacts.load(version)[1] for version in (was, now))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("fallback") for name in changed)


def test_a_job_that_fails_says_why_and_is_not_tried_again_where_that_is_no_use(place: Place):
    failed = place.run("import", source=str(place.folder / "nowhere.csv"))
    assert failed.state == "failed"
    assert "nowhere.csv" in (failed.error or "")
    assert place.run("recommend", scenario="nowhere", to=str(place.folder / "x.jsonl")).state == "failed"
    assert not (place.folder / "x.jsonl").exists()


def test_the_same_job_is_not_done_by_hand_while_a_worker_has_it(place: Place):
    queued = place.store.add_job("train", {}, NOON)
    with pytest.raises(Conflict, match=f"{queued.id} is queued"):
        place.run("train")


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_recommendations_for_everybody_go_into_a_file_at_once(place: Place, ending: str):
    place.run("train", pipelines=["popular"])
    file = place.folder / f"slates.{ending}"
    done = place.run("recommend", to=str(file), n=3)
    assert (done.result["users"], done.result["rows"]) == (12, 36), done.error
    if ending == "jsonl":
        lines = pl.read_ndjson(file)
        assert lines["user"].n_unique() == lines.height == 12
        return
    rows = pl.read_csv(file) if ending == "csv" else pl.read_parquet(file)
    assert rows.height == 36
    assert sorted(rows["place"].unique()) == [1, 2, 3]
    assert rows["version"].unique().to_list() == [done.result["version"]]
    assert place.said[-1] == "recommend 12/12 None"


def test_recommendations_in_a_table_replace_those_of_their_scenario_only(place: Place):
    place.run("train", pipelines=["item-knn"])
    url = f"sqlite:///{place.folder / 'other.db'}?table=answers"
    for scenario, n in (("home", 2), ("for-you", 4), ("home", 1)):
        if scenario not in place.store.live():
            place.store.promote(scenario, place.store.versions()[0].id, NOON)
        done = place.run("recommend", to=url, scenario=scenario, n=n)
        assert done.state == "done", done.error
    found = pl.read_database(
        "select scenario, count(*) as n from answers group by scenario", connection=connected(place.folder / "other.db")
    )
    assert dict(found.iter_rows()) == {"home": 12, "for-you": 48}


def connected(file: Path) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine(f"sqlite:///{file}", poolclass=NullPool)


def test_the_store_s_own_sqlite_file_is_no_place_for_recommendations(place: Place, database: str):
    place.run("train", pipelines=["popular"])
    if database == "sqlite":
        refused = place.run("recommend", to=f"{place.store.url}?table=answers")
        assert refused.state == "failed"
        assert "name another" in (refused.error or "")


@pytest.mark.parametrize(
    ("kind", "arguments", "field", "said"),
    [
        ("fly", {}, "kind", "the kinds are clean-up"),
        ("train", {"pipelines": ["boosted"]}, "arguments", "ranks what others recommend"),
        ("train", {"pipelines": ["mind-reading"]}, "arguments", "no model of kind 'mind-reading'"),
        ("train", {"seeds": 1}, "arguments.seeds", "the arguments of train are"),
        ("train", {"seed": "x"}, "arguments.seed", "integer"),
        ("import", {}, "arguments.source", "required"),
        ("import", {"source": "x", "dataset": "nowhere"}, "arguments.dataset", "those known are"),
        ("import", {"source": "postgresql://me:secret@host/db?table=t"}, "arguments.source", "PGPASSWORD"),
        ("recommend", {"to": "postgresql://host/db"}, "arguments.to", "table=name"),
        ("evaluate", {"k": 10**12}, "arguments.k", "less than or equal"),
        ("recommend", {"n": 0}, "arguments.n", "greater"),
    ],
)
def test_a_job_that_cannot_be_is_refused_before_it_is_queued(
    kind: str, arguments: dict[str, Any], field: str, said: str
):
    with pytest.raises(Invalid, match=said) as refused:
        checked(kind, arguments)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "name", ["../x.csv", "/etc/passwd", "a/../../x.csv", "", ".", "sqlite:///x.db?table=t", "link/x.csv"]
)
def test_over_http_jobs_reach_no_file_outside_their_folders(name: str, tmp_path: Path):
    settings = Settings(import_folder=tmp_path / "in", export_folder=tmp_path / "out")
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "link").symlink_to(tmp_path)
    for kind, argument in (("import", "source"), ("export", "to"), ("recommend", "to")):
        with pytest.raises(Invalid):
            told(kind, {argument: name}, settings)
    assert told("export", {"to": "a.csv"}, settings) == {"to": str(tmp_path / "out" / "a.csv")}
    assert told("import", {"source": "sub/a.csv"}, settings) == {"source": str(tmp_path / "in" / "sub" / "a.csv")}


def test_every_kind_can_be_put_on_the_timetable_and_says_what_it_does():
    for kind in JOBS.values():
        assert kind.summary.endswith(".")
        assert kind.arguments.model_json_schema()["additionalProperties"] is False
