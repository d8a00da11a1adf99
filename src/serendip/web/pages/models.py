"""The versions: what was measured of them, as plots and in numbers, and what a ranker learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serendip.data.features.meaning import told_by
from serendip.domain import NotFound, checked_id
from serendip.evaluation import Table
from serendip.evaluation.gate import often
from serendip.flows.told import RankerTold, ranker_told
from serendip.pipeline import PipelineConfig
from serendip.store import Promotion, VersionRecord
from serendip.web import shapes
from serendip.web.pages.paper import page
from serendip.web.pages.plot import Bars, Curve, Dot, Plot, bars, curve, plot
from serendip.web.services import Parts

router = APIRouter(include_in_schema=False)

COLUMNS = ("ndcg", "recall", "hit-rate", "mrr", "map", "precision", "novelty")
ABOUT = {
    "replayed": "Each day's visitors are asked as that day begins, knowing all that happened by then: as it is used.",
    "frozen": "Everybody is asked once, at the cut in time.",
}


@dataclass(frozen=True)
class Measured:
    """One protocol's table, as a plot and in numbers."""

    protocol: str
    about: str
    table: Table
    plot: Plot
    columns: tuple[str, ...]
    places: Mapping[str, tuple[str, ...]]
    """The scenarios that each measured pipeline is live in."""


MOST_BARS = 12
"""Features that have a bar; all of them are in the table below."""


@dataclass(frozen=True)
class Ranked:
    """A version's ranker, told and drawn."""

    version: str
    told: RankerTold
    bars: Bars
    curves: tuple[Curve, ...]
    meanings: Mapping[str, str]
    """Of every feature, a line for people."""


@router.get("/models")
def models_page(request: Request, parts: Parts) -> Response:
    """What is live, what was measured, what the gate said."""
    live = parts.store.live()
    records = parts.store.versions()
    newest = next((record for record in records if record.manifest["measured"]["protocols"]), None)
    return page(
        request,
        "models.html",
        scenarios=[(name, live.get(name), parts.live.scenarios.get(name)) for name in parts.live.known],
        problems=parts.live.problems,
        versions=[(record, shapes.version_json(record, live)) for record in records],
        measured=[] if newest is None else tables(newest, records, live),
        rankers=[one for record in chosen(records, live) if (one := ranked(record)) is not None],
    )


@router.get("/models/{version:id}")
def version_page(request: Request, parts: Parts, version: str) -> Response:
    """One version: what it is made of and learnt from, what was measured of it, what its ranker looks at."""
    record = parts.store.version(checked_id(version, "version"))
    if record is None:
        raise NotFound(f"there is no version {version!r}; the page of models lists them")
    live = parts.store.live()
    return page(
        request,
        "version.html",
        record=record,
        shown=shapes.version_json(record, live),
        config=PipelineConfig.model_validate(record.manifest["pipeline"]),
        data=record.manifest["data"],
        ranker=ranked(record),
        measured=tables(record, parts.store.versions(), live),
    )


def chosen(records: Sequence[VersionRecord], live: Mapping[str, Promotion]) -> list[VersionRecord]:
    """The versions whose rankers the page of models shows: those that are live, else the newest that has one."""
    with_ranker = [record for record in records if record.manifest.get("ranker")]
    lively = {promotion.version for promotion in live.values()}
    return [record for record in with_ranker if record.id in lively] or with_ranker[:1]


def ranked(record: VersionRecord) -> Ranked | None:
    """The ranker of a version, drawn; None where it has none."""
    told = ranker_told(record.manifest)
    if told is None:
        return None
    most = [(name, part) for name, part in told.importances[:MOST_BARS] if part > 0]
    lines = [
        curve(f"{name} by the number of trees", reached, told.n_trees)
        for name, reached in sorted(told.curves.items(), key=lambda one: one[0] != told.stop_by)
        if len(reached) > 1
    ]
    title = f"Features of {record.name} by their part of all shares"
    return Ranked(
        record.id, told, bars(title, most), tuple(lines), {name: told_by(name) for name, _ in told.importances}
    )


def tables(newest: VersionRecord, records: Sequence[VersionRecord], live: Mapping[str, Promotion]) -> list[Measured]:
    """The tables that ``newest`` was measured in; a row is live where the live version has its very configuration."""
    configs = newest.manifest["measured"].get("pipelines", {})
    by_id = {record.id: record.manifest["pipeline"] for record in records}
    places: dict[str, tuple[str, ...]] = {
        name: tuple(sorted(scenario for scenario, one in live.items() if by_id.get(one.version) == config))
        for name, config in configs.items()
    }
    protocols = newest.manifest["measured"]["protocols"]
    return [_measured(name, Table.from_dict(protocols[name]), places) for name in ABOUT if name in protocols]


def about_of(table: Table) -> str:
    """How its protocol asks, and how often models were fitted again."""
    if table.refresh_days is None:
        return ABOUT[table.protocol]
    return f"{ABOUT[table.protocol]} All but what rankers learnt was fitted again {often(table.refresh_days)}."


def _measured(protocol: str, table: Table, places: Mapping[str, tuple[str, ...]]) -> Measured:
    k = table.metric.partition("@")[2]
    columns = tuple(name for wanted in COLUMNS if (name := f"{wanted}@{k}") in table.rows[0].metrics)
    dots = [
        Dot(
            row.name,
            row.metrics[table.metric].mean,
            row.metrics[table.metric].low,
            row.metrics[table.metric].high,
            places.get(row.name, ()),
            baseline=row.name not in places,
        )
        for row in table.rows
    ]
    return Measured(protocol, about_of(table), table, plot(f"{table.metric}, {protocol}", dots), columns, places)
