"""The older client's names against the real server, in its wire format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serendip import client
from serendip.client import RecSysApi, SimilarityMatrixType

from .conftest import Server


@pytest.fixture
def api(make_server: Callable[..., Server]) -> RecSysApi:
    server = make_server(wire=("community",))
    return RecSysApi(server.client.headers["X-API-Key"], "http://testserver", http=server.client)


def test_users_items_and_ratings_are_listed_made_changed_and_removed(api: RecSysApi) -> None:
    everybody = list(api.users(limit=7))
    assert len(everybody) == len({user.id for user in everybody}) == 40
    assert api.users(username="Person 3").body.results[0].id == "user-3"
    dramas = [item.id for item in api.items(limit=2, tags=["drama"])]
    assert sorted(dramas) == sorted(f"film-{n}" for n in range(0, 30, 2))
    made = api.add_user({"id": 7, "username": "ann", "email": "ann@example.org"})
    assert (made.status, made.body.id) == (201, 7)
    assert api.update_user({"id": 7, "username": "Ann"}).body.username == "Ann"
    item = api.add_item({"name": "Hamlet", "tags": ["drama"]}).body
    assert api.item(item.id).body.name == "Hamlet"
    assert api.update_item({"id": item.id, "name": "Macbeth"}).body.name == "Macbeth"
    done = api.bulk_add_interactions(
        [{"user": 7, "item": "film-1", "rating": 5}, {"user": 7, "item": item.id, "rating": 1}]
    )
    assert (done.status, [one.rating for one in done.body]) == (201, [5, 1])
    assert [(one.item, one.rating) for one in api.interactions(limit=1, user=7)] == [("film-1", 5), (item.id, 1)]
    with pytest.raises(client.Invalid, match="interaction 1"):
        api.bulk_add_interactions(
            [{"user": 7, "item": "film-3", "rating": 5}, {"user": 7, "item": "film-5", "rating": 0}]
        )
    assert api.interactions(user=7).body.count == 2
    assert api.remove_item(item.id).status == api.remove_user(7).status == 204
    with pytest.raises(client.NotFound, match="no user '7'"):
        api.user(7)


def test_a_matrix_is_filled_read_and_switched_version_by_version(
    api: RecSysApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serendip.client.community.MOST_ROWS", 4)
    matrix = api.add_similarity_matrix("svd-items", SimilarityMatrixType.ITEM_TO_ITEM, "by SVD").body
    for version in (1, 2):
        cells = [
            {
                "row": "film-0",
                "column": f"film-{n}",
                "value": version / 10 + n / 100,
                "matrix": matrix.id,
                "version": version,
            }
            for n in range(1, 11)
        ]
        assert len(api.bulk_add_similarity_cells(cells).body) == 10
    assert [one.version for one in api.versions(matrix.id).body] == [1, 2]
    address = f"$BASE_URL/api/similarity-matrix/{matrix.id}/"
    kept = list(api.similarity_cells(limit=3, row="film-0", matrix=address))
    assert {(cell.version, cell.column, cell.value) for cell in kept} == {
        (version, f"film-{n}", version / 10 + n / 100) for version in (1, 2) for n in range(1, 11)
    }
    assert len(kept) == 20
    assert api.update_similarity_matrix({**matrix, "version": 2}).body.version == 2
    assert api.remove_version(matrix.id, 1).body == {"matrix": matrix.id, "version": 1, "deleted": 10}
    assert [one.version for one in api.similarity_matrix_versions(matrix.id).body] == [2]
    made = api.add_recommender({"name": "SVD", "item_similarity_matrix": matrix.id}).body
    assert api.update_recommender({**made, "description": "by likeness"}).body.description == "by likeness"
    assert [one.name for one in api.recommenders(name="SVD")] == ["SVD"]
    assert api.remove_recommender(made.id).status == 204
    assert api.similarity_matrix(type=SimilarityMatrixType.ITEM_TO_ITEM).body.count == 1
    api.remove_similarity_matrix(matrix.id)
    assert api.similarity_matrix().body.count == 0
