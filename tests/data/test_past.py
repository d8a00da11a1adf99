"""What is told at a moment of the past is what was known when its day began, and of the asker what was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from feature_world import COUNTERS, DAY, OTHERS, made_log
from serendip.data import Dataset, Queries
from serendip.data.features import Feature, Features, counters, parse_features, rows_of
from serendip.data.features.definition import COUNTED, OWN
from serendip.data.past import BEFORE_ALL, TOO_EARLY, Horizon, Noted, Past

ALL = parse_features((*COUNTERS, *OTHERS))
ITEMS = np.tile(np.arange(7, dtype=np.int32), (6, 1))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def counts_others(feature: Feature) -> bool:
    """Whether a feature counts the events of more than the asker."""
    return feature.what in COUNTED and feature.entity is not None and feature.entity.user != OWN


def agrees(kept: Features, data: Dataset, moment: int) -> None:
    """Counters of others are those of a log that ends where the day begins, all else of one that ends at ``moment``."""
    queries, start = Queries.of_users(data, np.arange(6), moment), moment // DAY * DAY
    told = kept.at(queries, ITEMS)
    of_day = Features.of(ALL, data.before(start), rng()).at(queries, ITEMS)
    exact = Features.of(ALL, data.before(moment), rng()).at(queries, ITEMS)
    names = [name for feature in ALL for name in feature.names]
    others = [counts_others(feature) for feature in ALL for _ in feature.names]
    for place, name in enumerate(names):
        expected = (of_day if others[place] else exact)[:, :, place]
        np.testing.assert_allclose(told[:, :, place], expected, rtol=1e-6, err_msg=name)


@pytest.fixture(params=[counters.DENSE, 0], ids=["every cell", "met cells"])
def _cells(request, monkeypatch):
    monkeypatch.setattr(counters, "DENSE", request.param)


@pytest.mark.usefixtures("_cells")
def test_a_moment_of_the_past_is_told_from_what_was_before_its_day():
    data = made_log()
    kept = Features.of(ALL, data, rng(), past_days=30)
    back = Features.restore(ALL, {name: array.copy() for name, array in kept.arrays().items()})
    first = int(data.at[0])
    for moment in (first + DAY * 3 // 2, first + 4 * DAY, first + 7 * DAY + 1, data.now - 1):
        agrees(kept, data, moment)
        agrees(back, data, moment)


def test_while_nothing_happens_windows_empty_themselves_day_by_day():
    """What is known to be silent is as a log that was cut later; of days on which nothing changed nothing is kept."""
    data = made_log()
    last = data.now - 1
    silent = replace(data, until=last + 274 * DAY)
    kept = Features.of(ALL, silent, rng(), past_days=30)
    for days in (-3, 1, 2, 5, 20, 273):
        agrees(kept, silent, last + days * DAY)
    starts = kept.earlier.horizon.starts
    assert len(starts) < 30
    assert starts[0] == int(data.at[0]) // DAY * DAY + DAY
    told = dict(zip(kept.names, kept.at(Queries.of_users(data, np.arange(6), silent.now), ITEMS)[2, 0], strict=True))
    assert told["count(all, 1d)"] == 0
    assert told["recency(item, like)"] > 273


def test_a_day_ahead_would_be_noticed(monkeypatch):
    data = made_log()
    moment, honest = int(data.at[0]) + 4 * DAY + 7, Past.columns
    monkeypatch.setattr(Past, "columns", lambda self, place, latest: honest(self, place + 1, latest))
    with pytest.raises(AssertionError, match="count"):
        agrees(Features.of(ALL, data, rng(), past_days=30), data, moment)


def test_at_the_start_of_a_day_a_request_is_told_what_a_row_of_the_log_is():
    """All features, windows too: they end at the moment."""
    data = made_log()
    at = data.at.copy()
    at[100:] += DAY - at[100] % DAY
    data = Dataset(**{**vars(made_log()), "at": at})
    start = int(at[100])
    assert start % DAY == 0
    rows = np.flatnonzero(at == start)
    told = rows_of(ALL, data, at == start, rng())
    kept = Features.of(ALL, data, rng(), past_days=30)
    asked = kept.at(Queries.of_users(data, data.user_ix[rows], start), data.item_ix[rows][:, None])[:, 0]
    np.testing.assert_allclose(asked, told, rtol=1e-5)


def test_moments_of_one_batch_are_each_told_as_alone():
    data = made_log()
    kept, first = Features.of(ALL, data, rng(), past_days=5), int(data.at[0])
    moments = np.array([data.now, data.now - DAY, first + 3 * DAY, data.now - 3 * DAY, first - 5, data.now - 40])
    queries = Queries.of_users(data, np.arange(6), moments)
    together = kept.at(queries, ITEMS)
    for q in range(6):
        np.testing.assert_array_equal(together[q], kept.at(queries.take(slice(q, q + 1)), ITEMS[:1])[0])
    # Kept no more; and before the first event, when nothing but columns and the clock was known.
    assert np.isnan(together[2]).all()
    assert together[4, 3, kept.names.index("item.price")] == 10
    assert together[4, 3, kept.names.index("count(item, like)")] == 0


def test_days_that_would_take_too_much_room_are_left_out(monkeypatch):
    data = made_log()
    whole = Features.of(ALL, data, rng(), past_days=30).earlier.horizon.starts
    monkeypatch.setattr("serendip.data.features.earlier.MOST_CHANGES", 300)
    kept = Features.of(ALL, data, rng(), past_days=30)
    starts = kept.earlier.horizon.starts
    assert 1 < len(starts) < len(whole)
    np.testing.assert_array_equal(starts, whole[-len(starts) :])
    for start in starts:
        agrees(kept, data, int(start) + 5)


@pytest.mark.parametrize(
    ("moment", "place"),
    [(10 * DAY, 3), (10 * DAY - 1, 2), (7 * DAY, 0), (7 * DAY - 1, TOO_EARLY), (2 * DAY, BEFORE_ALL), (-1, BEFORE_ALL)],
)
def test_a_horizon_knows_which_day_a_moment_is_of(moment, place):
    horizon = Horizon.of(np.array([2 * DAY + 5, 9 * DAY]), 10 * DAY, 3)
    np.testing.assert_array_equal(horizon.starts, np.array([7, 8, 9]) * DAY)
    assert horizon.places(np.array([moment])).tolist() == [place]
    assert Horizon.restore(horizon.arrays()).places(np.array([moment])).tolist() == [place]


def noted(states: Sequence[tuple[list[float], list[float]]]) -> Past:
    """Two columns that went through ``states``; the last is how they are."""
    columns = [np.array(column) for column in states[0]]
    found = Noted(columns)
    for state in states[:-1]:
        columns[0][:], columns[1][:] = state
        found.note()
    columns[0][:], columns[1][:] = states[-1]
    return found.past()


def test_columns_come_back_as_they_were_and_whole_numbers_take_a_byte():
    nan = np.nan
    states = [([0, 0, 5], [nan, nan, 2.5]), ([1, 0, 5], [7.25, nan, 2.5]), ([1, 100, 4], [8.125, nan, 2.5])]
    past = noted(states)
    assert [change.dtype.kind for change in past.changes] == ["i", "f"]
    assert past.changes[0].itemsize == past.rows.itemsize - 1 == 1
    latest = [np.array(column, float) for column in states[-1]]
    for one in (past, Past.restore(past.arrays())):
        for place in (0, 1):
            for got, was in zip(one.columns(place, latest), states[place], strict=True):
                np.testing.assert_array_equal(got, was)
