"""Whether serendip.toml fits the data that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from serendip.data import Vocabulary
from serendip.domain import Invalid
from serendip.flows.asking import KeyRows
from serendip.flows.catalogue import Catalogue, catalogue_of
from serendip.flows.declare import Declared, Fault, inspect
from serendip.flows.scenarios import readable
from serendip.pipeline import DEFAULTS, ScenarioConfig, check_fallbacks
from serendip.ranking import RulesConfig
from serendip.store import Store

CheckJob = Callable[[str, Mapping[str, Any]], object]
"""Raises Invalid, its field beginning with kind or arguments, where there is no such job."""


def check(path: Path, check_job: CheckJob, store: Store | None, now: datetime) -> tuple[list[Fault], list[str]]:
    """Everything that is wrong in the file at ``path``, and what is not wrong but may surprise.

    ``store``: the data that it is held against; None: the file by itself.
    """
    declared, faults = inspect(path)
    if declared is None:
        return faults, []
    for name, one in declared.timetable.items():
        try:
            check_job(one.job, one.arguments)
        except Invalid as error:
            where = "job" if error.field == "kind" else "arguments"
            faults.append(declared.fault(("timetable", name, where), str(error)))
    if store is None:
        return _in_order(faults), ["there is no data to hold the file against yet"]
    over_api = {name: one.config for name, one in readable(store.scenarios())[0].items() if one.origin == "api"}
    faults += _strange_scenarios(declared, {**DEFAULTS, **over_api, **declared.scenarios})
    items = Vocabulary(tuple(store.item_ids()[1]))
    catalogue = catalogue_of(store, items, KeyRows.of(store.item_ids()[0]))
    if not len(items):
        return _in_order(faults), ["there are no items yet; filters were read but not held against them"]
    kinds = {*declared.kinds, *store.kinds()}
    remarks = [] if faults else _remarks(declared, store, catalogue)
    for name, config in declared.scenarios.items():
        for field, said in _of_rules(config.rules, catalogue, kinds, now):
            faults.append(declared.fault(("scenarios", name, "rules", field), said))
    if not faults:
        try:
            check_fallbacks({**DEFAULTS, **over_api, **declared.scenarios})
        except Invalid as error:
            where = str(error.field)
            faults.append(declared.fault(tuple(where.split(".")), str(error).removeprefix(f"{where}: ")))
    return _in_order(faults), remarks


def _strange_scenarios(declared: Declared, known: Mapping[str, ScenarioConfig]) -> list[Fault]:
    """Jobs of the timetable for scenarios that there are not."""
    return [
        declared.fault(
            ("timetable", name, "arguments", "scenario"),
            f"there is no scenario {one.arguments['scenario']!r}; the scenarios are {', '.join(known)}",
        )
        for name, one in declared.timetable.items()
        if isinstance(one.arguments.get("scenario"), str) and one.arguments["scenario"] not in known
    ]


def _of_rules(rules: RulesConfig, catalogue: Catalogue, kinds: set[str], now: datetime) -> list[tuple[str, str]]:
    """The fields of a scenario's rules that do not fit the items, and why; each is tried by itself."""
    parts = {
        "filter": RulesConfig(filter=rules.filter),
        "boosts": RulesConfig(boosts=rules.boosts),
        "diversity": RulesConfig(diversity=rules.diversity),
    }
    found = []
    for field, part in parts.items():
        try:
            catalogue.rules(part, now)
        except Invalid as error:
            found.append((field, str(error)))
    unknown = [pin.item for pin in rules.pins if catalogue.known.ids.row(pin.item) < 0]
    if unknown:
        found.append(("pins", f"there is no item {unknown[0]!r}; import it, or pin another"))
    strange = [kind for kind in rules.hide or () if kind not in kinds]
    if strange:
        known = ", ".join(sorted(kinds)) or "none"
        found.append(("hide", f"there is no kind of interaction {strange[0]!r}; there are {known}"))
    return found


def _remarks(declared: Declared, store: Store, catalogue: Catalogue) -> list[str]:
    """What is not wrong but may surprise."""
    there = {name for _, _, name, _, _ in catalogue.known.described}
    said = []
    for name in dict.fromkeys([*declared.catalogues, *_catalogues(declared.scenarios)]):
        if name not in there:
            known = ", ".join(sorted(there))
            said.append(f"no item is in the catalogue {name!r} yet; items are in {known}")
    met = store.kinds()
    said += [f"no interaction of the kind {name!r} was recorded yet" for name in declared.kinds if name not in met]
    return said


def _catalogues(scenarios: Mapping[str, ScenarioConfig]) -> list[str]:
    return [one.catalogue for one in scenarios.values() if one.catalogue is not None]


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: fault.line or 0)
