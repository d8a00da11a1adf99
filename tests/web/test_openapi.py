"""The published word: the API is driven from its own OpenAPI document, by everybody, with made-up input."""

from __future__ import annotations

import os
from collections import Counter
from math import ceil
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from starlette.testclient import TestClient

from serendip.web.api import hot
from serendip.web.guard import OPEN, new_key

from .conftest import NOON, Server, make_client
from .test_roles import person

WANTED = int(os.environ.get("SERENDIP_API_CASES", "200"))
"""So many cases at least are sent by everybody; ``SERENDIP_API_CASES=1000`` is the long form."""
OWN = "user-5"
"""The member's user."""
ABOUT = {"user": OWN, "users": [OWN], "item": "film-5", "kind": "view"}
"""What cases about what is there say, where they say it."""
MEMBERS_MAY = {
    *("recommend", "recommend_many", "record_interactions", "read_me", "set_own_password"),
    *("list_items", "read_item", "list_neighbours"),
    *("read_user", "export_user", "list_user_neighbours"),
    *("list_interactions", "list_relations", "list_slates"),
}
"""Operations that a member may get an answer from: the catalogue, and what is about the own user."""
ADMINS = ("/v1/accounts", "/v1/keys", "/v1/audit", "/v1/erasures")
ADMINS_TO_CHANGE = ("/v1/models", "/v1/scenarios")
ORDER = ("get", "post", "put", "patch", "delete")
"""What takes away comes last, so that all the rest finds what it asks for."""


def document(server: Server) -> dict[str, Any]:
    return server.client.get("/openapi.json").json()


def operations(found: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in found["paths"].items() for method, one in methods.items()]


def test_every_operation_has_a_name_a_tag_a_summary_and_its_refusals(server: Server) -> None:
    found = operations(document(server))
    names = [one["operationId"] for _, _, one in found]
    assert len(set(names)) == len(names) >= 24
    for path, _, one in found:
        assert one["tags"]
        assert one["summary"]
        for status, answer in one["responses"].items():
            if status >= "400" and path != "/readyz":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)
        if path not in ("/healthz", "/readyz") and not path.startswith("/sign-in/"):
            assert one["security"] == [{"key": []}, {"bearer": []}]
            assert {"401", "403"} <= set(one["responses"])


def test_the_hot_routes_are_those_that_the_document_describes(server: Server) -> None:
    found = document(server)["paths"]
    for route in hot.ROUTES:
        for method in route.methods:
            assert method.lower() in found[route.path], route.path


def test_made_up_input_is_answered_as_declared_whoever_asks(server: Server) -> None:
    whole = document(server)
    schema = schemathesis.openapi.from_dict(whole)
    clients = {
        "anonymous": server.stranger,
        "member": person(server, "member", user=OWN),
        "operator": make_client(server.app, new_key(server.store, "operator", ("read", "write"), NOON)),
        "administrator": server.client,
    }
    known = known_ids(server)
    found = sorted(
        (one.ok() for one in schema.get_all_operations()), key=lambda one: (ORDER.index(one.method), one.label)
    )
    told: dict[str, dict[str, Counter[int]]] = {role: {} for role in clients}
    for operation in found:
        declared = whole["paths"][operation.path][operation.method]
        seen = drive(clients, whole, operation, declared, known, ceil(WANTED / 2.5 / len(found)))
        for role in clients:
            told[role][declared["operationId"]] = seen[role]
    assert all(sum(map(Counter.total, seen.values())) >= WANTED for seen in told.values())
    succeeded = {role: {name for name, one in seen.items() if min(one) < 400} for role, seen in told.items()}
    for path, method, one in operations(whole):
        name = one["operationId"]
        assert path in OPEN or name not in succeeded["anonymous"], told["anonymous"][name]
        assert path in OPEN or name in MEMBERS_MAY or name not in succeeded["member"], (name, told["member"][name])
        admins = path.startswith(ADMINS) or (method != "get" and path.startswith(ADMINS_TO_CHANGE))
        assert not admins or name not in succeeded["operator"], (name, told["operator"][name])
    assert not any(one[401] for one in told["member"].values())
    assert {"recommend", "read_user", "export_user", "read_item", "read_me"} <= succeeded["member"]
    assert len(succeeded["administrator"]) > len(found) / 2, set(told["administrator"]) - succeeded["administrator"]
    assert {404, 409, 422} <= set().union(*told["administrator"].values())
    print({role: sum(seen.values(), Counter()) for role, seen in told.items()})


