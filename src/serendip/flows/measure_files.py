"""Published protocols with files alone: read, cut, compare; no store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serendip.data import Dataset, dataset_of, described
from serendip.domain import InteractionKind, Invalid
from serendip.evaluation import Protocol, RatingTable, Split, Table, evaluate, given_split, splits_of
from serendip.flows.train import USUAL, parse_days, with_settings
from serendip.pipeline import PipelineConfig
from serendip.sources import all_attributes, all_candidates, all_interactions, is_sequences

PARTS = ("data", "train", "validation", "test", "candidates")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Files:
    """What is measured: one file that is to be split, or parts that were split by others."""

    data: str | Path | None = None
    train: str | Path | None = None
    validation: str | Path | None = None
    test: str | Path | None = None
    candidates: str | Path | None = None
    """Lines ``user item ...``: what alone is ranked for each user."""
    columns: Mapping[str, str] | None = None
    """Our field -> the files' column, where it cannot be told."""
    items: str | Path | None = None
    """Attributes of items, a row each."""
    users: str | Path | None = None
    """Attributes of users, a row each."""
    kinds: Sequence[InteractionKind] = ()
    """What is declared of kinds of interaction; others count as events of weight 1."""

    def __post_init__(self) -> None:
        if self.data is not None and (self.train or self.test or self.validation):
            raise Invalid("give one file that is to be split (--data), or parts (--train, --test), not both", "data")
        if self.data is None and (self.train is None or (self.test is None and self.validation is None)):
            raise Invalid(
                "name a file that is to be split (--data), or parts: --train and --test or --validation", "data"
            )


@dataclass(frozen=True)
class Parts:
    """The rows of all files over the same vocabularies, and the file that each came from."""

    rows: Dataset
    part: NDArray[np.str_]
    """One of ``PARTS``; shape (n,)."""

    def of(self, *names: str) -> Dataset | None:
        """The rows of these files; None where there are none."""
        here = np.isin(self.part, names)
        return self.rows.take(here) if here.any() else None


def read_parts(files: Files, progress: Progress = lambda _: None) -> Parts:
    """Every file; moments only where all of them tell them."""
    paths = {name: path for name in PARTS if (path := getattr(files, name)) is not None}
    in_lines = any(is_sequences(path) for name, path in paths.items() if name != "candidates")
    frames = []
    for name, path in paths.items():
        progress(f"reading {path}")
        if name == "candidates":
            frames.append(all_candidates(path, files.columns).with_columns(part=pl.lit(name)))
            continue
        # Beside lines of items, a part with as many in each looks like a table; it is read as its neighbours are.
        as_lines = in_lines and Path(path).suffix == ".txt"
        frame = all_interactions(path, files.columns, "sequences" if as_lines else None)
        frames.append(frame.with_columns(part=pl.lit(name)))
    if not all("at" in frame.columns for frame in frames if frame["part"][0] != "candidates"):
        frames = [frame.drop("at", strict=False) for frame in frames]
    rows = pl.concat(frames, how="diagonal")
    if "at" in rows.columns:
        rows = rows.with_columns(pl.col("at").fill_null(0))
    told = described(
        dataset_of(rows, files.kinds),
        None if files.items is None else attributes_of(files.items, "items"),
        None if files.users is None else attributes_of(files.users, "users"),
    )
    return Parts(told, rows["part"].to_numpy().astype(np.str_))


def attributes_of(path: str | Path, as_: Literal["items", "users"]) -> pl.DataFrame:
    """The frame of a file of attributes: the column item or user with the ids, and the values as they are."""
    found = all_attributes(path, as_)
    names = list(dict.fromkeys(name for record in found.values() for name in record))
    who = as_.removesuffix("s")
    columns = [pl.Series(who, list(found), dtype=pl.String)]
    for name in names:
        if name == who:
            raise Invalid(f"{path}: the column {name!r} is no attribute beside the ids; give it another name", as_)
        columns.append(pl.Series(name, [record.get(name) for record in found.values()], dtype=pl.Object))
    return pl.DataFrame(columns)


def evaluate_files(
    files: Files,
    configs: Sequence[PipelineConfig],
    split: str = "time:0.1",
    *,
    protocol: Protocol | None = None,
    join_validation: bool = False,
    refresh: str | None = None,
    k: int = 10,
    metrics: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Table | RatingTable:
    """A comparison on files: on the last part by ``split`` of one, or on ``test`` of parts (``validation`` without it).

    ``validation`` is learnt from only where ``join_validation`` says so, as for the final test of what was tuned on it.
    Without ``protocol`` a split in time is replayed, any other frozen, and so are given candidates. Errors of predicted
    ratings where ``metrics`` are ``rmse`` or ``mae``, or where every model learns from ratings.
    """
    parts = read_parts(files, progress)
    cuts, notes = cuts_of(parts, split, seed, join_validation)
    if unknown := strangers(cuts):
        notes.append(f"{unknown:,} interactions to be found are of users without history, who are not asked")
    table = evaluate(
        configs,
        parts.of("data") or cuts[0].train,
        cuts,
        protocol=protocol,
        k=k,
        metrics=metrics,
        candidates=parts.of("candidates"),
        refresh_days=parse_days(refresh) if refresh is not None else None,
        seed=seed,
        progress=progress,
    )
    if isinstance(table, RatingTable):
        # There a user without history is answered by the biases, and the table says so.
        notes = [note for note in notes if "are not asked" not in note]
    return replace(table, notes=(*table.notes, *notes))


def cuts_of(parts: Parts, split: str, seed: int, join_validation: bool) -> tuple[list[Split], list[str]]:
    """What is learnt from and what is to be found, and what a reader must know of it."""
    if join_validation and (parts.of("validation") is None or parts.of("test") is None):
        raise Invalid("--join-validation needs --validation and --test beside --train", field="validation")
    if (whole := parts.of("data")) is not None:
        return splits_of(whole, split, seed=seed), []
    names = ("train", "validation") if join_validation else ("train",)
    train, test = parts.of(*names), parts.of("test") or parts.of("validation")
    assert train is not None
    assert test is not None
    unused = not join_validation and parts.of("test") is not None and parts.of("validation") is not None
    notes = ["the validation part was not learnt from; --join-validation adds it for a final test"] if unused else []
    return [given_split(train, test)], notes


def strangers(cuts: Sequence[Split]) -> int:
    """Interactions to be found whose user is not known in training."""
    count = 0
    for cut in cuts:
        known = np.bincount(cut.train.user_ix, minlength=cut.train.n_users) > 0
        count += int((~known[cut.test.user_ix]).sum())
    return count


def configs_for(specs: Sequence[str], settings: Mapping[str, Any]) -> list[PipelineConfig]:
    """The pipelines that ``specs`` name, or the usual ones that need no moments."""
    return with_settings(specs or [name for name in USUAL if "days" not in name], settings)
