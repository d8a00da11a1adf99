"""The published word: the API is driven from its own OpenAPI document, with made-up input."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serendip.web.api import hot

from .conftest import Server

N_CASES = 14
"""Cases an operation."""

ODD = [
    "",
    " ",
    "a/b",
    "%00",
    "é",
    "\u202e",
    "x" * 600,
    "0",
    "null",
    "-1",
    "1e9",
    "'; drop table items; --",
    "film-1",
    "user-1",
]
IDS = st.sampled_from([*ODD, "film-1", "film-2", "user-1", "user-2", "home", "for-you"])
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    IDS,
    st.text(max_size=8),
)
WILD = st.recursive(
    ANYTHING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def document(server: Server) -> dict[str, Any]:
    return server.client.get("/openapi.json").json()


def operations(found: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in found["paths"].items() for method, one in methods.items()]


def value_for(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly fit ``schema``, and sometimes do not."""
    return st.one_of(fitting(schema, whole), fitting(schema, whole), fitting(schema, whole), WILD)


def fitting(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return fitting(whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return st.one_of([fitting(one, whole) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        needed = schema.get("required", [])
        fields = {name: value_for(one, whole) for name, one in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: fields[name] for name in needed},
            optional={name: one for name, one in fields.items() if name not in needed},
        )
    if kind == "object":
        return st.dictionaries(st.text(max_size=5), WILD, max_size=3)
    if kind == "array":
        return st.lists(fitting(schema["items"], whole), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "integer":
        return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 50), 50))
    if kind == "number":
        return st.floats(-10, 10)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if schema.get("format") == "date-time":
        return st.sampled_from(
            ["2026-02-01T00:00:00Z", "2026-02-01", "0001-01-01", "9999-12-31T23:59:59-11:00", "soon"]
        )
    return IDS


def in_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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


def test_made_up_input_is_answered_as_declared(server: Server) -> None:
    whole = document(server)
    seen: dict[str, set[int]] = {}
    for path, method, operation in operations(whole):
        drive(server, whole, path, method, operation, seen)
    assert set(seen) == {one["operationId"] for _, _, one in operations(whole)}
    assert {200, 201, 204, 404, 409, 422} <= set().union(*seen.values())


def drive(
    server: Server, whole: dict[str, Any], path: str, method: str, operation: dict[str, Any], seen: dict[str, set[int]]
) -> None:
    """Send ``N_CASES`` made-up requests to one operation and hold the answers to its declaration."""
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")

    @settings(
        max_examples=N_CASES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def cases(data: st.DataObject) -> None:
        address = re.sub(r"\{.*?\}", lambda _: quote(data.draw(IDS), safe="") or "_", path)
        query = {
            one["name"]: in_query(data.draw(value_for(one["schema"], whole)))
            for one in parameters
            if one["in"] == "query" and (one["required"] or data.draw(st.booleans()))
        }
        content = data.draw(value_for(body, whole)) if body else None
        answer = server.client.request(method, address, params=query, **({"json": content} if body else {}))
        seen.setdefault(operation["operationId"], set()).add(answer.status_code)
        check(whole, operation, answer, (method, address, query, content))

    cases()


def check(whole: dict[str, Any], operation: dict[str, Any], answer: Any, sent: object) -> None:
    assert answer.status_code < 500, (sent, answer.text)
    assert str(answer.status_code) in operation["responses"], (sent, answer.status_code, answer.text)
    declared = operation["responses"][str(answer.status_code)].get("content", {})
    if not declared:
        return
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in declared, (sent, kind)
    if "json" in kind:
        schema = {**declared[kind]["schema"], "components": whole["components"]}
        jsonschema_rs.validator_for(schema).validate(answer.json())


@pytest.mark.parametrize("fields", ["tags", "text,url", "available_from,hidden", "catalogue,attributes,title,image"])
def test_fields_asked_for_are_there(server: Server, fields: str) -> None:
    answer = server.client.get("/v1/recommendations", params={"user": "user-1", "n": 2, "fields": fields}).json()
    assert set(fields.split(",")) <= set(answer["items"][0])
