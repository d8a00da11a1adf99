"""The two towers: what they may look at, the loss as written, and who is answered from what."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from serendip.data import Columns, Dataset, Queries
from serendip.domain import Invalid
from serendip.models import fit, restore
from serendip.models.neural.torch import generator, torch_is_here, training
from serendip.models.neural.towers import Known, Plan, Taken, _Sampler, _Towers, shares
from serendip.models.two_tower import TwoTowerConfig
from worlds import ask, took, world

pytestmark = pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")

PLAN = Plan(3, 0, False, 256, 0.5, 0.2, 0.5, 0.0, 0.0, 0.05, 4, 3, 8)
TAKEN = Taken(np.array([0, 3, 5]), np.array([0, 1, 2, 2, 3], np.int32), np.array([1, 1, 1, 1, 3], np.float32))
KNOWN = Known(TAKEN, np.empty((5, 0), np.float32), sparse.csr_array((2, 0), dtype=np.float32))
TARGET = np.array([True, False, False, False, True])
SOME = TwoTowerConfig(n_factors=16, n_epochs=30, batch_size=16)


def test_the_loss_is_the_softmax_as_written_and_no_target_is_in_its_own_history() -> None:
    rng = np.random.default_rng(0)
    with training("two-tower") as torch:
        towers = _Towers(torch, generator(torch, rng), PLAN, KNOWN)
        sampler = _Sampler(PLAN, np.bincount(TAKEN.item_ix, minlength=5), rng)
        loss = towers.loss(np.array([0, 1]), np.ones(5, np.bool_), TARGET, sampler)
        loss.backward()
        moved = towers.weights["history"].grad.numpy()
        history, items = (towers.weights[name].detach().numpy().astype(np.float64) for name in ("history", "items"))
    # User 0 is items 1 and 2 and is to find 0, of weight 1; user 1 is item 2 and is to find 3, of weight 3.
    assert moved[[1, 2]].any(axis=1).all()
    assert not moved[[0, 3, 4]].any()

    def cosine(x, y):
        return x @ y / np.sqrt((x @ x) * (y @ y))

    total = 0.0
    # Items 0 to 3 were taken by somebody; those that the asker took are no negatives.
    for asker, target, negatives, weight in [
        ((history[1] + history[2]) / 2**0.5, 0, [3], 1),
        (history[2], 3, [0, 1], 3),
    ]:
        odds = {i: np.exp(cosine(asker, items[i]) / PLAN.temperature) for i in [target, *negatives]}
        total -= weight / 4 * np.log(odds[target] / sum(odds.values()))
    assert float(loss.detach()) == pytest.approx(total, rel=1e-5)


def test_what_was_drawn_is_corrected_by_the_chance_that_it_was_drawn_at_all() -> None:
    counts = np.array([0, *range(1, 400)])
    sampler = _Sampler(replace(PLAN, negatives_power=1.0), counts, np.random.default_rng(1))
    times = np.zeros(400)
    said = np.zeros(400)
    for _ in range(2000):
        drawn, chance = sampler.draw()
        times[drawn] += 1
        said[drawn] = np.exp(chance)
    assert times[0] == 0
    # Four standard deviations of a share of 2,000 draws.
    np.testing.assert_allclose(times / 2000, said, atol=4 * 0.5 / 2000**0.5)


def test_a_history_counts_by_the_root_of_its_length_and_by_the_weights_within() -> None:
    owner = np.array([0, 0, 0, 0, 1, 1])
    told = shares(owner, np.array([1, 1, 1, 1, 1e-20, 3e-20], np.float32), 3)
    np.testing.assert_allclose(told, [0.5] * 4 + [2**0.5 / 4, 3 * 2**0.5 / 4], rtol=1e-6)


def towns(n_users: int = 120) -> Dataset:
    """People of the North take items 0 to 9 and those of the South 10 to 19; 20 and 21 are new, one of each sort."""
    rng, events = np.random.default_rng(2), []
    for user in range(n_users):
        for place, item in enumerate(rng.permutation(10)[:6]):
            events.append(took(user, int(item) + 10 * (user % 2), 10 - place))
    items = [{"tags": ["snow" if i < 10 or i == 20 else "sun"]} for i in range(22)]
    users = [{"town": ("North", "South")[u % 2]} for u in range(n_users)]
    return replace(world(events, 22), item_columns=Columns.of(items), user_columns=Columns.of(users))


def test_a_new_item_is_found_by_what_it_is_and_a_newcomer_by_the_profile() -> None:
    data = towns()
    model = fit("two-tower", SOME, data)
    scores = model.score(ask(data, [took(0, 1), took(0, 2)], [took(0, 11), took(0, 12)]))
    assert scores[0, 20] > scores[0, 21]
    assert scores[1, 21] > scores[1, 20]
    nobody = replace(
        ask(data, [], [], []), profile=Columns.of([{"town": "North"}, {"town": "South"}, {"town": "West"}])
    )
    north, south, unheard_of = model.score(nobody)
    assert north[:10].min() > north[10:20].max()
    assert south[10:20].min() > south[:10].max()
    assert np.isnan(unheard_of).all()


def test_without_anything_known_of_it_an_item_that_nobody_took_says_nothing() -> None:
    data = replace(towns(), item_columns=None, user_columns=None)
    model = fit("two-tower", SOME, data)
    alone, beside, without = model.score(ask(data, [took(0, 20)], [took(0, 20), took(0, 2)], [took(0, 2)]))
    assert np.isnan(alone).all()
    np.testing.assert_allclose(beside, without, rtol=1e-6)


def test_answers_need_no_pytorch_and_fitting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data, config = towns(30), SOME.model_copy(update={"n_epochs": 1, "n_layers": 1})
    model, everybody = fit("two-tower", config, data), Queries.of_users(data, np.arange(data.n_users))
    monkeypatch.setitem(sys.modules, "torch", None)
    back = restore("two-tower", config, model.arrays())
    np.testing.assert_array_equal(back.score(everybody), model.score(everybody))
    with pytest.raises(Invalid, match=r'pip install "serendip\[neural\]"'):
        fit("two-tower", config, data)


def test_fewer_negatives_than_256_and_columns_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 256"):
        TwoTowerConfig(n_negatives=255)
    for settings, said in [
        ({"vectors": "look"}, "there is no attribute 'look'; the attributes are tags"),
        ({"vectors": "tags"}, "'tags' is a list of texts, not a vector"),
        ({"user_columns": "age"}, "there is no attribute 'age'; the attributes are town"),
    ]:
        with pytest.raises(Invalid, match=said):
            fit("two-tower", TwoTowerConfig(**settings), towns(30))


def test_training_that_runs_away_is_refused_with_what_to_lower() -> None:
    wild = TwoTowerConfig(n_factors=4, n_epochs=100, patience=100, learning_rate=1.0, regularization=10.0)
    with pytest.raises(Invalid, match=r"two-tower ran away.*lower learning_rate"):
        fit("two-tower", wild, towns(30))
