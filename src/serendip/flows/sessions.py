"""Sessions: a file of them answered at once, what each was like, and how good pipelines are for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from serendip.data.sessions import events_of, session_table, sessions_of
from serendip.domain import HISTORY_LIMIT, Interaction, Invalid, NotReady, checked_id, moment
from serendip.evaluation.sessions import SessionTable, compare_sessions
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.live import Live
from serendip.flows.recommend import Ask, recommend_histories
from serendip.flows.said import said_by
from serendip.pipeline import PipelineConfig
from serendip.sources import open_source
from serendip.sources.datasets import inditex
from serendip.sources.whole import all_interactions
from serendip.store import Artifacts, Store

CHUNK = 500
"""Sessions that are answered at a time."""

Progress = Callable[[int, int], None]
"""Told how many sessions of how many are done."""


def evaluate_sessions(
    store: Store,
    configs: Sequence[PipelineConfig],
    anonymous: Sequence[str],
    progress: Callable[[str], None] = lambda _: None,
    **asked: Any,
) -> SessionTable:
    """``configs`` on the recorded sessions; users whose ids begin with one of ``anonymous`` are nobody known.

    ``asked`` is what ``compare_sessions`` takes besides.
    """
    progress("reading interactions")
    data = gather(store, said=said_by(configs))
    if not len(data):
        raise Invalid("there are no interactions to measure on; `serendip import FILE --as interactions` first")
    # What a scenario leaves to another one is left to popularity here, or newcomers would be answered by nobody.
    usual = PipelineConfig.model_fields["fallback"].default
    configs = [one if one.fallback else one.model_copy(update={"fallback": usual}) for one in configs]
    data = with_attributes(store, data, configs)
    nobody = np.array([user.startswith(tuple(anonymous)) for user in data.users.ids], np.bool_)
    return compare_sessions(configs, data, nobody, progress=progress, **asked)


def count_sessions(store: Store, to: Path, kinds: Sequence[str], gap_minutes: float = 30.0) -> dict[str, Any]:
    """A row a recorded session into ``to``, and what all of them are like together."""
    data = gather(store)
    if not len(data):
        raise Invalid(
            "there are no interactions, so there is no session; `serendip import FILE --as interactions` first"
        )
    _check_kinds(kinds, [kind.name for kind in data.kinds])
    table = session_table(events_of(data, sessions_of(data, gap_minutes)), kinds)
    write_table(table, to)
    return {"to": str(to), **summary(table)}


def _check_kinds(asked: Sequence[str], known: Collection[str]) -> None:
    if strange := [name for name in asked if name not in known]:
        raise Invalid(
            f"there are no events of kind {strange[0]!r}; the kinds are {', '.join(sorted(known))}", field="take"
        )


def summary(table: pl.DataFrame) -> dict[str, Any]:
    """What the sessions of a ``session_table`` are like together."""
    return {
        "sessions": table.height,
        "median_seconds": float(np.median(table["seconds"].to_numpy())),
        "mean_events": float(table["events"].to_numpy().mean()),
        "mean_share": float(table["share"].to_numpy().mean()),
        "with_any": float((table["taken"].to_numpy() > 0).mean()),
    }


def answer_sessions(
    store: Store,
    artifacts: Artifacts,
    file: str,
    ask: Ask,
    to: Path,
    *,
    columns: Mapping[str, str] | None = None,
    sessions_to: Path | None = None,
    kinds: Sequence[str] = ("cart",),
    now: datetime | None = None,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Answer every session of ``file`` into ``to``: ``{"target": {session: [item, ..]}}``, best first.

    A session's own events are folded in; those of somebody known come after what was recorded of them. All are asked
    ``now``, or just after the last event of the file. ``sessions_to``: a row a session, as ``session_table`` has it,
    with the share of events of ``kinds``.
    """
    if to.suffix != ".json":
        raise Invalid(f"{to} does not end in .json; the answer is one JSON object", field="to")
    events = read_sessions(file, columns)
    now = now or moment(int(events["at"].to_numpy().max()) + 1)
    live = Live(store, artifacts)
    live.catch_up(now)
    scenario = live.scenario(ask.scenario)
    if sessions_to is not None:
        _check_kinds(kinds, {*store.kinds(), *events["kind"].unique()})
        write_table(session_table(events, kinds), sessions_to)
    whole = all(item.isdecimal() and str(int(item)) == item for item in scenario.pipeline.items.ids)
    target: dict[str, list[str] | list[int]] = {}
    total = events["session"].n_unique()
    for names, users, histories in _chunks(store, events):
        for name, slate in zip(names, recommend_histories(store, live, histories, users, ask, now), strict=True):
            items = [one.item for one in slate.items]
            target[name] = [int(item) for item in items] if whole else items
        progress(len(target), total)
    write_json({"target": target}, to)
    short = sum(len(items) < (ask.n or scenario.config.page_size) for items in target.values())
    return {
        "to": str(to), "scenario": scenario.name, "version": scenario.version, "sessions": len(target), "short": short
    }  # fmt: skip


