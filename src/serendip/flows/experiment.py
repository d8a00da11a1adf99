"""What the groups of an experiment made of what they were shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import polars as pl

from serendip.domain import Invalid, NotReady, micros
from serendip.evaluation.experiment import Analysis, Counted, analyse
from serendip.flows.groups import Experiment, place_of
from serendip.sources import all_attributes, all_interactions
from serendip.store import Store, Stretch

SLATES = "slates"
"""Said instead of a kind: what counts as shown are the places of slates."""
PAGE = 2000
MANY = 2**31


@dataclass(frozen=True)
class Asked:
    """What an experiment is to be judged by."""

    since: datetime
    until: datetime
    """Exclusive."""
    shown: str = SLATES
    """The kind of interaction that says an item was shown; or ``slates``."""
    liked: str = "like"
    """The kind that says it was liked."""

    def __post_init__(self) -> None:
        if not self.since < self.until:
            raise Invalid(f"the experiment would begin at {self.since} and end at {self.until}; turn them", "since")


@dataclass(frozen=True)
class Grouping:
    """Which users are compared with which."""

    names: tuple[str, ...]
    of: Callable[[str], str | None]
    """The group of a user; None: left out."""
    salt: str
    """Throws users into buckets, whatever their groups."""

    @staticmethod
    def drawn(experiment: Experiment) -> Grouping:
        """As the experiment's salt decided."""
        return Grouping(tuple(experiment.scenarios), experiment.group, experiment.salt)

    @staticmethod
    def told(records: Iterable[tuple[str, Mapping[str, Any]]], attribute: str) -> Grouping:
        """By an attribute of the users; those who have none are left out."""
        found = {user: str(said[attribute]) for user, said in records if said.get(attribute) is not None}
        names = tuple(sorted(set(found.values())))
        if len(names) < 2:
            raise Invalid(
                f"the attribute {attribute!r} of users has {len(names) or 'no'} value, and groups need two", field="by"
            )
        return Grouping(names, found.get, attribute)


def analyse_store(store: Store, experiment: Experiment | None, asked: Asked, by: str | None = None) -> Analysis:
    """The groups by what the store holds of ``[since, until)``.

    ``by`` names an attribute of users that says the group, where no experiment's salt did. Of slates, those count that
    the scenario of the user's own group answered, and a like is of an item that stood in one of them before; of a kind
    of interaction, all rows count.
    """
    for kind in {asked.shown, asked.liked} - {SLATES} - store.kinds().keys():
        raise Invalid(f"there is no kind {kind!r}; the kinds are {', '.join(store.kinds())}", field="shown")
    if by is not None:
        told = ((user, orjson.loads(said)) for user, said in store.user_attributes().iter_rows())
        grouping = Grouping.told(told, by)
    else:
        assert experiment is not None, "without an attribute there is an experiment"
        grouping = Grouping.drawn(experiment)
    if asked.shown != SLATES:
        return _analyse(_counts(_events(store, (asked.shown, asked.liked), asked), asked), grouping)
    schema = {"user": pl.String, "item": pl.String, "at": pl.Int64}
    places = pl.DataFrame(_places(store, experiment, asked), schema=schema, orient="row")
    first = places.group_by("user", "item").agg(first=pl.col("at").min())
    likes = _events(store, (asked.liked,), asked).join(first, on=["user", "item"])
    followed = likes.filter(pl.col("at") >= pl.col("first")).select("user", "kind")
    shown = places.select("user", kind=pl.lit(SLATES))
    return _analyse(_counts(pl.concat([shown, followed]), asked), grouping)


def analyse_files(
    files: Sequence[str],
    experiment: Experiment | None,
    asked: Asked,
    by: str | None = None,
    users: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Analysis:
    """The same of the interactions of ``files``, one after the other; ``users`` is a file of the users' attributes."""
    if by is not None:
        if users is None:
            raise Invalid("--by with --data needs --users, the file of the users' attributes", field="users")
        grouping = Grouping.told(all_attributes(users, "users").items(), by)
    else:
        assert experiment is not None, "without an attribute there is an experiment"
        grouping = Grouping.drawn(experiment)
    counts = []
    for file in files:
        rows = all_interactions(file, columns)
        if "at" not in rows.columns:
            raise Invalid(f"{file} tells no moments; say which column holds them with --map at=COLUMN", field="at")
        within = pl.col("at").is_between(micros(asked.since), micros(asked.until), closed="left")
        counts.append(_counts(rows.filter(within), asked))
    return _analyse(pl.concat(counts).group_by("user").sum(), grouping)


def _counts(rows: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """How much each user was shown and liked."""
    kind = pl.col("kind")
    return rows.group_by("user").agg(shown=(kind == asked.shown).sum(), liked=(kind == asked.liked).sum())


def _analyse(counts: pl.DataFrame, grouping: Grouping) -> Analysis:
    """The groups by how much each user was shown and liked; who was shown nothing is left out."""
    counts = counts.filter(pl.col("shown") > 0).sort("user")
    users, place = counts["user"].to_list(), {name: g for g, name in enumerate(grouping.names)}
    group = np.array([place.get(grouping.of(user) or "", -1) for user in users], np.int64)
    kept = group >= 0
    sizes = np.bincount(group[kept], minlength=len(place))
    if sizes.min() < 2:
        raise NotReady(
            f"the group {grouping.names[int(sizes.argmin())]} has {sizes.min()} of the {len(users):,} users who were "
            "shown something, and two are the least; wait for more, or look at another time"
        )
    bucket = np.array([place_of(f"{grouping.salt}/buckets", user, MANY) for user in users], np.int64)
    shown, liked = (counts[name].to_numpy().astype(np.float64)[kept] for name in ("shown", "liked"))
    return analyse(grouping.names, Counted(group[kept], bucket[kept], shown, liked))


def _places(store: Store, experiment: Experiment | None, asked: Asked) -> Iterator[tuple[str, str, int]]:
    """User, item and moment of every place of the slates that count."""
    after: str | None = None
    while True:
        page = store.list_slates(Stretch("at", after, PAGE), since=asked.since, until=asked.until)
        for slate in page.records:
            if slate.user is None:
                continue
            if experiment is None or slate.scenario == experiment.scenarios[experiment.group(slate.user)]:
                yield from ((slate.user, place.item, micros(slate.at)) for place in slate.items)
        if page.next is None:
            return
        after = page.next


def _events(store: Store, kinds: Collection[str], asked: Asked) -> pl.DataFrame:
    """user, item, at and kind of the interactions of ``kinds``."""
    kind = pl.col("kind").replace_strict(store.kind_names(), return_dtype=pl.String)
    rows = store.interaction_columns(since=asked.since, until=asked.until).with_columns(kind=kind)
    rows = rows.filter(pl.col("kind").is_in(list(kinds)))
    for name, (keys, ids) in (("user", store.user_ids()), ("item", store.item_ids())):
        known = pl.DataFrame({f"{name}_key": keys, name: ids}, schema={f"{name}_key": pl.Int64, name: pl.String})
        rows = rows.join(known, on=f"{name}_key")
    return rows.select("user", "item", "at", "kind")
