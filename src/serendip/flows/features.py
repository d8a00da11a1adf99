"""Feature tables: the features of every row of a log as of its own moment, built once and read by training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip import __version__
from serendip.data import DAY, Dataset, Floats, dataset_of, described
from serendip.data.features import Feature, Features, parse_features, refuse_sources, usual_features
from serendip.data.features.definition import span_of
from serendip.data.features.moments import in_order
from serendip.domain import InteractionKind, Invalid, NotFound, micros
from serendip.flows.attributes import with_all_attributes
from serendip.flows.gather import gather
from serendip.flows.measure_files import attributes_of
from serendip.flows.scenarios import scenario_of
from serendip.pipeline import Shown
from serendip.sources import all_interactions
from serendip.store import Store
from serendip.store.feature_tables import FeatureTables, Manifest, column_names

FORMAT = 1
"""Raised when the same definitions over the same data give other numbers."""

BATCH_ROWS = 250_000
"""Rows of the log that are written together."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Label:
    """Which rows a table has, and what is to be told of them."""

    shown: str
    """The kind of the rows: what somebody was shown."""
    positive: str
    """The kind that makes a row positive, where it follows of the same user and item."""
    within: int = DAY
    """So many microseconds later at most."""

    def __post_init__(self) -> None:
        if self.within <= 0:
            raise Invalid("within is no time at all; write for example 1d, 12h or 30m", field="within")
        if self.shown == self.positive:
            raise Invalid(
                f"every {self.shown!r} would be its own positive; name the kind that follows what is shown", "positive"
            )

    def of(self, data: Dataset, among: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of every row of a log in order: whether it is of the kind that is shown, and whether it was followed.

        Neither, of users who are not ``among`` (n_users,) those that are looked at.
        """
        if among is not None:
            rows, out = np.flatnonzero(among[data.user_ix]), np.zeros((2, len(data)), np.bool_)
            out[:, rows] = self.of(data.take(rows))
            return out[0], out[1]
        names = [kind.name for kind in data.kinds]
        for kind in (self.shown, self.positive):
            if kind not in names:
                raise Invalid(f"there are no interactions of kind {kind!r}; the kinds are {', '.join(names)}", "shown")
        frame = pl.DataFrame({"user": data.user_ix, "item": data.item_ix, "at": data.at, "kind": data.kind})
        shown = data.kind == names.index(self.shown)
        positive = frame.filter(pl.col("kind") == names.index(self.positive)).with_columns(when="at")
        joined = frame.join_asof(
            positive.drop("kind"),
            on="at",
            by=["user", "item"],
            strategy="forward",
            tolerance=self.within,
            check_sortedness=False,
        )
        return shown, joined["when"].is_not_null().to_numpy() & shown


@dataclass(frozen=True)
class Built:
    """What became of a build."""

    name: str
    rows: int
    names: tuple[str, ...]
    made: bool
    """Nothing was to do where it was there already."""
    resumed: int
    """Batches that an interrupted build had left."""


@dataclass(frozen=True)
class FeatureTable:
    """The rows of a feature table as arrays, in order of time."""

    matrix: Floats
    """(n_rows, n_features); NaN where nothing was known."""
    label: NDArray[np.float32]
    """1 positive, 0 not, NaN where the table was built without; shape (n_rows,)."""
    group: NDArray[np.int32]
    """Rows that compete with one another: those of one user on one day; shape (n_rows,)."""
    at: NDArray[np.int64]
    settled: NDArray[np.int64]
    """From when on a label can no longer change: a cut in time may use only rows that were settled before it."""
    names: tuple[str, ...]
    definitions: tuple[Feature, ...]
    categories: dict[int, tuple[str, ...]]
    """The words of each number that is a category, by its position."""

    @property
    def shown(self) -> Shown:
        """The rows as a ranker practises on them."""
        return Shown(self.matrix, self.label, self.group, self.settled, self.definitions, self.categories)


def label_of(shown: str | None, positive: str | None, within: str) -> Label | None:
    """The label of two kinds and a span of time such as ``12h``; None where neither kind is named."""
    if shown is None and positive is None:
        return None
    if shown is None or positive is None:
        raise Invalid("--shown and --positive belong together: rows of one kind, followed by the other", field="shown")
    return Label(shown, positive, span_of(within, "within"))


def recorded(store: Store, vectors: Sequence[str] = ()) -> Dataset:
    """Everything in the store, oldest first, with all attributes."""
    return in_order(with_all_attributes(store, gather(store), vectors))[0]


def logged(
    file: str | Path,
    kinds: Sequence[InteractionKind] = (),
    items: str | Path | None = None,
    users: str | Path | None = None,
) -> Dataset:
    """The same from an event log and files of attributes, without a store."""
    return in_order(
        described(
            dataset_of(all_interactions(file), kinds),
            None if items is None else attributes_of(items, "items"),
            None if users is None else attributes_of(users, "users"),
        )
    )[0]


def looked_at(store: Store, scenario: str) -> tuple[str, ...]:
    """The features that the ranker of a scenario looks at, as they are written, less what its sources say."""
    config = scenario_of(store, scenario).config.pipeline
    if config is None or config.ranker is None:
        raise Invalid(f"{scenario} has no ranker, so no features; name one that has, or features", field="scenario")
    return tuple(feature.text for feature in config.ranker.features if feature.source is None)


def definitions_of(lines: Sequence[str], data: Dataset, label: Label | None = None) -> tuple[Feature, ...]:
    """The features that are named, else the usual ones of ``data``."""
    found = parse_features(lines) if lines else usual_features(data)
    refuse_sources(found)
    # What would be empty is refused before anything is written.
    Features.described(found, data.take(slice(0, 0)), np.random.default_rng(0))
    if label is not None:
        label.of(data.take(slice(0, 0)))
    return found


def build(
    data: Dataset,
    definitions: Sequence[Feature],
    to: FeatureTables,
    now: datetime,
    label: Label | None = None,
    batch_rows: int = BATCH_ROWS,
    progress: Progress = lambda _: None,
    share: float = 1.0,
) -> Built:
    """Write the features of ``data``, which is in order of time; go on where an interrupted build stopped.

    ``share``: only the rows of so many of the users, whole ones, the same every time; events of all are counted.

    The name says what is in it: other definitions, other data or another way of computing make another table.
    """
    refuse_sources(definitions)
    among = chosen_users(data, share)
    features = Features.described(definitions, data, np.random.default_rng(0))
    emit, positive = (among[data.user_ix], None) if label is None else label.of(data, among if share < 1 else None)
    columns, fingerprint = column_names(features.names), data.fingerprint()
    told = [FORMAT, [one.text for one in definitions], fingerprint, repr(label), batch_rows]
    told += [share] if share < 1 else []
    name = f"features_{hashlib.blake2b(repr(told).encode(), digest_size=6).hexdigest()}"
    manifest: Manifest = {
        "columns": columns,
        "definitions": [one.text for one in definitions],
        "categories": {str(position): list(words) for position, words in features.categories.items()},
        "fingerprint": fingerprint,
        "share": share,
        "label": None if label is None else {"shown": label.shown, "positive": label.positive, "within": label.within},
        "format": FORMAT,
        "version": __version__,
        "finished": None,
    }
    n_done, finished = to.begin(name, manifest)
    n_rows = int(emit.sum())
    if finished:
        return Built(name, n_rows, features.names, False, n_done)
    assert data.at is not None, "a log in order of time has moments"
    users, items = (np.array(names.ids, np.object_) for names in (data.users, data.items))
    batches = features.batches(data, emit, batch_rows, n_done * batch_rows)
    for number, (places, block) in enumerate(batches, start=n_done):
        keys = {
            "row": places,
            "user": pl.Series(users[data.user_ix[places]], dtype=pl.String),
            "item": pl.Series(items[data.item_ix[places]], dtype=pl.String),
            "at": data.at[places],
            "label": pl.Series([None] * len(places) if positive is None else positive[places], dtype=pl.Int8),
        }
        numbers = {column: block[:, place] for place, column in enumerate(columns)}
        to.append(name, number, pl.DataFrame({**keys, **numbers}))
        progress(min(1.0, (number + 1) * batch_rows / len(data)))
    kept = to.finish(name, {**manifest, "finished": micros(now)})
    return Built(name, kept, features.names, True, n_done)


def chosen_users(data: Dataset, share: float) -> NDArray[np.bool_]:
    """About ``share`` of the users, by their ids alone; shape (n_users,)."""
    if not 0 < share <= 1:
        raise Invalid(f"a share of {share:g} of the users is none; give more than 0 and at most 1", field="share")
    return np.asarray(data.users.hashes.astype(np.float64) < share * 2.0**64) | (share == 1)


def read_feature_table(url: str, name: str | None = None) -> FeatureTable:
    """A finished feature table of a database or a folder: the one called ``name``, else the one made last."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///").partition("?")[0]).is_file():
        raise NotFound(f"there is no feature table at {url}; make one with `serendip features build --to {url}`")
    tables = FeatureTables.at(url)
    try:
        found, manifest = tables.newest(name)
        whole = tables.rows(found)
    finally:
        tables.close()
    columns: list[str] = manifest["columns"]
    definitions = parse_features(manifest["definitions"])
    day = whole["at"] // DAY
    group = whole.select(pl.struct(pl.col("user"), day.alias("day")).rank("dense") - 1).to_series()
    return FeatureTable(
        whole.select(columns).to_numpy().astype(np.float32),
        whole["label"].cast(pl.Float32).fill_null(np.nan).to_numpy(),
        group.cast(pl.Int32).to_numpy(),
        whole["at"].to_numpy(),
        whole["at"].to_numpy() + (manifest["label"] or {}).get("within", 0),
        tuple(part for one in definitions for part in one.names),
        definitions,
        {int(position): tuple(words) for position, words in manifest["categories"].items()},
    )
