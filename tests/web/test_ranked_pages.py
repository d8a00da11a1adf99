"""A ranked version on the pages: what it learnt, and why an item stands where it does, in words."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serendip.data.features.saying import About
from serendip.domain import Item, SlateItem
from serendip.evaluation import Table
from serendip.flows.live import HOME
from serendip.flows.promote import promote
from serendip.flows.told import ranker_told
from serendip.flows.train import train
from serendip.pipeline import PipelineConfig
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key, new_link
from serendip.web.pages.models import ABOUT, about_of
from serendip.web.pages.plot import bars, curve
from serendip.web.pages.why import why

from .browsing import browsing, check_page
from .conftest import NOON, Clock, World, make_client

pytestmark = pytest.mark.skipif(find_spec("catboost") is None, reason="the ranker needs the extra rank")

FEATURES = ("count(item, 7d)", "count(user x item.tags)", "recency(item)", "item.year", "score(item-knn)", "hour")
SETTINGS = {"features": FEATURES, "n_trees": 12, "depth": 3, "learning_rate": 0.3, "step_days": 7.0}


@pytest.fixture(scope="module")
def ranked(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world with a ranked version as home."""
    folder = tmp_path_factory.mktemp("ranked") / "world"
    shutil.copytree(world.folder, folder)
    store, artifacts = Store.open(f"sqlite:///{folder / 'serendip.db'}"), Artifacts(folder / "artifacts")
    store.put_items(
        [Item("film-29", "films", None, "A film that has no title, only a text of many words to begin with")]
    )
    config = PipelineConfig.parse("popular-7-days+item-knn:boosted", SETTINGS)
    version = train(store, artifacts, [config], NOON, seed=1).versions[0]
    promote(store, artifacts, version, HOME, NOON, override="to look at it")
    store.close()
    return World(folder, {**world.versions, "ranked": version})


@pytest.fixture
def opened(ranked: World, tmp_path: Path) -> Iterator[tuple[Store, TestClient]]:
    """The store and a browser that is signed in."""
    shutil.copytree(ranked.folder, tmp_path / "kept")
    store = Store.open(f"sqlite:///{tmp_path / 'kept' / 'serendip.db'}")
    app = create_app(store, Artifacts(tmp_path / "kept" / "artifacts"), Settings(), Clock(NOON))
    with make_client(app) as client:
        client.headers["accept"] = "text/html"
        client.get(new_link(store, "administrator", NOON))
        yield store, client
    store.close()


def test_a_table_says_how_often_everything_was_fitted_again(ranked: World, opened: tuple[Store, TestClient]):
    store, _ = opened
    replayed = Table.from_dict(store.version(ranked.versions["ranked"]).manifest["measured"]["protocols"]["replayed"])
    assert about_of(replayed) == ABOUT["replayed"]
    assert about_of(replace(replayed, refresh_days=1.0)).endswith("All but what rankers learnt was fitted again daily.")
    assert about_of(replace(replayed, refresh_days=2.5)).endswith("fitted again every 2.5 days.")


def test_a_version_has_a_page_that_shows_what_its_manifest_tells(ranked: World, opened: tuple[Store, TestClient]):
    store, client = opened
    version = ranked.versions["ranked"]
    told = ranker_told(store.version(version).manifest)
    for address in ("/models", f"/models/{version}"):
        page = html.unescape(client.get(address).text)
        assert "What the ranker learnt" in page
        assert told.grown in page
        assert told.practised in page
        for name, part in told.importances:
            assert re.search(rf"<code>{re.escape(name)}</code></th><td>{100 * part:.2f}%</td>", page), name
        for one in told.reached:
            assert f"{one.ceiling:.1%}<small>no order can find more" in page
    assert [part for _, part in told.importances] == sorted((part for _, part in told.importances), reverse=True)
    assert sum(part for _, part in told.importances) == pytest.approx(1, abs=1e-4)
    assert f'href="/models/{version}"' in client.get("/models").text
    plain = client.get(f"/models/{ranked.versions['item-knn']}").text
    assert "What the ranker learnt" not in plain
    assert "Measured as it will be used" in plain
    absent = client.get("/models/nobody-made-it")
    assert (absent.status_code, "there is no version" in absent.text) == (404, True)


