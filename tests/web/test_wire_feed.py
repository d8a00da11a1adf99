"""The wire format ``feed`` over a small feed, on both databases: shapes, the past, groups, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serendip.domain import Interaction, InteractionKind, Invalid, Item, NotReady, User
from serendip.flows.experiment import Asked, analyse_store
from serendip.flows.groups import Experiment
from serendip.flows.live import Live
from serendip.flows.promote import publish
from serendip.flows.recommend import Ask, recommend
from serendip.flows.scenarios import put_scenario, scenarios_of
from serendip.flows.train import train
from serendip.settings import Settings, read_settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app

from .conftest import make_client

GOLDEN = Path(__file__).parent / "golden" / "feed"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPICS = ("sport", "tech")
ROUTE = "GET /post/recommendations/"
GROUPS = ("control=home", "test=tech-only")
N_POSTS, N_USERS = 12, 60

Serve = Callable[..., tuple[TestClient, Store]]


def feed(store: Store) -> None:
    """Posts 1 to 12, odd ones of sport; the higher its number, the fewer users viewed a post, and nearly all like it.

    Within the last two hours everybody views post 12 and likes it. User 200 did nothing.
    """
    store.declare_kinds([InteractionKind("view", weight=0.0, hides=False), InteractionKind("like")])
    store.put_users([*(User(f"{n}") for n in range(1, N_USERS + 1)), User("200")])
    texts = {n: f"Пост {n}: {TOPICS[1 - n % 2]}." for n in range(1, N_POSTS + 1)}
    store.put_items([Item(f"{n}", "posts", None, texts[n], attributes={"topic": TOPICS[1 - n % 2]}) for n in texts])
    rows = []
    for user in range(1, N_USERS + 1):
        for post in range(1, N_POSTS):
            at = NOON - timedelta(days=30 - post, minutes=user)
            if user < 41 - 3 * (post - 1):
                rows.append(Interaction(f"{user}", f"{post}", at, "view"))
                if user < 39 - 3 * (post - 1):
                    rows.append(Interaction(f"{user}", f"{post}", at + timedelta(seconds=9), "like"))
        at = NOON - timedelta(hours=1, minutes=user)
        rows += [Interaction(f"{user}", "12", at, "view"), Interaction(f"{user}", "12", at, "like")]
    store.add_interactions(rows)
    for name, rules in (("home", {}), ("tech-only", {"filter": 'topic == "tech"'})):
        config = {"candidates": ["popular"], "catalogue": "posts", "page_size": 5, "gate": "open", "rules": rules}
        put_scenario(store, name, config, NOON)


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """The feed behind its open route, with the settings given."""
    store, artifacts = Store.open(database_url, migrate=True), Artifacts(tmp_path / "artifacts")
    feed(store)
    configs = [config for name in ("home", "tech-only") if (config := scenarios_of(store)[name].config.pipeline)]
    publish(store, train(store, artifacts, configs[:1], NOON).versions, NOON)
    clients: list[TestClient] = []

    def serving(**settings: Any) -> tuple[TestClient, Store]:
        given = Settings(wire=("feed",), open_routes=(ROUTE,), **settings)
        clients.append(make_client(create_app(store, artifacts, given, lambda: NOON)))
        clients[-1].__enter__()
        return clients[-1], store

    yield serving
    for client in clients:
        client.__exit__(None, None, None)
    store.close()


def agrees(name: str, answer: Any, status: int = 200) -> None:
    """The answer's body is the golden file's, key by key in its order."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert json.dumps(answer.json(), indent=1) == json.dumps(golden, indent=1)


def test_answers_have_the_shapes_of_their_golden_files(serve: Serve):
    client, _ = serve()
    agrees("recommendations", client.get("/post/recommendations/?id=200"))
    agrees("not-found", client.get("/post/recommendations/?id=999"), 404)
    # The first eight bytes of the SHA-256 of "summer:200" are an odd number.
    experiment, _ = serve(experiment_groups=GROUPS, experiment_salt="summer")
    agrees("experiment", experiment.get("/post/recommendations/?id=200&limit=2"))


