"""Matrices are made of what the store holds; SVD and NMF differ, and both beat the mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from serendip.domain import Interaction, InteractionKind, Invalid, Item, User
from serendip.flows.similarity import refresh_similarity
from serendip.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
N_USERS, N_ITEMS = 200, 80


def tastes(store: Store, seed: int = 5) -> None:
    """Everybody loves the films of their own parity and dislikes the others."""
    rng = np.random.default_rng(seed)
    store.declare_kinds([InteractionKind("rating", "latest", scale=(1.0, 5.0))])
    store.put_users([User(f"u{n}", None, {"taste": ("odd", "even")[n % 2], "age": 20 + n}) for n in range(N_USERS)])
    store.put_items(
        [Item(f"f{n}", "films", f"Film {n}", f"A {'grim' if n % 2 else 'merry'} tale {n}") for n in range(N_ITEMS)]
    )
    events = []
    for user in range(N_USERS):
        for item in rng.choice(N_ITEMS, 40, replace=False):
            value = 4.4 if user % 2 == item % 2 else 1.7
            rated = float(np.clip(np.rint(value + rng.normal(0, 0.5)), 1, 5))
            at = NOON - timedelta(minutes=int(rng.integers(1, 10_000)))
            events.append(Interaction(f"u{user}", f"f{item}", at, "rating", rated))
    store.add_interactions(events)


def test_svd_and_nmf_differ_and_both_beat_the_mean_and_name_both_matrices(store: Store):
    tastes(store)
    reports = [refresh_similarity(store, kind, n_users=5, n_items=6) for kind in ("svd", "nmf")]
    for report in reports:
        assert report.rmse is not None
        assert report.rmse[report.kind] < report.rmse["mean"]
        assert report.versions == {f"{report.recommender} users": 1, f"{report.recommender} items": 1}
        assert report.n_users == N_USERS
    by_name = {one.name: one for one in store.matrices()}
    assert [(one.name, one.user_matrix, one.item_matrix) for one in store.recommenders()] == [
        (name, by_name[f"{name} users"].id, by_name[f"{name} items"].id) for name in ("SVD", "NMF")
    ]
    found = {}
    for name in ("SVD", "NMF"):
        read = store.matrix_neighbours(by_name[f"{name} users"].id, "users", "u4")
        assert read is not None
        found[name] = read[1]
        likeness = [value for _, value in found[name]]
        assert likeness == sorted(likeness, reverse=True)
        assert len(likeness) == 5
        assert all(int(user[1:]) % 2 == 0 and user != "u4" for user, _ in found[name])
        near = store.matrix_neighbours(by_name[f"{name} items"].id, "items", "f7")
        assert near is not None
        assert all(int(item[1:]) % 2 == 1 for item, _ in near[1])
    assert found["SVD"] != found["NMF"]


def test_items_alike_by_words_and_people_alike_by_profile_have_one_matrix_each(store: Store):
    tastes(store)
    content = refresh_similarity(store, "content-knn", {"n_factors": 0}, n_items=3)
    profile = refresh_similarity(store, "profile-knn", {"columns": ["taste"]}, n_users=3)
    assert list(content.versions) == ["Content items"]
    assert list(profile.versions) == ["Profile users"]
    assert content.rmse is profile.rmse is None
    by_name = {one.name: one.id for one in store.matrices()}
    read = store.matrix_neighbours(by_name["Content items"], "items", "f3")
    assert read is not None
    assert all(int(item[1:]) % 2 == 1 for item, _ in read[1])
    assert [one.user_matrix for one in store.recommenders()] == [None, by_name["Profile users"]]


def test_the_next_run_is_the_next_version_and_two_are_kept(store: Store):
    tastes(store)
    for n in (1, 2, 3):
        assert refresh_similarity(store, "svd", measure=False).versions["SVD users"] == n
    for matrix in store.matrices():
        assert matrix.version == 3
        assert store.matrix_versions(matrix.id) == [2, 3]
    assert len(store.recommenders()) == 1


def test_data_without_ratings_and_kinds_without_neighbours_are_refused_and_nothing_is_left(store: Store):
    store.add_interactions([Interaction("ann", "tea", NOON, "view")])
    with pytest.raises(Invalid, match="learns from ratings"):
        refresh_similarity(store, "svd")
    with pytest.raises(Invalid, match="the kinds are svd"):
        refresh_similarity(store, "popularity")
    assert store.matrices() == []
