"""The notebook's half: frames of every sort in, strangers answered, models kept and loaded."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy import sparse

import serendip as sd
from serendip.data import adopt, dataset_of
from serendip.domain import InteractionKind, Invalid, NotFound, SerendipError
from serendip.evaluation import Table

PAIRS = [(user, item) for user in range(12) for item in range(user % 2, 8, 2) if (user + item) % 5]
FRAME = pl.DataFrame(
    {
        "user": [f"u{user}" for user, _ in PAIRS],
        "item": [f"i{item}" for _, item in PAIRS],
        "value": [float(1 + n % 5) for n in range(len(PAIRS))],
        "at": [1_700_000_000_000_000 + n * 3_600_000_000 for n in range(len(PAIRS))],
    }
)


class ArrowOnly:
    """Something that gives its columns by the Arrow C stream and in no other way."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


class PandasLike:
    """What `as_frame` asks of a pandas frame, for machines without pandas."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame, self.columns, self.to_dict = frame, frame.columns, frame.to_dict

    def __getitem__(self, name: str) -> np.ndarray:
        return self.frame[name].to_numpy()


FORMS = {
    "polars": FRAME,
    "lazy": FRAME.lazy(),
    "arrow": ArrowOnly(FRAME),
    "pandas-like": PandasLike(FRAME),
    "dict of lists": FRAME.to_dict(as_series=False),
    "dict of arrays": {name: FRAME[name].to_numpy() for name in FRAME.columns},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_frame_is_the_same_data(form):
    assert adopt(FORMS[form]).fingerprint() == adopt(FRAME).fingerprint()


def test_a_pandas_frame_is_the_same_data():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FRAME.to_dict(as_series=False))
    assert adopt(frame).fingerprint() == adopt(FRAME).fingerprint()


def test_a_sparse_matrix_is_users_by_items_with_their_numbers_as_ids():
    users, items = np.array(PAIRS).T
    matrix = sparse.csr_array((FRAME["value"].to_numpy(), (users, items)), shape=(12, 8))
    data = adopt(matrix)
    assert (set(data.users.ids), set(data.items.ids)) == ({str(n) for n in range(12)}, {str(n) for n in range(8)})
    assert len(data) == len(PAIRS)
    shown = sd.fit("item-knn", sparse.csr_matrix(matrix)).recommend("3", k=2).items
    assert set(shown.ravel()) <= {str(n) for n in range(8)}


def test_columns_of_other_names_are_told():
    frame = FRAME.rename({"user": "customer"})
    assert adopt(frame, {"user": "customer"}).fingerprint() == adopt(FRAME).fingerprint()
    with pytest.raises(Invalid, match="no column 'client'"):
        adopt(frame, {"user": "client"})


@pytest.mark.parametrize("wrong", [7, "ratings", SimpleNamespace(), [1, 2], {"user": ["a"]}, {"user": ["a", None]}])
def test_what_holds_no_interactions_is_refused_in_words(wrong):
    with pytest.raises(Invalid):
        sd.fit("popularity", wrong)


@pytest.mark.parametrize("model", ["popularity", "item-knn", "als", "ease"])
def test_a_stranger_gets_the_fallback_and_never_a_key_error(model):
    fitted = sd.fit(model, FRAME)
    answer = fitted.recommend(["u0", "a-stranger"], k=3)
    assert all(item is not None for item in answer.items[1])
    assert set(answer.sources[1]) <= {"popular-7-days", "popular", "popularity"}
    assert fitted.explain("a-stranger", "i1") == []
    with pytest.raises(NotFound, match="i99"):
        fitted.similar_items("i99")


@pytest.mark.parametrize("model", ["popularity", "item-knn", "als", "ease", "item-knn+als*0.5"])
def test_what_was_saved_answers_as_before(model, tmp_path):
    fitted = sd.fit(model, FRAME, seed=3)
    fitted.save(tmp_path / "deep" / "kept")
    again = sd.load(tmp_path / "deep" / "kept")
    assert again.pipeline.config == fitted.pipeline.config
    assert again.data.fingerprint() == fitted.data.fingerprint()
    asked = {"users": ["u0", "u5", "a-stranger"], "k": 4}
    before, after = fitted.recommend(**asked), again.recommend(**asked)
    assert before.items.tolist() == after.items.tolist()
    np.testing.assert_array_equal(before.scores, after.scores)
    bare = {"history": ["i1", "i3"], "k": 2, "items": ["i5", "i7"]}
    assert fitted.recommend(**bare).items.tolist() == again.recommend(**bare).items.tolist()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["kept"]


def test_saving_again_replaces_and_never_touches_what_is_not_ours(tmp_path):
    kept = tmp_path / "kept"
    sd.fit("popularity", FRAME).save(kept)
    sd.fit("ease", FRAME).save(kept)
    assert sd.load(kept).pipeline.config.name == "ease"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(Invalid, match="holds other things"):
        sd.fit("ease", FRAME).save(mine)
    assert (mine / "letter.txt").read_text() == "dear"


def test_a_damaged_model_is_refused(tmp_path):
    kept = tmp_path / "kept"
    sd.fit("ease", FRAME).save(kept)
    for path in sorted(kept.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(SerendipError, match="damaged"):
            sd.load(kept)
        path.write_bytes(whole)
    sd.load(kept)
    with pytest.raises(NotFound, match="no saved model"):
        sd.load(tmp_path / "gone")


def test_what_is_kept_is_plain_arrays_and_a_manifest(tmp_path):
    sd.fit("als", FRAME, n_factors=4).save(tmp_path / "kept")
    names = {path.suffix for path in (tmp_path / "kept").iterdir()}
    assert names == {".json", ".npy"}
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    assert manifest["pipeline"]["sources"][0]["settings"] == {"n_factors": 4}


def test_a_table_of_models_over_a_split_or_given_parts():
    table = sd.evaluate(["popularity", "item-knn"], FRAME, split="time:0.2", metrics=["recall@3", "ndcg@3"])
    assert isinstance(table, Table)
    assert {"popularity", "item-knn", "popular", "random"} <= {row.name for row in table.rows}
    assert set(table.rows[0].metrics) == {"recall@3", "ndcg@3"}
    first, names, *lines = str(table).splitlines()
    assert first.startswith("frozen, split time: ")
    assert names.split() == ["ndcg@3", "recall@3"]
    assert [line.split()[0] for line in lines[: len(table.rows)]] == [row.name for row in table.rows]
    given = sd.evaluate(["ease"], FRAME[:30], test=FRAME[30:], k=3)
    assert (given.split, given.metric) == ("given", "ndcg@3")


def test_a_file_without_moments_has_none(tmp_path: Path):
    (tmp_path / "pairs.csv").write_text("user,item\nann,i1\nann,i2\nbob,i1\nbob,i3\n")
    data = sd.read(tmp_path / "pairs.csv")
    assert data.at is None
    with pytest.raises(Invalid, match="no moments"):
        sd.evaluate(["popularity"], data)


@pytest.mark.parametrize("model", ["svd", "popularity"])
def test_there_are_two_protocols(model):
    with pytest.raises(Invalid, match="no protocol 'foo'; there are replayed and frozen"):
        sd.evaluate([model], FRAME, "random:0.3", protocol="foo")


def test_what_was_saved_is_the_same_data(tmp_path):
    kinds = (InteractionKind("rating", "latest", scale=(1.0, 5.0)),)
    data = dataset_of(FRAME.with_columns(kind=pl.lit("rating")), kinds)
    sd.fit("popularity", data).save(tmp_path / "kept")
    kept = sd.load(tmp_path / "kept")
    assert kept.data.kinds == kinds
    assert kept.pipeline.kinds == kinds
    assert kept.data.fingerprint() == data.fingerprint()
