"""Promotions and rollbacks while others ask: benchmarks/flips.py is the long form, over a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from serendip.flows.live import FOR_YOU

from .conftest import N_USERS, Server

FLIPS = 30


def slates(server: Server) -> list[dict[str, Any]]:
    body = {"users": [f"user-{n}" for n in range(N_USERS)], "scenario": FOR_YOU, "n": 5}
    answer = server.client.post("/v1/recommendations", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["slates"]


def told(slate: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["item"], one["source"]) for one in slate["items"]]


def flip(server: Server, n: int) -> None:
    address = f"/v1/scenarios/{FOR_YOU}"
    if n % 2 == 0:
        answer = server.client.post(f"{address}/promote", json={"version": server.versions["ease"]})
    else:
        answer = server.client.post(f"{address}/rollback", json={})
    assert answer.status_code == 200, answer.text


def test_no_answer_fails_or_mixes_versions_while_they_are_flipped(server: Server):
    expected = {}
    for n in range(2):
        flip(server, n)
        found = slates(server)
        (version,) = {slate["version"] for slate in found}
        expected[version] = {slate["user"]: told(slate) for slate in found}
    assert len(expected) == 2
    assert len({str(one) for one in expected.values()}) == 2
    stopping = Event()

    def ask() -> list[list[dict[str, Any]]]:
        answers = [slates(server)]
        while not stopping.is_set():
            answers.append(slates(server))
        return answers

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for n in range(FLIPS):
                flip(server, n)
        finally:
            stopping.set()
        batches = [batch for one in asking for batch in one.result()]
    assert len(batches) > FLIPS / 3
    for batch in batches:
        (version,) = {slate["version"] for slate in batch}
        assert {slate["user"]: told(slate) for slate in batch} == expected[version]
