"""Kernels compiled before anybody waits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import serendip as sd
from serendip import models
from serendip.data import Queries
from serendip.flows import warm
from serendip.flows.doctor import Finding, examine
from serendip.models.neural.torch import torch_is_here
from worlds import described, market, rated


@pytest.fixture(scope="module")
def finding(tmp_path_factory: pytest.TempPathFactory) -> Finding:
    """What `doctor --warm` says of the kernels."""
    folder = tmp_path_factory.mktemp("doctor")
    return next(one for one in examine(f"sqlite:///{folder / 'x.db'}", folder, compiling=True) if one.what == "kernels")


@pytest.fixture(scope="module")
def done(finding: Finding) -> list[str]:
    return [kind for kind in models.KINDS if kind in finding.said]


def counts() -> dict[str, int]:
    return {name: len(kernel.signatures) for name, kernel in warm.kernels().items()}


def test_every_kernel_is_compiled_and_kept_on_disk(done):
    # Kinds that are trained with PyTorch have no kernels of their own.
    absent = set() if torch_is_here() else {"sequence", "mlp", "two-tower"}
    assert set(done) == set(models.KINDS) - absent
    assert len(warm.kernels()) > 20
    within = {word for kernel in warm.kernels().values() for word in kernel.py_func.__code__.co_names}
    for name, kernel in warm.kernels().items():
        # A kernel that only kernels call comes from the disk inside its callers.
        assert kernel.signatures or kernel.__name__ in within, f"{name} is not compiled by `doctor --warm`"
        kept = Path(kernel.stats.cache_path).glob(f"*.{kernel.__name__}-*.nbc")
        assert any(kept), f"{name} left nothing on disk"


@pytest.mark.parametrize("kind", models.KINDS)
def test_nothing_is_left_to_be_compiled_for_the_first_fit_and_the_first_answer(kind, done):
    data, before = described(rated(market())), counts()
    recommender = sd.fit(kind, data)
    recommender.recommend(["u0", "u1", "a-stranger"], k=3)
    recommender.recommend(history=["i1", "i2"], k=3)
    recommender.explain("u0", "i3")
    recommender.pipeline.sources[0].model.score(Queries.of_users(data, np.arange(data.n_users)))
    assert counts() == before


def test_doctor_says_where_the_kernels_are_kept(finding):
    folders = {kernel.stats.cache_path for kernel in warm.kernels().values() if kernel.signatures}
    assert finding.well
    assert all(folder in finding.said for folder in folders)


def test_ways_that_settings_choose_between_are_all_warmed():
    assert {way["solver"] for way in warm.choices("als")} == {"cg", "exact"}
    assert len(list(warm.choices("popularity"))) == 1
