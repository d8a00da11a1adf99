"""Searching for settings with files alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from serendip.domain import InteractionKind, Invalid, NotReady
from serendip.flows.measure_files import Files, read_parts
from serendip.flows.tune import Tuned, tune, validation_split


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def tastes(folder: Path, n_users: int = 60) -> Path:
    """Two tastes, each over twelve items, taken in no order; a line a user."""
    rng = np.random.default_rng(0)
    lines = [
        " ".join([f"u{user}", *(f"i{item * 2 + user % 2}" for item in rng.permutation(12)[: 6 + user % 3])])
        for user in range(n_users)
    ]
    return put(folder, "tastes.txt", "\n".join(lines) + "\n")


def test_a_search_keeps_every_trial_and_is_not_done_twice(tmp_path):
    data, kept = Files(tastes(tmp_path)), tmp_path / "deep" / "trials.jsonl"

    def search(pipelines=("item-knn", "ease"), **more):
        return tune(data, pipelines, kept, spaces={}, split="last-out", n_trials=4, **more)

    first = search()
    assert (len(first.trials), first.resumed) == (8, 0)
    lines = kept.read_text().splitlines()
    assert len(lines) == 8
    assert {json.loads(line)["pipeline"] for line in lines} == {"item-knn", "ease"}
    assert first.best[0].metrics["ndcg@10"] == max(one.metrics["ndcg@10"] for one in first.trials)
    assert first.budget == "each pipeline got 4 trials on all users"
    assert {name: one["trials"] for name, one in first.spent.items()} == {"item-knn": 4, "ease": 4}
    took = sum(one.seconds for one in first.trials if one.pipeline == "ease")
    assert first.spent["ease"]["seconds"] == pytest.approx(took, abs=0.002)

    # A kill in the middle of a line: what is whole is kept, the rest is done again, and the answer is the same.
    kept.write_text("\n".join(lines[:5]) + "\n" + lines[5][:20])
    again = search()
    assert again.resumed == 5
    assert [(one.settings, one.metrics) for one in again.trials] == [
        (one.settings, one.metrics) for one in first.trials
    ]
    assert len(kept.read_text().splitlines()) == 8
    # Another question is another study, in the same file.
    assert search(seed=1).resumed == 0


def test_a_search_by_halving_asks_everybody_in_the_end(tmp_path):
    found = tune(
        Files(tastes(tmp_path)), ["item-knn"], tmp_path / "t", spaces={}, split="last-out", n_trials=9, search="halving"
    )
    assert [round(one.share, 2) for one in found.trials] == [0.11] * 9 + [0.33] * 3 + [1.0]
    assert found.best == (found.trials[-1],)
    assert found.budget.endswith("1 trials on all users: as much as 3 on all")


def test_tuning_never_sees_the_test_part(tmp_path):
    file = put(tmp_path, "all.txt", "ann i1 i2 i3\nbob i1 i4\ncat i3 i2 i1 i5\n")
    cut = validation_split(read_parts(Files(file)), "last-out", seed=0)
    names = cut.train.items.ids
    assert {names[item] for item in cut.test.item_ix} == {"i2", "i1"}
    assert {names[item] for item in cut.train.item_ix} == {"i1", "i3", "i2"}
    with pytest.raises(Invalid, match="validation"):
        tune(Files(train=file, test=file), ["ease"], tmp_path / "t", spaces={})


def test_a_trial_that_fails_is_kept_with_its_reason(tmp_path):
    found = tune(
        Files(tastes(tmp_path)),
        ["als"],
        tmp_path / "t",
        spaces={"regularization": "0.000001|20", "n_factors": "4", "n_epochs": "2..5", "confidence": "4"},
        split="last-out",
        n_trials=8,
    )
    errors = [one.error for one in found.trials if one.error]
    assert 0 < len(errors) < 8
    assert all("regularization" in error for error in errors)
    assert len(found.best) == 1


def said(found: Tuned) -> list[object]:
    return [(one.pipeline, one.number, one.share, one.settings, one.metrics, one.error) for one in found.trials]


@pytest.mark.parametrize("search", ["random", "halving"])
def test_a_kill_at_any_byte_loses_at_most_the_trial_that_was_being_written(search, tmp_path):
    data, kept = Files(tastes(tmp_path, 20)), tmp_path / "trials.jsonl"

    def searched() -> Tuned:
        return tune(data, ["popular"], kept, spaces={}, split="last-out", n_trials=4, search=search)

    first, raw = searched(), kept.read_bytes()
    ends = [place for place, byte in enumerate(raw, start=1) if byte == ord("\n")]
    for cut in {0, 1, 5, 11, ends[1] - 1, ends[1], ends[1] + 1, ends[-2] + 20, len(raw) - 1, len(raw)}:
        kept.write_bytes(raw[:cut])
        again = searched()
        assert again.resumed == sum(end <= cut for end in ends), cut
        assert said(again) == said(first), cut
        assert len(kept.read_bytes().splitlines()) == len(ends), cut


def test_a_file_that_holds_other_things_is_not_cut(tmp_path):
    kept = put(tmp_path, "thesis.txt", "all my work, without a last line end")
    with pytest.raises(Invalid, match=r"thesis.txt, line 1, is no trial"):
        tune(Files(tastes(tmp_path)), ["ease"], kept, spaces={}, split="last-out", n_trials=1)
    assert kept.read_text().startswith("all my work")


@pytest.mark.parametrize("split", ["time:0.2", "last-out"])
def test_what_the_test_part_holds_changes_no_trial(split, tmp_path):
    rng = np.random.default_rng(2)
    rows = [(f"u{u}", f"i{i}") for u in range(30) for i in rng.permutation(12)[:8]]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    days = [f"2026-01-01T{place // 60:02}:{place % 60:02}" for place in range(len(rows))]
    lines = [f"{user},{item},{day}" for (user, item), day in zip(rows, days, strict=True)]
    if split == "last-out":
        last = {user: place for place, (user, _) in enumerate(rows)}
        tested = set(last.values())
    else:
        tested = set(range(int(0.8 * len(rows)), len(rows)))
    other = [
        line if place not in tested else f"{rows[place][0]},never-seen-{place},{days[place]}"
        for place, line in enumerate(lines)
    ]
    found = []
    for name, text in (("one", lines), ("other", other)):
        file = put(tmp_path, f"{name}.csv", "user,item,at\n" + "\n".join(text) + "\n")
        settings = {"n_factors": "3..6", "n_epochs": "2..4", "regularization": "1..9", "confidence": "1..9"}
        found.append(tune(Files(file), ["als"], tmp_path / "t", spaces=settings, split=split, n_trials=3))
    assert said(found[0]) == said(found[1])
    # It is the same question even: nothing is done again.
    assert (found[0].resumed, found[1].resumed) == (0, 3)


def test_models_of_ratings_are_searched_for_the_smallest_error(tmp_path):
    rows = [f"u{u},i{i},{1 + (u % 2 + i) % 5}" for u in range(20) for i in range(8)]
    file = put(tmp_path, "stars.csv", "user,item,rating\n" + "\n".join(rows) + "\n")
    settings = {"n_factors": "2..6", "n_epochs": "1..20", "ridge": "1..9", "regularization": "0.01..0.1"}
    found = tune(Files(file), ["svd"], tmp_path / "t", spaces=settings, split="random:0.3", n_trials=5)
    assert (found.metric, set(found.best[0].metrics)) == ("rmse", {"rmse", "mae"})
    assert found.best[0].metrics["rmse"] == min(one.metrics["rmse"] for one in found.trials)


def test_optuna_is_told_what_was_reached_and_goes_on_where_it_was(tmp_path):
    pytest.importorskip("optuna")
    data, kept = Files(tastes(tmp_path, 20)), tmp_path / "trials.jsonl"
    space = {"n_neighbours": "2..20:log", "similarity": "cosine|tfidf", "shrinkage": "0.5..9.5"}

    def searched() -> Tuned:
        return tune(data, ["item-knn"], kept, spaces=space, split="last-out", n_trials=12, search="optuna")

    first, raw = searched(), kept.read_bytes()
    assert (first.resumed, first.spent["item-knn"]["trials"]) == (0, 12)
    assert first.best[0].metrics["ndcg@10"] == max(one.metrics["ndcg@10"] for one in first.trials)
    assert all(2 <= one.settings["n_neighbours"] <= 20 for one in first.trials)
    kept.write_bytes(raw[: len(raw) // 2])
    again = searched()
    assert 0 < again.resumed < 12
    assert said(again) == said(first)


def test_where_optuna_is_missing_one_sentence_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NotReady, match=r"needs the package optuna; pip install 'serendip\[tune\]'"):
        tune(Files(tastes(tmp_path)), ["ease"], tmp_path / "t", spaces={}, split="last-out", search="optuna")


def few(folder: Path) -> Path:
    """120 rows over 20 days, of 30 users; few of them are there before and after a cut."""
    rng = np.random.default_rng(3)
    rows = [f"u{rng.integers(30)},i{rng.integers(15)},2026-01-{1 + n // 6:02}" for n in range(120)]
    return put(folder, "small.csv", "user,item,at\n" + "\n".join(rows) + "\n")


def test_halving_begins_on_more_users_where_few_have_nobody_to_ask(tmp_path):
    found = tune(Files(few(tmp_path)), ["item-knn"], tmp_path / "t", spaces={}, n_trials=27, search="halving")
    shares = [round(one.share, 2) for one in found.trials]
    assert shares == [0.11] * 27 + [0.33] * 3 + [1.0]
    assert "nobody could be asked among fewer than 0.111 of the users, so it began there" in found.budget
    assert found.budget.startswith("each pipeline got 27 trials on 0.111 of the users, then 3 trials on 0.333")
    assert found.best == (found.trials[-1],)


def test_parts_without_anybody_to_ask_are_refused_once(tmp_path):
    files = Files(
        train=put(tmp_path, "a.csv", "user,item\nu1,i1\n"), validation=put(tmp_path, "b.csv", "user,item\nu2,i1\n")
    )
    with pytest.raises(NotReady, match="no user of the validation part has a history"):
        tune(files, ["ease"], tmp_path / "t", spaces={})


@pytest.mark.parametrize(("metric", "better"), [("gini@5", min), ("coverage@1", max), ("novelty@5", max)])
def test_a_metric_decides_in_its_own_direction(metric, better, tmp_path):
    found = tune(
        Files(tastes(tmp_path)), ["item-knn", "ease"], tmp_path / "t", spaces={}, split="last-out", n_trials=4,
        metrics=[metric],
    )  # fmt: skip
    reached = [one.metrics[metric] for one in found.trials]
    assert len({*reached}) > 1
    assert found.best[0].metrics[metric] == better(reached)


def test_one_search_at_a_time_has_a_file_of_trials(tmp_path):
    pytest.importorskip("fcntl")
    data, kept = Files(tastes(tmp_path, 20)), tmp_path / "trials.jsonl"

    def searched(progress=lambda _: None) -> Tuned:
        return tune(data, ["popular"], kept, spaces={}, split="last-out", n_trials=2, progress=progress)

    refused = []

    def second(said: str) -> None:
        if not said.startswith("popular 1/2"):
            return
        with kept.open("ab") as file:
            file.write(b'{"error": nul')  # what another that runs is writing just now
        before = kept.read_bytes()
        with pytest.raises(NotReady, match=r"another search is running with .*trials\.jsonl"):
            searched()
        refused.append(kept.read_bytes() == before)
        kept.write_bytes(before[: before.rfind(b"\n") + 1])

    first = searched(second)
    assert refused == [True]
    assert len(kept.read_text().splitlines()) == 2
    # It ends with the search, and with one that fails.
    assert searched().resumed == len(first.trials)
    kept.write_text("mine")
    for _ in range(2):
        with pytest.raises(Invalid, match="is no trial"):
            searched()


def test_a_grid_tries_every_combination_and_goes_on_after_a_kill(tmp_path):
    data, kept = Files(tastes(tmp_path)), tmp_path / "grid.jsonl"
    spaces = {"n_neighbours": "2|5|20", "similarity": "cosine|bm25"}

    def search(**more):
        return tune(data, ["item-knn"], kept, spaces=spaces, split="last-out", search="grid", n_trials=1, **more)

    first = search()
    wanted = {(str(n), name) for n in (2, 5, 20) for name in ("cosine", "bm25")}
    assert {(one.settings["n_neighbours"], one.settings["similarity"]) for one in first.trials} == wanted
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(lines[:4]) + "\n" + lines[4][:30])
    assert (search().resumed, len(kept.read_text().splitlines())) == (4, 6)
    with pytest.raises(Invalid, match="a grid takes values"):
        tune(data, ["item-knn"], kept, spaces={"n_neighbours": "2..9"}, split="last-out", search="grid")
    with pytest.raises(Invalid, match="needs values to combine"):
        tune(data, ["item-knn"], kept, spaces={}, split="last-out", search="grid")


def test_a_search_that_is_killed_goes_on_where_it_stopped(tmp_path):
    data, kept = tastes(tmp_path, 400), tmp_path / "killed.jsonl"
    command = [sys.executable, "-m", "serendip", "tune", "item-knn", "--data", str(data), "--split", "last-out"]
    command += ["--space", "n_neighbours=" + "|".join(map(str, range(1, 401))), "--search", "grid", "--json"]
    command += ["--trials-file", str(kept)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    searching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while (not kept.exists() or kept.read_bytes().count(b"\n") < 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert searching.poll() is None, searching.communicate()
    searching.send_signal(signal.SIGKILL)
    searching.communicate()
    before = kept.read_bytes().count(b"\n")
    assert 3 <= before < 400
    first = [json.loads(line)["settings"] for line in kept.read_text().splitlines()[:before]]
    again = tune(
        Files(data), ["item-knn"], kept, split="last-out", search="grid",
        spaces={"n_neighbours": "|".join(one["n_neighbours"] for one in first) + "|401"},
    )  # fmt: skip
    assert (len(again.trials), again.resumed) == (before + 1, before)


def test_a_declared_weight_counts_in_a_search(tmp_path):
    rows = ["user,item,kind,at"]
    for user in range(40):
        rows += [
            f"u{user},i{user % 3},cart,2026-01-0{1 + user % 5}",
            f"u{user},j{user % 4},view,2026-01-0{1 + user % 5}",
        ]
        rows += [f"u{user},i{(user + 1) % 3},cart,2026-01-{10 + user % 9}"]
    data = put(tmp_path, "events.csv", "\n".join(rows) + "\n")
    kinds = (InteractionKind("view", weight=0.0), InteractionKind("cart", weight=10.0))
    found = read_parts(Files(data, kinds=kinds)).rows
    names = [kind.name for kind in found.kinds]
    assert set(found.weight[found.kind == names.index("cart")]) == {10.0}
    assert set(found.weight[found.kind == names.index("view")]) == {0.0}
