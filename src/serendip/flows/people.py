"""People for people: who is most like an asker, never the asker, nor whom the asker is related to already."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, Queries
from serendip.domain import Invalid, NotFound, Slate, SlateItem
from serendip.flows.asking import askers
from serendip.flows.attributes import profiles_of
from serendip.flows.live import FOR_YOU, Live, LiveScenario
from serendip.models import HasPeople, HasUserNeighbours, kind_of
from serendip.pipeline import Source
from serendip.pipeline.scenario import PEOPLE
from serendip.store import Store

MOST = 1000
"""The longest list."""
MOST_FOLLOWED = "most-followed"
NEWEST = "newest"
"""Sources of people for somebody whom no model knows anything of."""
SPARE = 10
"""Neighbours asked for beyond those needed, since some may have been deleted;"""
MORE = 8
"""where that does not do, so many times as many, twice, before all are asked for."""

EVERYBODY = 1_000_000_000

Found = list[tuple[str, float, str]]
"""Users, likeness or count, and who says so; best first."""


def recommend_people(
    store: Store,
    live: Live,
    scenario: LiveScenario,
    users: Sequence[str],
    now: datetime,
    n: int | None = None,
    among: Collection[str] | None = None,
) -> list[Slate]:
    """One slate of ``n`` people a user, all of one version; newcomers get whom most follow, then who came last.

    Without ``n``, as many as the scenario's page holds; with ``among``, only these.
    """
    n, kinds = n or scenario.config.page_size, scenario.config.exclude_relations
    related = store.related(users, kinds)
    barred = [{user, *related[user]} for user in users]
    near = _nearest(store, live, scenario, users, barred, n, now, among)
    there = store.users_by_id(users)
    slates = []
    for q, user in enumerate(users):
        taken = {*barred[q], *(one for one, _, _ in near[q])}
        people = near[q] + _filled(store, taken, kinds, n - len(near[q]), among)
        items = tuple(SlateItem(one, score, source) for one, score, source in people)
        short = len(items) < n
        said = f"only {len(items)} people are there besides those known to {user}" if short else None
        note = " ".join(filter(None, (said, scenario.note))) or None
        slates.append(
            Slate(
                secrets.token_hex(8), scenario.name, scenario.version, now, user, user in there, short, items, note,
                recommends="users",
            )
        )  # fmt: skip
    return slates


def similar_users(
    store: Store, live: Live, user: str, n: int, now: datetime, scenario: str | None = None
) -> tuple[str, list[tuple[str, float]]]:
    """Who says so, and the users most alike ``user`` with their likeness, best first, related or not.

    ``scenario``: whose model is asked; none: the first that recommends users, else for-you.
    """
    if not 1 <= n <= MOST:
        raise Invalid(f"n is {n}; ask for 1 to {MOST} users", field="n")
    if store.user(user) is None:
        raise NotFound(f"no user {user!r}; list users to see which there are")
    first = next((one.name for one in live.known.values() if one.config.recommend == "users"), FOR_YOU)
    found = live.scenario(scenario or first)
    near = _nearest(store, live, found, [user], [{user}], n, now)[0]
    return "+".join(source.config.name for source in _able(found)), [(one, likeness) for one, likeness, _ in near]


def _able(scenario: LiveScenario) -> list[Source]:
    """The sources that know likeness of people."""
    sources = scenario.pipeline.sources
    able = [source for source in sources if isinstance(source.model, HasPeople | HasUserNeighbours)]
    if not able:
        raise Invalid(
            f"{scenario.pipeline.config.name} knows no likeness of people; declare a scenario of users with "
            f"{', '.join(PEOPLE)}",
            field="scenario",
        )
    return able


def _nearest(
    store: Store,
    live: Live,
    scenario: LiveScenario,
    users: Sequence[str],
    barred: Sequence[Collection[str]],
    n: int,
    now: datetime,
    among: Collection[str] | None = None,
) -> list[Found]:
    """Up to ``n`` people for each of ``users``, none of those ``barred`` for him; deleted ones are left out."""
    pipeline, able = scenario.pipeline, _able(scenario)
    if all(kind_of(source.config.model).by_profile for source in able):
        queries = pipeline.queries([() for _ in users], now, users)
    else:
        queries = askers(store, pipeline, scenario.rows, users, now).queries
    queries = replace(queries, profile=profiles_of(store, pipeline, users))
    wanted = None if among is None else set(among)
    out: list[Found] = [[] for _ in users]
    n_first = n + max(map(len, barred), default=0) + SPARE
    for k in (n_first, MORE * n_first, MORE**2 * n_first, None) if wanted is None else (None,):
        parts = [_asked(live, scenario, source, queries, users, k) for source in able]
        merged = [_merged(scenario, able, parts, q) for q in range(len(users))]
        records = store.users_of_keys({key for one in merged for key, _ in one})
        out = []
        for q, pairs in enumerate(merged):
            named = [(records[key].id, score) for key, score in pairs if key in records]
            named = [one for one in named if one[0] not in barred[q] and (wanted is None or one[0] in wanted)]
            name = pipeline.config.name if len(able) > 1 else able[0].config.name
            out.append([(user, score, name) for user, score in named[:n]])
        if k is None or all(len(one) == n or len(pairs) < k for one, pairs in zip(out, merged, strict=True)):
            break
    return out


def _asked(
    live: Live, scenario: LiveScenario, source: Source, queries: Queries, users: Sequence[str], k: int | None
) -> tuple[NDArray[np.int64], Floats]:
    """The store's keys of the ``k`` users most alike each asker, -1 where there are no more, and their likeness."""
    if isinstance(source.model, HasPeople):
        keys = scenario.user_keys
        rows, likeness = source.model.people(queries, min(k or len(keys), len(keys)))
    else:
        assert isinstance(source.model, HasUserNeighbours), "only such sources are asked"
        others = live.everybody(scenario)
        keys, own = others.keys, np.array([others.rows.get(user, -1) for user in users], np.int32)
        asked, k = replace(queries, own=own), min(k or len(keys), len(keys))
        rows, likeness = source.model.user_neighbours(asked, others.queries, k)
    found = keys[np.maximum(rows, 0)] if len(keys) else np.full(rows.shape, -1, np.int64)
    return np.where(rows < 0, -1, found), likeness


