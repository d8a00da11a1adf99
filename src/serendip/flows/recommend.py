"""A history in, a slate out: for a user, for a session, for many; and what is alike."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from serendip.data import UNKNOWN, ItemLists
from serendip.domain import Interaction, Invalid, NotFound, Slate, SlateItem, checked_id
from serendip.flows.asking import Askers, askers
from serendip.flows.attributes import profiles_of
from serendip.flows.live import FOR_YOU, HOME, Live, LiveScenario
from serendip.flows.people import recommend_people
from serendip.pipeline.interests import interests_of
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
    n: int | None = None
    """How many; none: as many as the scenario's page holds."""
    filter: str | None = None
    """An expression over attributes; acts before the best are taken."""
    explain: bool = False
    items: tuple[str, ...] | None = None
    """Only among these."""

    def __post_init__(self) -> None:
        if self.n is not None and not 1 <= self.n <= MOST:
            raise Invalid(f"n is {self.n}; ask for 1 to {MOST} items", field="n")


def recommend(store: Store, live: Live, user: str, ask: Ask, now: datetime) -> Slate:
    """The live pipeline's answer to what ``user`` did before ``now``; a stranger gets the fallback."""
    return recommend_many(store, live, [user], ask, now)[0]


def recommend_many(
    store: Store, live: Live, users: Sequence[str], ask: Ask, now: datetime, *, shown: bool = True
) -> list[Slate]:
    """One slate a user, all of one version; logged as ``shown`` unless they go elsewhere."""
    for user in users:
        checked_id(user, "user")
    scenario = live.scenario(ask.scenario)
    if scenario.config.recommend == "users":
        if ask.filter is not None:
            raise Invalid("a filter looks at items, and this scenario recommends people; leave it out", field="filter")
        slates = recommend_people(store, live, scenario, users, now, ask.n, ask.items)
    else:

        def asking(one: LiveScenario) -> Askers:
            found = askers(store, one.pipeline, one.rows, users, now)
            return replace(found, queries=replace(found.queries, profile=profiles_of(store, one.pipeline, users)))

        def seen(place: int) -> Collection[str]:
            return store.seen(users[place], kinds=scenario.hiding, until=now)

        slates = _slates(live, scenario, asking, users, seen, ask, now)
    for slate in slates if shown else ():
        store.log_slate(slate)
    return slates


def recommend_session(store: Store, live: Live, history: Sequence[Interaction], ask: Ask, now: datetime) -> Slate:
    """The live pipeline's answer to events that belong to nobody known."""
    slate = recommend_histories(store, live, [history], [None], ask, now)[0]
    store.log_slate(slate)
    return slate


def recommend_histories(
    store: Store, live: Live, histories: Sequence[Sequence[Interaction]], users: Sequence[str | None], ask: Ask,
    now: datetime,
) -> list[Slate]:  # fmt: skip
    """One slate a history, all of one version, kept by nobody; ``users`` are whose profiles count, None: nobody's."""
    scenario = live.scenario(ask.scenario)
    if scenario.config.recommend == "users":
        raise Invalid(f"{ask.scenario} recommends people to users; name one instead of a history", field="history")
    told = [[event for event in history if event.at < now] for history in histories]
    seen = [[event.item for event in events if event.kind not in scenario.showing] for events in told]
    disliking = {kind.name for kind in scenario.pipeline.kinds if kind.negative}
    disliked = [[event.item for event in events if event.kind in disliking] for events in told]

    def asking(one: LiveScenario) -> Askers:
        def met(lists: Sequence[Sequence[str]]) -> ItemLists:
            found = [one.pipeline.items.rows(items) for items in lists]
            return ItemLists.of([rows[rows != UNKNOWN] for rows in found])

        queries = one.pipeline.queries(told, now, users)
        queries = replace(queries, profile=profiles_of(store, one.pipeline, users))
        return Askers(queries, met(seen), [user is not None for user in users], met(disliked))

    return _slates(live, scenario, asking, users, lambda q: seen[q], ask, now)


