"""Feature tables of what is recorded: no row knows its own future, and a build that stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feature_world import COUNTERS, DAY, OTHERS, made_log
from serendip.data import Dataset, Queries
from serendip.data.features import Features, counters, parse_features
from serendip.domain import Conflict, Invalid, Item, NotFound, User, moment
from serendip.flows.attributes import with_all_attributes
from serendip.flows.features import Label, build, definitions_of, label_of, read_feature_table, recorded
from serendip.flows.gather import gather
from serendip.store import Store
from serendip.store.feature_tables import FeatureTables, column_names

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALL = parse_features((*COUNTERS, *OTHERS))
N_EVENTS, N_MOMENTS, N_USERS, N_ITEMS = 20_000, 800, 300, 60
FEATURES = parse_features(one for one in (*COUNTERS, *OTHERS) if "flag" not in one and "vector" not in one)


def feed(store: Store, n_events: int = N_EVENTS) -> None:
    """Views, likes and stars, 25 at each moment, of people in cities and posts of topics."""
    rng = np.random.default_rng(5)
    cities, topics, words = ["Köln", "Riga", "東京"], ["news", "sport", "film"], ["red", "blue", "зима", "sea"]
    store.put_users(
        [User(f"u{i}", attributes={"age": i % 50} | ({"city": cities[i % 3]} if i % 7 else {})) for i in range(N_USERS)]
    )
    store.put_items(
        [
            Item(
                f"i{i}",
                text=" ".join(rng.choice(words, i % 4)),
                tags=tuple({str(tag) for tag in rng.choice(["a", "b", "c", "d"], i % 3)}),
                attributes={"price": None if i % 5 == 0 else float(i)} | ({"topic": topics[i % 3]} if i % 4 else {}),
            )
            for i in range(N_ITEMS)
        ]
    )
    at = np.sort(rng.integers(0, N_MOMENTS, n_events)) * 3_600_000_000 + round(START.timestamp()) * 1_000_000
    kind = rng.choice(["view", "like", "stars"], n_events, p=[0.7, 0.2, 0.1])
    frame = pl.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, N_USERS, n_events)],
            "item": [f"i{i}" for i in rng.integers(0, N_ITEMS, n_events)],
            "at": at,
            "kind": kind,
            "value": np.where(kind == "stars", rng.integers(1, 6, n_events), np.nan),
        }
    )
    store.load_interactions(frame.with_columns(pl.col("value").fill_nan(None)))


def disagreements(store: Store, whole: Dataset, told: np.ndarray, n_moments: int = 40) -> tuple[int, int]:
    """Rows that are told otherwise by the store as it was at their moment, of how many that were asked."""
    moments = np.random.default_rng(1).choice(np.unique(whole.at), n_moments, replace=False)
    wrong = asked = 0
    for at in moments:
        then = with_all_attributes(store, gather(store, until=moment(int(at))))
        assert then.at is not None
        assert not len(then) or then.at.max() < at
        features = Features.of(FEATURES, then.before(int(at)), np.random.default_rng(0))
        rows = np.flatnonzero(whole.at == at)
        queries = Queries.of_users(then.before(int(at)), whole.user_ix[rows])
        recomputed = features.at(queries, whole.item_ix[rows][:, None])[:, 0]
        wrong += int((~np.isclose(recomputed, told[rows], rtol=1e-5, equal_nan=True)).any(axis=1).sum())
        asked += len(rows)
    return wrong, asked


def test_no_row_knows_what_the_store_did_not_know_at_its_moment(store):
    feed(store)
    whole = recorded(store)
    told = Features.described(FEATURES, whole, np.random.default_rng(0)).rows(whole)
    wrong, asked = disagreements(store, whole, told)
    assert asked >= 900
    assert wrong == 0


def leaking_within_a_moment(monkeypatch: pytest.MonkeyPatch, whole: Dataset) -> np.ndarray:
    """The log as if each row had a moment of its own, so that those of one moment see each other."""
    log_of: Callable[[Dataset], counters.Log] = counters.log_of
    monkeypatch.setattr(counters, "log_of", lambda data: (*log_of(data)[:4], data.at + np.arange(len(data))))
    return Features.described(FEATURES, whole, np.random.default_rng(0)).rows(whole)


def leaking_the_future(monkeypatch: pytest.MonkeyPatch, whole: Dataset) -> np.ndarray:
    """Every row told by counters over the whole log."""
    features = Features.of(FEATURES, whole, np.random.default_rng(0))
    return features.at(Queries.of_users(whole, whole.user_ix), whole.item_ix[:, None])[:, 0]


@pytest.mark.parametrize("leaking", [leaking_within_a_moment, leaking_the_future])
def test_a_leak_is_found(database_url, monkeypatch, leaking):
    store = Store.open(database_url)
    feed(store, 4_000)
    whole = recorded(store)
    told = leaking(monkeypatch, whole)
    monkeypatch.undo()
    wrong, asked = disagreements(store, whole, told, n_moments=10)
    store.close()
    assert wrong > asked / 4


def built_and_read(to: str) -> None:
    """A build that is interrupted after its second batch, gone on with, and read."""
    data, label = made_log(), Label("view", "like", DAY)
    tables = FeatureTables.at(to)

    def stop(part: float) -> None:
        if part > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(data, ALL, tables, NOW, label, batch_rows=50, progress=stop)
    with pytest.raises(NotFound, match="no finished feature table"):
        read_feature_table(to)
    done = build(data, ALL, tables, NOW, label, batch_rows=50)
    assert (done.made, done.resumed) == (True, 2)
    again = build(data, ALL, tables, NOW, label, batch_rows=50)
    assert (again.name, again.rows, again.made) == (done.name, done.rows, False)
    other = build(data, ALL[:3], tables, NOW + timedelta(days=1), label, batch_rows=50)
    assert other.name != done.name
    assert len(read_feature_table(to).names) == 3
    tables.close()
    table = read_feature_table(to, done.name)
    views = data.kind == 0
    assert (done.rows, table.names) == (views.sum(), tuple(name for one in ALL for name in one.names))
    expected = Features.described(ALL, data, np.random.default_rng(0)).rows(data, views)
    np.testing.assert_array_equal(table.matrix, expected)
    np.testing.assert_array_equal(table.label, followed(data)[views])
    np.testing.assert_array_equal(table.at, data.at[views])
    np.testing.assert_array_equal(table.settled, data.at[views] + DAY)
    days = data.at[views] // DAY
    for group in np.unique(table.group)[:5]:
        own = table.group == group
        assert len({*zip(data.user_ix[views][own], days[own], strict=True)}) == 1
    assert table.categories[table.names.index("user.city")] == ("Köln", "Riga", "東京")


def followed(data: Dataset) -> np.ndarray:
    """Whether the same user liked the same item at that moment or within a day from it."""
    likes = [(u, i, at) for u, i, at, k in zip(data.user_ix, data.item_ix, data.at, data.kind, strict=True) if k == 1]
    return np.array(
        [
            any(u == x and i == y and at <= when <= at + DAY for x, y, when in likes)
            for u, i, at in zip(data.user_ix, data.item_ix, data.at, strict=True)
        ]
    )


def test_a_build_into_a_database_goes_on_where_it_stopped(empty_url):
    built_and_read(empty_url)


def test_a_build_into_a_folder_goes_on_where_it_stopped(tmp_path):
    built_and_read(str(tmp_path / "tables"))


def test_two_builds_of_one_table_do_not_mix(tmp_path):
    tables = FeatureTables.at(f"sqlite:///{tmp_path / 'tables.db'}")
    manifest = {"columns": ["count(user)"], "finished": None}
    tables.begin("one", manifest)
    rows = pl.DataFrame({"row": [0], "user": ["u"], "item": ["i"], "at": [1], "label": [None], "count(user)": [0.0]})
    tables.append("one", 0, rows)
    with pytest.raises(Conflict, match="somebody else writes"):
        tables.append("one", 0, rows)
    tables.close()


def test_names_that_a_database_cannot_tell_apart_are_numbered():
    long = "decayed(user.a-very-long-name x item.another-very-long-name, like, 30d)"
    names = column_names(["count(item, like)", "count(item, Like)", long, "user"])
    assert names[0] == "count(item, like)"
    assert len({name.casefold() for name in names}) == 4
    assert max(map(len, names)) <= 63
    assert "user" not in names


def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path):
    data = made_log()
    with pytest.raises(Invalid, match="no interactions of kind 'buy'"):
        definitions_of(["count(item, buy)"], data)
    with pytest.raises(Invalid, match="no interactions of kind 'shown'"):
        definitions_of([], data, Label("shown", "like"))
    with pytest.raises(Invalid, match="belong together"):
        label_of("view", None, "1d")
    with pytest.raises(Invalid, match="every 'view' would be its own positive"):
        label_of("view", "view", "1d")
    with pytest.raises(Invalid, match="of at most 36525 days"):
        label_of("view", "like", "999999999999d")
    with pytest.raises(Invalid, match="'soon' is no span of time"):
        label_of("view", "like", "soon")
    with pytest.raises(Invalid, match="is a file"):
        FeatureTables.at(str(tmp_path / "features.parquet"))
    with pytest.raises(Invalid, match="keeps its own rows in"):
        FeatureTables.at(f"sqlite:///{tmp_path / 'own.db'}", f"sqlite:///{tmp_path / 'own.db'}")
    with pytest.raises(Invalid, match="told by a candidate source"):
        build(data, parse_features(["score(als)"]), FeatureTables.at(str(tmp_path / "to")), NOW)
    assert not (tmp_path / "to").exists()


def test_a_share_of_the_users_has_the_rows_it_has_in_the_whole_table(tmp_path):
    data, label = made_log(), Label("view", "like", DAY)
    definitions = definitions_of(["count(item)", "count(user, like)", "likeness(item.text)"], data)
    rows = {}
    for share in (1.0, 0.3):
        tables = FeatureTables.at(str(tmp_path / str(share)))
        built = build(data, definitions, tables, NOW, label, share=share)
        rows[share] = tables.rows(built.name)
    some = rows[0.3]["user"].unique()
    assert 0.15 < len(some) / rows[1.0]["user"].n_unique() < 0.45
    assert rows[0.3].equals(rows[1.0].filter(pl.col("user").is_in(some.implode())))
    with pytest.raises(Invalid, match="more than 0"):
        build(data, definitions, tables, NOW, label, share=0.0)


def test_a_folder_that_holds_other_manifests_too_gives_its_own_tables_alone(tmp_path):
    data = made_log()
    tables = FeatureTables.at(str(tmp_path))
    (tmp_path / "als-1").mkdir()
    (tmp_path / "als-1" / "manifest.json").write_text('{"kind": "als", "name": "als"}')
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "manifest.json").write_text("{")
    with pytest.raises(NotFound, match="no finished feature table"):
        read_feature_table(str(tmp_path))
    built = build(data, parse_features(["hour"]), tables, NOW)
    assert len(read_feature_table(str(tmp_path)).at) == built.rows


def test_reading_a_table_that_is_not_there_makes_no_file(tmp_path):
    with pytest.raises(NotFound, match="there is no feature table at"):
        read_feature_table(f"sqlite:///{tmp_path / 'absent.db'}")
    assert not list(tmp_path.iterdir())
