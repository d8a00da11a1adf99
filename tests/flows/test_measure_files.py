"""Measuring and tuning with files alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from serendip.domain import Invalid
from serendip.evaluation import Table
from serendip.flows.measure_files import Files, configs_for, evaluate_files, read_parts

TRAIN = "ann i1 i2\nbob i1\ncat i1 i2 i3\n"
TEST = "ann i3\nbob i2 i4\ndan i1\ncat\n"
"""Popular: i1 x 3, i2 x 2, i3 x 1. i4 nobody has met, dan nobody knows, cat has nothing to find."""


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.fixture
def parts(tmp_path: Path) -> Files:
    return Files(train=put(tmp_path, "train.txt", TRAIN), test=put(tmp_path, "test.txt", TEST))


def popular(table: Table, metric: str) -> float:
    return table.row("popular").metrics[metric].mean


def test_parts_are_measured_as_papers_do(parts):
    table = evaluate_files(parts, [], metrics=("recall@1", "ndcg@2", "recall@2"))
    assert (table.split, table.protocol, table.n_queries) == ("given", "frozen", 2)
    # ann has met i1 and i2 and is shown i3: found at place 1. bob is shown i2, then i3: one of two, at place 1.
    assert popular(table, "recall@1") == pytest.approx((1 + 1 / 2) / 2)
    # bob: 1 / (1 + 1 / log2(3)).
    assert popular(table, "ndcg@2") == pytest.approx((1 + 1 / 1.6309297535) / 2)
    assert any("1 interactions to be found are of users without history" in note for note in table.notes)


PAIRS = [
    [("1", "11"), ("1", "12"), ("2", "11"), ("3", "11"), ("3", "12"), ("3", "13")],
    [("1", "13"), ("2", "12"), ("2", "14")],
]
"""The same two parts in numbers, which no reader takes for the names of columns."""


@pytest.mark.parametrize("form", ["csv", "tsv", "dat", "parquet", "txt"])
def test_every_form_of_file_gives_the_same_numbers(form, tmp_path, parts):
    between = {"csv": ",", "tsv": "\t", "dat": "::", "txt": " "}
    paths = []
    for name, pairs in zip(("train", "test"), PAIRS, strict=True):
        paths.append(tmp_path / f"{name}.{form}")
        if form == "parquet":
            pl.DataFrame(pairs, schema=["user", "item"], orient="row").write_parquet(paths[-1])
        else:
            paths[-1].write_text("".join(f"{user}{between[form]}{item}\n" for user, item in pairs))
    row = evaluate_files(Files(train=paths[0], test=paths[1]), []).row("popular")
    assert row.metrics == evaluate_files(parts, []).row("popular").metrics


def test_of_lines_the_last_item_is_the_one_left_out_and_there_are_no_moments(tmp_path):
    data = put(tmp_path, "all.txt", "ann i1 i2 i3\nbob i2 i1\ncat i3 i1 i2\n")
    table = evaluate_files(Files(data), [], "last-out", metrics=("recall@1",))
    # Known: ann i1 i2, bob i2, cat i3 i1. Popular: i1 x 2, i2 x 2, i3. ann is shown i3 and finds it, bob i1, cat i2.
    assert popular(table, "recall@1") == 1
    assert (table.split, table.parity_only, table.cut) == ("leave-last-out", True, None)
    with pytest.raises(Invalid, match="no moments"):
        evaluate_files(Files(data), [])


def test_lines_of_the_same_many_items_are_lines_and_not_a_table(tmp_path):
    data = put(
        tmp_path, "all.txt", "".join(f"u{u} " + " ".join(f"i{u + n}" for n in range(8)) + "\n" for u in range(3))
    )
    rows = read_parts(Files(data)).rows
    assert (rows.n_users, len(rows), rows.at) == (3, 24, None)


def test_a_random_split_is_that_of_its_seed(tmp_path):
    lines = "".join(f"u{u} " + " ".join(f"i{(u * 3 + n) % 17}" for n in range(2 + u % 4)) + "\n" for u in range(30))
    data = Files(put(tmp_path, "all.txt", lines))
    tables = [evaluate_files(data, [], split, seed=5) for split in ("random:0.2:7", "random:0.2:7", "random:0.2:8")]
    assert tables[0] == tables[1] != tables[2]
    assert evaluate_files(data, [], "random:0.2", seed=7).rows == evaluate_files(data, [], "random:0.2:7", seed=7).rows


def test_validation_joins_training_only_when_that_is_said(tmp_path):
    files = Files(
        train=put(tmp_path, "train.txt", "ann i1 i2\nbob i1\n"),
        validation=put(tmp_path, "valid.txt", "bob i3\n"),
        test=put(tmp_path, "test.txt", "ann i3\n"),
    )
    apart = evaluate_files(files, [], metrics=("recall@1",))
    assert popular(apart, "recall@1") == 0
    assert any("not learnt from" in note for note in apart.notes)
    assert popular(evaluate_files(files, [], join_validation=True, metrics=("recall@1",)), "recall@1") == 1
    with pytest.raises(Invalid, match="join-validation"):
        evaluate_files(Files(train=files.train, validation=files.validation), [], join_validation=True)


def test_given_candidates_alone_are_ranked(tmp_path, parts):
    candidates = put(tmp_path, "candidates.txt", "ann i3 i4\nbob i3 i4\n")
    files = Files(train=parts.train, test=parts.test, candidates=candidates)
    table = evaluate_files(files, [], metrics=("recall@1",))
    # bob's i2 is not among his candidates; popular puts i3 before i4.
    assert popular(table, "recall@1") == pytest.approx(1 / 2)
    assert table.sampled


def test_files_are_one_to_be_split_or_parts():
    for wrong in ({}, {"train": "a"}, {"test": "a"}, {"data": "a", "test": "b"}, {"validation": "b"}):
        with pytest.raises(Invalid, match="--"):
            Files(**wrong)


def test_the_usual_pipelines_on_files_need_no_moments():
    assert [one.name for one in configs_for((), {})] == ["item-knn", "als", "ease"]
    with pytest.raises(Invalid, match="has a setting"):
        configs_for(("ease",), {"n_factors": 3})


CANDIDATES = {
    "lines of the same length": ("c.txt", "ann i3 i4\nbob i3 i4\n"),
    "lines of numbers with tabs": ("c.tsv", "ann\ti3\ti4\nbob\ti3\ti4\n"),
    "a table with names": ("c.csv", "item,user\ni3,ann\ni4,ann\ni3,bob\ni4,bob\n"),
}


@pytest.mark.parametrize("what", CANDIDATES)
def test_candidates_beside_a_table_are_lines_unless_their_names_say_else(what, tmp_path):
    files = Files(
        train=put(tmp_path, "train.csv", "user,item\nann,i1\nann,i2\nbob,i1\ncat,i1\ncat,i2\ncat,i3\ndan,i4\n"),
        test=put(tmp_path, "test.csv", "user,item\nann,i3\nbob,i2\n"),
        candidates=put(tmp_path, *CANDIDATES[what]),
    )
    given = read_parts(files).of("candidates")
    assert given is not None
    pairs = {(given.users.ids[u], given.items.ids[i]) for u, i in zip(given.user_ix, given.item_ix, strict=True)}
    assert pairs == {("ann", "i3"), ("ann", "i4"), ("bob", "i3"), ("bob", "i4")}
    assert evaluate_files(files, []).n_queries == 2


def test_candidates_in_columns_without_names_are_refused(parts, tmp_path):
    candidates = put(tmp_path, "c.csv", "ann,i3,i4\nbob,i3,i4\n")
    with pytest.raises(Invalid, match="write candidates as lines"):
        evaluate_files(Files(train=parts.train, test=parts.test, candidates=candidates), [])


def test_candidates_as_pairs_of_numbers_are_pairs(tmp_path):
    train = put(tmp_path, "train.csv", "user,item\n1,11\n2,11\n")
    files = Files(train=train, test=train, candidates=put(tmp_path, "c.csv", "1,12\n1,13\n2,12\n"))
    given = read_parts(files).of("candidates")
    assert given is not None
    assert [given.items.ids[item] for item in given.item_ix] == ["12", "13", "12"]
