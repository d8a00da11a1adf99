"""Models put to the question that their metrics belong to: ranked lists, or predicted ratings."""

from __future__ import annotations

from collections.abc import Sequence

from serendip import models
from serendip.data import Dataset
from serendip.domain import Invalid
from serendip.evaluation.comparison import check_protocol, compare
from serendip.evaluation.measure import Progress
from serendip.evaluation.rating_table import RatingTable
from serendip.evaluation.ratings import METRICS, check_rates, compare_ratings
from serendip.evaluation.split import Split, splits_of
from serendip.evaluation.table import Protocol, Table
from serendip.evaluation.wanted import RATING, parse_metrics
from serendip.pipeline import PipelineConfig
from serendip.ranking import RulesConfig


def evaluate(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    split: str | Split | Sequence[Split] = "time:0.1",
    *,
    protocol: Protocol | None = None,
    k: int = 10,
    metrics: Sequence[str] = (),
    candidates: Dataset | None = None,
    refresh_days: float | None = None,
    seed: int = 0,
    progress: Progress = lambda _: None,
    rules: RulesConfig | None = None,
    diverse_by: str | None = None,
) -> Table | RatingTable:
    """``compare``, or ``compare_ratings`` where ``rmse`` or ``mae`` is asked for, or every model learns from ratings.

    ``split`` is as in ``splits_of``, or parts already made. Without ``protocol`` a split in time is replayed, any other
    frozen, and so are given ``candidates``. ``rules`` and ``diverse_by`` are for ranked lists alone.
    """
    wanted = [str(one) for one in parse_metrics(metrics, k)]
    if protocol is not None:
        check_protocol(protocol)
    if not rates(configs, wanted):
        parts = splits_of(data, split, seed=seed)
        in_time = parts[0].cut is not None and candidates is None
        return compare(
            configs,
            data,
            protocol or ("replayed" if in_time else "frozen"),
            parts,
            k=k,
            metrics=wanted,
            candidates=candidates,
            refresh_days=refresh_days,
            seed=seed,
            progress=progress,
            rules=rules,
            diverse_by=diverse_by,
        )
    if protocol == "replayed" or refresh_days is not None:
        raise Invalid("ratings are predicted at the cut; they cannot be replayed or refreshed", field="protocol")
    if candidates is not None:
        raise Invalid("ratings are predicted of the pairs that were rated, whatever the candidates", field="candidates")
    return compare_ratings(configs, splits_of(data, split, seed=seed), wanted or METRICS, seed, progress)


def rates(configs: Sequence[PipelineConfig], metrics: Sequence[str]) -> bool:
    """Whether predicted ratings are asked for: by a metric, or by naming nothing but models that learn from them."""
    errors = [name for name in metrics if name in RATING]
    if errors and len(errors) < len(metrics):
        lists = next(name for name in metrics if name not in RATING)
        raise Invalid(
            f"{errors[0]} is of predicted ratings and {lists} of ranked lists; ask for one sort at a time", "metrics"
        )
    if errors:
        for source in (source for config in configs for source in config.sources):
            check_rates(source.model)
    if metrics:
        return bool(errors)
    kinds = [models.kind_of(source.model) for config in configs for source in config.sources]
    return (
        bool(kinds)
        and all(kind.rates for kind in kinds)
        and all(len(config.sources) == 1 and config.ranker is None for config in configs)
    )
