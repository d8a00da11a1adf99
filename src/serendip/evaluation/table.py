"""What a comparison found, as a value that can be kept and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from serendip.domain import NotFound
from serendip.evaluation.bootstrap import Estimate
from serendip.evaluation.split import SplitName

Protocol = Literal["replayed", "frozen"]


SHOWN = 4
"""Metrics of a table that is printed."""


@dataclass(frozen=True)
class Difference:
    """How much better a pipeline is than another on the same queries, and the ends of the 95% interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Slice:
    """The table's first metric over some of the queries."""

    n_queries: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One pipeline."""

    name: str
    models: tuple[str, ...]
    """The kinds of its sources, and of its ranker."""
    personal: bool
    """Its answers depend on the history."""
    metrics: Mapping[str, Estimate]
    """Means over queries, such as ``ndcg@10``."""
    catalogue: Mapping[str, float]
    """What all slates together have, such as ``coverage@10``."""
    slices: Mapping[str, Slice]
    """newcomers: askers with few events. tail: only items that few have met are to be found."""
    vs: Mapping[str, Difference]
    """Against every other row, in the table's metric."""
    sources: tuple[str, ...] = ()
    """Of a ranked pipeline, the rows of its sources alone."""


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of as many cells each, whose columns stand below one another."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines]


@dataclass(frozen=True)
class Table:
    """Pipelines that were asked the same questions."""

    protocol: Protocol
    split: SplitName
    metric: str
    """What differences and slices are in, and what the gate looks at."""
    n_queries: int
    n_users: int
    cut: str | None
    """ISO; models know what was strictly before."""
    until: str | None
    """ISO; the end of the test period, exclusive."""
    window_days: float | None
    """Replayed: how long a window is."""
    refresh_days: float | None
    """Replayed: after how long everything but rankers was refitted; None: models are as of the cut, but for trends."""
    seed: int
    baselines: Mapping[str, str]
    """The row that each baseline has."""
    notes: tuple[str, ...]
    """What a reader must know, a sentence each."""
    rows: tuple[Row, ...]
    """The best first."""
    sampled: bool = False
    """Only given candidates were ranked, not the whole catalogue."""

    @property
    def parity_only(self) -> bool:
        """The split mixes past and future: for comparing with papers only."""
        return self.split != "time"

    def __str__(self) -> str:
        """What is asked, and a line a pipeline with its first metrics and half the width of their intervals."""
        shown = list(self.rows[0].metrics)[:SHOWN]
        lines = [["", *shown]]
        for row in self.rows:
            cells = (row.metrics[name] for name in shown)
            lines.append([row.name, *(f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}" for one in cells)])
        about = f"{self.protocol}, split {self.split}: {self.n_queries:,} questions of {self.n_users:,} users"
        ceilings = [f"{row.name}: {_ceiling(row)}" for row in self.rows if row.sources]
        return "\n".join([about, *aligned(lines), *ceilings, *self.notes])

    def row(self, name: str) -> Row:
        """The row called ``name``."""
        for row in self.rows:
            if row.name == name:
                return row
        raise NotFound(f"the table has no row {name!r}; its rows are {', '.join(row.name for row in self.rows)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        plain = asdict(self)
        return plain | {"notes": list(self.notes), "rows": [_plain(row) for row in plain["rows"]]}

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Table:
        """The table that ``plain`` was made of."""
        rows = tuple(_row(row) for row in plain["rows"])
        return Table(**{**plain, "notes": tuple(plain["notes"]), "rows": rows})


def _ceiling(row: Row) -> str:
    share = row.catalogue.get("candidate-recall")
    return "" if share is None else f"{share:.1%} of what was to be found was among the candidates"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"models": list(row["models"]), "sources": list(row["sources"])}


def _row(plain: Mapping[str, Any]) -> Row:
    return Row(
        plain["name"],
        tuple(plain["models"]),
        plain["personal"],
        {name: Estimate(**one) for name, one in plain["metrics"].items()},
        plain["catalogue"],
        {name: Slice(**one) for name, one in plain["slices"].items()},
        {name: Difference(**one) for name, one in plain["vs"].items()},
        tuple(plain.get("sources", ())),
    )
