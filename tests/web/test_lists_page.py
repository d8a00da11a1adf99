"""The plain page of everything that a person is recommended."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from serendip.domain import Interaction, InteractionKind, Item, User
from serendip.flows.similarity import refresh_similarity
from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key, new_link

from .conftest import NOON, Clock, Server, happened, make_client


def test_every_scenario_and_every_recommender_has_its_list_on_a_persons_plain_page(server: Server) -> None:
    refresh_similarity(server.store, "nmf", n_users=4, n_items=4, measure=False)
    server.store.put_users([User("<new>", None)])
    browser = make_client(server.app)
    browser.get(new_link(server.store, "administrator", server.clock()))
    person = browser.get("/people/user-1").text
    assert 'href="/people/user-1/lists"' in person
    assert re.search(r'<h2 id="row-recommender-\d+">NMF</h2>', person)

    page = browser.get("/people/user-1/lists", headers={"accept": "text/html"})
    assert page.status_code == 200
    lists = dict(re.findall(r"<h2[^>]*>(\S+)</h2>(.*?)</section>", page.text, re.S))
    assert {"home", "for-you", "NMF"} <= set(lists)
    query = {"user": "user-1", "n": 12}
    row = server.client.get("/v1/recommenders/NMF/recommendations", params=query).json()
    shown = re.findall(r'<li><a href="/people/user-1/items/([^"]+)">', lists["NMF"])
    assert shown
    assert shown == [place["item"] for place in row["items"]]

    stranger = browser.get("/people/%3Cnew%3E/lists").text
    assert "nothing is known of this user" in stranger
    assert "<new>" not in stranger


def test_a_site_that_goes_by_its_recommenders_alone_shows_their_rows_and_no_faults(tmp_path: Path) -> None:
    store, artifacts = Store.open(f"sqlite:///{tmp_path / 'serendip.db'}"), Artifacts(tmp_path / "artifacts")
    store.declare_kinds([InteractionKind("rating", "latest", scale=(1.0, 5.0))])
    store.put_users([User("ann", "Ann"), User("zoe")])
    store.put_items(Item(f"film-{n}", title=f"Film number {n}") for n in range(8))
    store.add_interactions(happened()[:300])
    store.add_interactions([Interaction("ann", "film-1", NOON - timedelta(days=1), "rating", 5.0)])
    app = create_app(store, artifacts, Settings(), Clock(NOON))
    with make_client(app, new_key(store, "test", ("read",), NOON)) as client:
        without = client.get("/people/ann").text
        refresh_similarity(store, "nmf", n_users=4, n_items=4, measure=False)
        page, newcomer = client.get("/people/ann").text, client.get("/people/zoe").text
    store.close()
    assert "nothing is live" in without
    assert "nothing is live" not in page + newcomer
    assert "because of <cite>Film number 1</cite></p>" in page
    assert "a few ratings will do" in newcomer
