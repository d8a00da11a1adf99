"""Which version is live: the gate before it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from serendip.domain import Conflict, Invalid, NotFound
from serendip.evaluation import Table, judge
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.live import HOME, open_version
from serendip.flows.said import said_by
from serendip.flows.scenarios import Scenario, scenario_of, scenarios_of
from serendip.flows.train import live_besides, measure_able
from serendip.pipeline import Pipeline, PipelineConfig, ScenarioConfig
from serendip.pipeline.scenario import PEOPLE
from serendip.store import Act, Artifacts, Promotion, Store, VersionRecord


def promote(
    store: Store,
    artifacts: Artifacts,
    version: str,
    scenario: str,
    now: datetime,
    override: str | None = None,
) -> Promotion:
    """Make ``version`` live as ``scenario``, if its gate lets it or a person overrides with a reason.

    A personal gate takes any personal version and labels what is not better than popular items; an open one takes any.
    """
    config = scenario_of(store, scenario).config
    record = store.version(version)
    if record is None:
        raise NotFound(f"no version {version!r}; `serendip models` lists them")
    pipeline = open_version(artifacts, version).pipeline
    if override is not None and not override.strip():
        raise Invalid("an override needs a reason; say why this version should go live", field="override")
    if config.recommend != recommends(record) and not (config.recommend == "users" and knows_people(pipeline)):
        raise Conflict(f"{version} recommends {recommends(record)}, and {scenario} {config.recommend}")
    if config.gate == "personal" and not pipeline.personal:
        raise Conflict(f"{version} gives everybody the same answer; {scenario} takes personal versions only")
    reason = override
    if override is None and not suits(config, record):
        raise Conflict(
            f"{version} is not what {scenario} declares, {'+'.join(config.candidates)}; train that with "
            f"`serendip train --scenario {scenario}`, or override with a reason"
        )
    if config.gate == "better" and override is None:
        passed, reason = passes(store, record, scenario)
        if not passed:
            raise Conflict(f"{version} stays out: {reason}")
    return store.promote(scenario, version, now, reason, override is not None)


def recommends(record: VersionRecord) -> str:
    """items or users."""
    return str(record.manifest.get("recommends", "items"))


def knows_people(pipeline: Pipeline) -> bool:
    """Whether some source can say which people are alike."""
    return any(source.config.model in PEOPLE for source in pipeline.sources)


def suits(config: ScenarioConfig, record: VersionRecord) -> bool:
    """Whether a version is what a scenario declares, or popularity where the gate compares."""
    pipeline = record.manifest["pipeline"]
    if config.pipeline is None:
        # Without a fallback of its own it leans on its scenario's.
        return recommends(record) == config.recommend and bool(pipeline["fallback"])
    if config.gate == "better" and all(source["model"] == "popularity" for source in pipeline["sources"]):
        return True
    return _same(pipeline, config.pipeline.model_dump(mode="json"))


def passes(store: Store, record: VersionRecord, scenario: str = HOME) -> tuple[bool, str]:
    """What the gate says of a version against what is live now, measured again where it has not been."""
    live = store.live().get(scenario)
    current = store.version(live.version) if live is not None else None
    table = _table(record)
    if table is None:
        gate = record.manifest["gate"]
        return bool(gate["passed"]), str(gate["sentence"])
    name = str(record.manifest["pipeline"]["name"])
    against: str | None = None
    note = ""
    if current is not None and not _same(current.manifest["pipeline"], record.manifest["pipeline"]):
        measured = record.manifest["measured"]["pipelines"].items()
        against = next((row for row, config in measured if _same(config, current.manifest["pipeline"])), None)
        if against is None:
            config = PipelineConfig.model_validate(record.manifest["pipeline"])
            besides = live_besides(store, [config])
            data = with_attributes(store, gather(store, said=said_by([config, *besides])), [config, *besides])
            asked = measure_able([config, *besides], data, int(record.manifest["seed"]))
            live_config = PipelineConfig.model_validate(current.manifest["pipeline"])
            of_live = next(one.name for one in besides if one == live_config.model_copy(update={"name": one.name}))
            if (refused := asked.refused.get(of_live) or asked.refused.get(name)) is not None or not asked.tables:
                # The gate then looks at what was measured when the version was trained.
                note = f"; not compared with what is live, {current.id}: {refused or asked.unmeasured}"
            else:
                table, against = next(iter(asked.tables.values())), of_live
    verdict = judge(table, name, against, repeats(record))
    return verdict.passed, verdict.sentence + note


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two pipelines differ in nothing but the name."""
    return {**one, "name": ""} == {**other, "name": ""}


