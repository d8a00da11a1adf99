"""Groups of customers with the curve that says how many there should be; kept, and made anew only for other data."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.bundle import MANIFEST, read_bundle, write_bundle
from serendip.data import Dataset, Vocabulary
from serendip.domain import Invalid, NotReady, micros
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.scenarios import scenarios_of
from serendip.flows.sessions import write_table
from serendip.models.segments import NOBODY, SegmentsConfig, elbow, features_of, grouped
from serendip.pipeline import PipelineConfig
from serendip.store import Artifacts, Store

ROOM = "segments"
"""The folder beside the versions that holds groupings, one by the digest of what it was made of."""

KEEP = 5
"""Groupings that are kept, the latest ones."""


@dataclass(frozen=True)
class Segmented:
    """Everybody's group, and the curves of other numbers of groups."""

    columns: tuple[str, ...]
    n_segments: int
    elbow: int
    """Where the curve bends most."""
    inertia: tuple[float, ...]
    """With 1, 2, ... groups."""
    silhouettes: tuple[float, ...]
    """NaN of one group."""
    groups: tuple[dict[str, float], ...]
    """For each its size and the medians of its columns, the largest first."""
    unknown: int
    """Users who belong to none: one of the columns is missing, or there is no event."""
    reused: bool
    """The data are as they were when this was made, so it was not made again."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        silhouettes = [None if np.isnan(one) else one for one in self.silhouettes]
        return {**vars(self), "silhouettes": silhouettes}


EVENTS = ("R", "F", "M")
"""What people are grouped by where no column is named: days since the last event, how many, how much."""


def config_of(store: Store, model: str | None) -> SegmentsConfig:
    """The settings of the declared model of kind segments, of that name where there are several."""
    found: dict[str, Mapping[str, Any]] = {}
    for scenario in scenarios_of(store).values():
        config: PipelineConfig | None = scenario.config.pipeline
        for source in config.sources if config is not None else ():
            if source.model == "segments":
                found[source.name] = source.settings
    if model is None and len(found) > 1:
        raise Invalid(
            f"there are several models of segments: {', '.join(found)}; say which with --model", field="model"
        )
    if model is not None and model not in found:
        known = ", ".join(found) or "none"
        raise Invalid(f"no scenario has a model of segments called {model!r}; there is {known}", field="model")
    settings = next(iter(found.values()), {}) if model is None else found[model]
    return SegmentsConfig.model_validate(settings)


def segments(
    store: Store, artifacts: Artifacts, config: SegmentsConfig, now: datetime, to: Path | None = None, seed: int = 0
) -> Segmented:
    """Everybody's group as of ``now``; what was found before is read again where the data are the same.

    ``to``: a file with the group of every user, .csv or .parquet.
    """
    users, features = _features(store, config, now)
    told = f"{config.model_dump_json()} {seed} {features.shape} ".encode()
    digest = hashlib.blake2b(told + features.tobytes() + users.hashes.tobytes(), digest_size=12)
    folder = artifacts.folder / ROOM / digest.hexdigest()
    reused = (folder / MANIFEST).is_file()
    arrays = _read(folder) if reused else _make(folder, config, features, seed)
    label = arrays["label"]
    if to is not None:
        write_table(pl.DataFrame({"user": users.ids, "segment": label}).filter(pl.col("segment") != NOBODY), to)
    names = config.columns or EVENTS
    sizes = np.bincount(label[label != NOBODY], minlength=len(arrays["centres"]))
    numbers = np.sign(features) * np.expm1(np.abs(features))
    groups = [
        {"segment": float(one), "users": float(sizes[one])}
        | {name: float(np.median(numbers[label == one, place])) for place, name in enumerate(names)}
        for one in np.argsort(-sizes, kind="stable")
        if sizes[one]
    ]
    return Segmented(
        tuple(names), len(arrays["centres"]), elbow(arrays["inertia"]), tuple(arrays["inertia"].tolist()),
        tuple(arrays["silhouettes"].tolist()), tuple(groups), int((label == NOBODY).sum()), reused,
    )  # fmt: skip


def _features(store: Store, config: SegmentsConfig, now: datetime) -> tuple[Vocabulary, NDArray[np.float64]]:
    """Who there is, and what each is grouped by; (n_users, n_columns)."""
    if config.columns:
        _, ids = store.user_ids()
        users = Vocabulary(tuple(ids))
        nothing = np.empty(0, np.int32)
        bare = Dataset.of(nothing, nothing, users, Vocabulary(()))
        data = with_attributes(store, bare, [PipelineConfig.parse("segments", {"columns": list(config.columns)})])
    else:
        data = gather(store, until=now)
        if data.at is not None:
            data = data.before(micros(now))
    if not data.n_users:
        raise Invalid("there are no users to group; import some first")
    features, _ = features_of(config, data)
    if not np.isfinite(features).all(axis=1).any():
        raise Invalid("nobody did anything yet, so there is nothing to group by; import interactions first")
    return data.users, features


def _make(folder: Path, config: SegmentsConfig, features: NDArray[np.float64], seed: int) -> dict[str, NDArray[Any]]:
    """Group everybody and keep it, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = dict(grouped(features, config.n_segments, np.random.default_rng(seed))._asdict())
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        draft.mkdir(parents=True, exist_ok=True)
        write_bundle(draft, {"name": ROOM, "config": config.model_dump(mode="json"), "seed": seed}, arrays)
        draft.rename(folder)
        older = sorted(folder.parent.glob("[0-9a-f]*"), key=lambda one: one.stat().st_mtime)[:-KEEP]
        for one in older:
            shutil.rmtree(one, ignore_errors=True)
    except OSError as error:
        raise NotReady(f"{folder} cannot be written: {error.strerror}; check the disk's room and rights") from None
    return arrays


def _read(folder: Path) -> dict[str, NDArray[Any]]:
    try:
        return dict(read_bundle(folder)[1])
    except (OSError, Invalid) as error:
        raise NotReady(f"{folder} cannot be read ({error}); remove it, and it is made again") from None
