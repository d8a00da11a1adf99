"""What a version's manifest tells of its ranker: what it learnt from, where it stopped, what counts, how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serendip.evaluation import Table
from serendip.evaluation.measure import CEILING
from serendip.models.rankers.boosted import HIT_RATE, STEP
from serendip.pipeline import PipelineConfig


@dataclass(frozen=True)
class Reached:
    """How a ranked pipeline did in one measured table."""

    protocol: str
    metric: str
    mean: float
    low: float
    high: float
    ceiling: float | None
    """The share of what was to be found that was among the candidates: no order can find more."""
    single: str | None
    """Its best single source,"""
    gap: tuple[float, float, float] | None
    """and how far above that it is, with the 95% interval."""


@dataclass(frozen=True)
class RankerTold:
    """The account that a manifest gives of a ranker."""

    kind: str
    library: str
    objective: str
    n_trees: int
    most_trees: int
    """That it was allowed."""
    stop_by: str
    best: float | None
    """What ``stop_by`` reached over the later questions."""
    curves: Mapping[str, Sequence[tuple[int, float]]]
    """Over the later questions: numbers of trees, and what was reached with them."""
    importances: tuple[tuple[str, float], ...]
    """Features with their parts of all shares over the later questions, the largest first."""
    dropped: tuple[str, ...]
    practice: Mapping[str, Any]
    reached: tuple[Reached, ...]

    @property
    def grown(self) -> str:
        """Where growing stopped, and why."""
        at = "" if self.best is None else f" ({self.stop_by} {self.best:.4f})"
        if self.n_trees >= self.most_trees:
            return f"all {self.n_trees:,} trees that were allowed{at}; more might help"
        return f"{self.n_trees:,} trees of {self.most_trees:,} allowed: more ordered the later questions no better{at}"

    @property
    def practised(self) -> str:
        """What it learnt from."""
        learnt, checked = self.practice["learnt"], self.practice["checked"]
        rows = (
            "what was shown" if self.practice.get("shown") else f"the past replayed in {self.practice['windows']} steps"
        )
        return (
            f"{learnt['questions']:,} questions with {learnt['rows']:,} rows of {rows}, "
            f"{learnt['taken']:,} of them taken; "
            f"{checked['questions']:,} later ones said when to stop"
        )

    @property
    def recall(self) -> float | None:
        """The share of what was taken, while it practised, that was among the candidates; none where it is not told."""
        found = self.practice.get("candidate_recall")
        return None if found is None else float(found)


def ranker_told(manifest: Mapping[str, Any]) -> RankerTold | None:
    """The account of the version's ranker; None where it has none."""
    told = manifest.get("ranker")
    config = PipelineConfig.model_validate(manifest["pipeline"])
    if not told or config.ranker is None:
        return None
    settings = config.ranker.ranker_settings()
    curves = {
        name: [(place * STEP if name == HIT_RATE else place, float(one)) for place, one in enumerate(values, start=1)]
        for name, values in told["curves"].items()
    }
    stop_by, best = next(iter(told["best"].items()))
    return RankerTold(
        kind=told["kind"],
        library=told["library"],
        objective=told["objective"],
        n_trees=told["n_trees"],
        most_trees=int(getattr(settings, "n_trees", told["n_trees"])),
        stop_by=stop_by,
        best=best or None,
        curves=curves,
        # A store keeps the names of an object in no order.
        importances=tuple(sorted(told["importances"].items(), key=lambda one: (-one[1], one[0]))),
        dropped=tuple(told["dropped"]),
        practice=told["practice"],
        reached=tuple(
            _reached(Table.from_dict(table), config.name)
            for _, table in sorted(manifest["measured"]["protocols"].items(), reverse=True)
        ),
    )


def _reached(table: Table, name: str) -> Reached:
    row = table.row(name)
    own = row.metrics[table.metric]
    single = max(row.sources, key=lambda one: table.row(one).metrics[table.metric].mean, default=None)
    gap = None if single is None else row.vs[single]
    return Reached(
        table.protocol, table.metric, own.mean, own.low, own.high, row.catalogue.get(CEILING), single,
        None if gap is None else (gap.difference, gap.low, gap.high),
    )  # fmt: skip
