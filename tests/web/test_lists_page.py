"""The plain page of everything that a person is recommended."""

from __future__ import annotations

import re

from serendip.domain import User
from serendip.flows.similarity import refresh_similarity
from serendip.web.guard import new_link

from .conftest import Server, make_client


def test_every_scenario_and_every_recommender_has_its_list_on_a_persons_plain_page(server: Server) -> None:
    refresh_similarity(server.store, "nmf", n_users=4, n_items=4, measure=False)
    server.store.put_users([User("<new>", None)])
    browser = make_client(server.app)
    browser.get(new_link(server.store, "administrator", server.clock()))
    assert 'href="/people/user-1/lists"' in browser.get("/people/user-1").text

    page = browser.get("/people/user-1/lists", headers={"accept": "text/html"})
    assert page.status_code == 200
    lists = dict(re.findall(r"<h2[^>]*>(\S+) <small>.*?</h2>(.*?)</section>", page.text, re.S))
    assert {"home", "for-you", "NMF"} <= set(lists)
    query = {"user": "user-1", "n": 12}
    row = server.client.get("/v1/recommenders/NMF/recommendations", params=query).json()
    shown = re.findall(r'<li><a href="/people/user-1/items/([^"]+)">', lists["NMF"])
    assert shown
    assert shown == [place["item"] for place in row["items"]]

    stranger = browser.get("/people/%3Cnew%3E/lists").text
    assert "nothing is known of this user" in stranger
    assert "<new>" not in stranger
