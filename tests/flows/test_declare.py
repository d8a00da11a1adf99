from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from serendip.domain import InteractionKind, Invalid, Item
from serendip.flows.begin import EXAMPLES, begin
from serendip.flows.check import check
from serendip.flows.declare import TABLES, declare, inspect, read
from serendip.flows.live import HOME
from serendip.flows.recommend import Ask, recommend
from serendip.flows.scenarios import put_scenario, scenarios_of
from serendip.flows.toml_lines import line_of, lines_of
from serendip.jobs.kinds import checked
from serendip.settings import DECLARING
from serendip.store import Store
from towns import NOON, Town

LATER = NOON + timedelta(hours=1)
GOOD = """
page_size = 20
[kinds.like]
hides = false
[models.near]
kind = "item-knn"
n_neighbours = 5
[scenarios.home]
candidates = ["near", "popular*0.5"]
page_size = 4
rules = { filter = 'price < 20' }
timetable = "every 6h"
[timetable.tidy]
job = "clean-up"
schedule = "0 3 * * *"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "serendip.toml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str, store: Store | None = None) -> list[tuple[int | None, str, str]]:
    found, _ = check(written(folder, text), checked, store, NOON)
    return [(one.line, one.field, one.said) for one in found]


def test_what_a_file_declares_is_brought_into_the_store_and_again_changes_nothing(store: Store, tmp_path: Path):
    declared = read(written(tmp_path, GOOD))
    assert declare(store, declared, NOON)
    before = store.changes()
    assert not declare(store, declared, LATER)
    assert store.changes() == before
    assert store.kinds()["like"] == InteractionKind("like", hides=False)
    home = scenarios_of(store)[HOME]
    assert (home.origin, home.config.page_size) == ("file", 4)
    assert home.config.pipeline.sources[0].settings == {"n_neighbours": 5}
    rows = {row.name: (row.kind, row.schedule, dict(row.arguments)) for row in store.timetable()}
    assert rows == {
        "tidy": ("clean-up", "0 3 * * *", {}),
        "train-home": ("train", "every 6h", {"scenario": "home"}),
    }


def test_what_is_no_longer_in_the_file_is_gone_and_what_the_api_made_stays(store: Store, tmp_path: Path):
    declare(store, read(written(tmp_path, GOOD)), NOON)
    put_scenario(store, "mine", {"page_size": 3}, NOON)
    with pytest.raises(Exception, match=r"declared in serendip\.toml"):
        put_scenario(store, HOME, {"page_size": 3}, NOON)
    assert declare(store, read(written(tmp_path, "port = 1\n")), LATER)
    found = scenarios_of(store)
    assert (found[HOME].origin, found["mine"].origin) == ("start", "api")
    assert store.timetable() == []


def test_a_running_server_takes_over_what_a_file_declares(town: Town, tmp_path: Path):
    assert len(recommend(town.store, town.live, "user-0", Ask(HOME), LATER).items) == 10
    declare(town.store, read(written(tmp_path, GOOD.replace("candidates", "# candidates"))), LATER)
    town.live.refresh()
    slate = recommend(town.store, town.live, "user-0", Ask(HOME), LATER)
    assert len(slate.items) == 4
    assert all(int(one.item.removeprefix("item-")) < 20 for one in slate.items)


def test_every_fault_is_named_with_its_line_and_field(tmp_path: Path):
    text = """\
