"""The API's own document, for programs and for people."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from serendip.web.json import Json
from serendip.web.pages.paper import page

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return Json(request.app.openapi())


@router.get("/docs")
def docs(request: Request) -> Response:
    """Every operation with its fields, answers and refusals; made from the OpenAPI document and nothing else."""
    document = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = _operation(document, path, method, operation)
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(shown)
    return page(request, "docs.html", groups=groups, about=code_marked(document["info"]["description"]))


def code_marked(text: str) -> Markup:
    """``text`` with what stands between backticks as code."""
    plain = escape(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(Markup(part)) if at % 2 else part for at, part in enumerate(plain)
    )


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": code_marked(operation.get("description", "")),
        "fields": [
            _field(document, one["name"], one["in"], one["schema"], one["required"], one.get("description", ""))
            for one in operation.get("parameters", ())
        ]
        + _fields(document, content.get("schema", {})),
        "answers": [(status, answer["description"]) for status, answer in sorted(operation["responses"].items())],
    }


def _named(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference means."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a body."""
    whole = _named(document, schema)
    if "anyOf" in whole:
        whole = _named(document, whole["anyOf"][0])
    return [
        _field(document, name, "body", field, name in whole.get("required", ()), field.get("description", ""))
        for name, field in whole.get("properties", {}).items()
    ]


def _field(
    document: dict[str, Any], name: str, where: str, schema: dict[str, Any], required: bool, description: str
) -> dict[str, Any]:
    default = schema.get("default")
    return {
        "name": name,
        "where": where,
        "type": type_of(document, schema),
        "required": required,
        "default": None if default in (None, "", []) else orjson.dumps(default).decode().strip('"'),
        "description": code_marked(description),
    }


def type_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema's type in a few words."""
    if "anyOf" in schema:
        kinds = [type_of(document, one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return str(_named(document, schema).get("title", "object")).lower()
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_of(document, schema.get('items', {}))}"
    bounds = [f"{word} {schema[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([str(schema.get("format") or schema.get("type", "anything")), *bounds])
