"""What is said with events, as vectors: made once an event, learnt from and asked with alike; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip import pipeline as pipelines
from serendip.data import Queries
from serendip.domain import Interaction, InteractionKind, Invalid, Item
from serendip.flows.asking import KeyRows, askers
from serendip.flows.attributes import with_attributes
from serendip.flows.bring import Reading, bring
from serendip.flows.export import export
from serendip.flows.forget import everything_of
from serendip.flows.gather import gather
from serendip.flows.said import export_said, import_said, make_said, said_by
from serendip.flows.train import keys_of
from serendip.models.neural.torch import torch_is_here
from serendip.pipeline import PipelineConfig
from serendip.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SORTS = ("green tea kettle", "running shoes wool")
NETWORK = "mlp(said=reviews, positive=5, n_epochs=1, n_text=4, hidden=8)"


def wrote(user: int, item: int, hours_ago: float, text: str | None) -> Interaction:
    stars = 5.0 if item % 2 == user % 2 else 2.0
    at = NOON - timedelta(hours=hours_ago)
    return Interaction(f"u-{user}", f"p-{item}", at, "review", stars, None if text is None else {"text": text})


@pytest.fixture
def shop(store: Store) -> Store:
    """Thirty people who took five of ten things each, and wrote of four in the words of the sort that they like."""
    store.put_items([Item(f"p-{n}", title=f"{SORTS[n % 2]} {n}", text=f"about {SORTS[n % 2]}") for n in range(10)])
    store.declare_kinds([InteractionKind("review", "latest", scale=(1, 5))])
    store.add_interactions(
        [
            wrote(user, (user + 3 * place) % 10, user + 40 * (5 - place), said if place != 2 else None)
            for user, said in ((user, f"I like {SORTS[user % 2]}") for user in range(30))
            for place in range(5)
        ]
    )
    return store


def test_each_event_gets_its_vector_once_and_later_ones_join(shop: Store, tmp_path: Path) -> None:
    first = make_said(shop, "reviews", tmp_path, size=3)
    assert (first.interactions, first.made, first.size) == (120, 120, 2)
    shop.add_interactions([wrote(1, 0, 0.5, "kettle"), wrote(2, 1, 0.5, None)])
    again = make_said(shop, "reviews", tmp_path, size=3)
    assert (again.interactions, again.made, again.encoder) == (121, 1, first.encoder)
    _, vectors = shop.event_vectors("reviews")
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    with pytest.raises(Invalid, match=r"made by words-3.*would be by words-2.*serendip vectors remove reviews"):
        make_said(shop, "reviews", tmp_path, size=2)


def test_where_nobody_says_anything_that_is_what_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no item has a title or a text"):
        make_said(store, "reviews", tmp_path)
    store.put_items([Item("p-0", title="green tea kettle")])
    store.add_interactions([Interaction("u-0", "p-0", NOON, "view", context={"page": 3})])
    with pytest.raises(Invalid, match="none has a text or a summary in its context"):
        make_said(store, "reviews", tmp_path)


def test_they_go_out_and_in_again_by_their_texts(shop: Store, tmp_path: Path) -> None:
    make_said(shop, "reviews", tmp_path, size=3)
    file = tmp_path / "said.parquet"
    assert export_said(shop, "reviews", file) == 2, "each text once"
    assert import_said(shop, "others", file) == 120
    for one, other in zip(shop.event_vectors("reviews"), shop.event_vectors("others"), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(Invalid, match="`serendip vectors make none --of interactions`"):
        export_said(shop, "none", file)
    pl.DataFrame({"text": ["unheard of"], "vector": [[1.0]]}).write_parquet(file)
    assert import_said(shop, "third", file) == 0
    for nothing in ("", " ", None):
        pl.DataFrame({"text": ["I like tea", nothing], "vector": [[1.0], [2.0]]}).write_parquet(file)
        with pytest.raises(Invalid, match="the column text holds a row that says nothing"):
            import_said(shop, "third", file)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_exported_and_imported_again_says_the_same(shop: Store, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"events.{ending}"
    before = [event.said for event in shop.event_contexts()]
    assert export(shop, "interactions", file) == 150
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    assert bring(other, str(file), "interactions", Reading()).added == 150
    assert sorted(event.said for event in other.event_contexts()) == sorted(before)
    other.close()


@pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")
def test_a_request_sees_of_what_was_said_just_what_training_sees(shop: Store, tmp_path: Path) -> None:
    make_said(shop, "reviews", tmp_path, size=3)
    config = PipelineConfig.parse(NETWORK)
    data = with_attributes(shop, gather(shop, said=said_by([config])), [config])
    fitted = pipelines.fit(config, data)
    model = fitted.sources[0].model
    rows = KeyRows.of(keys_of(shop.item_ids(), data.items))
    then = NOON - timedelta(hours=60)
    people = ["u-3", "u-8", "nobody"]
    asked = askers(shop, fitted, rows, people, then).queries
    known = Queries.of_users(data, data.users.rows(people[:2]), int(asked.moment[0]))
    alone = askers(shop, fitted, rows, ["u-3"], then).queries
    for one, other in ((asked.take(np.arange(2)), known), (alone, known.take(np.array([0])))):
        assert one.event_columns is not None
        np.testing.assert_array_equal(
            one.event_columns.columns["reviews"].vectors, other.event_columns.columns["reviews"].vectors
        )
        np.testing.assert_array_equal(model.score(one), model.score(other))
    shop.remove_event_vectors("reviews")
    without = askers(shop, fitted, rows, ["u-3"], then).queries
    assert without.event_columns is None
    assert np.isfinite(model.score(without)).all(), "it answers from the rest"


@pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")
def test_words_written_at_the_moment_or_after_it_change_no_answer(shop: Store, tmp_path: Path) -> None:
    make_said(shop, "reviews", tmp_path, size=3)
    config = PipelineConfig.parse(NETWORK)
    fitted = pipelines.fit(config, with_attributes(shop, gather(shop, said=said_by([config])), [config]))
    rows = KeyRows.of(keys_of(shop.item_ids(), fitted.items))

    def scores(hours_ago: float) -> np.ndarray:
        asked = askers(shop, fitted, rows, ["u-0"], NOON - timedelta(hours=hours_ago)).queries
        return np.asarray(fitted.sources[0].model.score(asked))

    at_it, behind = scores(40), scores(39.9)
    events = everything_of(shop, "u-0", NOON).interactions
    (latest,) = (one for one in events if one[1].at == NOON - timedelta(hours=40))
    shop.change_interaction(latest[0], lambda _: wrote(0, 2, 40, "kettle running wool"))
    make_said(shop, "reviews", tmp_path, size=3)
    np.testing.assert_array_equal(scores(40), at_it)
    assert (scores(39.9) != behind).any(), "a moment later it counts"
