"""Filters about moments, the short form for tags, and masks that are kept."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from serendip.data import Column, Columns
from serendip.data.frames import column_of
from serendip.domain import Invalid, micros
from serendip.ranking import Masks, mask, parse, uses_now
from serendip.ranking import filters as kept
from serendip.ranking.grammar import Compare, Now

NOW = micros(datetime(2026, 3, 1, 12, tzinfo=UTC))
EVENTS = Columns.of(
    [
        {"id": "a", "date": "2026-03-01", "tags": ["fiction"], "title": "2026-03-01"},
        {"id": "b", "date": "2026-03-01T13:30+01:00", "tags": ["fiction", "drama"], "title": "Of 2026"},
        {"id": "c", "date": datetime(2026, 3, 8, 9, tzinfo=UTC), "tags": ["drama"], "title": "zebra"},
        {"id": "d", "date": "soon", "title": "2026-02-30", "price": 3, "hidden": True},
        {"id": "e", "date": date(2025, 12, 31)},
    ]
)


def passing(text: str, now: int | None = NOW) -> str:
    return "".join(name for name, let in zip("abcde", mask(parse(text), EVENTS, now), strict=True) if let)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # A date alone is its first moment; 13:30 in Berlin is 12:30 in UTC.
        ('date == "2026-03-01"', "a"),
        ('date == "2026-03-01T00:00:00Z"', "a"),
        ('date == "2026-03-01 12:30"', "b"),
        ('date > "2026-03-01T12:29:59.9Z" and date < "2026-03-02"', "b"),
        ('date >= "2026-03-01"', "abcd"),
        ('date <= "2026-03-08T10:00+01:00"', "abce"),
        ('"2026-03-01T12:00Z" < date', "bcd"),
        ('date in ["2026-03-01T01:00+01:00", "soon"]', "ad"),
        # What is no date on either side is compared as text.
        ('date == "soon"', "d"),
        ('date < "2026-03"', "e"),
        ('title == "2026-02-30"', "d"),
        ('title != "2026-03-01"', "bcd"),
        ("date > now", "bc"),
        ("date <= now", "ae"),
        ("now < date", "bc"),
        ("date > now - 12 hours", "bc"),
        ("date >= now -0.5 days", "abc"),
        ("date > now + 1 week", ""),
        ("date > now + 6 days", "c"),
        ("date > now - 3 weeks and date < now + 90 minutes", "ab"),
        ("not date > now", "ade"),
    ],
)
def test_dates_are_compared_as_moments(text, ids):
    assert passing(text) == ids


def test_what_is_later_than_now_depends_on_when_that_is():
    assert passing("date > now", micros(datetime(2026, 3, 5, tzinfo=UTC))) == "c"
    assert passing("date > now", micros(datetime(2020, 1, 1, tzinfo=UTC))) == "abce"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title > now", None),
        ("price > now", "'price' .* is a number, not an ISO date"),
        ("tags > now", "is a list of texts, not an ISO date"),
        ("id > now", "no 'id' is an ISO date such as 2026-03-01"),
        ("date > now - days", "'days' at character 14 where a number of days"),
        ("date > now - 7", "the end where minutes, hours, days or weeks was expected"),
        ("date > now - 7 moons", "'moons' at character 16 where minutes"),
        ("date > now - -7 days", "'-7' at character 14 where a number of days"),
        ("date > now + true days", "a number of days"),
        ("date > now - 1e9 days", "too far from now"),
        ("now", "a comparison of now with an attribute"),
        ("date - 3 > now", "'-' at character 6"),
    ],
)
def test_what_is_no_moment_is_refused(text, message):
    if message is None:
        assert passing(text) == ""
        return
    with pytest.raises(Invalid, match=message):
        passing(text)


def test_now_needs_a_moment_and_an_attribute_of_that_name_backticks():
    with pytest.raises(Invalid, match="give it a moment"):
        passing("date > now", None)
    assert parse("`now` == 3") == Compare("now", "==", 3.0)
    assert parse("date > now - 7 days") == Compare("date", ">", Now(-7 * 86_400_000_000))
    assert uses_now(parse("not (id == 'x' or date > now)"))
    assert not uses_now(parse("date > '2026-03-01'"))


def test_moments_of_frames_are_moments_too():
    moments = [datetime(2026, 3, 8, 9, tzinfo=UTC), None, datetime(2026, 2, 1, 0, 0, 0, 5, UTC)]
    aware = pl.Series("date", moments, pl.Datetime("us", "UTC"))
    for zone in (None, "UTC", "Europe/Madrid"):
        column = column_of(aware.dt.convert_time_zone(zone) if zone else aware.dt.replace_time_zone(None))
        later = mask(parse("date > now"), Columns(3, {"date": column}), NOW)
        assert later.tolist() == [True, False, False]
    days = column_of(pl.Series("date", [date(2026, 3, 2), None, date(2026, 3, 1)]))
    assert mask(parse("date > now"), Columns(3, {"date": days}), NOW).tolist() == [True, False, False]


def test_a_filter_that_was_asked_before_is_joined_from_masks_that_were_kept(monkeypatch):
    masks = Masks(EVENTS)
    asked = 'tags has "drama" and not id == "b" or date > now'
    first = masks.passing(parse(asked), NOW)
    assert len(masks) == 2, "what depends on now is not kept"
    for part in ("texts", "lists"):
        monkeypatch.setattr(Column, part, property(lambda _: pytest.fail("looked again")), raising=False)
    again = masks.passing(parse('not id == "b" and tags has "drama"'))
    assert (first.tolist(), again.tolist()) == ([False, True, True, False, False], [False, False, True, False, False])


def test_equal_numbers_and_flags_are_kept_apart():
    masks = Masks(Columns.of([{"x": True}, {"x": 1}, {"x": 2}]))
    for _ in range(2):
        assert masks.passing(parse("x == 1")).tolist() == [False, True, False]
        assert masks.passing(parse("x == true")).tolist() == [True, False, False]


def test_no_more_masks_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(kept, "KEPT", 3)
    masks = Masks(EVENTS)
    for place in range(9):
        masks.passing(parse(f"price > {place}"))
    assert len(masks) == 3


def test_a_kept_mask_cannot_be_written_to():
    masks = Masks(EVENTS)
    with pytest.raises(ValueError, match="read-only"):
        masks.passing(parse("price > 1"))[:] = False
    assert np.count_nonzero(masks.passing(parse("price > 1"))) == 1
