"""Matrices: versions are unseen until readers are switched, together; cells come back as they were written."""

from __future__ import annotations

import numpy as np
import pytest

from serendip.domain import Conflict, Invalid, Item, NotFound, User
from serendip.store import Cell, MatrixRows, RecommenderRecord, Store


@pytest.fixture
def filled(store: Store) -> Store:
    store.put_users([User(name) for name in ("ann", "bob", "cyd", "7")])
    store.put_items([Item(name) for name in ("tea", "cup", "pot", "7")])
    return store


def rows(store: Store, of: str, cells: dict[str, list[tuple[str, float]]]) -> MatrixRows:
    keys = store.keys_of(of, [*cells, *(one for row in cells.values() for one, _ in row)])
    flat = [cell for row in cells.values() for cell in row]
    return MatrixRows(
        np.array([keys[name] for name in cells]),
        np.cumsum([0, *(len(row) for row in cells.values())]),
        np.array([keys[name] for name, _ in flat]),
        np.array([value for _, value in flat]),
    )


def written(store: Store, name: str, of: str, cells: dict[str, list[tuple[str, float]]]) -> tuple[int, int]:
    matrix = store.matrix_called(name, of, "made in a test").id  # type: ignore[arg-type]
    version = store.begin_version(matrix)
    store.write_matrix_rows(matrix, version, rows(store, of, cells))
    return matrix, version


def test_readers_see_a_version_once_both_matrices_are_switched_to_it(filled: Store):
    people, first = written(filled, "people", "users", {"ann": [("bob", 0.9), ("cyd", 0.1)]})
    things, _ = written(filled, "things", "items", {"tea": [("cup", 0.5)]})
    assert filled.matrix_neighbours(people, "users", "ann") == (0, [])
    before = filled.changes()["matrices"]
    filled.switch_matrices({people: first, things: 1}, [RecommenderRecord("R", None, people, things)])
    assert filled.changes()["matrices"] > before
    assert filled.matrix_neighbours(people, "users", "ann") == (1, [("bob", 0.9), ("cyd", 0.1)])
    paired = filled.paired_rows("R", "ann", ["tea", "pot"])
    assert paired.versions == {"users": 1, "items": 1}
    assert filled.ids_of("items", paired.items.columns.tolist()) == {filled.keys_of("items", ["cup"])["cup"]: "cup"}
    assert filled.matrix_neighbours(people, "users", "nobody") is None


def test_a_switch_that_fails_switches_nothing(filled: Store):
    people, _ = written(filled, "people", "users", {"ann": [("bob", 0.9)]})
    things, _ = written(filled, "things", "items", {"tea": [("cup", 0.5)]})
    with pytest.raises(Invalid, match="name a matrix of users"):
        filled.switch_matrices({people: 1, things: 1}, [RecommenderRecord("R", None, things, things)])
    assert [one.version for one in filled.matrices()] == [0, 0]
    filled.switch_matrices({people: 1, things: 1})
    with pytest.raises(Conflict, match="newer"):
        filled.switch_matrices({people: 0})


def test_old_versions_go_beyond_the_window_and_what_a_killed_writer_left_is_never_read(filled: Store):
    for n in range(1, 4):
        matrix, version = written(filled, "people", "users", {"ann": [("bob", n / 10)]})
        assert version == n
        filled.switch_matrices({matrix: version}, keep=2)
    assert filled.matrix_versions(matrix) == [2, 3]
    _, left = written(filled, "people", "users", {"ann": [("cyd", 1.0)]})
    assert filled.matrix_versions(matrix) == [2, 3, left]
    assert filled.begin_version(matrix) == left + 1
    assert filled.matrix_versions(matrix) == [2, 3]
    assert filled.matrix_neighbours(matrix, "users", "ann") == (3, [("bob", 0.3)])
    assert filled.matrix_neighbours(matrix, "users", "ann", version=2) == (2, [("bob", 0.2)])