def _slates(
    live: Live,
    scenario: LiveScenario,
    asking: Callable[[LiveScenario], Askers],
    users: Sequence[str | None],
    seen: Callable[[int], Collection[str]],
    ask: Ask,
    now: datetime,
) -> list[Slate]:
    """One slate an asker; what is short is filled by the scenarios behind, then with new items not ``seen`` by him."""
    n = ask.n or scenario.config.page_size
    own = asking(scenario)
    fresh = [0] * len(users)
    if scenario.config.rules.relax:
        # New items that keep the rules go before those that break one.
        fresh = [len(_new_items(scenario, set(seen(q)), ask, now, n)) for q in range(len(users))]
    places, relaxed = _places(scenario, own, n, ask, now, fresh)
    for other in _behind(live, scenario):
        if all(len(items) >= n for items in places):
            break
        more, given_up = _places(other, asking(other), n, ask, now, fresh)
        for q, items in enumerate(places):
            taken = {one.item for one in items}
            added = [one for one in more[q] if one.item not in taken][: n - len(items)]
            items += added
            relaxed[q] = tuple(dict.fromkeys(relaxed[q] + given_up[q])) if added else relaxed[q]
    interests = interests_of(scenario.pipeline, own.queries) if ask.explain else [()] * len(users)
    slates = []
    for q, (user, items) in enumerate(zip(users, places, strict=True)):
        if len(items) < n:
            items += _new_items(scenario, {*seen(q), *(one.item for one in items)}, ask, now, n - len(items))
        short = len(items) < n
        note = " ".join(filter(None, (_note(scenario, len(items), ask) if short else None, scenario.note))) or None
        slates.append(
            Slate(
                secrets.token_hex(8), scenario.name, scenario.version, now, user, own.known[q], short, tuple(items),
                note, relaxed[q], interests=interests[q],
            )
        )  # fmt: skip
    return slates


def _behind(live: Live, scenario: LiveScenario) -> list[LiveScenario]:
    """The scenarios that fill what this one leaves, one behind the other, as far as they have versions.

    Their models answer, under the rules of the scenario that was asked.
    """
    found, config, known = [], scenario.config, live.known
    while isinstance(config.fallback, str) and config.fallback in known:
        other, config = live.scenarios.get(config.fallback), known[config.fallback].config
        if other is not None and other.version != scenario.version:
            kinds = {kind.name: kind for kind in scenario.pipeline.kinds}
            own = tuple(kinds.get(kind.name, kind) for kind in other.pipeline.kinds)
            found.append(replace(other, config=scenario.config, pipeline=replace(other.pipeline, kinds=own)))
    return found


def _places(
    scenario: LiveScenario, asking: Askers, n: int, ask: Ask, now: datetime, reserved: Sequence[int]
) -> tuple[list[list[SlateItem]], list[tuple[str, ...]]]:
    """The pipeline answers under the scenario's rules, rows become ids; and which rules had to be given up for it.

    ``reserved`` places of each slate are not filled by giving up rules.
    """
    pipeline, queries, hidden, disliked = scenario.pipeline, asking.queries, asking.hidden, asking.disliked
    allowed = scenario.catalogue.allowed(now, ask.filter, ask.items, scenario.config.catalogue)
    rules = scenario.catalogue.rules(scenario.config.rules, now)
    answers = pipeline.answer(queries, n, hidden, allowed, rules, disliked, np.array(reserved, np.int64))
    explained = pipeline.explain(queries, answers, hidden, allowed, rules, disliked) if ask.explain else None
    places = [
        list(pipeline.slate_items(queries, answers, q, explained[q] if explained else None))
        for q in range(len(queries))
    ]
    return places, list(answers.relaxed)


def _new_items(scenario: LiveScenario, seen: set[str], ask: Ask, now: datetime, n: int) -> tuple[SlateItem, ...]:
    """Up to ``n`` items that the version does not know yet, newest first."""
    config = scenario.config
    fresh = scenario.catalogue.new_ids(now, ask.filter, ask.items, config.rules, config.catalogue)
    return tuple(SlateItem(item, 0.0, NEW) for item in [item for item in fresh if item not in seen][:n])


def _note(scenario: LiveScenario, n: int, ask: Ask) -> str:
    """Why a slate is short."""
    where = (
        " pass the filter,"
        if ask.filter or scenario.config.rules.filter
        else ", of those named,"
        if ask.items is not None
        else ""
    )
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
