"""The world made from a seed: it looks like one, and its tastes can be found."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from serendip.domain import Invalid, micros, moment
from serendip.sources.world import UNTIL, World, generate, generate_events
from serendip.sources.world.films import Film
from serendip.sources.world.posters import COMPOSITIONS, draw_poster


@pytest.fixture(scope="module")
def world() -> World:
    return generate()


def test_the_same_seed_makes_the_same_world(world: World) -> None:
    again, other = generate(), generate(seed=8)
    assert again.users.equals(world.users)
    assert again.items.equals(world.items)
    assert again.interactions.equals(world.interactions)
    assert not other.interactions.equals(world.interactions)
    assert other.name != world.name


def test_all_rows_pass_the_checks_of_imports(world: World) -> None:
    accepted = {}
    for part in world.parts:
        batches = list(part.rows)
        assert not any(batch.errors for batch in batches)
        accepted[part.as_] = sum(batch.frame.height for batch in batches)
    assert accepted == {"users": 600, "items": 400, "interactions": 30_000}


def test_people_have_names_and_films_are_described(world: World) -> None:
    assert world.users["id"].n_unique() == world.users["name"].n_unique() == 600
    assert world.items["id"].n_unique() == world.items["title"].n_unique() == 400
    assert world.items["genre"].n_unique() == 10
    assert world.items["text"].str.count_matches(r"\.").min() >= 2  # type: ignore[operator]
    assert not world.items["title"].str.contains(r"[{}]").any()
    assert not world.items["text"].str.contains(r"[{}]").any()
    [items] = [part.rows for part in world.parts if part.as_ == "items"]
    facts = json.loads(next(iter(items)).frame["attributes"][0])
    assert set(facts) == {"genre", "mood", "year", "country", "minutes", "director"}


def test_posters_are_small_drawings_that_any_title_leaves_whole(world: World) -> None:
    for drawing in world.items["image"]:
        assert ET.fromstring(drawing).tag.endswith("svg")
        assert len(drawing) < 12_000
    for genre in COMPOSITIONS:
        title = 'Fish & "Chips" </text><script>alert(1)</script> ' + "Longest" * 12
        film = Film("x", title, "", genre, "dark", "Ghent", 1999, "Spain", 90, "A <b> Director")
        drawing = ET.fromstring(draw_poster(film, np.random.default_rng(0)))
        assert drawing.attrib["aria-label"] == title
        assert not drawing.findall(".//{*}script")


def test_everything_happens_within_the_days_before_the_end(world: World) -> None:
    at = world.interactions["at"]
    assert at.is_sorted()
    assert micros(UNTIL) - 180 * 86_400_000_000 <= at[0]
    assert moment(at[-1]) < UNTIL
    later = generate(50, 60, 500, days=30, until=datetime(2024, 5, 1, 12, 30, tzinfo=UTC))
    assert moment(later.interactions["at"][-1]) < datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


def test_nobody_views_a_film_twice_or_before_it_is_out(world: World) -> None:
    views = world.interactions.filter(kind="view")
    assert views.select("user", "item").is_unique().all()
    out = views.join(world.items.select(item="id", out="available_from"), on="item").drop_nulls("out")
    assert out.height > 0
    assert (out["at"] >= out["out"]).all()


def test_ratings_are_whole_stars_that_follow_taste(world: World) -> None:
    ratings = world.interactions.filter(kind="rating")
    assert set(ratings["value"].unique()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    user = dict(zip(world.users["id"], range(600), strict=True))
    item = dict(zip(world.items["id"], range(400), strict=True))
    rows = ratings.select(pl.col("user").replace_strict(user), pl.col("item").replace_strict(item)).to_numpy()
    liking = world.tastes.liking(rows[:, 0], rows[:, 1])
    assert np.corrcoef(liking, ratings["value"].to_numpy())[0, 1] > 0.4


def test_weekends_and_evenings_are_busier_and_newcomers_arrive(world: World) -> None:
    at = world.interactions.select(pl.from_epoch("at", time_unit="us"), "user")
    days = at.group_by(pl.col("at").dt.weekday()).len().sort("at")["len"].to_numpy()
    assert days[4:].mean() > 1.2 * days[:4].mean()
    hours = at.group_by(pl.col("at").dt.hour()).len().sort("at")["len"].to_numpy()
    assert hours[18:22].mean() > 4 * hours[2:6].mean()
    first = at.group_by("user").agg(pl.col("at").min())["at"]
    assert (first.dt.epoch("d") - first.dt.epoch("d").min() > 60).sum() > 60


def recall_at_10(scores: np.ndarray, seen: np.ndarray, wanted: np.ndarray) -> float:
    """Mean share of each user's ``wanted`` among the ten best unseen, for users who have both."""
    asked = (wanted.sum(1) > 0) & (seen.sum(1) > 0)
    top = np.argsort(np.where(seen, -np.inf, scores), axis=1)[:, -10:]
    hits = np.take_along_axis(wanted, top, axis=1).sum(1)
    return float((hits[asked] / wanted.sum(1)[asked]).mean())


@pytest.mark.parametrize("seed", [7, 8])
def test_neighbours_find_the_tastes_where_popularity_does_not(seed: int) -> None:
    events, _ = generate_events(600, 400, 30_000, seed=seed)
    cut = int(0.9 * len(events))
    seen, wanted = np.zeros((600, 400), bool), np.zeros((600, 400), bool)
    seen[events.user_ix[:cut], events.item_ix[:cut]] = True
    wanted[events.user_ix[cut:], events.item_ix[cut:]] = True
    wanted &= ~seen
    together = seen.T.astype(float) @ seen
    size = np.sqrt(np.diag(together)) + 1e-9
    near = together / (np.outer(size, size) + 10) * (1 - np.eye(400))
    popular = recall_at_10(np.tile(seen.sum(0), (600, 1)), seen, wanted)
    assert recall_at_10(seen @ near, seen, wanted) > 1.4 * popular
    assert popular > 1.5 * 10 / 400


def test_a_large_world_has_the_size_that_was_asked_for() -> None:
    events, tastes = generate_events(20_000, 5_000, 300_000)
    assert len(events) == 300_000
    assert events.item_ix.max() < 5_000
    assert (np.diff(events.at) >= 0).all()
    assert len(tastes.genre) == 5_000


def test_a_world_too_small_for_its_events_has_fewer() -> None:
    assert 0 < generate(3, 4, 1_000).interactions.height <= 24


def test_an_empty_world_is_refused() -> None:
    with pytest.raises(Invalid, match="at least one"):
        generate(0, 10, 10)