def known_ids(server: Server) -> dict[str, Any]:
    """Values of path parameters that are there."""
    slate = server.client.get("/v1/recommendations", params={"user": "user-5"}).json()["slate"]
    server.client.put("/v1/relations/user-5/follows/user-6").raise_for_status()
    erased = server.client.post("/v1/erasures", json={"user": "somebody"}).json()["digest"]
    return {
        "user": OWN,
        "item": "film-5",
        "other": "user-6",
        "kind": "follows",
        "interaction": 5,
        "slate": slate,
        "digest": erased,
        "scenario": "for-you",
        "version": server.versions["ease"],
    }


def drive(
    clients: dict[str, TestClient],
    whole: dict[str, Any],
    operation: APIOperation,
    declared: dict[str, Any],
    known: dict[str, Any],
    n_cases: int,
) -> dict[str, Counter[int]]:
    """Let everybody send cases that fit the document, cases about what is there, and cases that do not fit."""
    seen: dict[str, Counter[int]] = {role: Counter() for role in clients}
    named = {one.name for one in operation.path_parameters}

    def send_about(case: Case) -> None:
        # Who erases the member's user ends the member's account, and nobody would ask as a member from then on.
        for part in (case.query, case.body):
            if isinstance(part, dict) and operation.path != "/v1/erasures":
                part.update({name: value for name, value in ABOUT.items() if name in part})
        send(case)

    def send(case: Case) -> None:
        for role, client in clients.items():
            answer = sent(client, case)
            seen[role][answer.status_code] += 1
            check(whole, declared, answer, (role, case))

    each = settings(
        max_examples=n_cases,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    there = {name: known[name] for name in named & known.keys()}
    sorts = [(operation.as_strategy(), send), (operation.as_strategy(path_parameters=there), send_about)]
    if named or operation.query or operation.body:
        sorts.append((operation.as_strategy(GenerationMode.NEGATIVE), send))
    for cases, by in sorts:
        each(given(case=cases)(by))()
    return seen


def sent(client: TestClient, case: Case) -> Any:
    """The answer to a made-up case, asked with the client's own key."""
    made = case.as_transport_kwargs(base_url="http://testserver")
    parts = {name: made[name] for name in ("method", "url", "headers", "params", "json", "data") if name in made}
    request = requests.Request(**parts).prepare()
    headers = [
        (name.encode("latin-1"), text.encode("latin-1") if isinstance(text, str) else text)
        for name, text in request.headers.items()
        if name.lower() not in ("authorization", "x-api-key", "cookie")
    ]
    return client.request(str(request.method), str(request.url), headers=headers, content=request.body)


def check(whole: dict[str, Any], operation: dict[str, Any], answer: Any, asked: object) -> None:
    assert answer.status_code < 500, (asked, answer.text)
    assert str(answer.status_code) in operation["responses"], (asked, answer.status_code, answer.text)
    declared = operation["responses"][str(answer.status_code)].get("content", {})
    if not declared:
        return
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in declared, (asked, kind)
    if "json" in kind:
        schema = {**declared[kind]["schema"], "components": whole["components"]}
        jsonschema_rs.validator_for(schema).validate(answer.json())


def test_what_is_too_large_or_no_json_is_refused_by_every_operation_that_takes_a_body(server: Server) -> None:
    whole = document(server)
    taking = [(path, method, one) for path, method, one in operations(whole) if "requestBody" in one]
    assert len(taking) >= 12
    for path, method, one in taking:
        address = path.replace("{", "").replace("}", "")
        for content, kind, status in (
            (b" " * (10 * 1024 * 1024 + 1), "application/json", 413),
            (b"{}", "text/plain", 415),
            (b"7", "application/json", 422),
        ):
            answer = server.client.request(method, address, content=content, headers={"Content-Type": kind})
            assert answer.status_code in {status, 404 if status == 422 else status}, (method, path, answer.text)
            check(whole, one, answer, path)


@pytest.mark.parametrize("fields", ["tags", "text,url", "available_from,hidden", "catalogue,attributes,title,image"])
def test_fields_asked_for_are_there(server: Server, fields: str) -> None:
    answer = server.client.get("/v1/recommendations", params={"user": "user-1", "n": 2, "fields": fields}).json()
    assert set(fields.split(",")) <= set(answer["items"][0])
