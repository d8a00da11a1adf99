"""What serendip.toml declares: kinds of interaction, scenarios and a timetable, read and brought into the store."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from serendip.domain import InteractionKind, Invalid, checked_id
from serendip.flows.scenarios import kept, readable, training_of
from serendip.flows.toml_lines import line_of, lines_of
from serendip.pipeline import DEFAULTS, NamedModel, ScenarioConfig, check_fallbacks
from serendip.pipeline.scenario import NAME, names_in, said_of
from serendip.store import Store, TimetableRow
from serendip.store.schedule import parse_schedule

TABLES = ("catalogues", "kinds", "models", "scenarios", "timetable")
"""Tables of the file that declare something; everything else in it is a setting."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueDeclared(_Table):
    """Items that belong together: films, events, products."""

    title: str | None = None
    """For people."""


class KindDeclared(_Table):
    """How one kind of interaction is to be read; see ``InteractionKind``."""

    mode: Literal["accumulate", "latest"] = "accumulate"
    weight: FiniteFloat = 1.0
    scale: tuple[FiniteFloat, FiniteFloat] | None = None
    negative: bool = False
    hides: bool = True


class TimetableDeclared(_Table):
    """A job that is done again and again."""

    job: str
    """The kind of job."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    schedule: str
    """every 15m, or a cron line in UTC."""
    enabled: bool = True


@dataclass(frozen=True)
class Fault:
    """Something that is wrong in the file, and where."""

    line: int | None
    field: str
    said: str

    def told(self, path: Path) -> str:
        """As editors and people find it."""
        where = f"{path}:{self.line}" if self.line is not None else str(path)
        return f"{where}: {self.field}: {self.said}" if self.field else f"{where}: {self.said}"


@dataclass(frozen=True)
class Declared:
    """What a file declares."""

    path: Path
    lines: dict[tuple[str, ...], int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that declares nothing."""
    catalogues: Mapping[str, CatalogueDeclared] = field(default_factory=dict)
    kinds: Mapping[str, InteractionKind] = field(default_factory=dict)
    scenarios: Mapping[str, ScenarioConfig] = field(default_factory=dict)
    timetable: Mapping[str, TimetableDeclared] = field(default_factory=dict)

    def fault(self, path: tuple[str, ...], said: str) -> Fault:
        """Something wrong with the key at ``path``."""
        return Fault(line_of(self.lines, path), ".".join(path), said)

    def rows(self) -> list[TimetableRow]:
        """The whole timetable: what it declares, and when scenarios are trained again."""
        rows = [
            TimetableRow(name, one.job, one.schedule, one.arguments, one.enabled)
            for name, one in self.timetable.items()
        ]
        return rows + [row for name, one in self.scenarios.items() if (row := training_of(name, one)) is not None]


def read(path: Path) -> Declared:
    """The declaration in the file at ``path``; Invalid, with file, line and field, for the first fault in it."""
    declared, faults = inspect(path)
    if faults or declared is None:
        more = f" (and {len(faults) - 1} more; `serendip check` lists them)" if len(faults) > 1 else ""
        raise Invalid(f"{faults[0].told(path)}{more}", field=faults[0].field or None)
    return declared


def inspect(path: Path) -> tuple[Declared | None, list[Fault]]:
    """What the file declares as far as it can be read, and everything that is wrong with it by itself."""
    try:
        # Some editors begin a file with a mark of its encoding.
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        return None, [Fault(None if line is None else int(line[1]), "", f"this is no TOML: {error}")]
    except (OSError, UnicodeDecodeError) as error:
        return None, [Fault(None, "", f"it cannot be read: {error}")]
    reading = _Reading(path, lines_of(text), content)
    return reading.declared(), reading.faults


