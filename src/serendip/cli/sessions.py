"""Sessions: answer a file of them, list what each was like, measure pipelines by them."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, opened, parse_moment, parse_pairs, parse_settings, print_json, where


@click.group()
def sessions() -> None:
    """Stretches of somebody's events, known or not: answer a file of them, list them, measure by them."""


@sessions.command("answer")
@click.argument("source")
@click.option("--to", "to", required=True, metavar="FILE", help='Ends in .json: {"target": {session: [item, ...]}}.')
@click.option("-n", "n", default=5, show_default=True, help="How many items each.")
@click.option("--scenario", default="home", show_default=True, help="Which scenario answers.")
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="For example user=session_id.")
@click.option(
    "--sessions-to", metavar="FILE", help="A row a session too: seconds, events, share of --take; .csv or .parquet."
)
@click.option("--take", default="cart", show_default=True, metavar="KIND,...", help="Whose share is counted.")
@click.option("--time", "time", metavar="MOMENT", help="Ask as of this moment.  [default: just after the last event]")
@where
@as_json
def answer(
    source: str, to: str, n: int, scenario: str, columns: tuple[str, ...], sessions_to: str | None, take: str,
    time: str | None, json: bool, database: str | None, artifacts: str | None,
) -> None:  # fmt: skip
    """What every session of SOURCE should see next, into one file.

    SOURCE is a file of events: as train.parquet of the data set inditex (session_id, user_id, partnumber,
    timestamp_local, add_to_cart), or any file of interactions whose users are the sessions.
    """
    from serendip.cli.show import bar, out
    from serendip.flows.recommend import Ask
    from serendip.flows.sessions import answer_sessions

    with opened(database, artifacts) as (store, kept), bar("sessions", None) as advance:
        done = answer_sessions(
            store, kept, source, Ask(scenario, n), Path(to), columns=parse_pairs(columns, "--map"),
            sessions_to=None if sessions_to is None else Path(sessions_to), kinds=take.split(","),
            now=None if time is None else parse_moment(time), progress=lambda n_done, _total: advance(n_done),
        )  # fmt: skip
    if json:
        print_json(done)
    else:
        said = f"{done['sessions']:,} sessions answered by {done['version']} are in {done['to']}"
        out.print(said + (f"; {done['short']:,} have fewer than {n} items" if done["short"] else ""), markup=False)


@sessions.command("list")
@click.option("--to", "to", required=True, metavar="FILE", help="A row a session; ends in .csv or .parquet.")
@click.option("--gap", default=30.0, show_default=True, metavar="MINUTES", help="A longer pause ends a session.")
@click.option("--take", default="cart", show_default=True, metavar="KIND,...", help="Whose share is counted.")
@where
@as_json
def list_(to: str, gap: float, take: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Every recorded session: whose, when, how many seconds and events, the share of carts."""
    from serendip.cli.show import out
    from serendip.flows.sessions import count_sessions

    with opened(database, artifacts) as (store, _):
        found = count_sessions(store, Path(to), take.split(","), gap)
    if json:
        print_json(found)
    else:
        out.print(
            f"{found['sessions']:,} sessions are in {found['to']}: median {found['median_seconds']:.0f} seconds, "
            f"{found['mean_events']:.1f} events on average; {found['mean_share']:.1%} of a session's events are "
            f"{take}, {found['with_any']:.1%} of the sessions have any",
            markup=False,
        )


@sessions.command("evaluate")
@click.argument("pipelines", nargs=-1, metavar="PIPELINE...")
@click.option("--find", metavar="KIND,...", help="What is to be found.  [default: all kinds of positive weight]")
@click.option(
    "--share", default=0.1, show_default=True, help="Of the events, the last in time: their sessions are asked."
)
@click.option("--gap", default=30.0, show_default=True, metavar="MINUTES", help="A longer pause ends a session.")
@click.option(
    "--anonymous", default="session:,basket:", show_default=True, metavar="BEGINNING,...",
    help="Users whose ids begin so are nobody known; an empty one: all.",
)  # fmt: skip
@click.option(
    "--metrics", default="recall@5,ndcg@5", show_default=True, metavar="NAME@K,...", help="The first is compared."
)
@click.option("--most", type=click.IntRange(min=1), help="Ask so many sessions at most, drawn by the seed.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of every model that has it.")
@click.option("--seed", default=0, show_default=True)
@where
@as_json
def evaluate(
    pipelines: tuple[str, ...], find: str | None, share: float, gap: float, anonymous: str, metrics: str,
    most: int | None, settings: tuple[str, ...], seed: int, json: bool, database: str | None, artifacts: str | None,
) -> None:  # fmt: skip
    """Pipelines on the last sessions, asked at the start and in the middle of each: known or not, warm or cold.

    Known: a customer. Warm: something is known of what the asker did, before or in this session. Intervals of 95%,
    beside recent popularity and chance.
    """
    from serendip.cli.show import out, steps
    from serendip.flows.sessions import evaluate_sessions
    from serendip.flows.train import configs_of

    with opened(database, artifacts) as (store, _), steps(quiet=json) as progress:
        configs = configs_of(store, pipelines, parse_settings(settings))
        table = evaluate_sessions(
            store, configs, anonymous.split(","), progress, fraction=share, find=find.split(",") if find else (),
            metrics=metrics.split(","), gap_minutes=gap, most=most, seed=seed,
        )  # fmt: skip
    if json:
        print_json(table.to_dict())
    else:
        out.print(str(table), markup=False, soft_wrap=True)
