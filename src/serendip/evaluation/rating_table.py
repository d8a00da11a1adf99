"""What a comparison of predicted ratings found, as a value that can be kept and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from serendip.domain import NotFound
from serendip.evaluation.bootstrap import Estimate
from serendip.evaluation.split import SplitName
from serendip.evaluation.table import Difference, aligned


@dataclass(frozen=True)
class RatingRow:
    """How one model, or one of the baselines ``mean`` and ``biases``, did over all folds."""

    name: str
    metrics: Mapping[str, Estimate]
    """``rmse`` and ``mae``: the mean over the folds, and its 95% interval over users."""
    folds: Mapping[str, tuple[float, ...]]
    """The same of each fold."""
    vs: Mapping[str, Difference]
    """Against every other row, in the table's metric; below 0 is better."""
    silent: float
    """Share of ratings whose user has no history to go by; the biases answer for these."""
    fit_seconds: float
    """Mean over the folds."""

    @property
    def rmse(self) -> float:
        """The mean over the folds."""
        return self.metrics["rmse"].mean

    @property
    def mae(self) -> float:
        """The mean over the folds."""
        return self.metrics["mae"].mean

    @property
    def rmse_of_folds(self) -> tuple[float, ...]:
        """One a fold."""
        return self.folds["rmse"]


@dataclass(frozen=True)
class RatingTable:
    """Models that were asked for the same ratings."""

    split: SplitName
    metric: str
    """What differences are in."""
    shown: tuple[str, ...]
    """The metrics that were asked for."""
    n_folds: int
    n_ratings: int
    """How many were asked for, in all folds together."""
    n_users: int
    """Of these ratings."""
    seed: int
    notes: tuple[str, ...]
    """What a reader must know, a sentence each."""
    rows: tuple[RatingRow, ...]
    """The best first."""

    @property
    def parity_only(self) -> bool:
        """The split mixes past and future: for comparing with papers only."""
        return self.split != "time"

    def __str__(self) -> str:
        """What is asked, and a line a model with its errors and half the width of their intervals."""
        lines = [["", *self.shown]]
        for row in self.rows:
            cells = (row.metrics[name] for name in self.shown)
            lines.append([row.name, *(f"{one.mean:.4f} ±{(one.high - one.low) / 2:.4f}" for one in cells)])
        return "\n".join([self.about(), *aligned(lines), *self.notes])

    def about(self) -> str:
        """What is asked, in a line."""
        folds = f", {self.n_folds} folds" if self.n_folds > 1 else ""
        return f"ratings, split {self.split}{folds}: {self.n_ratings:,} ratings of {self.n_users:,} users"

    def row(self, name: str) -> RatingRow:
        """The row called ``name``."""
        for row in self.rows:
            if row.name == name:
                return row
        raise NotFound(f"the table has no row {name!r}; its rows are {', '.join(row.name for row in self.rows)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        plain = asdict(self)
        rows = [row | {"folds": {name: list(one) for name, one in row["folds"].items()}} for row in plain["rows"]]
        return plain | {"shown": list(self.shown), "notes": list(self.notes), "rows": rows}

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> RatingTable:
        """The table that ``plain`` was made of."""
        rows = tuple(_row(row) for row in plain["rows"])
        return RatingTable(**{**plain, "shown": tuple(plain["shown"]), "notes": tuple(plain["notes"]), "rows": rows})


def _row(plain: Mapping[str, Any]) -> RatingRow:
    read = {
        "metrics": {name: Estimate(**one) for name, one in plain["metrics"].items()},
        "folds": {name: tuple(one) for name, one in plain["folds"].items()},
        "vs": {name: Difference(**one) for name, one in plain["vs"].items()},
    }
    return RatingRow(**{**plain, **read})
