"""`evaluate` and `tune` on files, from the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from test_cli import run

import serendip as sd
from serendip.pipeline import PipelineConfig


@pytest.fixture
def lines(here: Path) -> Path:
    """Train, validation and test parts as lines of items."""
    for name, shift in (("train", 0), ("valid", 5), ("test", 7)):
        rows = [[f"u{u}", *(f"i{(u % 4) * 10 + (u + n + shift) % 10}" for n in range(2 + u % 3))] for u in range(24)]
        (here / f"{name}.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
    return here


def test_from_a_search_to_a_measurement_without_a_store(lines, capsys):
    search = ["tune", "ease", "--train", "train.txt", "--validation", "valid.txt", "--trials", "3", "--json"]
    code, out, _ = run(capsys, *search)
    found = json.loads(out)
    assert (code, len(found["trials"]), found["resumed"]) == (0, 3, 0)
    assert json.loads(run(capsys, *search)[1])["resumed"] == 3
    code, out, _ = run(capsys, *search[:-1])
    assert code == 0
    assert "each pipeline got 3 trials on all users (ease 3 in " in out
    value = found["best"][0]["settings"]["regularization"]
    code, out, _ = run(
        capsys, "evaluate", "ease", "--set", f"regularization={value}", "--train", "train.txt",
        "--validation", "valid.txt", "--join-validation", "--test", "test.txt",
        "--metrics", "recall@5,ndcg@5", "--json",
    )  # fmt: skip
    table = json.loads(out)
    assert (code, table["split"], table["metric"], table["sampled"]) == (0, "given", "recall@5", False)
    assert {"ease", "popular", "item-knn", "random"} == {row["name"] for row in table["rows"]}
    assert set(table["rows"][0]["metrics"]) == {"recall@5", "ndcg@5"}
    code, out, _ = run(
        capsys, "evaluate", "popular", "--data", "train.txt", "--split", "last-out", "--metrics", "hit@3"
    )
    assert code == 0
    assert "hit-rate@3" in out
    assert not list(lines.glob("*.db"))


@pytest.fixture
def stars(here: Path) -> Path:
    """Ratings by temper of user and item, with their days."""
    rows = [(u, i, 1 + (u + 2 * i) % 5, f"2026-01-{1 + (u + i) % 28:02}") for u in range(20) for i in range(12)]
    (here / "stars.csv").write_text("user,item,rating,at\n" + "".join(f"u{u},i{i},{r},{d}\n" for u, i, r, d in rows))
    return here


def test_a_few_lines_train_popularity_and_say_what_was_left_out(here, capsys):
    (here / "few.csv").write_text("user,item,at\nann,i1,2026-01-01\nbob,i2,2026-01-01\n")
    assert run(capsys, "import", "few.csv", "--as", "interactions")[0] == 0
    code, out, _ = run(capsys, "train", "--promote")
    assert code == 0
    assert "left out als: the first 90% of the 2 interactions happened at one moment" in out
    assert "it was not measured" in out
    code, out, _ = run(capsys, "train", "--json")
    assert set(json.loads(out)["left_out"]) == {"item-knn", "als", "ease"}
    assert "not measured" in run(capsys, "models")[1]
    assert run(capsys, "recommend", "ann")[0] == 0


def test_ratings_over_folds_without_a_store_say_what_the_library_says(stars, capsys):
    arguments = ["evaluate", "--model", "svd", "--set", "n_factors=4", "--set", "n_epochs=3", "--data", "stars.csv"]
    code, out, _ = run(capsys, *arguments, "--split", "kfold:3:7", "--metrics", "rmse,mae", "--json")
    table = json.loads(out)
    assert code == 0
    assert {row["name"] for row in table["rows"]} == {"mean", "biases", "svd"}
    assert (table["split"], table["n_folds"], table["n_ratings"]) == ("kfold", 3, 240)
    from_library = sd.evaluate(
        [PipelineConfig.parse("svd", {"n_factors": 4, "n_epochs": 3})], sd.read("stars.csv"), "kfold:3:7"
    ).to_dict()
    for one in (*table["rows"], *from_library["rows"]):
        del one["fit_seconds"]
    assert table == json.loads(json.dumps(from_library))
    code, out, _ = run(capsys, *arguments, "--split", "kfold:3:7")
    assert code == 0
    assert all(word in out for word in ("rmse", "mae", "fold 3", "biases", "beside biases"))
    code, out, _ = run(capsys, *arguments, "--split", "random:0.2:7", "--metrics", "auc,map@5,gini@5", "--json")
    assert set(json.loads(out)["rows"][0]["metrics"]) == {"auc", "map@5"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "--data", "gone.csv"], "there is no file gone.csv"),
        (["evaluate", "--data", "."], "is a folder"),
        (["evaluate", "--data", "empty.csv"], "is empty"),
        (["evaluate", "--data", "bad.csv"], "bad.csv, line 3"),
        (["evaluate", "--data", "train.txt"], "no moments"),
        (["evaluate", "--data", "train.txt", "--split", "half"], "'half' is no split"),
        (["evaluate", "--data", "train.txt", "--split", "last-out", "--protocol", "replayed"], "frozen"),
        (["evaluate", "--data", "train.txt", "--split", "last-out", "--metrics", "recal@20"], "no metric 'recal@20'"),
        (["evaluate", "svd", "--data", "train.txt", "--split", "kfold:3"], "no interaction carries a value"),
        (["evaluate", "--data", "train.txt", "--split", "kfold:1"], "cannot be dealt into 1 folds"),
        (["evaluate", "--data", "train.txt", "--split", "kfold:a"], "no split into folds"),
        (["evaluate", "--data", "train.txt", "--split", "last-out", "--metrics", "rmse,ndcg@5"], "one sort at a time"),
        (["tune", "ease", "--data", "train.txt", "--split", "kfold:3"], "makes several parts"),
        (["tune", "--data", "train.txt"], "name what is to be searched"),
        (["tune", "ease", "svd", "--data", "train.txt", "--metrics", "rmse"], "ease does not predict ratings"),
        (["evaluate", "--train", "train.txt"], "--test"),
        (["evaluate", "--candidates", "train.txt"], "--train"),
        (["evaluate", "als", "--data", "train.txt", "--split", "last-out", "--set", "factors=3"], "'factors'"),
        (["evaluate", "--data", "train.txt", "--split", "last-out", "--map", "customer=x"], "customer"),
        (["evaluate", "magic", "--data", "train.txt", "--split", "last-out"], "no model of kind 'magic'"),
        (["tune", "ease", "--train", "train.txt", "--test", "test.txt"], "--test"),
        (["tune", "ease", "--data", "train.txt", "--split", "last-out", "--space", "regularization=9..1"], "lower end"),
        (["tune", "ease", "--data", "train.txt", "--split", "last-out", "--space", "factors=1..9"], "'factors'"),
        (["tune", "ease", "--data", "train.txt", "--split", "last-out", "--trials", "0"], "0 trials"),
        (["tune", "ease", "--data", "train.txt", "--split", "last-out", "--trials-file", "test.txt"], "is no trial"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence_and_exit_code_1(lines, capsys, arguments, said):
    (lines / "empty.csv").write_text("")
    (lines / "bad.csv").write_text("user,item,at\nann,i1,2026-01-01\nann,,2026-01-02\n")
    before = (lines / "test.txt").read_bytes()
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert (lines / "test.txt").read_bytes() == before


@pytest.fixture
def described(here: Path) -> Path:
    """Events by two tastes, and files that tell the taste of every item and user; i99 has no event."""
    rows = [f"u{u},i{2 * ((u + n) % 8) + u % 2}" for u in range(24) for n in range(4)]
    (here / "taken.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    items = [f"i{i},{'sea' if i % 2 else 'hill'} walk{i // 4},{i}" for i in (*range(16), 99)]
    (here / "items.csv").write_text("item,about,price\n" + "\n".join(items) + "\n")
    (here / "users.csv").write_text(
        "id,likes\n" + "\n".join(f"u{u},{'sea' if u % 2 else 'hill'}" for u in range(24)) + "\n"
    )
    return here


ON_TAKEN = ("--data", "taken.csv", "--split", "last-out", "--items", "items.csv", "--users", "users.csv")


def test_models_of_attributes_are_measured_and_tuned_from_files(described, capsys):
    code, out, _ = run(capsys, "evaluate", "content-knn", "profile-knn", *ON_TAKEN, "--metrics", "recall@5", "--json")
    assert code == 0
    frame = sd.read(described / "taken.csv")
    items, users = (pl.read_csv(described / f"{name}.csv") for name in ("items", "users"))
    from_library = sd.evaluate(
        ["content-knn", "profile-knn"], frame, "last-out", metrics=["recall@5"], items=items,
        users=users.rename({"id": "user"}),
    )  # fmt: skip
    assert json.loads(out)["rows"] == json.loads(json.dumps(from_library.to_dict()["rows"]))
    assert {"content-knn", "profile-knn"} <= {row["name"] for row in json.loads(out)["rows"]}
    code, out, _ = run(
        capsys, "tune", "content-knn", "profile-knn", *ON_TAKEN, "--space", "n_factors=1..4", "--trials", "2", "--json"
    )
    found = json.loads(out)
    assert (code, found["failed"]) == (0, {})
    assert {one["pipeline"] for one in found["best"]} == {"content-knn", "profile-knn"}


def test_a_pipeline_whose_every_trial_failed_is_a_failure_with_its_reason(described, capsys):
    search = ("tune", "content-knn", "ease", "--data", "taken.csv", "--split", "last-out", "--trials", "2")
    code, out, err = run(capsys, *search)
    assert code == 1
    assert "ease: ndcg@10" in out
    assert "every trial of content-knn failed" in err
    assert "give a file of them as --items" in err
    code, out, err = run(capsys, "tune", "profile-knn", *search[3:], "--json")
    assert (code, out) == (1, "")
    assert "give a file of them as --users" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about,price\nsea,1\n", "no column looks like the id of items"),
        ("item,price\ni1,1\n,2\n", "odd.csv, line 3: id"),
    ],
)
def test_a_file_of_attributes_that_cannot_be_read_is_one_sentence(described, capsys, text, said):
    (described / "odd.csv").write_text(text)
    arguments = ("evaluate", "content-knn", "--data", "taken.csv", "--split", "last-out", "--items", "odd.csv")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert said in err
    code, _, err = run(capsys, "evaluate", "content-knn", "--items", "items.csv")
    assert code == 1
    assert "--data" in err
