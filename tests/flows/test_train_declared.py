from __future__ import annotations

from serendip.flows.scenarios import put_scenario
from serendip.flows.train import configs_of
from serendip.store import Store
from towns import NOON


def test_a_pipeline_that_a_scenario_declares_is_measured_by_its_name(store: Store):
    mine = {"kind": "als", "n_factors": 3}
    put_scenario(store, "mine", {"candidates": ["short"], "models": {"short": mine}}, NOON)
    first, second = configs_of(store, ["short", "als"], {})
    assert (first.name, first.sources[0].model, first.sources[0].settings) == ("short", "als", {"n_factors": 3})
    assert (second.name, second.sources[0].settings) == ("als", {})
