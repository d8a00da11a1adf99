"""Jobs and the timetable over HTTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from serendip.store.jobs import STATES
from serendip.web.guard import new_key

from .conftest import NOON, Server, make_client

LEASE = timedelta(seconds=15)


def test_a_job_is_queued_seen_while_it_runs_and_cancelled(server: Server) -> None:
    made = server.client.post("/v1/jobs", json={"kind": "train", "arguments": {"seed": 3}})
    assert made.status_code == 201
    job = made.json()
    assert (job["state"], job["arguments"], job["attempts"]) == ("queued", {"seed": 3}, 0)
    again = server.client.post("/v1/jobs", json={"kind": "train", "arguments": {"seed": 3}})
    assert again.status_code == 409
    assert f"{job['id']} is queued" in again.json()["detail"]
    leased = server.store.claim_job("a worker", NOON + LEASE, LEASE)
    assert leased is not None
    server.store.tell_job(job["id"], leased.lease, "fit", 2, 5, "als")
    seen = server.client.get(f"/v1/jobs/{job['id']}").json()
    assert (seen["state"], seen["stage"], seen["done"], seen["total"], seen["message"]) == (
        "running",
        "fit",
        2,
        5,
        "als",
    )
    asked = server.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert asked.json()["cancelling"]
    assert server.store.lease_holds(job["id"], leased.lease) is None
    server.store.finish_job(job["id"], leased.lease, "cancelled", NOON)
    over = server.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (over.status_code, "cancelled" in over.json()["detail"]) == (409, True)
    assert server.client.get("/v1/jobs/99").status_code == 404
    assert server.client.post("/v1/jobs/99/cancel").status_code == 404


def test_jobs_are_listed_by_state_and_kind_in_pages(server: Server) -> None:
    made = [
        server.client.post("/v1/jobs", json={"kind": "clean-up", "unique_key": str(n)}).json()["id"] for n in range(5)
    ]
    first = server.client.get("/v1/jobs", params={"limit": 3, "state": "queued"}).json()
    rest = server.client.get("/v1/jobs", params={"limit": 3, "state": "queued", "after": first["next"]}).json()
    assert [job["id"] for page in (first, rest) for job in page["jobs"]] == made[::-1]
    assert server.client.get("/v1/jobs", params={"kind": "train"}).json()["jobs"] == []
    assert server.client.get("/v1/jobs", params={"kind": "dance"}).status_code == 422
    refused = server.client.get("/v1/jobs", params={"state": "lost"}).json()
    assert all(state in str(refused) for state in STATES)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "dance"}, "the kinds are"),
        ({"kind": "train", "arguments": {"pipelines": ["mind-reading"]}}, "no model of kind 'mind-reading'"),
        ({"kind": "train", "arguments": {"speed": 9}}, "the arguments of train are"),
        ({"kind": "import", "arguments": {"source": "../secret.csv"}}, "no file of"),
        ({"kind": "import", "arguments": {"source": "postgresql://host/db?table=t"}}, "no file of"),
        ({"kind": "export", "arguments": {"to": "/tmp/x.csv"}}, "no file of"),
        ({"kind": "recommend", "arguments": {"to": "sqlite:///x.db?table=t"}}, "no file of"),
        ({"kind": "train", "shout": True}, "shout"),
        ({"kind": "train", "max_attempts": 0}, "max_attempts"),
    ],
)
def test_a_job_that_cannot_be_is_one_clear_refusal(server: Server, body: dict[str, object], said: str) -> None:
    answer = server.client.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert said in answer.text
    assert server.client.get("/v1/jobs").json()["jobs"] == []


def test_files_over_http_are_those_of_their_folders(make_server, tmp_path: Path) -> None:
    server = make_server(import_folder=tmp_path / "in", export_folder=tmp_path / "out")
    made = server.client.post("/v1/jobs", json={"kind": "export", "arguments": {"rows": "items", "to": "films.csv"}})
    assert made.json()["arguments"] == {"rows": "items", "to": str(tmp_path / "out" / "films.csv")}


def test_rows_of_the_timetable_are_put_and_dropped_and_the_file_keeps_its_own(server: Server) -> None:
    row = {"kind": "train", "schedule": "every 6h", "arguments": {"seed": 1}}
    put = server.client.put("/v1/timetable/often", json=row)
    assert (put.status_code, put.json()["origin"], put.json()["enabled"]) == (200, "api", True)
    off = server.client.put("/v1/timetable/often", json={**row, "enabled": False}).json()
    assert off["next_at"] is None
    bad = server.client.put("/v1/timetable/often", json={**row, "schedule": "now and then"})
    assert (bad.status_code, "every 15m" in bad.text) == (422, True)
    assert server.client.put("/v1/timetable/other", json={**row, "kind": "dance"}).status_code == 422
    assert [one["name"] for one in server.client.get("/v1/timetable").json()["timetable"]] == ["often"]
    assert server.client.delete("/v1/timetable/often").status_code == 204
    assert server.client.delete("/v1/timetable/often").status_code == 404


def test_who_may_only_read_sees_jobs_and_changes_none(server: Server) -> None:
    reader = make_client(server.app, new_key(server.store, "reader", ("read",), NOON))
    assert reader.get("/v1/jobs").status_code == 200
    assert {kind["kind"] for kind in reader.get("/v1/jobs/kinds").json()["kinds"]} >= {"train", "import", "recommend"}
    assert reader.post("/v1/jobs", json={"kind": "train"}).status_code == 403
    assert reader.put("/v1/timetable/x", json={"kind": "train", "schedule": "every 1d"}).status_code == 403
    assert server.stranger.get("/v1/jobs").status_code == 401
