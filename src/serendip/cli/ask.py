"""Ask what is live: recommend, similar."""

from __future__ import annotations

import click

from serendip.cli.options import as_json, live, parse_moment, print_json, where


@click.command()
@click.argument("user", required=False)
@click.option("--history", metavar="ITEM,ITEM", help="Answer these items instead of a user's recorded history.")
@click.option("-n", "n", default=10, show_default=True, help="How many items.")
@click.option("--scenario", default="home", show_default=True, help="home, or for-you for personal rows.")
@click.option("--filter", "expression", metavar="EXPR", help="For example 'genre == \"drama\" and year >= 2000'.")
@click.option("--time", "time", metavar="MOMENT", help="Answer as of this moment.  [default: now]")
@click.option("--explain", is_flag=True, help="Say what each score is made of, and which past events gave how much.")
@where
@as_json
def recommend(
    user: str | None,
    history: str | None,
    n: int,
    scenario: str,
    expression: str | None,
    time: str | None,
    explain: bool,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """What USER would like to see next; a stranger gets the fallback."""
    from datetime import timedelta

    from serendip.domain import Interaction
    from serendip.flows.recommend import Ask, recommend, recommend_session
    from serendip.web.shapes import slate_json

    if (user is None) == (history is None):
        raise click.UsageError("name a USER or give --history, not both")
    now = parse_moment(time)
    ask = Ask(scenario=scenario, n=n, filter=expression, explain=explain)
    with live(database, artifacts) as (store, current):
        if user is not None:
            slate = recommend(store, current, user, ask, now)
        else:
            kinds = list(store.kinds()) or ["interaction"]
            just = now - timedelta(seconds=1)
            events = [Interaction("-", item.strip(), just, kinds[0]) for item in (history or "").split(",")]
            slate = recommend_session(store, current, events, ask, now)
        items = store.items_by_id([one.item for one in slate.items] + [r.item for o in slate.items for r in o.reasons])
        if json:
            print_json(slate_json(slate, items))
            return
        from serendip.cli.show import show_slate
        from serendip.domain import Item
        from serendip.web.pages.why import about, why

        person = None if user is None else store.user(user)
        told = {
            one.item: why(one, about(current, slate.scenario, items.get(one.item) or Item(one.item), person))
            for one in slate.items
        }
        show_slate(slate, items, told)


@click.command()
@click.argument("item")
@click.option("-n", "n", default=10, show_default=True, help="How many items.")
@click.option("--scenario", default="for-you", show_default=True, help="Whose model says what is alike.")
@click.option("--filter", "expression", metavar="EXPR", help="Only items that pass.")
@where
@as_json
def similar(
    item: str,
    n: int,
    scenario: str,
    expression: str | None,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Items that are like ITEM."""
    from serendip.flows.recommend import similar
    from serendip.web.shapes import neighbours_json

    with live(database, artifacts) as (store, current):
        source, found = similar(store, current, item, n, parse_moment(None), scenario, expression)
        items = store.items_by_id([one for one, _ in found])
        if json:
            print_json(neighbours_json(item, source, found, items))
            return
        from serendip.cli.show import show_neighbours

        show_neighbours(item, source, found, items)
