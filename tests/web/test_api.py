"""Journeys through the API, on a real database with a trained world."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from serendip.settings import Settings
from serendip.store import Artifacts, Store
from serendip.web.app import create_app
from serendip.web.guard import new_key

from .conftest import NOON, Clock, Server, make_client


def items(answer: dict) -> list[str]:
    return [place["item"] for place in answer["items"]]


def recommend(server: Server, user: str, **question: object) -> dict:
    answer = server.client.get("/v1/recommendations", params={"user": user, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_was_just_recorded_changes_the_next_slate_without_training(server: Server) -> None:
    server.client.post("/v1/users", json={"id": "ann"}).raise_for_status()
    before = recommend(server, "ann", scenario="for-you", n=5)
    recorded = server.client.post("/v1/interactions", json={"user": "ann", "item": "film-7", "kind": "view"})
    assert recorded.status_code == 201
    assert recorded.json() == {"recorded": 1, "repeated": 0, "new_users": 0, "new_items": 0, "refused": []}
    server.clock.now += timedelta(seconds=1)
    after = recommend(server, "ann", scenario="for-you", n=5, explain=True)
    assert items(after) != items(before)
    assert after["version"] == before["version"]
    assert after["items"][0]["reasons"][0]["item"] == "film-7"
    assert after["items"][0]["reasons"][0]["title"] == "Film number 7"


def test_a_stranger_gets_the_fallback_and_is_called_unknown(server: Server) -> None:
    answer = recommend(server, "nobody-yet", scenario="for-you", n=5)
    assert answer["known"] is False
    assert {place["source"] for place in answer["items"]} <= {"popular-7-days", "popular"}


def test_a_slate_names_its_version_and_carries_the_fields_asked_for(server: Server) -> None:
    answer = recommend(server, "user-1", n=3, fields="tags,attributes")
    assert answer["version"] == server.versions["popular-7-days"]
    assert answer["scenario"] == "home"
    first = answer["items"][0]
    assert first["title"].startswith("Film number")
    assert first["tags"] in (["drama"], ["comedy"])
    assert first["attributes"]["year"] >= 1990
    assert server.store.slate(answer["slate"]) is not None


def test_a_drawing_kept_as_text_is_shown_by_its_address(server: Server) -> None:
    found = server.client.get("/v1/items/film-1").json()
    assert found["image"] == "/posters/film-1.svg"
    drawing = server.client.get(found["image"])
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert "script-src" not in drawing.headers["content-security-policy"]
    assert "default-src 'none'" in drawing.headers["content-security-policy"]


def test_a_filter_acts_before_the_best_are_taken(server: Server) -> None:
    answer = recommend(server, "user-1", n=5, filter="year < 1996", fields="attributes")
    assert len(answer["items"]) >= 1
    assert all(place["attributes"]["year"] < 1996 for place in answer["items"])
    refused = server.client.get("/v1/recommendations", params={"user": "user-1", "filter": "year <"})
    assert refused.status_code == 422


def test_the_answer_of_a_past_moment_knows_nothing_later(server: Server) -> None:
    early = recommend(server, "user-1", scenario="for-you", time="2025-12-31T00:00:00Z", explain=True)
    assert all(not place["reasons"] for place in early["items"])


def test_a_session_is_answered_from_the_events_in_the_body(server: Server) -> None:
    body = {"history": [{"item": "film-4", "kind": "view"}], "scenario": "for-you", "n": 5, "explain": True}
    answer = server.client.post("/v1/recommendations", json=body).json()
    assert answer["user"] is None
    assert answer["items"][0]["reasons"][0]["item"] == "film-4"


def test_a_batch_answers_each_user_as_alone(server: Server) -> None:
    body = {"users": ["user-1", "user-2", "a-stranger"], "scenario": "for-you", "n": 4}
    answer = server.client.post("/v1/recommendations", json=body).json()
    assert [slate["user"] for slate in answer["slates"]] == body["users"]
    for slate in answer["slates"]:
        assert items(slate) == items(recommend(server, slate["user"], scenario="for-you", n=4))


def test_only_the_items_named_are_ranked(server: Server) -> None:
    body = {"users": ["user-1"], "scenario": "for-you", "n": 5, "items": ["film-2", "film-9", "film-11"]}
    (slate,) = server.client.post("/v1/recommendations", json=body).json()["slates"]
    assert set(items(slate)) <= {"film-2", "film-9", "film-11"}
    assert slate["exhausted"]


def test_the_same_key_records_once_and_another_body_under_it_is_a_conflict(server: Server) -> None:
    body = {"user": "ann", "item": "film-1", "kind": "view"}
    headers = {"Idempotency-Key": "order-1"}
    first = server.client.post("/v1/interactions", json=body, headers=headers)
    server.clock.now += timedelta(seconds=9)
    again = server.client.post("/v1/interactions", json=body, headers=headers)
    other = server.client.post("/v1/interactions", json={**body, "item": "film-2"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["repeated"] == 1
    assert server.client.get("/v1/interactions", params={"user": "ann"}).json()["interactions"][0]["item"] == "film-1"


def test_of_a_batch_the_valid_rows_are_kept_and_the_rest_are_named(server: Server) -> None:
    rows = [
        {"user": "ann", "item": "film-1", "kind": "view"},
        {"user": "ann", "item": "film-2", "kind": "rating", "value": 9},
        {"user": "", "item": "film-2"},
        {"user": "ann", "item": "film-3", "colour": "red"},
        {"user": "ann", "item": "brand-new"},
        7,
    ]
    answer = server.client.post("/v1/interactions", json=rows)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["recorded"], told["new_users"], told["new_items"]) == (2, 1, 1)
    assert [(row["index"], row["field"]) for row in told["refused"]] == [
        (1, "value"),
        (2, "user"),
        (3, "colour"),
        (5, "body"),
    ]
    assert len(server.client.get("/v1/interactions", params={"user": "ann"}).json()["interactions"]) == 2


def test_a_batch_of_which_nothing_can_be_kept_is_refused(server: Server) -> None:
    answer = server.client.post("/v1/interactions", json=[{"user": "ann"}, {"item": "x"}])
    assert answer.status_code == 422
    assert [row["index"] for row in answer.json()["errors"]] == [0, 1]


def test_an_item_is_created_read_replaced_updated_and_deleted(server: Server) -> None:
    client = server.client
    created = client.post("/v1/items", json={"id": "a/b c%2F", "title": "One", "attributes": {"x": 1, "y": 2}})
    assert created.status_code == 201
    assert client.post("/v1/items", json={"id": "a/b c%2F"}).status_code == 409
    path = "/v1/items/a%2Fb%20c%252F"
    assert client.get(path).json()["title"] == "One"
    patched = client.patch(path, json={"tags": ["t"], "attributes": {"x": None, "z": 3}}).json()
    assert patched["attributes"] == {"y": 2, "z": 3}
    assert (patched["tags"], patched["title"]) == (["t"], "One")
    replaced = client.put(path, json={"title": "Two", "available_until": "2026-05-01T00:00:00"})
    assert replaced.status_code == 200
    assert replaced.json()["attributes"] == {}
    assert replaced.json()["available_until"] == "2026-05-01T00:00:00+00:00"
    assert client.put("/v1/items/fresh", json={}).status_code == 201
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_a_user_is_created_read_replaced_updated_and_deleted(server: Server) -> None:
    client = server.client
    assert client.post("/v1/users", json={"id": "bo", "name": "Bo", "attributes": {"age": 30}}).status_code == 201
    assert client.post("/v1/users", json={"id": "bo"}).status_code == 409
    assert client.patch("/v1/users/bo", json={"name": None}).json() == {
        "id": "bo",
        "name": None,
        "attributes": {"age": 30},
    }
    assert client.put("/v1/users/bo", json={"name": "B"}).json()["attributes"] == {}
    assert client.delete("/v1/users/bo").status_code == 204
    assert client.get("/v1/users/bo").status_code == 404


def test_pages_of_a_list_hold_everything_once(server: Server) -> None:
    seen, after = [], None
    while True:
        params = {"limit": 7, **({"after": after} if after else {})}
        page = server.client.get("/v1/items", params={"count": "true", **params}).json()
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(f"film-{n}" for n in range(30))
    assert page["total"] == 30


def test_a_search_looks_into_titles_whatever_their_case(server: Server) -> None:
    found = server.client.get("/v1/items", params={"search": "NUMBER 12"}).json()
    assert [one["id"] for one in found["items"]] == ["film-12"]


def test_neighbours_name_who_says_so_and_an_unknown_item_is_404(server: Server) -> None:
    answer = server.client.get("/v1/items/film-2/neighbours", params={"n": 3}).json()
    assert answer["source"] == "item-knn"
    assert len(answer["items"]) == 3
    assert server.client.get("/v1/items/no-such/neighbours").status_code == 404


def test_versions_show_their_metrics_and_where_they_are_live(server: Server) -> None:
    versions = server.client.get("/v1/models").json()["versions"]
    assert {one["id"] for one in versions} == set(server.versions.values())
    live = {one["name"]: one["live"] for one in versions}
    assert live == {"popular-7-days": ["home"], "item-knn": ["for-you"], "ease": []}
    one = server.client.get(f"/v1/models/{server.versions['ease']}").json()
    measured = one["metrics"]["replayed"]["ndcg@10"]
    assert measured["low"] <= measured["mean"] <= measured["high"]
    assert one["manifest"]["pipeline"]["name"] == "ease"


def test_promoting_and_going_back_change_what_answers_at_once(server: Server) -> None:
    ease, knn = server.versions["ease"], server.versions["item-knn"]
    done = server.client.post("/v1/scenarios/for-you/promote", json={"version": ease})
    assert done.status_code == 200, done.text
    assert recommend(server, "user-1", scenario="for-you")["version"] == ease
    assert server.client.post("/v1/scenarios/for-you/rollback", json={}).json()["version"] == knn
    assert recommend(server, "user-1", scenario="for-you")["version"] == knn
    assert server.client.post("/v1/scenarios/for-you/promote", json={"version": "none"}).status_code == 404
    refused = server.client.post("/v1/scenarios/for-you/promote", json={"version": server.versions["popular-7-days"]})
    assert refused.status_code == 409


def test_a_deleted_item_is_not_shown_again(server: Server) -> None:
    gone = items(recommend(server, "user-3", n=1))[0]
    server.client.delete(f"/v1/items/{gone}").raise_for_status()
    server.app.state.services.live.refresh()
    assert gone not in items(recommend(server, "user-3", n=30))


def test_health_readiness_and_metrics_tell_how_the_server_is(server: Server) -> None:
    recommend(server, "user-1")
    assert server.stranger.get("/healthz").json()["status"] == "ok"
    assert server.stranger.get("/readyz").json()["status"] == "ok"
    text = server.client.get("/metrics").text
    assert 'serendip_http_requests_total{method="GET",route="/v1/recommendations",status="200"} 1.0' in text
    server.client.get("/v1/users/user-1")
    assert 'route="/v1/users/{user}"' in server.client.get("/metrics").text
    assert "user-1" not in server.client.get("/metrics").text


@pytest.mark.parametrize("scenario", ["home", "for-you"])
def test_naive_moments_are_utc(server: Server, scenario: str) -> None:
    naive = recommend(server, "user-5", scenario=scenario, time=NOON.replace(tzinfo=None).isoformat())
    aware = recommend(server, "user-5", scenario=scenario, time="2026-03-01T14:00:00+02:00")
    assert naive["at"] == aware["at"] == NOON.isoformat()
    assert items(naive) == items(aware)


def test_a_server_with_nothing_in_it_says_what_to_do(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'empty.db'}")
    app = create_app(store, Artifacts(tmp_path / "artifacts"), Settings(), Clock(NOON))
    with make_client(app, new_key(store, "test", ("read", "write"), NOON)) as client:
        assert client.get("/readyz").status_code == 503
        assert "serendip train" in client.get("/readyz").json()["problems"][0]
        answer = client.get("/v1/recommendations", params={"user": "ann"})
        assert answer.status_code == 503
        assert "serendip train" in answer.json()["detail"]
        assert client.get("/v1/models").json() == {"versions": []}
        page = {"accept": "text/html"}
        assert "Nobody has done anything yet" in client.get("/", headers=page).text
        assert "serendip train" in client.get("/people/ann", headers=page).text
        assert "No version has been trained" in client.get("/models", headers=page).text
        assert client.get("/somebody", headers=page).status_code == 404
    store.close()


def test_static_files_may_be_kept_and_answers_may_not(server: Server) -> None:
    page = server.client.get("/", headers={"accept": "text/html"})
    (style,) = re.findall(r'href="(/static/serendip.css[?]\w+)"', page.text)
    assert "immutable" in server.stranger.get(style).headers["cache-control"]
    assert page.headers["cache-control"] == "no-store"
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert server.stranger.get(path).status_code in (401, 404)
