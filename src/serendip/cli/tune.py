"""Searching for settings: tune."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from serendip.cli.options import as_json, declared_kinds, files, parse_pairs, print_json


@click.command()
@click.argument("pipelines", nargs=-1, metavar="PIPELINE...")
@click.option("--model", "models", multiple=True, metavar="PIPELINE", help="Another way to name one.  [repeatable]")
@files
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column of the files is user, item, value, at.",
)
@click.option(
    "--split",
    default="time:0.1",
    show_default=True,
    metavar="SPLIT",
    help="Of --data: cuts the test part off, which is not looked at, then the validation part off the rest.",
)
@click.option(
    "--space", "spaces", multiple=True, metavar="NAME=RANGE", help="16..128, 1..200:log or cosine|bm25.  [repeatable]"
)
@click.option("--trials", "n_trials", default=12, show_default=True, help="How many each pipeline gets.")
@click.option(
    "--search",
    type=click.Choice(["random", "grid", "halving", "optuna"]),
    default="random",
    show_default=True,
    help="grid: every combination of the values in --space NAME=a|b, whatever --trials says. "
    "halving: begin with few users; the best third goes on to three times as many. optuna: by what was reached "
    "before; needs serendip[tune].",
)
@click.option("--halving", is_flag=True, help="Short for --search halving.")
@click.option(
    "--metrics",
    metavar="NAME@K,...",
    help="The first decides, all are kept.  [default: ndcg@10, or rmse,mae for models of ratings]",
)
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same trials.")
@click.option(
    "--trials-file",
    default="trials.jsonl",
    show_default=True,
    metavar="FILE",
    help="Every trial, a line each; those that are there already are not done again.",
)
@as_json
def tune(
    pipelines: tuple[str, ...],
    models: tuple[str, ...],
    data: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    items: str | None,
    users: str | None,
    columns: tuple[str, ...],
    split: str,
    spaces: tuple[str, ...],
    n_trials: int,
    search: Literal["random", "grid", "halving", "optuna"],
    halving: bool,
    metrics: str | None,
    seed: int,
    trials_file: str,
    json: bool,
) -> None:
    """Search the settings of pipelines on validation data only, with the same budget for each.

    Trials are drawn at random from the space of each kind of model (see docs/measuring.md), or from --space. What is
    found is then measured once with `serendip evaluate PIPELINE --set ... --test FILE`.
    """
    from serendip.cli.show import show_tuned, steps
    from serendip.domain import Invalid
    from serendip.flows.measure_files import Files
    from serendip.flows.tune import tune

    if test is not None:
        raise Invalid("tuning does not look at a test part; leave --test out and give --validation", field="test")
    if not (pipelines := pipelines + models):
        raise Invalid("name what is to be searched, such as als or --model als", field="pipelines")
    with steps(quiet=json) as progress:
        found = tune(
            Files(
                data, train, validation, columns=parse_pairs(columns, "--map"), items=items, users=users,
                kinds=declared_kinds(),
            ),
            pipelines, Path(trials_file),
            spaces=parse_pairs(spaces, "--space"), split=split, n_trials=n_trials,
            search="halving" if halving else search, metrics=metrics.split(",") if metrics else (),
            seed=seed, progress=progress,
        )  # fmt: skip
    if json and found.best:
        print_json(asdict(found) | {"trials_file": trials_file})
    elif found.best:
        show_tuned(found, trials_file)
    if found.failed:
        reasons = "; ".join(f"every trial of {pipeline} failed: {why}" for pipeline, why in found.failed.items())
        raise Invalid(reasons, field="pipelines")