def read_sessions(file: str, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Columns session, user, item, kind and at (microseconds) of a file, in its order; user is null for nobody known.

    A file as ``train.parquet`` of the set inditex tells session and customer apart (without a column of customers, all
    are nobody known). Any other is read as interactions,
    whose users are the sessions.
    """
    source = open_source(file)
    if columns or not inditex.has_sessions(source.columns):
        found = all_interactions(file, columns)
        if "at" not in found.columns:
            raise Invalid(f"{file} has no moments; say which column holds them with --map at=COLUMN", field="at")
        return found.select(
            pl.col("user").alias("session"), pl.lit(None, pl.String).alias("user"), "item", "kind", "at"
        )
    frames = []
    for checked in inditex.session_events(source).rows:
        if checked.errors:
            first = checked.errors[0]
            raise Invalid(f"{file}, line {first.line}: {first.field}: {first.what}", field=first.field)
        frames.append(checked.frame)
    if not frames:
        raise Invalid(f"{file} holds no sessions")
    nobody = pl.col("user").str.starts_with(inditex.SESSION)
    own = pl.col("context").str.json_path_match("$.session")
    found = pl.concat(frames).select(
        pl.when(nobody).then(pl.col("user").str.strip_prefix(inditex.SESSION)).otherwise(own).alias("session"),
        pl.when(nobody).then(None).otherwise(pl.col("user")).alias("user"),
        "item", "kind", "at",
    )  # fmt: skip
    if n_missing := found["session"].null_count():
        raise Invalid(f"{file} has {n_missing:,} events without a session; leave them out", field="session_id")
    return found


def _chunks(
    store: Store, events: pl.DataFrame
) -> Iterator[tuple[list[str], list[str | None], list[list[Interaction]]]]:
    """Sessions with whose they are and what is known of each: what was recorded before it, and its own events."""
    grouped = events.group_by("session", maintain_order=True).agg("user", "item", "kind", "at")
    for start in range(0, grouped.height, CHUNK):
        names, users, histories = [], [], []
        for name, who, items, kinds, moments in grouped.slice(start, CHUNK).iter_rows():
            user = next((one for one in who if one is not None), None)
            own = [
                Interaction(checked_id(user or name, "session"), item, moment(at), kind)
                for item, kind, at in zip(items, kinds, moments, strict=True)
            ]
            first = min(event.at for event in own)
            before = [] if user is None else store.history(user, first, HISTORY_LIMIT)
            names.append(name)
            users.append(user)
            histories.append([*before, *own])
        yield names, users, histories


def write_json(content: dict[str, Any], to: Path) -> None:
    """``content`` as one file, seen whole or not at all."""
    _whole_file(to, lambda draft: draft.write_bytes(orjson.dumps(content)))


def write_table(table: pl.DataFrame, to: Path) -> None:
    """A table as .csv or .parquet, seen whole or not at all."""
    writers: dict[str, Callable[[Path], Any]] = {".csv": table.write_csv, ".parquet": table.write_parquet}
    if to.suffix not in writers:
        raise Invalid(f"{to} ends in none of .csv, .parquet; the ending says the format", field="to")
    _whole_file(to, writers[to.suffix])


def _whole_file(to: Path, write: Callable[[Path], Any]) -> None:
    draft = to.with_name(to.name + ".part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        draft.replace(to)
    except OSError as error:
        raise NotReady(f"{to} could not be written: {error.strerror}; check the disk's room and rights") from None
    finally:
        draft.unlink(missing_ok=True)
