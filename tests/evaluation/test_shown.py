"""Hits among what was shown, and among everything, on a world whose answers can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from serendip.domain import Interaction, InteractionKind, Invalid, micros
from serendip.evaluation.shown import Found, measure_shown, windows
from serendip.pipeline import PipelineConfig
from worlds import NOON, took, world

KINDS = (InteractionKind("view", weight=0.0, hides=False), InteractionKind("like"))


def rows(user: int, item: int, hours_ago: float, liked: bool = False) -> list[Interaction]:
    """A view, and perhaps a like a little later."""
    viewed = [took(user, item, hours_ago, "view")]
    return [*viewed, took(user, item, hours_ago - 0.01, "like")] if liked else viewed


def feed() -> list[Interaction]:
    """Two days ago ten users liked i0 to i5, each fewer; since yesterday, three were shown i2 to i9.

    u0 likes i9 then, which nobody had liked before; u1 likes i2, the most liked before of all that was shown; u2 likes
    nothing.
    """
    past = [one for item in range(6) for user in range(10 - item) for one in rows(user, item, 48 - user - item, True)]
    past += [one for item in range(6, 10) for one in rows(9, item, 30)]
    now = [one for item in range(2, 10) for one in rows(0, item, 20 - item, item == 9)]
    now += [one for item in range(2, 10) for one in rows(1, item, 20 - item, item == 2)]
    now += [one for item in range(2, 6) for one in rows(2, item, 20 - item)]
    return past + now


CUT = micros(NOON) - 24 * 3_600_000_000
POPULAR = PipelineConfig.parse("popular")


def by_protocol(found: list[Found]) -> dict[str, float]:
    return {one.protocol: one.hit_rate.mean for one in found}


def test_everybody_who_was_shown_something_counts_and_only_that_is_ranked() -> None:
    data = world(feed(), kinds=KINDS)
    found = measure_shown([POPULAR], data, CUT, k=1)
    # Of what was shown, i2 was liked most: a hit for u1, none for u0 and u2. Of everything, u0, u1 and u2 have liked
    # i0 to i5 already, which are hidden, and what is left nobody had liked.
    assert by_protocol(found)["shown rows"] == pytest.approx(1 / 3)
    assert {(one.n_asked, one.n_liking) for one in found} == {(3, 2)}
    # Eight of the ten are enough for everybody who likes something.
    assert by_protocol(measure_shown([POPULAR], data, CUT, k=8))["shown rows"] == pytest.approx(2 / 3)


def test_order_is_judged_by_those_who_liked_something_and_beside_the_best_source_alone() -> None:
    data = world(feed(), kinds=KINDS)
    both = PipelineConfig.parse("random+popular")
    found = measure_shown([PipelineConfig.parse("random"), POPULAR, both], data, CUT, k=1, protocols=["shown rows"])
    chance, popular, merged = found
    # u1 finds i2 in the first place; before i9, which u0 likes and nobody had liked, stand i2 to i5 at least.
    assert (1 + 0) / 2 < popular.ndcg.mean <= (1 + 1 / np.log2(5 + 1)) / 2
    best = max(chance.ndcg.mean, popular.ndcg.mean)
    assert {one.single for one in found} == {"popular"}
    assert popular.over_single.mean == 0
    assert merged.over_single.mean == pytest.approx(merged.ndcg.mean - best)


def test_what_was_liked_before_is_hidden_from_the_full_catalogue() -> None:
    data = world(feed(), kinds=KINDS)
    (found,) = measure_shown([POPULAR], data, CUT, k=4, protocols=["full catalogue"])
    # u0 and u1 see i6 to i9, of which u0 likes i9; u2, for whom nothing more is hidden, likes nothing.
    assert found.hit_rate.mean == pytest.approx(1 / 3)


def test_windows_ask_anew_with_what_is_known_by_then() -> None:
    data = world(feed(), kinds=KINDS)
    turns = list(windows(data, CUT, "view", "like", 0.5))
    # i8 and i9 were shown within the last twelve hours, and to u0 and u1 alone.
    assert [len(turn.user_ix) for turn in turns] == [3, 2]
    assert all(int(turn.known.at.max()) < turn.known.now for turn in turns if turn.known.at is not None)
    assert turns[0].known.now == CUT
    assert sum(len(turn.liked.item_ix) for turn in turns) == 2
    assert sum(len(turn.shown.item_ix) for turn in turns) == 20


def test_no_rows_after_the_cut_and_kinds_that_are_not_there_are_refused() -> None:
    data = world(feed(), kinds=KINDS)
    with pytest.raises(Invalid, match="cut earlier"):
        measure_shown([POPULAR], data, micros(NOON))
    with pytest.raises(Invalid, match="the kinds are view, like"):
        measure_shown([POPULAR], data, CUT, shown="glance")