def test_posts_come_in_order_as_many_as_asked_for_with_and_without_the_last_slash(serve: Serve):
    client, _ = serve()
    # User 200 did nothing: the most liked first, of which 12 has 60 likes, 1 has 38, 2 has 35, and so on.
    for path in ("/post/recommendations/", "/post/recommendations"):
        for limit in (1, 3, 7, 1000):
            found = client.get(path, params={"id": 200, "limit": limit}).json()
            assert [one["id"] for one in found] == [12, *range(1, 12)][:limit]
    # User 36 liked 1 and 12, which are not shown again; 2, which was only viewed, is.
    assert [one["id"] for one in client.get(path, params={"id": 36}).json()] == [2, 3, 4, 5, 6]
    assert [one["id"] for one in client.get(path, params={"id": 40}).json()] == [1, 2, 3, 4, 5]


def test_the_past_is_answered_as_it_was_and_before_all_data_with_the_fallback(serve: Serve):
    client, _ = serve()

    def ids(**asked: Any) -> list[int]:
        answer = client.get("/post/recommendations/", params={"id": 36, "limit": 12, **asked})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()]

    assert 12 not in ids()
    before_12_was_liked = "2026-03-01T10:00:00"
    assert 12 in ids(time=before_12_was_liked)
    # With T or a space, and without an offset as UTC.
    same = ("2026-03-01 10:00:00", "2026-03-01T10:00:00Z", "2026-03-01T13:00:00+03:00")
    assert all(ids(time=one) == ids(time=before_12_was_liked) for one in same)
    # Nobody had liked 12 when the day began, nor 10 and 11 at the start of the tenth day before.
    ever = client.get("/post/recommendations/", params={"id": 200, "limit": 12, "time": "2026-02-19T23:00"}).json()
    assert [one["id"] for one in ever][:9] == list(range(1, 10))
    assert [one["id"] for one in client.get("/post/recommendations/?id=200&limit=1").json()] == [12]
    assert len(ids(time="1999-12-31T00:00:00")) == len(ids(time="0001-01-01")) == 12
    assert len(ids(time="2999-12-31T00:00:00")) == 10


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "id"),
        ({"id": "ann"}, "id"),
        ({"id": "1.5"}, "id"),
        ({"id": 1, "limit": 0}, "limit"),
        ({"id": 1, "limit": -5}, "limit"),
        ({"id": 1, "limit": 10**9}, "limit"),
        ({"id": 1, "limit": "many"}, "limit"),
        ({"id": 1, "time": "yesterday"}, "time"),
        ({"id": 1, "time": "2026-13-01T00:00:00"}, "time"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence_that_names_the_field(
    serve: Serve, asked: dict[str, Any], field: str
):
    client, _ = serve()
    refused = client.get("/post/recommendations/", params=asked)
    assert refused.status_code == 422
    assert list(refused.json()) == ["detail"]
    assert refused.json()["detail"].startswith(f"{field}: ")


def test_who_is_not_known_is_answered_only_where_cold_start_says_so(serve: Serve):
    client, store = serve()
    for stranger in ("999", "-7", "9" * 600):
        refused = client.get("/post/recommendations/", params={"id": stranger})
        assert (refused.status_code, refused.json()) == (404, {"detail": "User not found"})
    warm, _ = serve(cold_start=True)
    assert [one["id"] for one in warm.get("/post/recommendations/?id=999").json()] == [12, 1, 2, 3, 4]
    store.add_interactions([Interaction("999", "12", NOON - timedelta(seconds=1), "like")])
    assert [one["id"] for one in client.get("/post/recommendations/?id=999").json()] == [1, 2, 3, 4, 5]


def test_groups_are_half_each_stay_and_are_answered_by_their_own_scenario(serve: Serve):
    client, store = serve(experiment_groups=GROUPS, experiment_salt="spring")
    again, _ = serve(experiment_groups=GROUPS, experiment_salt="spring")
    other, _ = serve(experiment_groups=GROUPS, experiment_salt="autumn")
    groups = {}
    asking = range(20, N_USERS + 1)  # whoever stands before has liked nearly everything
    for user in asking:
        answer = client.get("/post/recommendations/", params={"id": user, "limit": 3}).json()
        groups[user] = answer["exp_group"]
        topics = {one["topic"] for one in answer["recommendations"]}
        assert topics == ({"tech"} if answer["exp_group"] == "test" else set(TOPICS))
        assert again.get(f"/post/recommendations/?id={user}").json()["exp_group"] == answer["exp_group"]
    # 41 fair draws give 10 to 31 of one group but for one salt in 1,000.
    assert 10 <= Counter(groups.values())["test"] <= 31
    thrown = [other.get(f"/post/recommendations/?id={user}").json()["exp_group"] for user in groups]
    assert thrown != list(groups.values())
    # Every second user of the group test likes the first post shown, nobody of control does.
    store.flush_slates()
    for place, user in enumerate(one for one, group in groups.items() if group == "test"):
        if place % 2 == 0:
            first = client.get(f"/post/recommendations/?id={user}&limit=1").json()["recommendations"][0]["id"]
            store.add_interactions([Interaction(f"{user}", f"{first}", NOON + timedelta(minutes=1), "like")])
    asked = Asked(NOON, NOON + timedelta(hours=1))
    found = analyse_store(store, Experiment.parse("spring", GROUPS), asked)
    test = Counter(groups.values())["test"]
    assert [(one.name, one.users) for one in found.groups] == [("control", len(asking) - test), ("test", test)]
    assert found.groups[0].liked == 0
    assert found.groups[1].liked == (test + 1) // 2
    assert found.groups[1].liking.value == pytest.approx(((test + 1) // 2) / test)


def test_experiments_are_judged_by_kinds_too_and_refused_before_there_is_anything(serve: Serve):
    _, store = serve()
    experiment = Experiment.parse("spring", GROUPS)
    asked = Asked(NOON - timedelta(days=40), NOON, shown="view")
    found = analyse_store(store, experiment, asked)
    rows = [one.interaction for one in store.recent_interactions(2000, until=NOON).records]
    for one in found.groups:
        own = [row for row in rows if experiment.group(row.user) == one.name]
        assert one.shown == sum(row.kind == "view" for row in own)
        assert one.liked == sum(row.kind == "like" for row in own)
    with pytest.raises(NotReady, match="wait for more"):
        analyse_store(store, experiment, Asked(NOON + timedelta(days=1), NOON + timedelta(days=2), shown="view"))
    with pytest.raises(Invalid, match="the kinds are"):
        analyse_store(store, experiment, Asked(NOON, NOON + timedelta(days=1), shown="glance"))


def test_an_experiment_that_cannot_be_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, serve: Serve):
    for wrong in ("control", "control=home,control=topics"):
        monkeypatch.setenv("SERENDIP_EXPERIMENT_GROUPS", wrong)
        with pytest.raises(Invalid, match="two groups or more"):
            read_settings()
    monkeypatch.setenv("SERENDIP_EXPERIMENT_GROUPS", "control, test=tech-only")
    assert read_settings().experiment_groups == ("control", "test=tech-only")
    client, _ = serve(experiment_groups=("control=nowhere", "test=nowhere"))
    refused = client.get("/post/recommendations/?id=1")
    assert refused.status_code == 503
    assert "nowhere" in refused.json()["detail"]


def test_popularity_within_topics_follows_what_is_recorded_while_serving(serve: Serve, tmp_path: Path):
    _, store = serve()
    artifacts = Artifacts(tmp_path / "artifacts")
    config = {"kind": "tag-popularity", "column": "topic"}
    put_scenario(store, "within", {"candidates": ["topical"], "models": {"topical": config}, "gate": "open"}, NOON)
    wanted = scenarios_of(store)["within"].config.pipeline
    assert wanted is not None
    publish(store, train(store, artifacts, [wanted], NOON).versions, NOON)
    live = Live(store, artifacts)
    live.catch_up(NOON)
    before = recommend(store, live, "40", Ask("within", 1), NOON).items[0].item
    # User 40 liked post 12, of tech; 2 is the most liked of that. Now hundreds like 10.
    assert before == "2"
    store.add_interactions([Interaction(f"new-{n}", "10", NOON - timedelta(seconds=1), "like") for n in range(300)])
    live.catch_up(NOON)
    assert recommend(store, live, "40", Ask("within", 1), NOON).items[0].item == "10"


def test_the_route_is_closed_unless_it_is_listed_as_open(serve: Serve):
    client, _ = serve()
    assert client.get("/v1/recommendations?user=1").status_code == 401
    closed = make_client(create_app(client.app.state.services.store, client.app.state.services.artifacts,
                                    Settings(wire=("feed",)), lambda: NOON))  # fmt: skip
    with closed:
        assert closed.get("/post/recommendations/?id=1").status_code == 401