def test_the_version_that_is_read_cannot_be_deleted_and_others_can(filled: Store):
    matrix, _ = written(filled, "people", "users", {"ann": [("bob", 0.9), ("cyd", 0.1)], "bob": [("ann", 0.9)]})
    filled.switch_matrices({matrix: 1})
    written(filled, "people", "users", {"ann": [("bob", 0.8)]})
    with pytest.raises(Conflict, match="switch to another first"):
        filled.drop_matrix_version(matrix, 1)
    filled.change_matrix(matrix, version=2)
    assert filled.drop_matrix_version(matrix, 1) == 3
    with pytest.raises(NotFound):
        filled.drop_matrix_version(matrix, 1)
    with pytest.raises(Conflict, match="no cells"):
        filled.change_matrix(matrix, version=9)
    assert filled.drop_matrix(matrix)
    assert filled.cells(matrix) == ([], 0)


def test_cells_are_merged_into_their_rows_and_read_back_by_stretches(filled: Store):
    people = filled.add_matrix("people", "users", version=1).id
    things = filled.add_matrix("things", "items").id
    filled.add_cells(
        [
            Cell("ann", "bob", 0.2, people, 1),
            Cell("ann", "cyd", 0.7, people, 1),
            Cell("bob", "ann", 0.2, people, 1),
            Cell("7", "ann", 0.1, people, 1),
            Cell("7", "tea", 0.3, things, 4),
        ]
    )
    filled.add_cells([Cell("ann", "7", 0.5, people, 1), Cell("ann", "bob", 0.9, people, 1)])
    every, total = filled.cells(limit=100)
    assert total == len(every) == 6
    assert [(cell.row, cell.column, cell.value) for cell in filled.cells(people, 1, "ann")[0]] == [
        ("ann", "bob", 0.9),
        ("ann", "cyd", 0.7),
        ("ann", "7", 0.5),
    ]
    by_pages = [cell for offset in range(0, 6, 2) for cell in filled.cells(offset=offset, limit=2)[0]]
    assert by_pages == every
    assert filled.cells(row="7")[1] == 2
    assert filled.cells(column="ann", offset=1)[0] == [Cell("bob", "ann", 0.2, people, 1)]
    assert filled.cells(row="nobody") == ([], 0)


def test_cells_that_cannot_be_kept_are_refused_all_together(filled: Store):
    people = filled.add_matrix("people", "users").id
    good = Cell("ann", "bob", 0.2, people, 1)
    for bad, what in (
        (Cell("ann", "tea", 0.2, people, 1), "no user 'tea'"),
        (Cell("ann", "bob", float("nan"), people, 1), "finite"),
        (Cell("ann", "bob", 0.2, people, 0), "no version"),
        (Cell("ann", "bob", 0.2, people + 1, 1), "no matrix"),
    ):
        with pytest.raises(Invalid, match=what):
            filled.add_cells([good, bad])
    assert filled.cells() == ([], 0)


def test_names_of_matrices_and_recommenders_are_taken_once(filled: Store):
    people, things = filled.add_matrix("people", "users"), filled.add_matrix("things", "items")
    with pytest.raises(Conflict):
        filled.add_matrix("people", "items")
    with pytest.raises(Conflict):
        filled.change_matrix(things.id, name="people")
    with pytest.raises(Conflict):
        filled.matrix_called("people", "items", "")
    one = filled.add_recommender(RecommenderRecord("R", "rows", people.id, things.id))
    with pytest.raises(Conflict):
        filled.add_recommender(RecommenderRecord("R"))
    assert filled.change_recommender(one.id, name="S", user_matrix=None).item_matrix == things.id
    filled.drop_matrix(things.id)
    assert filled.recommenders() == [RecommenderRecord("S", "rows", None, None, one.id)]
    assert filled.drop_recommender(one.id)
    assert not filled.drop_recommender(one.id)
