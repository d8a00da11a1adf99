"""Versions: train, evaluate, models, promote, rollback."""

from __future__ import annotations

from typing import Literal

import click

from serendip.cli.access import note
from serendip.cli.options import (
    as_json,
    clock,
    declare_file,
    declared_kinds,
    files,
    opened,
    parse_pairs,
    parse_settings,
    print_json,
    where,
)

PIPELINES = click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
MODELS = click.option(
    "--model", "models", multiple=True, metavar="PIPELINE", help="Another way to name one.  [repeatable]"
)
SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the models, for example n_factors=128.  [repeatable]",
)
MAP = click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column of the files is user, item, value, at.",
)
SEED = click.option(
    "--seed", default=0, type=click.IntRange(min=0), show_default=True, help="The same seed gives the same models."
)


@click.command()
@PIPELINES
@SETTINGS
@SEED
@click.option("--scenario", metavar="NAME", help="Train what this scenario declares.")
@click.option("--promote", "promoting", is_flag=True, help="Then put the best where the gate lets it.")
@click.option(
    "--features",
    metavar="URL",
    help="Rankers practise on this feature table's rows (`features build`), not on the past.",
)
@where
@as_json
def train(
    pipelines: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    scenario: str | None,
    promoting: bool,
    features: str | None,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Measure pipelines on the last tenth of time, refit them on everything, and keep them as versions.

    PIPELINE is a kind of model (als, ease, item-knn, again), popular, popular-7-days, or several joined by +, such as
    again+ease*0.5+popular-7-days*0.2. Without any, those that the scenarios declare are trained, or the usual ones.
    """
    from serendip.cli.show import out, show_table, steps
    from serendip.flows.features import read_feature_table
    from serendip.flows.promote import publish
    from serendip.flows.train import configs_of, train

    with opened(database, artifacts) as (store, kept), steps(quiet=json) as progress:
        now = clock()
        declare_file(store)
        configs = configs_of(store, pipelines, parse_settings(settings), scenario)
        shown = None if features is None else read_feature_table(features).shown
        trained = train(store, kept, configs, now, seed, progress, shown)
        said = publish(store, trained.versions, now) if promoting else []
        live = {name: one.version for name, one in store.live().items()}
    if json:
        tables = {name: table.to_dict() for name, table in trained.tables.items()}
        print_json(
            {
                "versions": trained.versions,
                "measured": tables,
                "left_out": trained.left_out,
                "decisions": said,
                "live": live,
            }
        )
        return
    for table in trained.tables.values():
        show_table(table)
    for name, why in trained.left_out.items():
        out.print(f"left out {name}: {why}", style="yellow", markup=False)
    for version in trained.versions:
        out.print(f"kept {version}")
    for sentence in said:
        out.print(sentence, markup=False)
    if not promoting:
        out.print("nothing was promoted; `serendip promote VERSION` makes one live", style="dim")


@click.command()
@PIPELINES
@MODELS
@SETTINGS
@SEED
@files
@click.option("--candidates", metavar="FILE", help="Rank only these items of each user: lines of user item item ...")
@click.option("--join-validation", is_flag=True, help="Learn from --validation too, for the final test.")
@MAP
@click.option(
    "--protocol",
    type=click.Choice(["replayed", "frozen"]),
    help="replayed: each user is asked at the start of every day of the test period. frozen: all are asked at the cut."
    "  [default: replayed for a split in time, else frozen]",
)
@click.option(
    "--split",
    default="time:0.1",
    show_default=True,
    metavar="SPLIT",
    help="time:SHARE; or, only for comparison with papers, last-out, random:SHARE[:SEED], kfold:N[:SEED].",
)
@click.option("--scenario", metavar="NAME", help="All answer under the rules of this scenario.")
@click.option("--diverse-by", metavar="ATTRIBUTE", help="What the metric diversity is measured over, such as tags.")
@click.option("--refresh", metavar="DAYS", help="Refit all models every so many days, for example 1d (replayed only).")
@click.option("--metrics", metavar="NAME@K,...", help="What the table holds, such as recall@20,ndcg@20; or rmse,mae.")
@click.option(
    "-k", "k", default=10, type=click.IntRange(min=1), show_default=True, help="Length, where --metrics says none."
)
@where
@as_json
def evaluate(
    pipelines: tuple[str, ...],
    models: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    data: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    items: str | None,
    users: str | None,
    candidates: str | None,
    join_validation: bool,
    columns: tuple[str, ...],
    protocol: Literal["replayed", "frozen"] | None,
    split: str,
    scenario: str | None,
    diverse_by: str | None,
    refresh: str | None,
    metrics: str | None,
    k: int,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Compare pipelines on the recorded interactions, or on files alone, without keeping anything.

    Models of ratings (svd, nmf) named alone, or --metrics rmse,mae, are measured by the errors of predicted ratings.
    """
    from serendip.cli.show import show_ratings, show_table, steps
    from serendip.domain import Invalid
    from serendip.evaluation import RatingTable, parse_metrics
    from serendip.flows.measure_files import Files, configs_for, evaluate_files
    from serendip.flows.train import configs_of, evaluate

    wanted = [str(one) for one in parse_metrics(metrics.split(",") if metrics else (), k)]
    chosen, pipelines = parse_settings(settings), pipelines + models
    if data or train or validation or test or candidates or join_validation or columns or items or users:
        if scenario or diverse_by:
            raise Invalid("--scenario and --diverse-by are for what the store holds, not for files", field="scenario")
        named = parse_pairs(columns, "--map")
        files = Files(data, train, validation, test, candidates, named, items, users, declared_kinds())
        with steps(quiet=json) as progress:
            table = evaluate_files(
                files, configs_for(pipelines, chosen), split, protocol=protocol, join_validation=join_validation,
                refresh=refresh, k=k, metrics=wanted, seed=seed, progress=progress,
            )  # fmt: skip
    else:
        with opened(database, artifacts) as (store, _), steps(quiet=json) as progress:
            configs = configs_of(store, pipelines, chosen)
            table = evaluate(store, configs, protocol, split, refresh, k, seed, progress, wanted, scenario, diverse_by)
    if json:
        print_json(table.to_dict())
    elif isinstance(table, RatingTable):
        show_ratings(table)
    else:
        show_table(table, wanted or tuple(f"{name}@{k}" for name in ("ndcg", "recall", "hit-rate", "mrr")))


@click.command()
@click.argument("version", required=False)
@where
@as_json
def models(version: str | None, json: bool, database: str | None, artifacts: str | None) -> None:
    """The versions that are kept, and which are live; with VERSION, its ranker and its measurements."""
    from serendip.cli.show import show_version, show_versions
    from serendip.domain import NotFound
    from serendip.web.shapes import version_json

    with opened(database, artifacts) as (store, _):
        live = store.live()
        if version is not None:
            record = store.version(version)
            if record is None:
                raise NotFound(f"no version {version!r}; `serendip models` lists them")
            if json:
                print_json(version_json(record, live))
            else:
                show_version(record, live)
            return
        records = store.versions()
        if json:
            print_json({"versions": [version_json(record, live) for record in records]})
        else:
            show_versions(records, live)


@click.command()
@click.argument("version")
@click.option("--scenario", default="home", show_default=True, help="Where it should be live.")
@click.option("--override", metavar="REASON", help="Promote although the gate refuses; the reason is kept.")
@where
@as_json
def promote(
    version: str, scenario: str, override: str | None, json: bool, database: str | None, artifacts: str | None
) -> None:
    """Make VERSION live, if it is better than what is live and than popular items beyond the noise."""
    from serendip.cli.show import out
    from serendip.flows.promote import promote
    from serendip.web.shapes import promotion_json

    with opened(database, artifacts) as (store, kept):
        now = clock()
        done = promote(store, kept, version, scenario, now, override)
        note(store, now, "promote_model", scenario, version=done.version, override=override)
    if json:
        print_json(promotion_json(done))
    else:
        out.print(f"{done.scenario} is now {done.version}: {done.reason}", markup=False)


@click.command()
@click.option("--scenario", default="home", show_default=True, help="Where.")
@click.option("--reason", metavar="REASON", help="Kept with the decision.")
@where
@as_json
def rollback(scenario: str, reason: str | None, json: bool, database: str | None, artifacts: str | None) -> None:
    """Make the version live again that was live before; takes effect at once."""
    from serendip.cli.show import out
    from serendip.flows.promote import rollback
    from serendip.web.shapes import promotion_json

    with opened(database, artifacts) as (store, kept):
        now = clock()
        done = rollback(store, kept, scenario, now, reason)
        note(store, now, "rollback_model", scenario, version=done.version, reason=reason)
    if json:
        print_json(promotion_json(done))
    else:
        out.print(f"{done.scenario} is now {done.version}: {done.reason}", markup=False)
