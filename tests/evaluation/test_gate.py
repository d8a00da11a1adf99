"""The gate: who may go live, and what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serendip.domain import Invalid, NotFound
from serendip.evaluation import Difference, Estimate, Row, Table, judge

NAMES = ("popular", "popular-7-days", "item-knn", "again", "als", "live")


def row(name: str, vs: dict[str, float], models: tuple[str, ...] = ("als",)) -> Row:
    """A row that is better than each other by so much, give or take 0.01."""
    gaps = {other: Difference(gap, gap - 0.01, gap + 0.01) for other, gap in vs.items()}
    return Row(name, models, True, {"ndcg@10": Estimate(0.2, 0.19, 0.21)}, {}, {}, gaps)


def table(**vs: float) -> Table:
    """``als`` against the others; every other row is a bystander."""
    gaps = {"popular": 0.1, "popular-7-days": 0.1, "item-knn": 0.1, "again": 0.1, "live": 0.1}
    gaps |= {name.replace("_", "-"): gap for name, gap in vs.items()}
    others = tuple(
        row(name, dict.fromkeys(set(NAMES) - {name}, -0.1), ("popularity",) if "popular" in name else ("item-knn",))
        for name in NAMES
        if name != "als"
    )
    baselines = {name: name for name in ("popular", "popular-7-days", "item-knn", "again")}
    return Table(
        "replayed", "time", "ndcg@10", 1200, 900, None, None, 1.0, None, 0, baselines, (), (row("als", gaps), *others)
    )


def test_who_beats_all_that_is_asked_for_passes():
    verdict = judge(table(), "als", "live", repeats=True)
    assert verdict.passed
    assert verdict.beaten == ("live", "popular", "popular-7-days", "again")
    assert "beats live by +0.1000, 95% +0.0900 to +0.1100" in verdict.sentence
    assert "nDCG@10, replayed, 1,200 questions of 900 users" in verdict.sentence


@pytest.mark.parametrize(("days", "said"), [(1.0, "daily"), (0.5, "every 0.5 days"), (7.0, "every 7 days")])
def test_the_sentence_says_how_often_everything_was_fitted_again(days, said):
    told = replace(table(), refresh_days=days)
    assert f"replayed, all but what rankers learnt fitted again {said}, 1,200 questions" in (
        judge(told, "als", "live", repeats=True).sentence
    )
    assert "fitted again" not in judge(table(), "als", "live", repeats=True).sentence


@pytest.mark.parametrize("who", ["live", "popular", "popular-7-days", "again"])
@pytest.mark.parametrize("gap", [-0.05, 0.0, 0.01])
def test_who_does_not_beat_one_of_them_beyond_noise_is_refused_with_the_gap_and_the_way_out(who, gap):
    verdict = judge(table(**{who.replace("-", "_"): gap}), "als", "live", repeats=True)
    assert not verdict.passed
    assert verdict.not_beaten == (who,)
    assert f"does not beat {who} ({gap:+.4f}, 95% {gap - 0.01:+.4f} to {gap + 0.01:+.4f})" in verdict.sentence
    assert '--override "reason"' in verdict.sentence


def test_item_knn_need_not_be_beaten():
    assert judge(table(item_knn=-0.5), "als", None, repeats=True).passed


def test_a_ranked_pipeline_must_beat_its_best_source_alone():
    told = table(item_knn=0.001)
    rows = tuple(replace(one, sources=("popular", "item-knn")) if one.name == "als" else one for one in told.rows)
    higher = tuple(
        replace(one, metrics={"ndcg@10": Estimate(0.3, 0.29, 0.31)}) if one.name == "item-knn" else one for one in rows
    )
    verdict = judge(replace(told, rows=higher), "als", None, repeats=False)
    assert verdict.not_beaten == ("item-knn",)
    assert "does not beat item-knn, its best single source (+0.0010, 95% -0.0090 to +0.0110)" in verdict.sentence


def test_again_is_asked_for_only_where_repeats_are_allowed():
    assert judge(table(again=-0.5), "als", None, repeats=False).passed
    assert not judge(table(again=-0.5), "als", None, repeats=True).passed


def test_again_that_its_fallback_answers_for_is_not_named_beside_the_fallback():
    told = table(again=0.1, popular_7_days=-0.1)
    rows = tuple(replace(one, catalogue={"fallback@10": 1.0}) if one.name == "again" else one for one in told.rows)
    verdict = judge(replace(told, rows=rows), "als", None, repeats=True)
    assert verdict.not_beaten == ("popular-7-days",)
    assert verdict.beaten == ("popular",)


def test_popularity_may_always_go_live():
    verdict = judge(table(), "popular", "als", repeats=True)
    assert verdict.passed
    assert "may always go live" in verdict.sentence


def test_nobody_is_held_against_oneself():
    verdict = judge(table(), "als", "als", repeats=True)
    assert verdict.passed
    assert "als" not in verdict.beaten
    assert judge(table(), "again", None, repeats=True).not_beaten == ("popular", "popular-7-days")


def test_random_is_no_popularity():
    chance = replace(row("random", dict.fromkeys(NAMES, -0.1), ("random",)), personal=False)
    assert not judge(replace(table(), rows=(*table().rows, chance)), "random", None, repeats=False).passed


def test_a_handful_of_users_cannot_open_the_gate():
    verdict = judge(replace(table(), n_users=3), "als", None, repeats=True)
    assert not verdict.passed
    assert "3 users are too few to tell" in verdict.sentence


def test_without_moments_popular_7_days_is_left_out_and_said_so():
    baselines = {"popular": "popular", "item-knn": "item-knn", "again": "again"}
    note = "popular-7-days is left out: the data has no moments"
    verdict = judge(replace(table(), baselines=baselines, notes=(note,)), "als", None, repeats=True)
    assert verdict.passed
    assert note in verdict.sentence
    assert "popular-7-days" not in verdict.beaten


def test_a_renamed_baseline_is_the_one_that_counts():
    renamed = {**table().baselines, "again": "item-knn"}
    assert not judge(replace(table(item_knn=-0.1), baselines=renamed), "als", None, repeats=True).passed


def test_a_table_without_baselines_judges_nobody():
    with pytest.raises(Invalid, match="no popular"):
        judge(replace(table(), baselines={}), "als", None, repeats=False)


def test_an_unknown_candidate_or_live_row_is_not_found():
    with pytest.raises(NotFound, match="no row 'svd'"):
        judge(table(), "svd", None, repeats=False)
    with pytest.raises(NotFound, match="no row 'svd'"):
        judge(table(), "als", "svd", repeats=False)


def test_an_interval_that_touches_0_does_not_pass():
    touching = Difference(0.01, 0.0, 0.02)
    first = table().rows[0]
    changed = replace(first, vs={**first.vs, "popular": touching})
    assert not judge(replace(table(), rows=(changed, *table().rows[1:])), "als", None, repeats=False).passed
    assert np.isclose(touching.low, 0)
