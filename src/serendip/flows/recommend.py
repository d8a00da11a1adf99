"""A history in, a slate out: for a user, for a session, for many; and what is alike."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from serendip.data import UNKNOWN, ItemLists, Queries
from serendip.domain import Interaction, Invalid, NotFound, Slate, SlateItem, checked_id
from serendip.flows.asking import askers
from serendip.flows.attributes import profiles_of
from serendip.flows.live import FOR_YOU, HOME, Live, LiveScenario
from serendip.ranking import NOTHING
from serendip.store import Store

MOST = 1000
"""The longest slate."""
NEW = "new"
"""The source of items that came after the version was trained."""


@dataclass(frozen=True)
class Ask:
    """What is asked for, whoever asks."""

    scenario: str = HOME
    n: int = 10
    filter: str | None = None
    """An expression over attributes; acts before the best are taken."""
    explain: bool = False
    items: tuple[str, ...] | None = None
    """Only among these."""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MOST:
            raise Invalid(f"n is {self.n}; ask for 1 to {MOST} items", field="n")


def recommend(store: Store, live: Live, user: str, ask: Ask, now: datetime) -> Slate:
    """The live pipeline's answer to what ``user`` did before ``now``; a stranger gets the fallback."""
    return recommend_many(store, live, [user], ask, now)[0]


def recommend_many(store: Store, live: Live, users: Sequence[str], ask: Ask, now: datetime) -> list[Slate]:
    """One slate a user, all of one version."""
    for user in users:
        checked_id(user, "user")
    scenario = live.scenario(ask.scenario)
    asking = askers(store, scenario.pipeline, scenario.rows, users, now)
    queries = replace(asking.queries, profile=profiles_of(store, scenario.pipeline, users))

    def seen(place: int) -> Collection[str]:
        return store.seen(users[place], kinds=scenario.hiding, until=now)

    slates = _answer(scenario, queries, asking.hidden, users, asking.known, seen, ask, now)
    for slate in slates:
        store.log_slate(slate)
    return slates


def recommend_session(store: Store, live: Live, history: Sequence[Interaction], ask: Ask, now: datetime) -> Slate:
    """The live pipeline's answer to events that belong to nobody known."""
    scenario = live.scenario(ask.scenario)
    seen = [event.item for event in history if event.kind not in scenario.showing and event.at < now]
    rows = scenario.pipeline.items.rows(seen)
    hidden = ItemLists.of([rows[rows != UNKNOWN]])
    queries = scenario.pipeline.queries([history], now)
    slate = _answer(scenario, queries, hidden, [None], [False], lambda _: seen, ask, now)[0]
    store.log_slate(slate)
    return slate


def _answer(
    scenario: LiveScenario,
    queries: Queries,
    hidden: ItemLists,
    users: Sequence[str | None],
    known: Sequence[bool],
    seen: Callable[[int], Collection[str]],
    ask: Ask,
    now: datetime,
) -> list[Slate]:
    """The pipeline answers, rows become ids; what is still short is filled with new items not ``seen`` by the asker."""
    pipeline = scenario.pipeline
    allowed = scenario.catalogue.allowed(now, ask.filter, ask.items)
    answers = pipeline.answer(queries, ask.n, hidden, allowed)
    explained = pipeline.explain(queries, answers, hidden, allowed) if ask.explain else None
    slates = []
    for q, asker in enumerate(users):
        items = pipeline.slate_items(queries, answers, q, explained[q] if explained else None)
        if len(items) < ask.n:
            items += _new_items(scenario, set(seen(q)), ask, now, ask.n - len(items))
        short = len(items) < ask.n
        slates.append(
            Slate(
                secrets.token_hex(8),
                scenario.name,
                scenario.version,
                now,
                asker,
                known[q],
                short,
                items,
                " ".join(filter(None, [_note(scenario, len(items), ask) if short else None, scenario.note])) or None,
            )
        )
    return slates


def _new_items(scenario: LiveScenario, seen: set[str], ask: Ask, now: datetime, n: int) -> tuple[SlateItem, ...]:
    """Up to ``n`` items that the version does not know yet, newest first."""
    fresh = scenario.catalogue.new_ids(now, ask.filter, ask.items)
    return tuple(SlateItem(item, 0.0, NEW) for item in [item for item in fresh if item not in seen][:n])


def _note(scenario: LiveScenario, n: int, ask: Ask) -> str:
    """Why a slate is short."""
    where = " that pass the filter" if ask.filter else " among those named" if ask.items is not None else ""
    total = len(scenario.catalogue.known.ids) + len(scenario.catalogue.newcomers.ids)
    return f"only {n} of {total} items{where} are available and not yet seen"


def similar(
    store: Store, live: Live, item: str, n: int, now: datetime, scenario: str = FOR_YOU, expression: str | None = None
) -> tuple[str, list[tuple[str, float]]]:
    """Who says so, and the items most alike ``item`` with their likeness, best first, as far as they may be shown."""
    if not 1 <= n <= MOST:
        raise Invalid(f"n is {n}; ask for 1 to {MOST} items", field="n")
    if store.item(item) is None:
        raise NotFound(f"no item {item!r}; list items to see which there are")
    found = live.scenario(scenario)
    row = found.pipeline.items.row(item)
    if row == UNKNOWN:
        return NEW, []
    allowed = found.catalogue.allowed(now, expression)
    # Some neighbours may be hidden: twice as many and a few more are asked for, all if that does not do.
    for k in (2 * n + 10, len(found.pipeline.items)):
        source, rows, likeness = found.pipeline.neighbours(np.array([row], np.int32), k)
        pairs = [(r, x) for r, x in zip(rows[0], likeness[0], strict=True) if r != NOTHING and allowed[r]]
        if len(pairs) >= n or (rows[0] == NOTHING).any():
            break
    return source, [(found.pipeline.items.ids[r], float(x)) for r, x in pairs[:n]]
