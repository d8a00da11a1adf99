"""Data in, measured and frozen versions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from serendip import __version__
from serendip import pipeline as pipelines
from serendip.data import Dataset
from serendip.domain import Invalid, moment
from serendip.evaluation import Table, compare, judge
from serendip.flows.gather import gather
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.store import Artifacts, Store, VersionRecord

KEEP = 5
"""Versions of one pipeline that are kept; live ones and those a rollback would return to are kept besides."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What one training gave."""

    versions: tuple[str, ...]
    """In the order of the configs."""
    tables: Mapping[str, Table]
    """By protocol."""


def train(
    store: Store,
    artifacts: Artifacts,
    configs: Sequence[PipelineConfig],
    now: datetime,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Trained:
    """Measure every pipeline on the last tenth of time, refit it on everything, and keep it as a frozen version."""
    if len({config.name for config in configs}) < len(configs):
        raise Invalid("two pipelines have the same name; train them one after the other")
    progress("reading interactions")
    data = gather(store)
    if not len(data):
        raise Invalid("there are no interactions to learn from; `serendip import FILE --as interactions` first")
    current = [_config(store, promotion.version) for promotion in store.live().values()]
    measured = [*configs, *(one for one in current if one and one.name not in {c.name for c in configs})]
    tables = measure(measured, data, seed, progress)
    versions = []
    for config in configs:
        progress(f"fitting {config.name} on everything")
        fitted = pipelines.fit(config, data, seed)
        manifest = describe(fitted, data, seed) | {
            "measured": {
                "protocols": {name: table.to_dict() for name, table in tables.items()},
                "pipelines": {one.name: one.model_dump(mode="json") for one in measured},
            },
            "gate": asdict(judge(next(iter(tables.values())), config.name, None, allows_repeats(data))),
        }
        version = artifacts.save(config.name, manifest, fitted.arrays(), now)
        store.add_version(VersionRecord(version, config.name, now, manifest))
        versions.append(version)
        forget_old(store, artifacts, config.name)
    return Trained(tuple(versions), tables)


def measure(
    configs: Sequence[PipelineConfig], data: Dataset, seed: int = 0, progress: Progress = lambda _: None
) -> dict[str, Table]:
    """The tables that a version carries: replayed (the gate's) and frozen."""
    return {
        protocol: compare(configs, data, protocol=protocol, seed=seed, progress=progress)
        for protocol in ("replayed", "frozen")
    }


def allows_repeats(data: Dataset) -> bool:
    """Whether some kind of interaction lets its items be shown again."""
    return any(not kind.hides and not kind.negative for kind in data.kinds)


def describe(fitted: Pipeline, data: Dataset, seed: int) -> dict[str, Any]:
    """What a manifest says of a pipeline and of what it learnt from."""
    return {
        "pipeline": fitted.config.model_dump(mode="json"),
        "personal": fitted.personal,
        "kinds": [asdict(kind) for kind in fitted.kinds],
        "seed": seed,
        "code": __version__,
        "data": {
            "fingerprint": data.fingerprint(),
            "n_interactions": len(data),
            "n_users": data.n_users,
            "n_items": data.n_items,
            "until": None if data.at is None else moment(data.now).isoformat(),
        },
    }


def _config(store: Store, version: str) -> PipelineConfig | None:
    record = store.version(version)
    return PipelineConfig.model_validate(record.manifest["pipeline"]) if record is not None else None


def forget_old(store: Store, artifacts: Artifacts, name: str) -> None:
    """Drop versions of ``name`` beyond the last ``KEEP``, save those that are live or one step back."""
    live = store.live().values()
    needed = {promotion.version for promotion in live} | {promotion.previous for promotion in live}
    for record in store.versions(name)[KEEP:]:
        if record.id not in needed:
            store.drop_version(record.id)
            artifacts.remove(record.id)
