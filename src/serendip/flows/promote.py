"""Which version is live: the gate before it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from serendip.domain import Conflict, Invalid, NotFound
from serendip.evaluation import Table, judge
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.live import FOR_YOU, HOME, SCENARIOS, open_version
from serendip.flows.train import live_besides, measure_able
from serendip.pipeline import PipelineConfig
from serendip.store import Artifacts, Promotion, Store, VersionRecord


def promote(
    store: Store,
    artifacts: Artifacts,
    version: str,
    scenario: str,
    now: datetime,
    override: str | None = None,
) -> Promotion:
    """Make ``version`` live as ``scenario``, if the gate lets it or a person overrides with a reason.

    ``for-you`` takes any personal version and labels what is not better than popular items.
    """
    if scenario not in SCENARIOS:
        raise NotFound(f"no scenario {scenario!r}; the scenarios are {', '.join(SCENARIOS)}")
    record = store.version(version)
    if record is None:
        raise NotFound(f"no version {version!r}; `serendip models` lists them")
    pipeline = open_version(artifacts, version).pipeline
    if override is not None and not override.strip():
        raise Invalid("an override needs a reason; say why this version should go live", field="override")
    if scenario == FOR_YOU and not pipeline.personal:
        raise Conflict(f"{version} gives everybody the same answer; {FOR_YOU} takes personal versions only")
    reason = override
    if scenario == HOME and override is None:
        passed, reason = passes(store, record)
        if not passed:
            raise Conflict(f"{version} stays out: {reason}")
    return store.promote(scenario, version, now, reason, override is not None)


def passes(store: Store, record: VersionRecord) -> tuple[bool, str]:
    """What the gate says of a version against what is live now, measured again where it has not been."""
    live = store.live().get(HOME)
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
            data = with_attributes(store, gather(store), [config, *besides])
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


def publish(store: Store, versions: Sequence[str], now: datetime) -> list[str]:
    """Put the best of freshly trained ``versions`` where it belongs, and say in sentences what was decided.

    ``home`` gets the best that passes the gate, or a popularity version where nothing is live yet;
    ``for-you`` the best personal one.
    """
    records = [record for version in versions if (record := store.version(version)) is not None]
    ranked = sorted(records, key=_measured_ndcg, reverse=True)
    live = store.live().get(HOME)
    current = store.version(live.version) if live is not None else None
    verdicts = [(record, *passes(store, record)) for record in ranked]
    said, fitting = [], []
    for record, passed, sentence in verdicts:
        if not passed:
            said.append(f"{HOME} refuses {record.id}: {sentence}")
        elif record.manifest["personal"] or current is None or not _behind(record, current):
            fitting.append((record, sentence))
    if fitting:
        record, sentence = fitting[0]
        store.promote(HOME, record.id, now, sentence, override=False)
        said.append(f"{HOME} is now {record.id}: {sentence}")
    best = next((record for record in ranked if record.manifest["personal"]), None)
    mine = store.live().get(FOR_YOU)
    current = store.version(mine.version) if mine is not None else None
    if best is not None and current is not None and _behind(best, current):
        said.append(f"{FOR_YOU} stays {current.id}, which did better than {best.id}")
    elif best is not None:
        gate = best.manifest["gate"]
        store.promote(FOR_YOU, best.id, now, gate["sentence"], override=False)
        label = "" if gate["passed"] else "; its slates are labelled: not found better than popular items"
        said.append(f"{FOR_YOU} is now {best.id}{label}")
    return said


def _behind(record: VersionRecord, current: VersionRecord) -> bool:
    """Whether the live pipeline did better in the table of ``record``: popularity must not replace it then."""
    table, measured = _table(record), record.manifest["measured"]["pipelines"].items()
    if table is None:
        return bool(current.manifest["personal"])
    rows = [row for row, config in measured if _same(config, current.manifest["pipeline"])]
    return any(table.row(row).metrics[table.metric].mean > _measured_ndcg(record) for row in rows)


def _measured_ndcg(record: VersionRecord) -> float:
    table = _table(record)
    if table is None:
        return 0.0
    return table.row(str(record.manifest["pipeline"]["name"])).metrics[table.metric].mean


def rollback(store: Store, artifacts: Artifacts, scenario: str, now: datetime, reason: str | None = None) -> Promotion:
    """Make the version live again that was live before; nothing is computed."""
    if scenario not in SCENARIOS:
        raise NotFound(f"no scenario {scenario!r}; the scenarios are {', '.join(SCENARIOS)}")
    live = store.live().get(scenario)
    if live is None or live.previous is None:
        raise Conflict(f"{scenario} has no earlier version to go back to")
    open_version(artifacts, live.previous)
    return store.promote(scenario, live.previous, now, reason or f"rolled back from {live.version}", override=True)
