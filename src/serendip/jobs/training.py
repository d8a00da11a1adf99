"""Jobs that make versions of models, and that measure them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from serendip.evaluation import Protocol, Table, parse_metrics
from serendip.flows.promote import publish
from serendip.flows.refresh import refresh_popularity
from serendip.flows.train import configs_of, evaluate, train
from serendip.jobs.kind import JobKind, Refreshing, Skip, Work
from serendip.pipeline import PipelineConfig

HEAD = ("ndcg@10", "recall@10", "hit-rate@10", "mrr@10")
"""The numbers of a table that a training's record repeats."""


def _parsed(spec: str) -> str:
    PipelineConfig.parse(spec)
    return spec


Pipelines = tuple[Annotated[str, AfterValidator(_parsed)], ...]
"""As ``serendip train`` takes them; none: those that scenarios declare, or the usual ones."""


class TrainArguments(Refreshing):
    """What is trained, and whether the best goes live."""

    pipelines: Pipelines = ()
    scenario: str | None = None
    """Train what this one declares."""
    settings: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0, lt=2**63)
    promote: bool = True
    """Then put the best where the gate lets it."""


def run_train(work: Work, told: TrainArguments) -> dict[str, Any]:
    """Measure, refit, keep, and promote what the gate lets live."""
    if not work.store.counts().interactions:
        raise Skip("there are no interactions to learn from yet")
    configs = configs_of(work.store, told.pipelines, told.settings, told.scenario)
    trained = train(
        work.store, work.artifacts, configs, work.now, told.seed, lambda said: work.tell("train", message=said)
    )
    work.tell("promote" if told.promote else "done")
    said = publish(work.store, trained.versions, work.now, "job") if told.promote else []
    return {
        "versions": list(trained.versions),
        "left_out": dict(trained.left_out),
        "decisions": said,
        "live": {name: one.version for name, one in work.store.live().items()},
        "measured": {name: head_of(table) for name, table in trained.tables.items()},
    }


def head_of(table: Table) -> dict[str, dict[str, dict[str, float]]]:
    """Each pipeline's head numbers with their intervals."""
    return {
        row.name: {
            name: {"mean": one.mean, "low": one.low, "high": one.high}
            for name, one in row.metrics.items()
            if name in HEAD
        }
        for row in table.rows
    }


class EvaluateArguments(Refreshing):
    """What is compared, and how."""

    pipelines: Pipelines = ()
    scenario: str | None = None
    """All answer under the rules of this one."""
    settings: dict[str, Any] = Field(default_factory=dict)
    protocol: Protocol | None = None
    split: str = "time:0.1"
    refresh: str | None = None
    k: int = Field(default=10, ge=1, le=10_000)
    metrics: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, lt=2**63)


def run_evaluate(work: Work, told: EvaluateArguments) -> dict[str, Any]:
    """A table on what is recorded; nothing is kept but the job's record."""
    if not work.store.counts().interactions:
        raise Skip("there are no interactions to measure on yet")
    configs = configs_of(work.store, told.pipelines, told.settings)
    wanted = [str(one) for one in parse_metrics(told.metrics, told.k)]
    table = evaluate(
        work.store, configs, told.protocol, told.split, told.refresh, told.k, told.seed,
        lambda said: work.tell("evaluate", message=said), wanted, told.scenario,
    )  # fmt: skip
    return table.to_dict()


def run_popularity(work: Work, _told: Refreshing) -> dict[str, Any]:
    """Versions with fresh trends in place of the live ones."""
    if not work.store.live():
        raise Skip("nothing is live yet")
    work.tell("popularity")
    done = refresh_popularity(work.store, work.artifacts, work.now, lambda said: work.tell("popularity", message=said))
    return {"refreshed": [asdict(one) for one in done]}


KINDS = (
    JobKind(
        "train",
        "Measure pipelines, refit them on everything, keep them as versions, and let the best live.",
        TrainArguments,
        run_train,
        skips_unchanged=True,
    ),
    JobKind(
        "evaluate",
        "Compare pipelines on what is recorded, without keeping any.",
        EvaluateArguments,
        run_evaluate,
        skips_unchanged=True,
    ),
    JobKind(
        "popularity",
        "Fit recent popularity anew in what is live; serving does so by itself for up to a million interactions.",
        Refreshing,
        run_popularity,
        skips_unchanged=True,
    ),
)
