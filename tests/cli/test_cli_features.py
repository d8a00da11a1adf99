"""`features list` and `features build`, from the terminal."""

from __future__ import annotations

import json

import polars as pl
from test_cli import run

EVENTS = "user,item,kind,at\n" + "".join(
    f"u{u},i{(u + n) % 5},{kind},2026-01-{1 + n:02}T{u:02}:00\n"
    for u in range(6)
    for n in range(8)
    for kind in (("view", "like") if (u + n) % 3 == 0 else ("view",))
)


def test_features_are_listed_and_built_from_a_file_and_from_what_is_recorded(here, capsys):
    (here / "events.csv").write_text(EVENTS)
    (here / "items.csv").write_text("item,topic,price\n" + "".join(f"i{i},t{i % 2},{i}\n" for i in range(5)))
    code, out, _ = run(capsys, "features", "list", "--from", "events.csv", "--items", "items.csv", "--json")
    listed = {one["feature"]: one["meaning"] for one in json.loads(out)}
    assert code == 0
    assert (
        listed["rate(item, like/view)"] == "interactions 'like' of the item for each of the interactions 'view' so far"
    )
    assert listed["item.topic"] == "the item's topic"
    build = ["features", "build", "--to", "tables", "--from", "events.csv", "--shown", "view", "--positive", "like",
             "--feature", "count(item,like)", "--feature", "hour"]  # fmt: skip
    code, out, _ = run(capsys, *build)
    assert code == 0
    assert "48 rows of 2 features\n" in out
    assert "there already" in run(capsys, *build)[1]
    table = pl.read_parquet("tables/*/part-*.parquet")
    assert table.columns == ["row", "user", "item", "at", "label", "count(item, like)", "hour"]
    assert table["label"].sum() == EVENTS.count("like")
    assert run(capsys, "import", "events.csv", "--json")[0] == 0
    code, out, _ = run(capsys, "features", "build", "--to", "sqlite:///tables.db", "--feature", "count(user)", "--json")
    assert (code, json.loads(out)["rows"]) == (0, EVENTS.count("\n") - 1)
    assert "count(user, 7d)" in run(capsys, "features", "list")[1]


def test_a_feature_that_is_none_is_one_sentence(here, capsys):
    (here / "events.csv").write_text(EVENTS)
    code, _, err = run(capsys, "features", "list", "--from", "events.csv", "--feature", "clicks")
    assert code == 1
    assert err.startswith("serendip: 'clicks' is no feature")
    assert run(capsys, "features", "build", "--to", "sqlite:///here.db", "--feature", "hour")[0] == 1


RANKED = """
[models.order]
kind = "boosted"
features = ["count(item, like)", "hour", "score(popular)", "rank(item-knn)"]

[scenarios.home]
candidates = ["popular", "item-knn"]
ranker = "order"

[scenarios.plain]
candidates = ["popular"]
"""


def test_what_the_ranker_of_a_scenario_looks_at_is_built_but_for_what_its_sources_say(here, capsys):
    (here / "events.csv").write_text(EVENTS)
    (here / "serendip.toml").write_text(RANKED)
    assert run(capsys, "import", "events.csv", "--json")[0] == 0
    build = ["features", "build", "--to", "tables", "--shown", "view", "--positive", "like"]
    assert run(capsys, *build, "--scenario", "home")[0] == 0
    assert pl.read_parquet("tables/*/part-*.parquet").columns[5:] == ["count(item, like)", "hour"]
    for arguments, said in (
        (["--scenario", "plain"], "plain has no ranker"),
        (["--scenario", "nowhere"], "no scenario 'nowhere'"),
        (["--scenario", "home", "--feature", "hour"], "not both"),
    ):
        code, _, err = run(capsys, *build, *arguments)
        assert (code, said in err) == (1, True), err
