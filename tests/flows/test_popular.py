"""A data set without what few rated, or rated well."""

from __future__ import annotations

from pathlib import Path

import pytest

from serendip.domain import Invalid
from serendip.flows.bring import bring_dataset
from serendip.store import Store

FILMS = "1::Loved (2001)::Drama\n2::Liked (2002)::Drama\n3::Known (2003)::\n4::Unseen (2004)::\n"
RATINGS = [
    *((user, 1, 10) for user in range(5)),
    *((user, 2, 5) for user in range(3)),
    (0, 3, 9),
    (9, 3, 11),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{user}::{item}::{value}::{1_365_029_107 + n}\n" for n, (user, item, value) in enumerate(RATINGS)]
    # The newest rating of a user counts: film 2 is rated 8 by all three.
    lines += [f"{user}::2::8::{1_375_029_107 + user}\n" for user in range(3)]
    (tmp_path / "ratings.dat").write_text("".join(lines))
    (tmp_path / "movies.dat").write_text(FILMS)
    return tmp_path


def test_the_store_counts_the_popularity_by_which_items_stay_below(store: Store, folder: Path):
    bring_dataset(store, "movietweetings", folder)
    votes = store.votes()
    # Votes 5, 3, 1 -> 1, .5, 0; times the means 10, 8, 9 -> 10, 4, 0; as shares of the greatest 1, .4, 0.
    assert votes.popularity.tolist() == [1.0, 0.4, 0.0]


@pytest.mark.parametrize(("above", "ids", "left_out"), [(0.0, {"1", "2"}, 1), (0.39, {"1", "2"}, 1), (0.4, {"1"}, 7)])
def test_only_items_above_the_popularity_are_brought(
    store: Store, folder: Path, above: float, ids: set[str], left_out: int
):
    items, ratings = bring_dataset(store, "movietweetings", folder, above=above)
    assert set(store.item_ids()[1]) == ids
    assert items.left_out == {f"items of no popularity above {above:g}": 4 - len(ids)}
    assert ratings.left_out == {f"interactions of no popularity above {above:g}": left_out}
    assert (ratings.refused, ratings.rows_read) == (1, len(RATINGS) + 3)
    assert ratings.added + left_out + 1 == ratings.rows_read
    assert ratings.notes[-1] == f"popularity above {above:g}: {len(ids)} of 3 items with a rating stay"


def test_what_was_there_before_stays_and_a_lower_bound_brings_the_rest(store: Store, folder: Path):
    bring_dataset(store, "movietweetings", folder, above=0.4)
    items, ratings = bring_dataset(store, "movietweetings", folder, above=0.3)
    assert (items.added, ratings.added, ratings.repeated) == (1, 6, 5)


@pytest.mark.parametrize(
    ("above", "told"), [(1.0, "no bound to exceed"), (-0.1, "no bound"), (float("nan"), "no bound")]
)
def test_a_bound_that_is_none_is_refused_before_anything_is_kept(store: Store, folder: Path, above: float, told: str):
    with pytest.raises(Invalid, match=told):
        bring_dataset(store, "movietweetings", folder, above=above)
    assert store.counts().items == 0


def test_items_without_ratings_have_no_popularity(store: Store, folder: Path):
    names = "book_id,isbn,authors,original_publication_year,title,language_code,average_rating,ratings_count,image_url"
    (folder / "books.csv").write_text(f"{names}\n1,0439023483,A,2008.0,T,eng,4.34,4780653,https://example.org/1.jpg\n")
    with pytest.raises(Invalid, match="has no rating that is accepted"):
        bring_dataset(store, "goodbooks", folder, above=0.1)
