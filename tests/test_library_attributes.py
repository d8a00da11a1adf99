"""The library with attributes of items and users: frames in, answers by them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import serendip as sd
from serendip.domain import Invalid

PAIRS = [(f"u{u}", f"i{i}") for u in range(12) for i in range(u % 2, 10, 2) if (u + i) % 5]
DATA = pl.DataFrame(PAIRS, schema=["user", "item"], orient="row")
ITEMS = pl.DataFrame(
    {
        "item": [f"i{i}" for i in range(12)],  # i10 and i11 were taken by nobody
        "title": [("A plain thing", "An odd one")[i % 2] for i in range(12)],
        "tags": [[("even", "odd")[i % 2]] for i in range(12)],
    }
)
USERS = pl.DataFrame(
    {
        "user": [f"u{u}" for u in range(13)],  # u12 took nothing
        "town": [("North", "South")[u % 2] for u in range(13)],
        "hobbies": [[("chess", "golf")[u % 2], "reading"] for u in range(13)],
    }
)


def parity(items) -> set[int]:
    return {int(item[1:]) % 2 for item in items}


def test_items_that_nobody_took_are_recommended_and_alike_others():
    model = sd.fit("content-knn", DATA, items=ITEMS)
    found = model.recommend("u0", k=2).items[0]  # all but two of the even ones were taken
    assert "i10" in found
    assert parity(found) == {0}
    assert parity(item for item, _ in model.similar_items("i11", 3)) == {1}
    assert dict(model.overlap("i11", "i1")).keys() == {"an", "odd", "one", "tags:odd"}
    with pytest.raises(Invalid, match="knows no words of items; fit content-knn"):
        sd.fit("item-knn", DATA).overlap("i0", "i2")


def test_a_newcomer_is_answered_by_the_profile_alone():
    model = sd.fit("profile-knn", DATA, users=USERS)
    for answer in (model.recommend(profile={"town": "South", "hobbies": ["golf"]}, k=3), model.recommend("u12", k=3)):
        assert set(answer.sources[0]) == {"profile-knn"}
    assert parity(model.recommend(profile={"town": "South"}, k=3).items[0]) == {1}
    assert parity(model.recommend(["stranger", "u12"], k=3).items[1]) == {0}
    assert set(model.recommend("stranger", k=3).sources[0]) <= {"popular-7-days", "popular"}


def test_people_alike_are_never_oneself():
    by_profile = sd.fit("profile-knn", DATA, users=USERS).similar_users("u1", 20)
    assert "u1" not in {user for user, _ in by_profile}
    assert parity(user for user, _ in by_profile[:5]) == {1}
    by_taste = sd.fit("user-knn", DATA).similar_users("u1", 20)
    assert {user for user, _ in by_taste} == {f"u{u}" for u in range(3, 12, 2)}


@pytest.mark.parametrize("kind", ["svd", "nmf"])
def test_people_alike_by_ratings_share_a_taste(kind):
    rng = np.random.default_rng(3)
    rated = [(f"u{u}", f"i{i}", 5.0 if i % 2 == u % 2 else 1.0) for u in range(16) for i in rng.permutation(12)[:8]]
    model = sd.fit(kind, dict(zip(("user", "item", "value"), zip(*rated, strict=True), strict=True)), seed=1)
    alike = model.similar_users("u1", 20)
    assert "u1" not in {user for user, _ in alike}
    assert parity(user for user, _ in alike[:5]) == {1}
    assert [like for _, like in alike] == sorted((like for _, like in alike), reverse=True)


def test_interests_are_what_was_met_beside_what_is_expected():
    model = sd.fit("tag-svd", DATA, items=ITEMS)
    ((name, met, expected),) = [one for one in model.interests("u0") if one[1]]
    assert (name, met) == ("even", 4)
    assert np.isfinite(expected)
    assert model.interests("stranger") == []


@pytest.mark.parametrize("kind", ["content-knn", "profile-knn", "tag-svd", "segments", "user-knn"])
def test_what_was_saved_answers_the_same(kind: str, tmp_path: Path):
    model = sd.fit(kind, DATA, items=ITEMS, users=USERS)
    model.save(tmp_path / "kept")
    back = sd.load(tmp_path / "kept")
    assert back.data.fingerprint() == model.data.fingerprint()
    users = ["u0", "u7", "u12", "stranger"]
    np.testing.assert_array_equal(back.recommend(users, k=4).scores, model.recommend(users, k=4).scores)


def test_models_of_attributes_are_measured_beside_the_others():
    table = sd.evaluate(["content-knn", "profile-knn"], DATA, split="last-out", items=ITEMS, users=USERS, k=5)
    assert {"content-knn", "profile-knn", "popular"} <= {row.name for row in table.rows}
    given = [DATA.filter(pl.int_range(pl.len()) % 4 != rest) for rest in (0, 1)]
    parts = sd.evaluate(
        ["content-knn"], given[0], test=given[1].join(given[0], on=["user", "item"], how="anti"), items=ITEMS
    )
    assert "content-knn" in {row.name for row in parts.rows}
