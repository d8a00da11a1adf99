"""The client against the real server: every call is one of the published document, and does what it says."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from client.faulty import Faulty, hang_up, lose_the_answer, misbehaving, refuse
from serendip import client
from serendip.client import AsyncClient, Client, Event, RecSysApi
from serendip.client.api import Calls
from serendip.client.asked import Asked, Listed
from serendip.client.call import Call, Listing, Pause
from serendip.domain import SerendipError, User
from serendip.settings import Settings
from serendip.store import Cell
from serendip.web.serve import running

from .conftest import NOON, Server, World

LEFT_OUT: dict[str, str] = {}
"""Operations without a call, and why."""

SOME = {"user": "ann", "other": "bob", "item": "film-1", "id": "ann", "version": "als-1", "scenario": "home"}
SOME |= {"interaction": 1, "at": NOON, "slate": "s", "digest": "d", "job": 1, "kind": "train", "name": "nightly"}
SOME |= {"matrix": "m", "of": "users", "row": "ann", "recommender": "SVD"}
SOME |= {"schedule": "every 1d", "config": {}, "changes": {}}
MANY = {"users": ["ann"], "history": ["film-1"], "events": [{"user": "ann", "item": "film-1"}], "put": [{"id": "ann"}]}
"""Something for every parameter that must be given."""

AWKWARD = [
    "a/b",
    "..",
    ".",
    "100%",
    "%2F",
    "a b",
    "é",
    "?x=1#y",
    "\u202e",
    "{user}",
    "x" * 512,
    "a+b",
    "\U0001f3ac",
    ";",
]


def described(asked: Asked[..., Any] | Listed[..., Any]) -> Call[Any]:
    """The first request that a call makes."""
    needed = [
        one.name
        for one in inspect.signature(asked.describe).parameters.values()
        if (one.default is one.empty or one.name in MANY) and one.kind is not one.VAR_KEYWORD
    ]
    what = asked.describe(**{name: {**SOME, **MANY}[name] for name in needed})
    if isinstance(what, Listing):
        return what.first
    if isinstance(what, Generator):
        step = next(what)
        what = what.send(0.0) if isinstance(step, Pause) else step
    assert isinstance(what, Call)
    return what


@pytest.fixture
def asker(server: Server) -> Client:
    return Client("http://testserver", server.client.headers["X-API-Key"], http=server.client)


def test_every_operation_of_the_document_has_its_call_and_every_call_its_operation(server: Server) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    published = {
        one["operationId"]: (method.upper(), path) for path, methods in paths.items() for method, one in methods.items()
    }
    calls = [described(one) for one in vars(Calls).values() if isinstance(one, Asked | Listed)]
    for call in calls:
        assert (call.method, call.template) == published.get(call.operation), call.operation
    assert set(published) - {call.operation for call in calls} == set(LEFT_OUT)


def test_what_was_just_recorded_changes_the_next_slate(asker: Client) -> None:
    before = asker.recommend("a-stranger", 5, scenario="for-you")
    assert not before.known
    told = asker.record("a-stranger", "film-1", "rating", 5.0, slate=before.slate)
    assert (told.recorded, told.new_users) == (1, 1)
    after = asker.recommend("a-stranger", 5, scenario="for-you", explain=True, fields=["tags"])
    assert after.known
    assert after.ids != before.ids
    assert {reason.item for place in after.items for reason in place.reasons} == {"film-1"}
    assert after.items[0].tags == ["comedy"]  # type: ignore[attr-defined]
    events = list(asker.interactions(user="a-stranger"))
    assert [(event.item, event.value, event.slate) for event in events] == [("film-1", 5.0, before.slate)]


def test_many_askers_are_answered_in_parts_and_in_order(asker: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serendip.client.calls.recommendations.MOST_ASKERS", 7)
    users = [f"user-{n}" for n in range(17)]
    slates = asker.recommend_many(users, 3, scenario="for-you")
    assert [slate.user for slate in slates] == users
    alone = asker.recommend(users[9], 3, scenario="for-you")
    assert slates[9].ids == alone.ids
    session = asker.recommend_session(
        ["film-1", {"item": "film-3", "kind": "rating", "value": 5}], 3, scenario="for-you"
    )
    assert len(session.items) == 3
    assert session.user is None


def test_a_list_too_long_for_one_request_is_recorded_in_parts(
    asker: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serendip.client.batches.MOST_ROWS", 10)
    events = [Event(user=f"guest-{n}", item="film-1", kind="view", at=NOON - timedelta(hours=n)) for n in range(35)]
    rows = [*events[:12], {"user": "guest-0", "item": "film-2", "kind": "rating", "value": 9}, *events[12:]]
    first = asker.record_many(rows)
    assert (first.recorded, first.repeated, first.new_users) == (35, 0, 35)
    assert [(row.index, row.field) for row in first.refused] == [(12, "value")]
    assert asker.record_many(iter(events)).repeated == 35
    with pytest.raises(client.Invalid, match="none of the 2 rows") as refused:
        asker.record_many([{"user": "ann", "item": ""}, {"user": "ann"}])
    assert [fault.index for fault in refused.value.errors] == [0, 1]
    assert asker.record_many([]).recorded == 0


def test_pages_are_fetched_as_they_are_needed(asker: Client) -> None:
    found = asker.users(limit=15)
    assert next(found).id == "user-0"
    everybody = [user.id for user in asker.users(limit=7)]
    assert len(everybody) == len(set(everybody)) == 40
    assert [user.id for user in asker.users("user-3", limit=3)] == sorted(
        one for one in everybody if one.startswith("user-3")
    )
    assert {item.tags for item in asker.items(catalogue="films", tags=["drama"], limit=4)} == {("drama",)}


def test_users_and_items_are_kept_changed_and_forgotten(asker: Client) -> None:
    asker.create_user("ann", name="Ann", attributes={"age": 30, "town": "Cali"})
    with pytest.raises(client.Conflict):
        asker.create_user("ann")
    changed = asker.update_user("ann", attributes={"age": None})
    assert (changed.name, changed.attributes) == ("Ann", {"town": "Cali"})
    assert asker.replace_user("ann", name=None).attributes == {}
    asker.delete_user("ann")
    with pytest.raises(client.NotFound, match="no user 'ann'"):
        asker.user("ann")
    until = datetime(2026, 5, 1, tzinfo=UTC)
    made = asker.create_item("play-1", title="Hamlet", tags=["drama"], available_until=until)
    assert asker.item("play-1") == made
    assert made.available_until == until
    assert asker.replace_item("play-1", title="Macbeth").tags == ()
    assert asker.update_item("play-1", hidden=True).title == "Macbeth"
    asker.delete_item("play-1")
    assert len(asker.similar_items("film-1", 3).items) == 3


def test_ids_of_any_characters_reach_the_server_as_they_are(asker: Client) -> None:
    for id in AWKWARD:
        assert asker.create_user(id, name=id).id == id
        assert asker.user(id).name == id
        assert asker.recommend(id, 2).user == id
        asker.delete_user(id)
        with pytest.raises(client.NotFound):
            asker.user(id)


def test_a_change_is_made_only_to_what_was_read(asker: Client) -> None:
    read = asker.item("film-1")
    assert read.etag
    changed = asker.update_item("film-1", title="Other", if_match=read.etag)
    assert changed.etag not in (None, read.etag)
    for late in (
        lambda: asker.update_item("film-1", title="Late", if_match=read.etag),
        lambda: asker.replace_item("film-1", title="Late", if_match=read.etag),
        lambda: asker.replace_item("film-1", title="Late", if_none_match="*"),
        lambda: asker.delete_item("film-1", if_match=read.etag),
    ):
        with pytest.raises(client.PreconditionFailed):
            late()
    assert asker.item("film-1").title == "Other"
    asker.delete_item("film-1", if_match=changed.etag)


def test_many_records_are_changed_in_parts(asker: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serendip.client.batches.MOST_ROWS", 4)
    rows = [{"id": f"guest-{n:02}", "name": f"Guest {n}"} for n in range(10)]
    done = asker.change_users([*rows[:6], {"id": ""}, *rows[6:], {"id": "user-1", "name": "One"}], ["user-2", "user-3"])
    assert (done.created, done.replaced, done.deleted) == (10, 1, 2)
    assert [(row.list, row.index) for row in done.refused] == [("put", 6)]
    assert [user.id for user in asker.users("guest", sort="-id", limit=3)] == [row["id"] for row in reversed(rows)]
    assert [user.id for user in asker.users(attributes={"taste": "drama"}, limit=5)][:2] == ["user-0", "user-10"]
    with pytest.raises(client.Invalid, match="none of the"):
        asker.change_items([{"id": ""}, {"id": "x", "tytle": "X"}])
    asker.change_items([{"id": "play-1", "tags": ["drama", "short"]}, {"id": "play-2", "tags": ["drama", "long"]}])
    assert [item.id for item in asker.items(tags=["drama"], without_tags=["long"], search="play")] == ["play-1"]


def test_interactions_are_put_right_and_taken_back(asker: Client) -> None:
    asker.record_many([Event(user="ann", item=f"film-{n}", kind="rating", value=n) for n in (1, 2, 3)])
    events = {event.item: event.id for event in asker.interactions(user="ann", at_least=2, sort="at")}
    assert set(events) == {"film-2", "film-3"}
    known = asker.interaction(events["film-2"])
    right = asker.update_interaction(known.id, value=5, if_match=known.etag)
    assert (right.value, right.at) == (5, known.at)
    with pytest.raises(client.PreconditionFailed):
        asker.replace_interaction(known.id, "ann", "film-2", NOON, "rating", 1, if_match=known.etag)
    assert asker.replace_interaction(known.id, "ann", "film-4", known.at, "rating", 4).item == "film-4"
    asker.delete_interaction(events["film-3"])
    assert asker.delete_interactions("ann", kind="rating").deleted == 2


def test_relations_slates_and_all_of_a_person(asker: Client, server: Server) -> None:
    asker.create_relation("ann", "bob")
    asker.put_relation("ann", "cat", "blocks")
    done = asker.change_relations(
        [{"user": "ann", "other": "dan"}], [{"user": "ann", "other": "cat", "kind": "blocks"}]
    )
    assert (done.created, done.deleted) == (1, 1)
    assert [(one.other, one.kind) for one in asker.relations(user="ann")] == [("bob", "follows"), ("dan", "follows")]
    assert asker.relation("ann", "dan").kind == "follows"
    asker.delete_relation("ann", "dan")
    with pytest.raises(client.NotFound):
        asker.relation("ann", "dan")
    shown = asker.recommend("ann", 3, scenario="for-you")
    asker.record("ann", shown.ids[0], "view", slate=shown.slate)
    server.store.flush_slates()
    assert asker.slate(shown.slate).ids == shown.ids
    assert [slate.slate for slate in asker.slates(user="ann")] == [shown.slate]
    assert [event.item for event in asker.slate_interactions(shown.slate)] == [shown.ids[0]]
    told = asker.export_user("ann")
    assert (told.user.id, len(told.interactions), len(told.relations), len(told.slates)) == ("ann", 1, 1, 1)
    gone = asker.erase_user("ann")
    assert (gone.users, gone.interactions) == (1, 1)
    assert [one.digest for one in asker.erasures()] == [gone.digest]
    with pytest.raises(client.Refused):
        asker.record("ann", "film-1", "view")
    asker.lift_erasure(gone.digest)
    assert asker.record("ann", "film-1", "view").recorded == 1


def test_jobs_are_queued_watched_and_cancelled(asker: Client) -> None:
    assert {kind.kind for kind in asker.job_kinds().kinds} >= {"train", "evaluate"}
    job = asker.create_job("train", unique_key="nightly")
    with pytest.raises(client.Conflict, match=str(job.id)):
        asker.create_job("train", unique_key="nightly")
    with pytest.raises(client.Unfinished, match="queued"):
        asker.wait_for_job(job.id, 0.2, poll_seconds=0.05)
    asker.cancel_job(job.id)
    assert asker.wait_for_job(job.id).state == asker.job(job.id).state == "cancelled"
    assert [one.id for one in asker.jobs(state="cancelled")] == [job.id]
    row = asker.put_timetable_row("nightly", "train", "every 1d")
    assert row.next_at
    assert [one.name for one in asker.timetable().timetable] == ["nightly"]
    asker.delete_timetable_row("nightly")


def test_matrices_and_recommenders_are_kept_and_asked(asker: Client, server: Server) -> None:
    made = asker.create_matrix("svd-items", "items", "by SVD")
    number = next(one.id for one in server.store.matrices() if one.name == made.name)
    server.store.add_cells([Cell("film-1", f"film-{n}", 1 - n / 100, number, 1) for n in (3, 5, 7)])
    assert asker.matrix("svd-items").version == 0
    assert asker.update_matrix("svd-items", version=1, description=None).description is None
    assert [one.version for one in asker.matrix_versions("svd-items").versions if one.read] == [1]
    row = asker.matrix_row("svd-items", "film-1", 2)
    assert [(one.id, one.likeness) for one in row.neighbours] == [("film-3", 0.97), ("film-5", 0.95)]
    assert asker.replace_recommender("SVD", item_matrix="svd-items").item_matrix == "svd-items"
    asker.record("ann", "film-1", "rating", 5)
    assert set(asker.recommend_by_matrices("SVD", "ann", 3, by="items").ids) == {"film-3", "film-5", "film-7"}
    with pytest.raises(client.Conflict):
        asker.delete_matrix_version("svd-items", 1)
    asker.delete_recommender("SVD")
    asker.delete_matrix("svd-items")
    assert asker.matrices().matrices == asker.recommenders().recommenders == ()


def test_scenarios_are_declared_changed_and_forgotten(asker: Client) -> None:
    made = asker.put_scenario("films", {"candidates": ["item-knn"], "page_size": 4, "fallback": ["popular-7-days"]})
    assert made.origin == "api"
    assert asker.patch_scenario("films", {"page_size": 3}).config["page_size"] == 3
    assert asker.scenario("films").config["page_size"] == 3
    asker.delete_scenario("films")
    with pytest.raises(client.NotFound):
        asker.scenario("films")


def test_versions_go_live_and_back(asker: Client, server: Server) -> None:
    assert {version.name for version in asker.models().versions} == set(server.versions)
    assert asker.model(server.versions["ease"]).manifest
    done = asker.promote("for-you", server.versions["ease"], override="to see it")
    assert done.previous == server.versions["item-knn"]
    assert asker.recommend("user-1", scenario="for-you").version == server.versions["ease"]
    assert asker.rollback("for-you", reason="seen").version == server.versions["item-knn"]
    with pytest.raises(client.Conflict):
        asker.delete_model(server.versions["item-knn"])
    asker.delete_model(server.versions["ease"])
    assert {one.scenario for one in asker.scenarios().scenarios} >= {"home", "for-you"}
    assert asker.health().status == asker.ready().status == "ok"
    assert "serendip_" in asker.metrics()


def test_a_key_that_may_not_is_told_apart_from_one_that_is_unknown(asker: Client, server: Server) -> None:
    with pytest.raises(client.Unauthorized):
        Client("http://testserver", "wrong", http=server.stranger).recommend("ann")
    with pytest.raises(client.Invalid, match="filter") as refused:
        asker.recommend("user-1", filter="genre = drama")
    assert refused.value.status == 422
    assert refused.value.request_id


def test_the_asynchronous_client_says_the_same(server: Server) -> None:
    transport = httpx2.ASGITransport(server.app)
    key = server.client.headers["X-API-Key"]

    async def journey() -> None:
        async with AsyncClient("http://testserver", key, http=httpx2.AsyncClient(transport=transport)) as asker:
            told = await asker.record_many([{"user": "ann", "item": f"film-{n}", "kind": "view"} for n in range(3)])
            assert told.recorded == 3
            slates = await asyncio.gather(*(asker.recommend(user, 4) for user in ("ann", "user-1")))
            assert [slate.user for slate in slates] == ["ann", "user-1"]
            assert [user.id async for user in asker.users("ann", limit=1)] == ["ann"]
            with pytest.raises(client.NotFound):
                await asker.item("nothing")

    asyncio.run(journey())


@pytest.fixture
def served(world: World, tmp_path: Path, server: Server) -> Iterator[tuple[str, str]]:
    """A server on loopback and a key for it."""
    with running(server.store, server.artifacts, Settings(port=0)) as address:
        yield address, server.client.headers["X-API-Key"]


def test_under_any_faults_each_interaction_is_recorded_exactly_once(served: tuple[str, str], server: Server) -> None:
    address, key = served
    faults: list[Callable[..., Any]] = [hang_up, refuse(503), lose_the_answer, refuse(429), Faulty.pass_on]
    pauses: list[float] = []
    with (
        misbehaving(*faults * 9, target=address) as between,
        Client(between.address, key, sleep=pauses.append) as asker,
    ):
        for n in range(8):
            assert asker.record("ann", f"film-{n}", "view").repeated == 1
        told = asker.record_many({"user": "ann", "item": f"film-{n}", "kind": "view"} for n in range(8, 30))
    assert (told.recorded, told.repeated) == (0, 22)
    assert len(pauses) == 9 * 4
    kept = [event.interaction.item for event in server.store.recent_interactions(100, user="ann").records]
    assert sorted(kept) == sorted(f"film-{n}" for n in range(30))


def test_the_example_of_the_manual_runs_as_it_is_printed(
    served: tuple[str, str], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    address, key = served
    server.store.put_users([User("ann", "Ann", {"town": "Cali"})])
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    exec(compile(code.replace("http://127.0.0.1:8000", address).replace("sd_...", key), "client.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert "film-1" in printed[1]
    assert printed[2:] == ["ann {'town': 'Cali'}", "no item 'no-such-film'; GET /v1/items lists them"]


def test_every_call_and_every_error_is_in_the_manual() -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    said = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.split(r"[\s,(]+", code)}
    calls = {name for name, one in vars(Calls).items() if isinstance(one, Asked | Listed)}
    old = {name for name, one in vars(RecSysApi).items() if inspect.isfunction(one) and one.__name__ == name}
    assert calls | {name for name in old if not name.startswith("_") and name != "page"} <= said
    assert {
        name for name, one in vars(client).items() if inspect.isclass(one) and issubclass(one, SerendipError)
    } <= said
