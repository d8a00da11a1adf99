"""Searching for settings: tune."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from serendip.cli.options import as_json, files, parse_pairs, print_json


@click.command()
@click.argument("pipelines", nargs=-1, required=True, metavar="PIPELINE...")
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
@click.option("--halving", is_flag=True, help="Begin with few users; the best third goes on to three times as many.")
@click.option(
    "--metrics", default="ndcg@10", show_default=True, metavar="NAME@K,...", help="The first decides, all are kept."
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
    data: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    columns: tuple[str, ...],
    split: str,
    spaces: tuple[str, ...],
    n_trials: int,
    halving: bool,
    metrics: str,
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
    with steps(quiet=json) as progress:
        found = tune(
            Files(data, train, validation, columns=parse_pairs(columns, "--map")), pipelines, Path(trials_file),
            spaces=parse_pairs(spaces, "--space"), split=split, n_trials=n_trials, halving=halving,
            metrics=metrics.split(","), seed=seed, progress=progress,
        )  # fmt: skip
    if json:
        print_json(asdict(found) | {"trials_file": trials_file})
    else:
        show_tuned(found, trials_file)
