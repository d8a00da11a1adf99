"""Networks trained from the store, and served from it without what trained them."""

from __future__ import annotations

import sys

import pytest

from serendip.domain import User
from serendip.flows.live import FOR_YOU
from serendip.flows.recommend import Ask, recommend
from serendip.models.neural.torch import torch_is_here
from towns import LATER, N_USERS, Town, live_with

pytestmark = pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")

TASTES = ("sea", "hills", "city")


def test_two_towers_answer_a_newcomer_by_the_profile_in_the_store(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.store.put_users([User(f"user-{u}", attributes={"likes": [TASTES[u % 3]]}) for u in range(N_USERS)])
    town.store.put_users([User("newcomer", attributes={"likes": ["hills"]}), User("stranger")])
    live = live_with(town, "two-tower(n_factors=8,n_epochs=20,batch_size=8,item_columns=tags)")
    monkeypatch.setitem(sys.modules, "torch", None)
    slate = recommend(town.store, live, "newcomer", Ask(FOR_YOU, 3), LATER)
    assert {item.source for item in slate.items} == {"two-tower"}
    assert {int(item.item.removeprefix("item-")) % 3 for item in slate.items} == {1}
    other = recommend(town.store, live, "stranger", Ask(FOR_YOU, 3), LATER)
    assert "two-tower" not in {item.source for item in other.items}


def test_a_network_over_tags_is_trained_and_served(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    live = live_with(town, "mlp(item_columns=tags,price=price,learning_rate=0.01,batch_size=64)")
    monkeypatch.setitem(sys.modules, "torch", None)
    slate = recommend(town.store, live, "user-0", Ask(FOR_YOU, 2), LATER)
    assert {item.source for item in slate.items} == {"mlp"}
    assert {int(item.item.removeprefix("item-")) % 3 for item in slate.items} == {0}
