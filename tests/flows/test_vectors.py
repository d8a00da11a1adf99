"""Vectors of items' texts: made once a text, in the store, in and out as Parquet; on both databases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip.domain import Invalid, Item, NotReady
from serendip.flows.vectors import export_vectors, import_vectors, make_vectors
from serendip.store import Store

WORDS = ["green tea kettle", "steel tea kettle", "running shoes", "wool socks and shoes"]


def items() -> list[Item]:
    named = [Item(f"p-{n}", title=words, text=f"about {words}") for n, words in enumerate(WORDS)]
    return [*named, Item("p-twin", title=WORDS[0], text=f"about {WORDS[0]}"), Item("p-bare")]


def test_a_text_is_encoded_once_whatever_item_has_it_and_new_items_join_the_old_encoder(store: Store, tmp_path: Path):
    store.put_items(items())
    first = make_vectors(store, "words", tmp_path, size=3)
    assert (first.items, first.made, first.from_cache, first.without_words, first.size) == (5, 4, 0, 1, 3)
    keys, vectors = store.vectors("words")
    assert len(keys) == 5
    np.testing.assert_array_equal(vectors[0], vectors[4])
    again = make_vectors(store, "words", tmp_path, size=3)
    assert (again.made, again.from_cache, again.encoder) == (0, 4, first.encoder)
    store.put_items([Item("p-new", title="kettle of steel"), Item("p-0", title="running shoes")])
    more = make_vectors(store, "words", tmp_path, size=3)
    assert (more.items, more.made, more.encoder) == (6, 2, first.encoder)
    np.testing.assert_array_equal(store.vectors("words")[1][1], vectors[1])
    assert make_vectors(store, "words", tmp_path, size=3, refit=True).encoder != first.encoder
    with pytest.raises(Invalid, match="under another name"):
        make_vectors(store, "words", tmp_path, size=2)


def test_vectors_go_out_and_in_again_as_parquet(store: Store, tmp_path: Path):
    store.put_items(items())
    make_vectors(store, "words", tmp_path / "cache", size=3)
    file = tmp_path / "words.parquet"
    assert export_vectors(store, "words", file) == 5
    assert import_vectors(store, "again", file) == 5
    for one, other in zip(store.vectors("words"), store.vectors("again"), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(Invalid, match="no vectors called 'others'"):
        export_vectors(store, "others", file)
    with pytest.raises(Invalid, match=r"\.parquet"):
        export_vectors(store, "words", tmp_path / "words.csv")
    for rows in ([[1.0, 2.0], [1.0]], [[1.0, 2.0], [1.0, float("nan")]]):
        pl.DataFrame({"item": ["a", "b"], "vector": rows}).write_parquet(file)
        with pytest.raises(Invalid):
            import_vectors(store, "third", file)
    pl.DataFrame({"item": ["a"], "vector": [[1e300]]}).write_parquet(file)
    with pytest.raises(Invalid, match="not finite"):
        import_vectors(store, "third", file)
    pl.DataFrame({"item": [], "vector": []}, {"item": pl.String, "vector": pl.List(pl.Float64)}).write_parquet(file)
    assert import_vectors(store, "third", file) == 0
    with pytest.raises(NotReady, match="could not be written"):
        export_vectors(store, "words", file / "below-a-file.parquet")
    file.write_bytes(b"no parquet")
    with pytest.raises(Invalid, match="no Parquet file"):
        import_vectors(store, "third", file)
    assert len(store.vectors("third")[0]) == 0


def test_without_any_text_there_is_nothing_to_make(store: Store, tmp_path: Path):
    store.put_items([Item("p-bare")])
    with pytest.raises(Invalid, match="no item has a title or a text"):
        make_vectors(store, "words", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_kept_encoder_that_was_cut_short_is_refused_and_learnt_anew_when_asked(store: Store, tmp_path: Path):
    store.put_items(items())
    made = make_vectors(store, "words", tmp_path, size=3)
    turn = tmp_path / "words-3" / "encoder" / "turn.npy"
    whole = turn.read_bytes()
    for spoilt in (whole[:-4], b"xx"):
        turn.write_bytes(spoilt)
        with pytest.raises(Invalid, match=r"no encoder that can be read.*--refit"):
            make_vectors(store, "words", tmp_path, size=3)
    turn.unlink()
    with pytest.raises(Invalid, match=r"no encoder that can be read.*--refit"):
        make_vectors(store, "words", tmp_path, size=3)
    assert make_vectors(store, "words", tmp_path, size=3, refit=True).size == made.size
