"""Any file whose lines are ``user item item ...``."""

from __future__ import annotations

from pathlib import Path

from serendip.domain import InteractionKind
from serendip.sources.datasets.known import LoadedSet, Part, Rows, file_in
from serendip.sources.delimited import Sequences
from serendip.sources.mapping import Mapping
from serendip.sources.sniffing import Layout


def sequences(path: Path) -> LoadedSet:
    """The file itself, or ``sequences.txt`` or ``train.txt`` in a folder; the order in a line stands in for moments."""
    layout = Layout(" ", False, ["user", "item", "position"], sequence=True)
    source = Sequences(file_in(path, "sequences.txt", "train.txt"), layout, "utf-8")
    notes = ["no moments: the order in a line stands in for them, a second apart from 1970-01-01"]
    mapping = Mapping({"user": "user", "item": "item", "at": "position"})
    part = Part("interactions", Rows(source, mapping, "interactions"))
    return LoadedSet("sequences", [part], [InteractionKind("interaction")], notes=notes)