def _merged(
    scenario: LiveScenario, able: Sequence[Source], parts: Sequence[tuple[NDArray[np.int64], Floats]], q: int
) -> list[tuple[int, float]]:
    """One asker's people by key, best first: the only source's own, or the sum of all.

    A source says of each its likeness over its largest, times its weight; rrf: weight / (60 + rank). Who is not among
    a source's nearest gets nothing from it.
    """
    told = [(keys[q][keys[q] >= 0], likeness[q][keys[q] >= 0]) for keys, likeness in parts]
    if len(told) == 1:
        return [(int(key), float(score)) for key, score in zip(*told[0], strict=True)]
    total: dict[int, float] = {}
    for source, (keys, likeness) in zip(able, told, strict=True):
        if not len(keys):
            continue
        ranks = 60 + np.arange(1, len(keys) + 1)
        says = 1 / ranks if scenario.pipeline.config.merge == "rrf" else likeness / likeness[0]
        for key, score in zip(keys, says * source.config.weight, strict=True):
            total[int(key)] = total.get(int(key), 0.0) + float(score)
    return sorted(total.items(), key=lambda one: (-one[1], one[0]))


def _filled(
    store: Store, barred: Collection[str], kinds: Sequence[str], n: int, among: Collection[str] | None
) -> Found:
    """Up to ``n`` people whom most have such a relation to, then those who came last."""
    if n <= 0:
        return []
    limit = n + len(barred) if among is None else EVERYBODY
    followed: Found = [(user, float(count), MOST_FOLLOWED) for user, count in store.most_related(kinds, limit)]
    newest: Found = [(user, 0.0, NEWEST) for user in store.newest_users(limit + len(followed))]
    taken, out = set(barred), []
    for one in followed + newest:
        if one[0] not in taken and (among is None or one[0] in among):
            taken.add(one[0])
            out.append(one)
    return out[:n]
