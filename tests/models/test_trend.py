"""A trend of a past day is what popularity would have learnt of the events before that day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feature_world import DAY, made_log
from serendip import pipeline as pipelines
from serendip.data import Dataset, Queries
from serendip.domain import InteractionKind
from serendip.models import KINDS, popularity
from serendip.models.popularity import PopularityConfig
from serendip.models.trend import Trend
from serendip.pipeline import PipelineConfig

CONFIGS = (
    PopularityConfig(),
    PopularityConfig(window_days=3),
    PopularityConfig(window_days=1.3, half_life_days=0.7),
    PopularityConfig(half_life_days=0.05),
    PopularityConfig(window_days=1e12),
)


@pytest.fixture(params=["a view weighs a tenth", "all are accumulated"])
def data(request: pytest.FixtureRequest) -> Dataset:
    """Stars are replaced by newer ones, or not."""
    log = made_log(400)
    if request.param == "all are accumulated":
        return replace(log, kinds=(*log.kinds[:2], InteractionKind("stars")))
    return replace(log, weight=np.where(log.kind == 0, np.float32(0.1), log.weight).astype(np.float32))


def literally(config: PopularityConfig, data: Dataset, until: int) -> np.ndarray:
    return popularity.fit(config, data.before(until), np.random.default_rng(0)).totals


@pytest.mark.parametrize("config", CONFIGS, ids=["ever", "window", "window and fading", "fading fast", "wide window"])
def test_totals_of_every_day_are_those_of_the_data_cut_there(data, config):
    trend = Trend.of(config, data, 8)
    back = Trend.restore(config, {name: array.copy() for name, array in trend.arrays().items()})
    assert len(trend.horizon.starts) == 9
    for place, start in enumerate(trend.horizon.starts.tolist()):
        expected = literally(config, data, start)
        assert expected.any()
        for one in (trend, back):
            np.testing.assert_allclose(one.totals(place), expected, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("config", CONFIGS, ids=["ever", "window", "window and fading", "fading fast", "wide window"])
def test_totals_stay_true_while_nothing_happens(data, config):
    silent = replace(data, until=data.now + 40 * DAY)
    trend = Trend.of(config, silent, 4)
    for days in (-3, 0, 1, 2, 30):
        start = (data.now + days * DAY) // DAY * DAY
        place = int(trend.horizon.places(np.array([start + 7]))[0])
        expected = literally(config, silent, start)
        assert expected.any()
        # Once no window holds anything all fade alike.
        told = trend.totals(place)
        np.testing.assert_allclose(told / told.max(), expected / expected.max(), rtol=1e-5, atol=1e-30)


def test_a_long_silence_does_not_fade_everything_to_nothing(data):
    config = PopularityConfig(half_life_days=1)
    years = replace(data, until=data.now + 3650 * DAY)
    found, fresh = (popularity.fit(config, one, np.random.default_rng(0)).totals for one in (years, data))
    np.testing.assert_allclose(found / found.max(), fresh / fresh.max(), rtol=1e-5)
    assert found.max() > 0


TRENDING = [name for name, kind in KINDS.items() if kind.trend]


@pytest.mark.parametrize("name", TRENDING)
def test_a_source_answers_a_past_moment_as_one_that_was_fitted_when_its_day_began(data, name):
    config = PipelineConfig.parse(name + ("(column=topic)" if name.startswith("tag") else ""))
    config = config.model_copy(update={"past_days": 6})
    fitted = pipelines.fit(config, data)
    whole = pipelines.remembering(fitted, data)
    back = pipelines.restore(config, whole.kinds, whole.arrays())
    start = (data.now - 4 * DAY) // DAY * DAY
    then = pipelines.fit(config, data.before(start))
    asked = np.array([start + 5, data.now, start + DAY - 1, data.now - 40 * DAY, start])
    queries = Queries.of_users(data, np.arange(5), asked)
    for place, (source, past) in enumerate(
        zip((*then.sources, *then.fallback), (*back.sources, *back.fallback), strict=True)
    ):
        told = past.scores(queries)
        now = (*fitted.sources, *fitted.fallback)[place]
        old, new = source.scores(queries), now.scores(queries)
        np.testing.assert_allclose(told, np.stack([old[0], new[1], old[2], new[3], old[4]]), rtol=1e-5)
        assert not np.array_equal(old[0], new[0])
