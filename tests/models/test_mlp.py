"""The network over what items are made of: what it may look at, and what it learns."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from serendip.data import Column, Columns, Dataset, Queries
from serendip.domain import InteractionKind, Invalid
from serendip.models import fit, restore
from serendip.models.contract import HasFactors
from serendip.models.mlp import MlpConfig, price_of
from serendip.models.neural.examples import asker_features, examples_of, features_of, unmet
from serendip.models.neural.network import auc
from serendip.models.neural.torch import torch_is_here
from worlds import ask, took, world

TRAINS = pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")
CONTENT = np.eye(4, dtype=np.float32)


def everybody(data: Dataset) -> Queries:
    return Queries.of_users(data, np.arange(data.n_users))


def test_an_example_sees_what_its_user_did_strictly_before_and_split_by_liking() -> None:
    events = [
        *(took(0, 0, 9, value=5), took(0, 1, 8, value=2), took(0, 2, 7, value=5), took(0, 3, 7, value=5)),
        took(1, 3, 6, value=5),
    ]
    past, examples = examples_of(world(events), positive=5)
    assert examples.liked.tolist() == [1, 0, 1, 1, 1]
    # Means of what was liked and of what was not, each with ln(1 + how many) as part of ln(1 + 500). Items 2 and 3 came
    # at one moment.
    one = np.log(2) / np.log(501)
    nothing, first = [0.0] * 5, [1, 0, 0, 0, one]
    wanted = [nothing * 2, first + nothing, [*first, 0, 1, 0, 0, one], [*first, 0, 1, 0, 0, one], nothing * 2]
    np.testing.assert_allclose(features_of(CONTENT, past, examples, split=True), wanted, rtol=1e-6)


def test_without_moments_an_example_sees_all_else_that_its_user_did() -> None:
    data = replace(world([took(0, 0), took(0, 1), took(1, 3)]), at=None, until=None)
    past, examples = examples_of(data, positive=None)
    one = np.log(2) / np.log(501)
    wanted = [[0, 1, 0, 0, one], [1, 0, 0, 0, one], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(features_of(CONTENT, past, examples, split=False), wanted, rtol=1e-6)


def test_training_and_asking_make_the_same_features_of_a_history() -> None:
    data = world([took(0, i, 9 - i, value=1 + i) for i in range(4)])
    past, examples = examples_of(data, positive=3)
    last = features_of(CONTENT, past, examples, split=True)[3]
    queries = ask(data, [took(0, i, 9 - i, value=1 + i) for i in range(3)])
    below = queries.value < 3
    asked = asker_features(CONTENT, queries.indptr, queries.item_ix, queries.weight, below)
    np.testing.assert_array_equal(asked[0], last)


def test_pairs_drawn_as_unmet_never_met() -> None:
    data = world([took(u, i) for u in range(6) for i in range(4) if u != i])
    past, examples = examples_of(data, positive=None)
    drawn = unmet(data, past, examples, 10.0, np.random.default_rng(0))
    met = set(zip(data.user_ix.tolist(), data.item_ix.tolist(), strict=True))
    owner = data.user_ix[data.by_user[1]][drawn.event]
    assert not met & set(zip(owner.tolist(), drawn.item_ix.tolist(), strict=True))
    # Users 0 to 3 missed one item of four each, users 4 and 5 none.
    assert set(owner.tolist()) == {0, 1, 2, 3}


def test_auc_counts_pairs_in_order_and_equal_ones_half() -> None:
    liked = np.array([True, False, True, False])
    # Of the four pairs .4 and .1, .9 and .1, .9 and .4 are in order, and .4 equals .4.
    assert auc(np.array([0.4, 0.1, 0.9, 0.4], np.float32), liked) == pytest.approx(3.5 / 4)


def test_a_price_counts_by_its_logarithm_and_one_that_is_none_says_so() -> None:
    prices = [{"p": 0.0}, {"p": np.e**2 - 1}, {"p": -3.0}, {}, {"p": float("nan")}]
    column = Columns.of(prices).columns["p"]
    np.testing.assert_allclose(price_of(column, "p"), [[-1, 1], [1, 1], [0, 0], [0, 0], [0, 0]], atol=1e-6)
    with pytest.raises(Invalid, match="'p' is text, not a number"):
        price_of(Columns.of([{"p": "cheap"}]).columns["p"], "p")


def readers(n_users: int = 150) -> Dataset:
    """Half of the people rate three of the sea books 5 and two of the hills 1, the others the other way; 12 books.

    The last book of each is rated by nobody.
    """
    rng, events = np.random.default_rng(5), []
    for user in range(n_users):
        mine, other = (rng.permutation(np.arange(side % 2, 10, 2)) for side in (user, user + 1))
        rated = [(int(i), 5.0) for i in mine[:3]] + [(int(i), 1.0) for i in other[:2]]
        for place, at in enumerate(rng.permutation(5)):
            events.append(took(user, rated[place][0], 24 * (5 - int(at)) + user / 60, value=rated[place][1]))
    texts = [{"text": f"a book about {('sea waves', 'hills snow')[i % 2]}"} for i in range(12)]
    return replace(world(events, 12), item_columns=Columns.of(texts))


def said(data: Dataset, vectors: np.ndarray) -> Dataset:
    """The same with these vectors of what was said with each event."""
    told = Columns(len(data), {"words": Column(vectors=vectors.astype(np.float32))})
    return replace(data, event_columns=told)


def test_what_one_said_strictly_before_is_pooled_and_silence_and_the_example_itself_are_not() -> None:
    events = [took(0, 0, 9, value=5), took(0, 1, 8, value=2), took(0, 2, 7, value=5), took(0, 3, 7, value=5)]
    words = np.array([[2.0, 0], [0, 4], [np.nan, np.nan], [6, 6]], np.float32)
    past, examples = examples_of(world(events), 5, words)
    found = features_of(CONTENT, past, examples, split=True)[:, 10:]
    one = np.log(2) / np.log(501)
    nothing = [0.0] * 3
    # Items 2 and 3 came at one moment, so that neither sees what was said with the other.
    both = [2, 0, one, 0, 4, one]
    np.testing.assert_allclose(found, [nothing * 2, [2, 0, one, *nothing], both, both], rtol=1e-6)


@TRAINS
@pytest.mark.parametrize("timed", [True, False])
def test_the_review_that_is_predicted_is_never_in_its_own_features(timed: bool) -> None:
    made = readers(40)
    words = np.random.default_rng(1).normal(size=(len(made), 3))
    data = said(made, words) if timed else replace(said(made, words), at=None, until=None)
    last = 7 if data.at is None else int(data.at.argmax())
    changed = words.copy()
    changed[last] = 9
    other = replace(data, event_columns=said(made, changed).event_columns)
    past, examples = examples_of(data, 5, data.event_columns.columns["words"].vectors)
    past2, _ = examples_of(other, 5, other.event_columns.columns["words"].vectors)
    own = np.flatnonzero(data.by_user[1][examples.event] == last)
    before, after = (features_of(CONTENT[[0] * 12], one, examples, True) for one in (past, past2))
    np.testing.assert_array_equal(before[own], after[own])
    if timed:
        # It is the latest of all, so that nothing else may see it either; asked at its moment, nobody does.
        np.testing.assert_array_equal(before, after)
        model = fit("mlp", MlpConfig(positive=5, said="words", n_epochs=1, n_text=4), data)
        asked = [Queries.of_users(one, data.user_ix[[last]], data.at[[last]]) for one in (data, other)]
        np.testing.assert_array_equal(model.score(asked[0]), model.score(asked[1]))
    else:
        assert (before != after).any(), "elsewhere it counts"


@TRAINS
def test_what_was_said_decides_where_nothing_else_can() -> None:
    """Everybody took the same first item at random words, and praised what the words speak of."""
    rng, events, words = np.random.default_rng(3), [], []
    for user in range(300):
        sea = bool(rng.integers(2))
        events += [
            took(user, 0, 9, value=5),
            took(user, 1 + int(sea), 8, value=5),
            took(user, 2 - int(sea), 7, value=1),
        ]
        words += [[1, 0] if sea else [0, 1], [np.nan] * 2, [np.nan] * 2]
    data = said(world(events), np.array(words))
    data = replace(data, item_columns=Columns.of([{"text": word} for word in ("start", "hills", "sea")]))
    settings = {"positive": 5, "unmet": 0, "popularity": False, "batch_size": 64, "n_epochs": 40, "patience": 40}
    model = fit("mlp", MlpConfig(**settings, said="words", learning_rate=0.01), data)
    asked = ask(data, [took(0, 0, 1, value=5)], [took(0, 0, 1, value=5)])
    sea_hills = Columns(2, {"words": Column(vectors=np.array([[1, 0], [0, 1]], np.float32))})
    scores = model.score(replace(asked, event_columns=sea_hills))
    assert scores[0, 2] > scores[0, 1]
    assert scores[1, 1] > scores[1, 2]
    silent = model.score(asked)
    np.testing.assert_array_equal(silent[0], silent[1])
    elsewhere = Columns(2, {"words": Column(vectors=np.ones((2, 5), np.float32))})
    np.testing.assert_array_equal(model.score(replace(asked, event_columns=elsewhere)), silent)
    with pytest.raises(Invalid, match="`serendip vectors make others --of interactions`"):
        fit("mlp", MlpConfig(said="others"), data)


@TRAINS
def test_a_new_book_of_the_kind_that_i_liked_comes_before_one_of_the_other() -> None:
    data = readers()
    model = fit("mlp", MlpConfig(positive=5, unmet=0, popularity=False, batch_size=64), data)
    scores = model.score(
        ask(data, [took(0, 0, value=5), took(0, 1, value=1)], [took(0, 0, value=1), took(0, 3, value=5)])
    )
    assert scores[0, 10] > scores[0, 11]
    assert scores[1, 11] > scores[1, 10]


@TRAINS
def test_answers_need_no_pytorch_and_fitting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data, config = readers(), MlpConfig(n_epochs=1)
    model = fit("mlp", config, data)
    monkeypatch.setitem(sys.modules, "torch", None)
    back = restore("mlp", config, model.arrays())
    np.testing.assert_array_equal(back.score(everybody(data)), model.score(everybody(data)))
    with pytest.raises(Invalid, match=r'pip install "serendip\[neural\]"'):
        fit("mlp", config, data)


@TRAINS
def test_what_cannot_be_learnt_from_is_refused_with_the_way_out() -> None:
    data = readers()
    with pytest.raises(Invalid, match="no interaction carries a value; import ratings"):
        fit("mlp", MlpConfig(positive=5), replace(data, value=np.full(len(data), np.nan, np.float32)))
    with pytest.raises(Invalid, match=r"nothing to tell apart.*raise unmet"):
        fit("mlp", MlpConfig(unmet=0), data)
    with pytest.raises(Invalid, match=r"no rating reaches positive=6, the highest is 5; lower positive"):
        fit("mlp", MlpConfig(positive=6), data)
    with pytest.raises(ValueError, match="finite number"):
        MlpConfig(positive=float("nan"))
    with pytest.raises(Invalid, match="lower n_text, unmet, hidden or batch_size"):
        fit("mlp", MlpConfig(hidden=(8, 10**11)), data)
    with pytest.raises(Invalid, match=r"mlp ran away.*lower learning_rate"):
        # So few that no epoch is judged, and the last one would be kept.
        fit("mlp", MlpConfig(positive=5, unmet=0, n_epochs=100, learning_rate=1.0, regularization=10.0), readers(30))
    with pytest.raises(Invalid, match="attributes of items, and the data holds none"):
        fit("mlp", MlpConfig(), replace(data, item_columns=None))


def test_with_positive_ratings_of_a_kind_that_weighs_nothing_say_what_was_not_liked() -> None:
    praise, other = InteractionKind("praise", "latest"), InteractionKind("review", "latest", weight=0.0)
    events = [took(0, 0, 9, value=5), took(0, 1, 8, value=2), took(0, 2, 7, value=5)]
    made = world(events)
    data = replace(
        made, kinds=(praise, other), kind=np.array([0, 1, 0], np.int16), weight=np.array([1, 0, 1], np.float32)
    )
    past, examples = examples_of(data, positive=5)
    assert (past.item_ix.tolist(), past.weight.tolist()) == ([0, 1, 2], [1, 1, 1])
    assert examples.liked.tolist() == [1, 0, 1]
    one = np.log(2) / np.log(501)
    # The third has a praised item before it, and one that was not liked.
    wanted = [1, 0, 0, 0, one, 0, 1, 0, 0, one]
    np.testing.assert_allclose(features_of(CONTENT, past, examples, split=True)[2], wanted, rtol=1e-6)
    plain, _ = examples_of(data, positive=None)
    assert plain.item_ix.tolist() == [0, 2]


@TRAINS
def test_it_is_no_model_of_vectors_whose_best_an_inner_product_finds() -> None:
    columns = Columns.of([{"text": f"word{n % 2} thing"} for n in range(6)])
    data = replace(world([took(u, i) for u in range(4) for i in range(6) if i % 2 == u % 2]), item_columns=None)
    data = replace(data, item_columns=columns.take(np.arange(data.n_items) % 6))
    model = fit("mlp", MlpConfig(n_epochs=1), data)
    assert not isinstance(model, HasFactors)