class _Reading:
    """One file being read; what is wrong is gathered, and the rest goes on."""

    def __init__(self, path: Path, lines: dict[tuple[str, ...], int], content: dict[str, Any]) -> None:
        self.bare = Declared(path, lines)
        self.content = content
        self.faults: list[Fault] = []

    def declared(self) -> Declared:
        """Everything that could be read."""
        settings = {name: value for name, value in self.content.items() if name not in TABLES}
        catalogues = dict(self._each("catalogues", CatalogueDeclared))
        kinds = {name: InteractionKind(name, **dict(one)) for name, one in self._each("kinds", KindDeclared)}
        for room, names in (("catalogues", catalogues), ("kinds", kinds)):
            for name in names:
                self._id(room, name)
        for name, kind in kinds.items():
            if kind.scale is not None and not kind.scale[0] < kind.scale[1]:
                self._wrong(("kinds", name, "scale"), f"{list(kind.scale)} is no range; write the lowest value first")
            if kind.weight < 0:
                self._wrong(("kinds", name, "weight"), f"{kind.weight:g} is below 0; declare it negative = true")
        models = dict(self._each("models", NamedModel))
        scenarios = self._scenarios(models, catalogues)
        timetable = dict(self._each("timetable", TimetableDeclared))
        for name, one in timetable.items():
            self._schedule(("timetable", name, "schedule"), one.schedule)
            if name in {f"train-{scenario}" for scenario in scenarios}:
                self._wrong(("timetable", name), "this is the name of a scenario's own training; give it another")
        bare = self.bare
        return Declared(bare.path, bare.lines, settings, catalogues, kinds, scenarios, timetable)

    def _scenarios(
        self, models: Mapping[str, NamedModel], catalogues: Mapping[str, CatalogueDeclared]
    ) -> dict[str, ScenarioConfig]:
        found: dict[str, ScenarioConfig] = {}
        for name, own in self._tables("scenarios"):
            config = self._scenario(name, own, models)
            if config is None:
                continue
            found[name] = config
            if config.timetable is not None:
                self._schedule(("scenarios", name, "timetable"), config.timetable)
            if config.catalogue is not None and catalogues and config.catalogue not in catalogues:
                known = ", ".join(catalogues)
                said = f"there is no catalogue {config.catalogue!r}; those declared are {known}"
                self._wrong(("scenarios", name, "catalogue"), said)
        if not self.faults:
            try:
                check_fallbacks({**DEFAULTS, **found})
            except Invalid as error:
                where = str(error.field)
                self._wrong(tuple(where.split(".")), str(error).removeprefix(f"{where}: "))
        return found

    def _scenario(self, name: str, own: Mapping[str, Any], models: Mapping[str, NamedModel]) -> ScenarioConfig | None:
        used = names_in(tuple(spec for field in ("candidates", "fallback") for spec in _texts(own.get(field))))
        used |= names_in((own["ranker"],)) if isinstance(own.get("ranker"), str) else set()
        told = {model: one.model_dump() for model, one in models.items() if model in used}
        own_models = own.get("models", {})
        try:
            # What is no table at all is refused where it is checked.
            named = {**told, **own_models} if isinstance(own_models, Mapping) else own_models
            return ScenarioConfig.model_validate({**own, "models": named})
        except ValidationError as error:
            where, said = said_of(error)
            self._wrong(("scenarios", name, *(where or "").split(".")) if where else ("scenarios", name), said)
            return None

    def _id(self, room: str, name: str) -> None:
        try:
            checked_id(name, room)
        except Invalid as error:
            self._wrong((room, name), str(error))

    def _schedule(self, path: tuple[str, ...], text: str) -> None:
        try:
            parse_schedule(text)
        except Invalid as error:
            self._wrong(path, str(error))

    def _tables(self, room: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The tables ``[room.NAME]``."""
        content = self.content.get(room, {})
        if not isinstance(content, dict):
            self._wrong((room,), f"this is a table of tables; write [{room}.NAME] and what it is below")
            return
        for name, own in content.items():
            if not isinstance(own, dict):
                self._wrong((room, name), f"this is no table; write [{room}.{name}] and what it is below")
            elif room != "kinds" and room != "catalogues" and not NAME.fullmatch(name):
                self._wrong((room, name), f"{name!r} cannot be a name; use up to 60 small letters, digits, - and _")
            else:
                yield name, own

    def _each(self, room: str, kind: type[Any]) -> Iterator[tuple[str, Any]]:
        """The same, checked."""
        for name, own in self._tables(room):
            try:
                yield name, kind.model_validate(own)
            except ValidationError as error:
                first = error.errors()[0]
                said = str(first["msg"]).removeprefix("Value error, ")
                if first["type"] == "extra_forbidden":
                    said = f"there is no such field; it has {', '.join(kind.model_fields)}"
                self._wrong((room, name, *map(str, first["loc"])), said)

    def _wrong(self, path: tuple[str, ...], said: str) -> None:
        self.faults.append(self.bare.fault(path, said))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _with_known_scale(kind: InteractionKind, before: InteractionKind | None) -> InteractionKind:
    """``kind`` with the scale that an import told, where the file says none."""
    return kind if kind.scale is not None or before is None else replace(kind, scale=before.scale)


def declare(store: Store, declared: Declared, now: datetime) -> bool:
    """Bring a declaration into the store; whether anything is different now. Doing it again changes nothing."""
    over_api = {name: one.config for name, one in readable(store.scenarios())[0].items() if one.origin == "api"}
    check_fallbacks({**DEFAULTS, **over_api, **declared.scenarios})
    before = store.kinds()
    kinds = [
        kind
        for name, one in declared.kinds.items()
        if before.get(name) != (kind := _with_known_scale(one, before.get(name)))
    ]
    store.declare_kinds(kinds)
    changed = store.declare_scenarios({name: kept(one) for name, one in declared.scenarios.items()}, now)
    store.put_timetable(declared.rows(), "file", now)
    return changed or bool(kinds)