def repeats(record: VersionRecord) -> bool:
    """Whether some kind of interaction lets its items be shown again."""
    return any(not kind["hides"] and not kind["negative"] for kind in record.manifest["kinds"])


def _table(record: VersionRecord) -> Table | None:
    """What the gate looks at; None for popularity of data that was too small to be measured on."""
    protocols = record.manifest["measured"]["protocols"]
    return Table.from_dict(protocols.get("replayed") or next(iter(protocols.values()))) if protocols else None


def publish(store: Store, versions: Sequence[str], now: datetime, by: str = "terminal") -> list[str]:
    """Put the best of freshly trained ``versions`` where they belong, and say in sentences what was decided.

    Every scenario gets the best of those that it declares, or of all where it declares none: with the gate ``better``
    one that passes, or popularity where nothing is live yet; with ``personal`` and ``open`` the best measured.
    The audit log keeps what went live, and that ``by`` did it.
    """
    before = store.live()
    records = [record for version in versions if (record := store.version(version)) is not None]
    ranked = sorted(records, key=_measured_ndcg, reverse=True)
    said = []
    for scenario in scenarios_of(store).values():
        fitting = [record for record in ranked if suits(scenario.config, record)]
        if scenario.config.gate == "better":
            said += _publish_better(store, scenario.name, fitting, now)
        else:
            said += _publish_best(store, scenario, fitting, now)
    for name, one in store.live().items():
        if one.version in versions and one != before.get(name):
            store.note(Act(now, by, "promote_model", name, {"version": one.version, "reason": one.reason}))
    return said


def _publish_better(store: Store, scenario: str, ranked: Sequence[VersionRecord], now: datetime) -> list[str]:
    """The best that passes the gate, or popularity where nothing is live yet."""
    live = store.live().get(scenario)
    current = store.version(live.version) if live is not None else None
    said, fitting = [], []
    for record in ranked:
        passed, sentence = passes(store, record, scenario)
        if not passed:
            said.append(f"{scenario} refuses {record.id}: {sentence}")
        elif record.manifest["personal"] or current is None or not _behind(record, current):
            fitting.append((record, sentence))
    if fitting:
        record, sentence = fitting[0]
        store.promote(scenario, record.id, now, sentence, override=False)
        said.append(f"{scenario} is now {record.id}: {sentence}")
    return said


def _publish_best(store: Store, scenario: Scenario, ranked: Sequence[VersionRecord], now: datetime) -> list[str]:
    """The best measured, personal where the gate asks for that; one that did worse than what is live stays out."""
    name, config = scenario.name, scenario.config
    best = next((one for one in ranked if one.manifest["personal"] or config.gate == "open"), None)
    if best is None:
        return []
    live = store.live().get(name)
    current = store.version(live.version) if live is not None else None
    # What a scenario declares itself replaces anything; only where it takes whatever there is, it takes the best.
    if config.pipeline is None and current is not None and _behind(best, current):
        return [f"{name} stays {current.id}, which did better than {best.id}"]
    gate = best.manifest["gate"]
    store.promote(name, best.id, now, gate["sentence"], override=False)
    label = "" if gate["passed"] else f"; its slates carry the gate's note: {gate['sentence']}"
    return [f"{name} is now {best.id}{label}"]


def _behind(record: VersionRecord, current: VersionRecord) -> bool:
    """Whether the live pipeline did better in the table of ``record``: popularity must not replace it then."""
    table, measured = _table(record), record.manifest["measured"]["pipelines"].items()
    if table is None:
        return bool(current.manifest["personal"])
    rows = [row for row, config in measured if _same(config, current.manifest["pipeline"])]
    return any(table.row(row).metrics[table.metric].mean > _measured_ndcg(record) for row in rows)


def _measured_ndcg(record: VersionRecord) -> float:
    table = _table(record)
    if table is None or recommends(record) == "users":
        return 0.0
    return table.row(str(record.manifest["pipeline"]["name"])).metrics[table.metric].mean


def rollback(store: Store, artifacts: Artifacts, scenario: str, now: datetime, reason: str | None = None) -> Promotion:
    """Make the version live again that was live before; nothing is computed."""
    scenario_of(store, scenario)
    live = store.live().get(scenario)
    if live is None or live.previous is None:
        raise Conflict(f"{scenario} has no earlier version to go back to")
    open_version(artifacts, live.previous)
    return store.promote(scenario, live.previous, now, reason or f"rolled back from {live.version}", override=True)


def delete_version(store: Store, artifacts: Artifacts, version: str) -> None:
    """Forget a version and its arrays; one that is live somewhere is a Conflict."""
    if not store.drop_version(version):
        raise NotFound(f"no version {version!r}; `serendip models` lists them")
    artifacts.remove(version)
