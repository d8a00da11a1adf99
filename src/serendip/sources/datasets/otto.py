"""OTTO: a shop's sessions with their clicks, carts and orders, one session a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from serendip.domain import InteractionKind
from serendip.sources.datasets.known import LoadedSet, file_in, rows
from serendip.sources.json_lines import JsonLines
from serendip.sources.source import Batch, Reshaped, RowError

KINDS = [
    InteractionKind("clicks", weight=1.0, hides=False),
    InteractionKind("carts", weight=3.0, hides=False),
    InteractionKind("orders", weight=6.0, hides=False),
]
"""Weights in the ratio in which the publisher's contest counts them; a viewed product is the likeliest to be bought."""


def otto(path: Path) -> LoadedSet:
    """``train.jsonl`` (or the file itself): sessions as users."""
    raw = JsonLines(file_in(path, "train.jsonl", "otto-recsys-train.jsonl", "test.jsonl"), "utf-8")
    events = Reshaped(raw, ["user", "item", "at", "kind"], _explode, "events")
    return LoadedSet("otto", [rows(events, "interactions", "user item at kind")], KINDS)


def _explode(batch: Batch) -> Batch:
    """A row for each event; a session whose events are no list of objects is an error."""
    cells: dict[str, list[str | None]] = {"user": [], "item": [], "at": [], "kind": []}
    lines, errors = [], list(batch.errors)
    sessions = zip(batch.lines.tolist(), batch.frame["session"], batch.frame["events"], strict=True)
    for line, session, text in sessions:
        events = _events(text)
        if events is None:
            what = "is not a list of events, each an object with aid, ts and type"
            errors.append(RowError(line, "events", what, text and text[:80]))
            continue
        for event in events:
            cells["user"].append(session)
            for name, key in (("item", "aid"), ("at", "ts"), ("kind", "type")):
                cells[name].append(None if event.get(key) is None else str(event[key]))
            lines.append(line)
    frame = pl.DataFrame({name: pl.Series(column, dtype=pl.String) for name, column in cells.items()})
    return Batch(frame, np.array(lines, np.int64), sorted(errors, key=lambda error: error.line), done=batch.done)


def _events(text: str | None) -> list[dict[str, Any]] | None:
    try:
        events = json.loads(text or "")
    except ValueError:
        return None
    return events if isinstance(events, list) and all(isinstance(event, dict) for event in events) else None
