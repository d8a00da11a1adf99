"""The pages: be somebody, do something, see it change; and nothing that is shown can run."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.flows.live import FOR_YOU
from serendip.flows.promote import promote
from serendip.flows.train import train
from serendip.pipeline import PipelineConfig
from serendip.web.guard import csrf_token, new_link
from serendip.web.pages.paper import poster
from serendip.web.pages.plot import Dot, plot
from serendip.web.pages.posters import drawn
from serendip.web.pages.rows import Doing, changed

from .conftest import Server, make_client


class Browser:
    """Somebody who is signed in, follows what the pages say, and sends what their forms hold."""

    def __init__(self, server: Server) -> None:
        self.client: TestClient = make_client(server.app)
        self.client.headers["accept"] = "text/html"
        self.client.get(new_link(server.store, "administrator", server.clock()))
        self.csrf = csrf_token(self.client.cookies["serendip_session"])

    def see(self, address: str) -> str:
        answer = self.client.get(address)
        while answer.status_code == 303:
            answer = self.client.get(answer.headers["location"])
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, address: str, **form: str) -> str:
        answer = self.client.post(address, data={"csrf": self.csrf, **form})
        assert answer.status_code == 303, answer.text
        return self.see(answer.headers["location"])


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server)


def slates_of(page: str) -> str:
    found = re.search(r'name="slates" value="([0-9a-f.]+)"', page)
    assert found
    return found.group(1)


def test_people_who_did_something_lately_are_offered_and_others_are_found(browser: Browser) -> None:
    assert "lately: Film number" in browser.see("/")
    found = browser.see("/?search=person%2017")
    assert "Person 17" in found
    assert "Person 18" not in found
    assert "Nobody has" in browser.see("/?search=zzzz")
    assert "<h1>" in browser.see("/somebody")


def test_a_rating_changes_the_next_page_and_the_page_says_what(server: Server, browser: Browser) -> None:
    before = browser.send("/newcomers")
    (address,) = set(re.findall(r'action="(/people/guest-[0-9a-f]+/did)"', before))
    server.clock.now += timedelta(seconds=5)
    after = browser.send(address, item="film-7", stars="5", slates=slates_of(before))
    assert "★★★★★" in after
    assert "Film number 7</cite>, recorded" in after
    assert "because of <cite>Film number 7</cite>" in after
    assert re.search(r"For you: \d+ of \d+ changed", after)
    assert '<span class="badge">new' in after
    user = address.split("/")[2]
    (event,) = server.store.recent_interactions(5, user=user).records
    assert (event.interaction.kind, event.interaction.value) == ("rating", 5.0)


def test_a_click_is_recorded_as_a_view_under_its_slate_and_opens_the_item(server: Server, browser: Browser) -> None:
    before = browser.see("/people/user-3")
    slate = slates_of(before).split(".")[0]
    opened = browser.send("/people/user-3/did", item="film-7", slates=slates_of(before), slate=slate)
    assert "<h1>Film number 7</h1>" in opened
    assert "More like this" in opened
    event = server.store.recent_interactions(1, user="user-3").records[0].interaction
    assert (event.kind, event.item, event.slate) == ("view", "film-7", slate)


def test_rows_say_when_they_are_not_better_than_popular(server: Server, browser: Browser) -> None:
    live = server.app.state.services.live
    note = live.scenario("for-you").note
    page = browser.see("/people/user-3")
    assert (note is None) == ('class="note"' not in page)
    assert "For you" in page
    assert "Home" in page


def test_the_models_are_shown_with_their_intervals_and_the_live_ones_marked(server: Server, browser: Browser) -> None:
    page = browser.see("/models")
    assert page.count('<svg class="plot"') == 2
    assert page.index("<strong>replayed</strong>") < page.index("<strong>frozen</strong>")
    assert "live: for-you" in page
    assert server.versions["ease"] in page
    measured = server.client.get(f"/v1/models/{server.versions['ease']}").json()["metrics"]["replayed"]["ndcg@10"]
    assert f"{measured['mean']:.4f}" in page
    assert f"{measured['low']:.4f} – {measured['high']:.4f}" in page


def test_the_page_of_the_api_lists_every_operation(server: Server, browser: Browser) -> None:
    page = browser.see("/docs")
    for operations in server.client.get("/openapi.json").json()["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in page


XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", XSS)
def test_what_people_and_items_are_called_is_never_markup(server: Server, browser: Browser, text: str) -> None:
    name = text.replace("/", "")
    server.store.put_users([User(name, text, {"x": text})])
    server.store.put_items([Item(name, "films", text, text, (text,), text, text, {text: text})])
    server.store.add_interactions([Interaction(name, name, server.clock() - timedelta(hours=1), "view")])
    server.app.state.services.live.refresh()
    from urllib.parse import quote

    person = f"/people/{quote(name, safe='')}"
    pages = [
        browser.see("/"),
        browser.see(f"/?search={quote(text)}"),
        browser.see(person),
        browser.see(f"{person}/items/{quote(name, safe='')}"),
        browser.client.get(f"/people/x/items/{quote(text, safe='')}x").text,
        browser.see(f"{person}?did={quote(name)}&stars=5"),
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "onerror=alert" not in page.replace("&lt;img src=x onerror=alert", "")
        assert "<svg onload" not in page
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", page)
        assert "script-src 'self'" in browser.client.get("/").headers["content-security-policy"]
    drawing = browser.client.get(f"/posters/{quote(name, safe='')}.svg")
    assert "<script>" not in drawing.text
    assert "default-src 'none'" in drawing.headers["content-security-policy"]


def test_an_item_without_an_image_gets_a_drawing_that_is_always_the_same() -> None:
    item = Item("film-9", title="A & B <c>, or the very long title of a film that never ends")
    assert drawn(item) == drawn(item)
    assert "A &amp; B &lt;c&gt;" in drawn(item)
    assert drawn(item) != drawn(Item("film-8", title=item.title))


def test_images_are_loaded_from_us_and_from_hosts_that_the_operator_allows() -> None:
    far = Item("a/b", image="https://img.example.org/1.jpg")
    assert poster(far, ()) == "/posters/a%2Fb.svg"
    assert poster(far, ("https://img.example.org",)) == far.image
    assert poster(Item("x", image="/static/x.png"), ()) == "/static/x.png"
    assert poster(Item("x", image="//evil.example/x.png"), ()) == "/posters/x.svg"
    assert poster(Item("x", image="data:image/png;base64,AA"), ()) == "/posters/x.svg"


def test_what_is_alike_is_said_to_be_so_by_its_takers_or_by_what_it_is(server: Server, browser: Browser) -> None:
    person = "/people/user-1"
    assert "alike by who else chose them" in browser.see(person)
    config = PipelineConfig.parse("content-knn", {"columns": ("tags",)})
    version = train(server.store, server.artifacts, [config], server.clock()).versions[0]
    promote(server.store, server.artifacts, version, FOR_YOU, server.clock(), "to look at it")
    server.app.state.services.live.refresh()
    page = browser.see(person)
    assert "alike in what is known of them" in page
    assert "alike by who else chose them" not in page


def test_an_item_rises_past_others_and_not_because_another_left() -> None:
    assert changed(["b", "c", "d"], ["a", "b", "c"]) == {"d": "new"}
    assert changed(["c", "a", "b"], ["a", "b", "c"]) == {"c": "▲ 2"}


@pytest.mark.parametrize(
    ("scale", "values"), [((1.0, 5.0), [1, 3, 5]), ((0.0, 10.0), [2, 6, 10]), ((-2, 2), [-2, 0, 2])]
)
def test_stars_are_put_on_the_scale_of_the_kind_and_read_back(scale: tuple[float, float], values: list[float]) -> None:
    doing = Doing.among({"rating": InteractionKind("rating", "latest", scale=scale)})
    assert [doing.value(stars) for stars in (1, 3, 5)] == values
    assert [doing.stars(value) for value in values] == [1, 3, 5]


def test_a_click_is_a_view_or_the_first_kind_without_a_value() -> None:
    assert Doing.among({}).look == "view"
    assert Doing.among({"purchase": InteractionKind("purchase")}).look == "purchase"
    assert Doing.among({"purchase": InteractionKind("purchase"), "view": InteractionKind("view")}).look == "view"
    assert Doing.among({}).rate is None


def test_a_plot_puts_the_best_on_top_and_begins_at_0() -> None:
    drawing = plot("t", [Dot("low", 0.1, 0.05, 0.15), Dot("high", 0.2, 0.18, 0.22)])
    assert [one.dot.name for one in drawing.dots] == ["high", "low"]
    assert drawing.ticks[0][1] == "0.00"
    high, low = drawing.dots
    zero = drawing.ticks[0][0]
    assert (high.x - zero) / (low.x - zero) == pytest.approx(2, rel=0.01)
    assert high.left < high.x < high.right <= drawing.width
