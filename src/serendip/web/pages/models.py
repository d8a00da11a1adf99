"""The table of models with their intervals, as a plot and in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serendip.evaluation import Table
from serendip.store import Promotion, VersionRecord
from serendip.web import shapes
from serendip.web.pages.paper import page
from serendip.web.pages.plot import Dot, Plot, plot
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
    return Measured(protocol, ABOUT[protocol], table, plot(f"{table.metric}, {protocol}", dots), columns, places)
