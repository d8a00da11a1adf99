"""Spaces, draws and halving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip import models
from serendip.domain import Invalid
from serendip.evaluation import last_out_split
from serendip.evaluation.tuning import SPACES, Range, best, draw, parse_range, rungs, some_users, space_of
from serendip.pipeline import PipelineConfig
from worlds import checkerboard


@pytest.mark.parametrize("kind", SPACES)
def test_every_draw_from_a_usual_space_is_a_setting_that_its_kind_takes(kind):
    assert set(SPACES[kind]) <= set(models.KINDS[kind].config.model_fields)
    for settings in draw(space_of(kind, {}), 0, kind, 50):
        PipelineConfig.parse(kind, settings)


@given(st.integers(1, 1000), st.integers(1, 1000), st.booleans(), st.integers(0, 99))
def test_a_range_gives_numbers_within_it_whole_where_it_is_written_whole(low, more, log, seed):
    rng = np.random.default_rng(seed)
    text = f"{low}..{low + more}" + (":log" if log else "")
    whole = [parse_range("x", text).draw(rng) for _ in range(20)]
    assert all(isinstance(x, int) and low <= x <= low + more for x in whole)


def test_a_range_with_a_point_gives_numbers_between():
    drawn = [parse_range("x", "0.5..2").draw(np.random.default_rng(seed)) for seed in range(20)]
    assert all(0.5 <= float(x) <= 2 for x in drawn)
    assert any(float(x) % 1 for x in drawn)


def test_a_logarithmic_range_draws_every_power_as_often():
    rng = np.random.default_rng(0)
    drawn = [float(Range(1, 10_000, whole=False, log=True).draw(rng)) for _ in range(2000)]
    counts = np.histogram(drawn, [1, 10, 100, 1000, 10_000])[0]
    # 500 in each are expected, with a standard deviation of sqrt(2000 * 1/4 * 3/4) = 19.
    assert (abs(counts - 500) < 5 * 19).all()


@pytest.mark.parametrize("text", ["9..1", "0..5:log", "1..", "..2", "a||b", "", "1..2:lin", "-3..5:log"])
def test_what_is_no_range_is_refused_by_name(text):
    assert set(space_of("als(n_factors=64)*2", {"n_factors": "8|16"})) == set(SPACES["als"]) - {"n_factors"}
    with pytest.raises(Invalid, match="x="):
        parse_range("x", text)


def test_the_same_seed_draws_the_same_and_more_trials_begin_with_fewer():
    space = space_of("als", {})
    assert draw(space, 3, "als", 4) == draw(space, 3, "als", 9)[:4]
    assert draw(space, 3, "als", 4) != draw(space, 4, "als", 4)


def test_no_settings_are_drawn_twice_and_a_small_space_gives_what_it_has():
    drawn = draw(space_of("ease", {"regularization": "1..3"}), 0, "ease", 10)
    assert sorted(one["regularization"] for one in drawn) == [1, 2, 3]


def test_what_is_said_of_a_setting_replaces_its_usual_range():
    assert space_of("als", {"n_factors": "8|16"})["n_factors"] == parse_range("n_factors", "8|16")
    with pytest.raises(Invalid, match="no settings to search"):
        space_of("random", {})


def test_halving_ends_with_everybody_and_keeps_the_best_third():
    assert [(step.n_trials, round(step.share, 3)) for step in rungs(18, True)] == [(18, 0.111), (6, 0.333), (2, 1.0)]
    assert [(step.n_trials, step.share) for step in rungs(18, False)] == [(18, 1.0)]
    assert rungs(1, True) == rungs(1, False)
    with pytest.raises(Invalid):
        rungs(0, True)
    assert best([(0, 0.1), (1, 0.3), (2, 0.3), (3, 0.2)], 2) == [1, 2]


def test_a_share_of_the_users_keeps_their_whole_histories_and_questions():
    split = last_out_split(checkerboard())
    part = some_users(split, 0.5, seed=1)
    users = set(part.train.user_ix)
    assert len(users) == 6
    assert len(part.train) == sum(int(user in users) for user in split.train.user_ix)
    assert set(part.test.user_ix) == users
    assert some_users(split, 1.0, seed=1) is split
