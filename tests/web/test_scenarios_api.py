from __future__ import annotations

from serendip.domain import Relation
from serendip.flows.promote import publish
from serendip.flows.train import configs_of, train

from .conftest import NOON, Server


def slate(server: Server, **question: str) -> dict:
    answer = server.client.get("/v1/recommendations", params={"user": "user-0", **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_scenario_is_made_read_changed_and_forgotten(server: Server):
    made = server.client.put("/v1/scenarios/cinema", json={"fallback": "home", "page_size": 4})
    assert made.status_code == 200, made.text
    assert (made.json()["origin"], made.json()["serving"]) == ("api", None)
    assert len(slate(server, scenario="cinema")["items"]) == 4
    changed = server.client.patch(
        "/v1/scenarios/cinema", json={"page_size": 2, "rules": {"filter": '"drama" in tags'}, "timetable": "every 6h"}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json() == server.client.get("/v1/scenarios/cinema").json()
    found = slate(server, scenario="cinema", fields="tags")
    assert [one["tags"] for one in found["items"]] == [["drama"], ["drama"]]
    assert [row.name for row in server.store.timetable()] == ["train-cinema"]
    assert "cinema" in [one["scenario"] for one in server.client.get("/v1/scenarios").json()["scenarios"]]
    assert server.client.delete("/v1/scenarios/cinema").status_code == 204
    assert server.client.get("/v1/scenarios/cinema").status_code == 404
    assert server.client.get("/v1/recommendations", params={"user": "u", "scenario": "cinema"}).status_code == 404
    assert server.store.timetable() == []


def test_a_scenario_of_the_file_is_changed_in_the_file_only(server: Server):
    server.store.declare_scenarios({"home": {"page_size": 3}}, NOON)
    for answer in (
        server.client.put("/v1/scenarios/home", json={}),
        server.client.patch("/v1/scenarios/home", json={"page_size": 5}),
        server.client.delete("/v1/scenarios/home"),
    ):
        assert answer.status_code == 409
        assert "declared in serendip.toml" in answer.json()["detail"]
    assert server.client.get("/v1/scenarios/home").json()["config"]["page_size"] == 3


def test_what_cannot_be_meant_is_refused_naming_the_field(server: Server):
    for body, said in (
        ({"candidates": ["alz"]}, "no model of kind 'alz'"),
        ({"fallback": "nowhere"}, "there is no scenario 'nowhere'"),
        ({"fallback": "home"}, "goes round in a circle"),
        ({"rules": {"filter": "year >"}}, "filter"),
        ({"timetable": "each day"}, "write 'every 15m'"),
        ({"colour": 1}, "colour"),
    ):
        answer = server.client.patch("/v1/scenarios/home", json=body)
        assert answer.status_code == 422, answer.text
        assert said in answer.text
    assert server.client.put("/v1/scenarios/Home", json={}).status_code == 422
    assert server.client.delete("/v1/scenarios/home").status_code == 409


def test_a_scenario_of_people_answers_in_the_same_shape_with_users_and_their_names(server: Server):
    server.store.put_relations([Relation("user-0", "user-2")])
    body = {"recommend": "users", "candidates": ["profile-knn", "user-knn*0.5"], "page_size": 3, "merge": "rrf"}
    made = server.client.put("/v1/scenarios/people", json=body)
    assert made.status_code == 200, made.text
    trained = train(server.store, server.artifacts, configs_of(server.store, (), {}, "people"), NOON)
    publish(server.store, trained.versions, NOON)
    server.client.get("/v1/scenarios")
    server.app.state.services.live.refresh()
    found = slate(server, scenario="people")
    assert len(found["items"]) == 3
    for one in found["items"]:
        assert one["item"] not in ("user-0", "user-2")
        assert one["title"] == f"Person {one['item'].removeprefix('user-')}"
        # Tastes are told apart by odd and even.
        assert int(one["item"].removeprefix("user-")) % 2 == 0
    many = server.client.post("/v1/recommendations", json={"users": ["user-1", "nobody"], "scenario": "people"})
    assert [len(one["items"]) for one in many.json()["slates"]] == [3, 3]
    session = server.client.post("/v1/recommendations", json={"history": [], "scenario": "people"})
    assert session.status_code == 422
    assert "recommends people" in session.json()["detail"]


def test_a_version_is_deleted_unless_it_is_live(server: Server):
    live = server.client.delete(f"/v1/models/{server.versions['item-knn']}")
    assert live.status_code == 409
    assert "is live in for-you" in live.json()["detail"]
    assert server.client.delete(f"/v1/models/{server.versions['ease']}").status_code == 204
    assert server.client.get(f"/v1/models/{server.versions['ease']}").status_code == 404
    assert server.client.delete(f"/v1/models/{server.versions['ease']}").status_code == 404
    assert server.versions["ease"] not in server.artifacts.ids()
