"""The transformer over histories: its twin in PyTorch, what it learns, and that it needs no PyTorch to answer."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from serendip.data import Dataset, Queries, Vocabulary
from serendip.domain import Invalid
from serendip.models import fit, kind_of, restore
from serendip.models.neural import torch as door
from serendip.models.neural.lists import Lists
from serendip.models.neural.next_item import hold_out, loss_of
from serendip.models.neural.transformer import Shape, answer, learn, made
from serendip.models.sequence import SequenceConfig

SIX = [[3], [1, 2], [0, 4, 4], [5, 1, 0], [2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]]
TINY = {"n_factors": 16, "learning_rate": 0.01, "batch_size": 16, "n_epochs": 20, "held_out": 0.0}


def lists_of(*rows: list[int]) -> Lists:
    flat = np.concatenate([np.array(row, np.int32) for row in rows])
    sizes = [len(row) for row in rows]
    return Lists(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), flat, np.ones(len(flat), np.float32))


def rows_of(lists: Lists) -> list[list[int]]:
    return [row.tolist() for row in np.split(lists.item_ix, lists.indptr[1:-1])]


def circle(n_users: int = 60, n_items: int = 12, length: int = 6) -> Dataset:
    """Everybody goes round from wherever they began: what comes next is known from the last event alone."""
    start = np.arange(n_users) % n_items
    item_ix = (start[:, None] + np.arange(length)) % n_items
    users, items = (Vocabulary(tuple(f"{a}{n}" for n in range(size))) for a, size in (("u", n_users), ("i", n_items)))
    return Dataset.of(np.repeat(np.arange(n_users), length), item_ix.ravel(), users, items)


def test_numpy_answers_as_pytorch_does() -> None:
    torch = pytest.importorskip("torch", reason="the twin is PyTorch")
    p = made(Shape(7, 7, 8, 3, 2, 2), np.random.default_rng(5))
    tensors = {name: torch.from_numpy(array) for name, array in p.items()}
    six = lists_of(*SIX)
    out = learn(torch, tensors, 2, six, lambda x: x, tensors["items"][torch.from_numpy(six.item_ix).long()])
    np.testing.assert_allclose(answer(p, 2, six), out.numpy()[six.indptr[1:] - 1], atol=1e-4)


def test_an_event_is_not_told_of_later_ones() -> None:
    torch = pytest.importorskip("torch", reason="the twin is PyTorch")
    p = {name: torch.from_numpy(a) for name, a in made(Shape(7, 7, 8, 2, 2, 2), np.random.default_rng(5)).items()}
    one, other = lists_of([1, 2, 3, 4]), lists_of([1, 2, 6, 0])
    outs = [
        learn(torch, p, 2, some, lambda x: x, p["items"][torch.from_numpy(some.item_ix).long()])
        for some in (one, other)
    ]
    torch.testing.assert_close(outs[0][:2], outs[1][:2])
    assert not torch.allclose(outs[0][2:], outs[1][2:])


def test_the_loss_over_all_items_is_the_softmaxs() -> None:
    torch = pytest.importorskip("torch", reason="the twin is PyTorch")
    rng = np.random.default_rng(5)
    p = {name: torch.from_numpy(array) for name, array in made(Shape(7, 7, 8, 2, 2, 2), rng).items()}
    plan, some = SequenceConfig(n_factors=8, temperature=0.5).plan(7), lists_of([0, 4, 4], [5, 1, 0])
    some = replace(some, weight=np.array([1, 1, 3, 1, 2, 2], np.float32))
    got = float(loss_of(torch, p, plan, some, np.arange(7), lambda x: x, rng))
    before = lists_of([0, 4], [5, 1])
    out = learn(torch, p, 2, before, lambda x: x, p["items"][torch.from_numpy(before.item_ix).long()])
    chances = (out @ p["items"].T / 0.5).softmax(1).numpy()
    # What follows is 4, 4, 1, 0, of weights 1, 3, 2, 2.
    wanted = -(np.log(chances[range(4), [4, 4, 1, 0]]) * [1, 3, 2, 2]).sum() / 8
    assert got == pytest.approx(wanted, rel=1e-5)


def test_long_lists_are_cut_from_the_end_so_that_each_event_follows_another_once() -> None:
    cut = lists_of([1, 2, 3, 4, 5, 6], [7, 8], [9]).cut(3)
    assert rows_of(cut) == [[4, 5, 6], [2, 3, 4], [1, 2], [7, 8], [9]]
    assert rows_of(lists_of([1, 2, 3], [4]).latest(2)) == [[2, 3], [4]]


def test_what_is_held_out_is_the_last_event_of_some_and_asked_with_those_before() -> None:
    lists = lists_of(*([u, u + 1, u + 2] for u in range(40)), [1, 2])
    left, held = hold_out(lists, 0.5, np.random.default_rng(1))
    assert held is not None
    assert len(held.wanted) == 20
    assert all([*row, last] in rows_of(lists) for row, last in zip(rows_of(held.lists), held.wanted, strict=True))
    assert left.sizes.tolist().count(2) == 21
    assert hold_out(lists, 0.1, np.random.default_rng(1))[1] is None, "4 are too few to tell"


@pytest.mark.parametrize("n_negatives", [5, 512])
def test_what_always_comes_next_is_learnt_with_all_items_or_a_few_drawn(n_negatives: int) -> None:
    pytest.importorskip("torch", reason="it trains")
    data = circle()
    model = fit("sequence", SequenceConfig(**TINY, n_negatives=n_negatives), data, seed=1)
    asked = Queries.of_users(data, np.arange(12))
    last = asked.item_ix[asked.indptr[1:] - 1]
    assert model.score(asked).argmax(1).tolist() == ((last + 1) % 12).tolist()


def test_a_history_longer_than_is_looked_at_is_its_latest_part() -> None:
    pytest.importorskip("torch", reason="it trains")
    data = circle()
    model = fit("sequence", SequenceConfig(**TINY, max_length=3), data)
    whole = Queries.of_users(data, np.arange(1))
    latest = replace(
        whole,
        indptr=np.array([0, 3]),
        **{name: getattr(whole, name)[-3:] for name in ("item_ix", "weight", "kind", "value", "at")},
    )
    np.testing.assert_array_equal(model.score(whole), model.score(latest))


def test_training_ends_when_nothing_gets_better_and_says_how_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch", reason="it trains")
    steep = SequenceConfig(**{**TINY, "n_epochs": 60, "held_out": 0.3, "patience": 2})
    with caplog.at_level(logging.INFO, "serendip.models.neural"):
        fit("sequence", steep, circle())
    told = [record.message for record in caplog.records if "epoch" in record.message]
    assert 3 <= len(told) < 60
    assert "of at most 60, loss" in told[0]


def test_without_pytorch_it_is_said_what_to_install_and_a_kept_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Invalid, match=r'pip install "serendip\[neural\]"'):
        fit("sequence", kind_of("sequence").config(), circle())
    p = made(Shape(12, 50, 64, 2, 2, 2), np.random.default_rng(0))
    kept = restore("sequence", kind_of("sequence").config(), {**p, "known": np.ones(12, np.bool_)})
    assert np.isfinite(kept.score(Queries.of_users(circle(), np.arange(12)))).all()


def test_pytorch_is_imported_by_nobody_who_does_not_train() -> None:
    code = "import sys, serendip, serendip.models, serendip.models.sequence; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pytorch_has_its_threads_back_after_training() -> None:
    torch = pytest.importorskip("torch", reason="these are its threads")
    before = torch.get_num_threads()
    with door.training("sequence"), door.training("mlp"):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_heads_that_do_not_share_the_factors_are_refused() -> None:
    with pytest.raises(ValueError, match="n_factors must be a multiple of n_heads, and 10 is none of 4"):
        SequenceConfig(n_factors=10, n_heads=4)


def test_a_version_kept_under_the_old_word_for_regularization_opens() -> None:
    assert SequenceConfig.model_validate({"weight_decay": 0.5}) == SequenceConfig(regularization=0.5)
    with pytest.raises(ValueError, match="weight_decay"):
        SequenceConfig.model_validate({"weight_decay": 0.5, "regularization": 0.1})


def test_a_closed_gate_is_answered_without_a_warning_of_overflow() -> None:
    p = made(Shape(7, 7, 8, 2, 2, 2), np.random.default_rng(5))
    p["widen"] *= 1e4
    assert np.isfinite(answer(p, 2, lists_of(*SIX))).all()


def test_training_that_runs_away_is_refused_with_what_to_lower() -> None:
    pytest.importorskip("torch", reason="the extra neural is not installed")
    wild = SequenceConfig(n_factors=8, n_epochs=60, learning_rate=1.0, regularization=10.0, patience=0)
    with pytest.raises(Invalid, match=r"sequence ran away.*lower learning_rate"):
        fit("sequence", wild, circle())