[kinds.rating]
scale = [5, 1]
colour = "red"
[models.near]
kind = "item-knn"
n_neighbour = 5
[scenarios.home]
candidates = ["alz"]
[scenarios."for-you"]
page_size = 0
[scenarios.cinema]
candidates = ["als"]
rules = { filter = "genre = 3" }
[timetable.x]
job = "trian"
schedule = "each day"
"""
    found = faults(tmp_path, text)
    assert [(line, field) for line, field, _ in found] == [
        (3, "kinds.rating.colour"),
        (4, "models.near"),
        (8, "scenarios.home.candidates"),
        (10, "scenarios.for-you.page_size"),
        (13, "scenarios.cinema.rules.filter"),
        (15, "timetable.x.job"),
        (16, "timetable.x.schedule"),
    ]
    said = [one for _, _, one in found]
    assert "the settings of item-knn are" in said[1]
    assert "no model of kind 'alz'; the kinds are" in said[2]
    assert "clean-up" in said[5]
    assert "write 'every 15m'" in said[6]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = \n", 1, "this is no TOML"),
        ("[scenarios.a]\ncandidates = ['als']\nfallback = 'b'\n", 3, "there is no scenario 'b'"),
        (
            "[scenarios.a]\ncandidates = ['als']\nfallback = 'b'\n"
            "[scenarios.b]\ncandidates = ['als']\nfallback = 'a'\n",
            6,
            "goes round in a circle",
        ),
        ("[scenarios.a]\ncandidates = ['boosted']\n", 2, "name it after them, as in item-knn:boosted"),
        ("[scenarios.a]\nranker = 'boosted'\n", 2, "ranks candidates, and none are named"),
        ("[scenarios.a]\ncandidates = ['als']\nranker = 'bosted'\n", 3, "the rankers are boosted"),
        ("[scenarios.a]\ntimetable = 'now and then'\n", 2, "cannot be read"),
        ("[catalogues.films]\n[scenarios.a]\ncatalogue = 'film'\n", 3, "those declared are films"),
        ("scenarios = 3\n", 1, "table of tables"),
        ("[scenarios.A]\n", 1, "cannot be a name"),
        ("[scenarios.a]\nmodels = 3\n", 2, "valid dictionary"),
        ("[scenarios]\n[[scenarios.a]]\npage_size = 3\n", 2, "this is no table"),
        (
            "[[scenarios.a.rules.pins]]\nitem = 'x'\nplace = 1\n[[scenarios.a.rules.pins]]\nplace = 0\nitem = 'y'\n",
            5,
            "greater than 0",
        ),
        ('# """\n[scenarios.a]\npage_size = 0\n', 3, "greater than or equal to 1"),
        ('[kinds.""]\nhides = false\n', 1, "is empty"),
        (
            '\ufeff[timetable.x]\njob = "train"\narguments = { pipelines = ["alz"] }\nschedule = "every 1h"\n',
            3,
            "'alz'",
        ),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, line: int, said: str):
    ((where, _, sentence),) = faults(tmp_path, text)
    assert where == line
    assert said in sentence
    if "[timetable" not in text:  # what a job may be told is known to those who check
        with pytest.raises(Invalid, match=rf"serendip\.toml:{line}: "):
            read(tmp_path / "serendip.toml")


def test_a_file_is_held_against_the_data(store: Store, tmp_path: Path):
    store.put_items([Item("film-1", "films", "A film", attributes={"year": 1990})])
    text = """\
[catalogues.films]
[catalogues.books]
[scenarios.a]
rules = { filter = "genre == 'drama'" }
[scenarios.b.rules]
boosts = [{ filter = "price > 3", factor = 1 }]
pins = [{ item = "film-2", place = 1 }]
hide = ["buy"]
diversity = { by = "look" }
[scenarios.c]
rules = { filter = "year > 1980" }
"""
    found = faults(tmp_path, text, store)
    assert [(line, field) for line, field, _ in found] == [
        (4, "scenarios.a.rules.filter"),
        (6, "scenarios.b.rules.boosts"),
        (7, "scenarios.b.rules.pins"),
        (8, "scenarios.b.rules.hide"),
        (9, "scenarios.b.rules.diversity"),
    ]
    assert "'genre'" in found[0][2]
    assert "year" in found[0][2]
    good = written(
        tmp_path, "[catalogues.films]\n[catalogues.books]\n[scenarios.c]\nrules = { filter = 'year > 1980' }\n"
    )
    assert check(good, checked, store, NOON) == ([], ["no item is in the catalogue 'books' yet; items are in films"])


def test_a_key_is_found_in_its_table_and_an_inline_one_in_its_line():
    text = 'port = 1\n# [a]\n[a."b c"]\nd.e = """\nport = 2\n"""\n f = { g = 1 } # x\n[h]\n'
    lines = lines_of(text)
    assert lines == {
        ("port",): 1,
        ("a",): 3,
        ("a", "b c"): 3,
        ("a", "b c", "d", "e"): 4,
        ("a", "b c", "f"): 7,
        ("h",): 8,
    }
    assert line_of(lines, ("a", "b c", "f", "g", "0")) == 7
    assert line_of(lines, ("z",)) is None
    assert line_of(lines_of("\n[a.b]\nc = 1\n"), ("a",)) == 2


def test_a_scale_that_an_import_told_stays_where_the_file_says_none(store: Store, tmp_path: Path):
    told = InteractionKind("rating", "latest", scale=(0.0, 10.0))
    store.declare_kinds([told])
    path = written(tmp_path, "[kinds.rating]\nmode = 'latest'\n")
    assert not declare(store, read(path), NOON)
    assert store.kinds()["rating"] == told


def test_a_job_for_a_scenario_that_is_not_there_is_named(store: Store, tmp_path: Path):
    text = "[timetable.x]\njob = 'train'\nschedule = 'every 1h'\n[timetable.x.arguments]\nscenario = 'hom'\n"
    ((line, field, said),) = faults(tmp_path, text, store)
    assert (line, field) == (5, "timetable.x.arguments.scenario")
    assert "home, for-you" in said


def test_settings_leave_out_just_what_declares():
    assert DECLARING == TABLES


@pytest.mark.parametrize("example", [None, *EXAMPLES])
def test_what_init_writes_is_right(example: str | None, tmp_path: Path):
    toml, readme = begin(tmp_path / "new", example)
    declared, found = inspect(toml)
    assert not found
    assert declared is not None
    assert declared.scenarios
    assert "serendip check" in readme.read_text()
    with pytest.raises(Exception, match="is there already"):
        begin(tmp_path / "new", example)
