"""Recent popularity in what is live, fitted anew; everything else of a version stays as it was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serendip import models
from serendip.domain import NotFound, NotReady
from serendip.flows.gather import gather, up_to
from serendip.flows.live import pipeline_of
from serendip.flows.train import forget_old
from serendip.pipeline import PipelineConfig
from serendip.store import Artifacts, Store, VersionRecord

FRESH = ".fresh"
"""Ends the name of a refreshed version, so that such versions do not push measured ones out of those that are kept."""


@dataclass(frozen=True)
class Refreshed:
    """One version that took the place of another."""

    scenario: str
    was: str
    now: str


def refresh_popularity(
    store: Store, artifacts: Artifacts, now: datetime, progress: Callable[[str], None] = lambda _: None
) -> list[Refreshed]:
    """Put versions in place of the live ones whose popularity knows what was recorded before ``now``.

    Serving processes do so by themselves for a million interactions and fewer; beyond that it takes too long there.
    A scenario whose version was replaced meanwhile is left alone.
    """
    made: dict[str, str] = {}
    done = []
    for scenario, promotion in store.live().items():
        was = promotion.version
        if was not in made:
            progress(f"refreshing {was}")
            made[was] = _refreshed(store, artifacts, was, now)
        fresh = made[was]
        reason = f"recent popularity as of {now:%Y-%m-%d %H:%M} in {_base(store, was)}"
        if fresh != was and store.promote(scenario, fresh, now, reason, instead_of=was).version == fresh:
            done.append(Refreshed(scenario, was, fresh))
    for name in {record.name for version in made.values() if (record := store.version(version)) is not None}:
        if name.endswith(FRESH):
            forget_old(store, artifacts, name)
    return done


def _refreshed(store: Store, artifacts: Artifacts, version: str, now: datetime) -> str:
    """A version like ``version`` with fresh trends; itself where it follows none."""
    record = store.version(version)
    if record is None:
        raise NotFound(f"no version {version!r}; `serendip models` lists them")
    _, arrays = artifacts.load(version)
    manifest = record.manifest
    config = PipelineConfig.model_validate(manifest["pipeline"])
    if config.ranker is None and not any(models.KINDS[one.model].trend for one in (*config.sources, *config.fallback)):
        return version
    try:
        fitted = pipeline_of(manifest, arrays)
    except NotReady as error:
        raise NotReady(f"version {version} cannot be refreshed: {error}") from None
    data = up_to(gather(store, until=now, items=fitted.items, users=fitted.users), now)
    fresh = fitted.refreshed(data, past_days=config.past_days)
    named: dict[str, Any] = {
        **manifest,
        "name": str(manifest["name"]).removesuffix(FRESH) + FRESH,
        "refreshed": {"of": _base(store, version)},
    }
    new = artifacts.save(named, {**arrays, **fresh.arrays()})
    if store.version(new) is None:
        store.add_version(VersionRecord(new, record.name.removesuffix(FRESH) + FRESH, now, named))
    return new


def _base(store: Store, version: str) -> str:
    """The version that was trained and measured, of which ``version`` is a refreshed one."""
    record = store.version(version)
    return str(record.manifest.get("refreshed", {}).get("of", version)) if record is not None else version