def test_a_card_says_why_in_a_sentence_and_below_it_everything_that_moved_it(opened: tuple[Store, TestClient]):
    _, client = opened
    page = html.unescape(client.get("/people/user-3").text)
    home = page[page.index('id="row-home"') :]
    (first,) = re.findall(r'<details class="why"><summary>\s*because (.*?)\s*</summary>(.*?)</details>', home, re.S)[:1]
    assert not set("+:=") & set(first[0])
    assert re.search(r"\(\d+%\)$", first[0])
    assert re.search(r"<code>(count\(user x item\.tags\)|score\(item-knn\)|count\(item, 7d\)) = ", first[1])
    parts = [int(one) for one in re.findall(r"<strong>−?(\d+)%</strong>", first[1])]
    assert sum(parts) == pytest.approx(100, abs=len(parts))
    assert "picked by popular-7-days+item-knn:boosted" not in page
    assert "A film that has no title, only a text of many words to…" in html.unescape(
        client.get("/people/user-1/items/film-29").text
    )


def test_the_answer_of_the_api_holds_what_the_pages_say(opened: tuple[Store, TestClient]):
    store, client = opened
    key = {"X-API-Key": new_key(store, "test", ("read",), NOON), "accept": "application/json"}
    asked = {"user": "user-3", "scenario": "home", "n": 3}
    answer = client.get("/v1/recommendations", params={**asked, "explain": True}, headers=key).json()
    for place in answer["items"]:
        assert place["values"].keys() == place["parts"].keys() - {"base", "other features"}
        year = store.item(place["item"]).attributes.get("year")
        assert place["values"].get("item.year", year) == year
    assert "values" not in client.get("/v1/recommendations", params=asked, headers=key).json()["items"][0]


def test_parts_that_say_the_same_are_one_sentence_and_what_speaks_against_is_negative():
    parts = {"base": 5.0, "score(near)": 1.0, "rank(near)": 0.5, "count(user x item)": -0.5, "mystery": 2.0}
    values = {"score(near)": 0.4, "rank(near)": 1.0, "count(user x item)": 0.0, "mystery": None}
    said = why(SlateItem("film-1", 8.0, "ranked", (), parts, values), About({}, {}, {"near": "item-knn"}))
    assert [(one.words, one.percent) for one in said] == [
        ("those who chose what you chose also chose it", "38%"),
        ("you have not chosen it yet", "−12%"),
        ("other things", "50%"),
    ]
    assert said[0].names == (("score(near)", 0.4), ("rank(near)", 1.0))


def test_bars_are_as_long_as_their_parts_and_a_curve_is_marked_where_it_stops():
    drawn = bars("parts", [("a", 0.5), ("b", 0.25)]).bars
    assert drawn[0].width == pytest.approx(2 * drawn[1].width, abs=0.1)
    line = curve("ndcg@10", [(1, 0.1), (2, 0.3), (3, 0.2), (4, 0.2)], 2)
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert points[1] == line.stop
    assert min(y for _, y in points) == line.stop[1]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert curve("flat", [(1, 0.5), (2, 0.5)], 2).y_ticks


@pytest.fixture(scope="module")
def page(ranked: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    with browsing(ranked.folder, tmp_path_factory.mktemp("browser") / "kept") as one:
        yield one


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_of_a_ranked_version_is_wider_than_the_window_or_complains(page, ranked: World, width: int):  # type: ignore[no-untyped-def]
    for address in ("/people/user-1", "/people/user-1/lists", "/models", f"/models/{ranked.versions['ranked']}"):
        check_page(page, address, width)


@pytest.mark.browser
def test_why_and_the_table_of_features_open(page):  # type: ignore[no-untyped-def]
    page.goto("/people/user-2")
    why_first = page.locator("details.why").first
    why_first.locator("summary").focus()
    page.keyboard.press("Enter")
    why_first.locator("li").first.wait_for()
    assert "%" in why_first.locator("li").first.inner_text()
    page.goto("/models")
    page.locator("summary", has_text="All 6 features").click()
    assert page.get_by_text("interactions of the item in the last 7 days").is_visible()
    assert page.complaints == []
