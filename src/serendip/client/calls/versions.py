"""Model versions, the scenarios they are live in, and how the server is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serendip.client.answers import Health, Promotion, Scenario, Scenarios, Version, Versions
from serendip.client.call import Answer, Call, nothing, reads

ONE = "/v1/scenarios/{scenario}"


def models() -> Call[Versions]:
    """Every version kept, newest first, with its metrics."""
    return Call("list_models", "GET", "/v1/models", reads(Versions))


def model(version: str) -> Call[Version]:
    """One version with its whole manifest."""
    return Call("read_model", "GET", "/v1/models/{version}", reads(Version), {"version": version})


def delete_model(version: str) -> Call[None]:
    """Forget a version and its arrays, once and for all; Conflict while it is live."""
    return Call("delete_model", "DELETE", "/v1/models/{version}", nothing, {"version": version})


def scenarios() -> Call[Scenarios]:
    """Where recommendations appear, and which version answers there."""
    return Call("list_scenarios", "GET", "/v1/scenarios", reads(Scenarios))


def scenario(scenario: str) -> Call[Scenario]:
    """One scenario."""
    return Call("read_scenario", "GET", ONE, reads(Scenario), {"scenario": scenario})


def put_scenario(scenario: str, config: Mapping[str, Any]) -> Call[Scenario]:
    """Declare a scenario, or declare it anew. ``config``: as its table in ``serendip.toml``.

    Rules, page size and fallback act at once, candidates once they are trained.
    """
    return Call("put_scenario", "PUT", ONE, reads(Scenario), {"scenario": scenario}, body=dict(config))


def patch_scenario(scenario: str, changes: Mapping[str, Any]) -> Call[Scenario]:
    """Change some fields of a scenario; each replaces what was there."""
    return Call("patch_scenario", "PATCH", ONE, reads(Scenario), {"scenario": scenario}, body=dict(changes))


def delete_scenario(scenario: str) -> Call[None]:
    """Forget a scenario; ``home`` and ``for-you`` are then again as they were from the start."""
    return Call("delete_scenario", "DELETE", ONE, nothing, {"scenario": scenario})


def promote(scenario: str, version: str, *, override: str | None = None) -> Call[Promotion]:
    """Make a version live. The gate refuses one that is not better beyond noise, unless ``override`` says why."""
    body = {"version": version} if override is None else {"version": version, "override": override}
    return Call(
        "promote_model",
        "POST",
        "/v1/scenarios/{scenario}/promote",
        reads(Promotion),
        {"scenario": scenario},
        body=body,
    )


def rollback(scenario: str, *, reason: str | None = None) -> Call[Promotion]:
    """Back to the version that was live before."""
    return Call(
        "rollback_model",
        "POST",
        "/v1/scenarios/{scenario}/rollback",
        reads(Promotion),
        {"scenario": scenario},
        body={} if reason is None else {"reason": reason},
    )


def health() -> Call[Health]:
    """The server lives."""
    return Call("healthz", "GET", "/healthz", reads(Health))


def ready() -> Call[Health]:
    """The server can answer; NotReady where it cannot yet."""
    return Call("readyz", "GET", "/readyz", reads(Health))


def metrics() -> Call[str]:
    """Counters in Prometheus' text format."""
    return Call("metrics", "GET", "/metrics", _text)


def _text(answer: Answer) -> str:
    return answer.content.decode()
