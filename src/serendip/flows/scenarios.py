"""The scenarios there are: those from the start, what a file declares, what was made over the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from serendip.domain import Conflict, Invalid, NotFound
from serendip.pipeline import DEFAULTS, ScenarioConfig, check_fallbacks
from serendip.pipeline.scenario import NAME
from serendip.store import ScenarioRecord, Store, TimetableRow
from serendip.store.schedule import parse_schedule


@dataclass(frozen=True)
class Scenario:
    """A scenario, and who declared it."""

    name: str
    config: ScenarioConfig
    origin: Literal["start", "file", "api"] = "start"


def scenarios_of(store: Store) -> dict[str, Scenario]:
    """Every scenario by name, those from the start first."""
    return readable(store.scenarios())[0]


def readable(records: Mapping[str, ScenarioRecord]) -> tuple[dict[str, Scenario], dict[str, str]]:
    """The scenarios that this release can read, and what is wrong with the others."""
    found, problems = {name: Scenario(name, config) for name, config in DEFAULTS.items()}, {}
    for name, record in records.items():
        try:
            config = ScenarioConfig.read(record.config, name)
        except Invalid as error:
            problems[name] = f"the declaration of {name} cannot be read: {error}; declare it again"
        else:
            found[name] = Scenario(name, config, "file" if record.origin == "file" else "api")
    return found, problems


def scenario_of(store: Store, name: str) -> Scenario:
    """The scenario called ``name``."""
    found = scenarios_of(store)
    if name not in found:
        raise NotFound(f"no scenario {name!r}; the scenarios are {', '.join(found)}")
    return found[name]


def put_scenario(store: Store, name: str, content: Mapping[str, Any], now: datetime) -> Scenario:
    """Declare ``name``, or declare it anew."""
    if not NAME.fullmatch(name):
        raise Invalid(f"{name!r} cannot be a scenario; use up to 60 small letters, digits, - and _", field="scenario")
    config = ScenarioConfig.read(content, name)

    def change(before: Mapping[str, ScenarioRecord]) -> Mapping[str, Any]:
        return _fitting(name, config, before)

    store.change_scenario(name, now, change)
    _trained_by_itself(store, name, config, now)
    return Scenario(name, config, "api")


def patch_scenario(store: Store, name: str, changes: Mapping[str, Any], now: datetime) -> Scenario:
    """Change the fields of ``name`` that are in ``changes``."""

    def change(before: Mapping[str, ScenarioRecord]) -> Mapping[str, Any]:
        found = readable(before)[0]
        if name not in found:
            raise NotFound(f"no scenario {name!r}; the scenarios are {', '.join(found)}")
        config = ScenarioConfig.read({**kept(found[name].config), **changes}, name)
        return _fitting(name, config, before)

    record = store.change_scenario(name, now, change)
    assert record is not None, "only a deletion gives nothing"
    config = ScenarioConfig.read(record.config, name)
    _trained_by_itself(store, name, config, now)
    return Scenario(name, config, "api")


def delete_scenario(store: Store, name: str, now: datetime) -> None:
    """Forget ``name``; one from the start is again as it was."""

    def change(before: Mapping[str, ScenarioRecord]) -> None:
        found = readable(before)[0]
        if name not in before:
            if name in found:
                raise Conflict(f"the scenario {name!r} is there from the start, and nothing else is declared of it")
            raise NotFound(f"no scenario {name!r}; the scenarios are {', '.join(found)}")
        users = [one.name for one in found.values() if one.config.fallback == name and one.name != name]
        if users and name not in DEFAULTS:
            raise Conflict(f"the scenario {name!r} is the fallback of {', '.join(users)}; give them another first")

    store.change_scenario(name, now, change)
    _trained_by_itself(store, name, None, now)


def training_of(name: str, config: ScenarioConfig) -> TimetableRow | None:
    """The row of the timetable that trains a scenario again; None where it is trained by hand."""
    if config.timetable is None:
        return None
    return TimetableRow(f"train-{name}", "train", config.timetable, {"scenario": name} if config.candidates else {})


def _trained_by_itself(store: Store, name: str, config: ScenarioConfig | None, now: datetime) -> None:
    """Put a scenario's training into the timetable, or take it out."""
    row = None if config is None else training_of(name, config)
    if row is not None:
        store.put_timetable([row], "api", now)
    else:
        store.drop_timetable(f"train-{name}")


def kept(config: ScenarioConfig) -> dict[str, Any]:
    """A scenario's own words: what differs from how a scenario is where nothing is said."""
    return config.model_dump(mode="json", exclude_defaults=True)


def _fitting(name: str, config: ScenarioConfig, before: Mapping[str, ScenarioRecord]) -> Mapping[str, Any]:
    """``config`` as it is kept, if it goes together with all other scenarios."""
    if config.timetable is not None:
        parse_schedule(config.timetable, field="timetable")
    others = {other: one.config for other, one in readable(before)[0].items()}
    check_fallbacks({**others, name: config})
    return kept(config)
