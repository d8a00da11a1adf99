"""Names of metrics read: what is measured, over how many places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from serendip.domain import Invalid
from serendip.evaluation.metrics import BY_QUERY

MOST_PLACES = 10_000
"""The longest list that is measured."""

DIVERSITY = "diversity"
PER_QUERY = (*BY_QUERY, "novelty", DIVERSITY)
CATALOGUE = ("coverage", "gini", "fallback")
WHOLE = ("auc",)
RATING = ("rmse", "mae")
ALSO_CALLED = {"hit": "hit-rate", "hr": "hit-rate", "hitrate": "hit-rate"}


class Metric(NamedTuple):
    """What is measured, over how many places."""

    name: str
    places: int
    """0 for what knows no places: ``auc``, of the whole ranking, and errors of ratings."""

    def __str__(self) -> str:
        return f"{self.name}@{self.places}" if self.places else self.name


def parse_metrics(names: Sequence[str], k: int = 10) -> list[Metric]:
    """``recall@20`` as its name and its number of places, which is ``k`` where none is said."""
    out = []
    for given in names:
        word, at, places = given.strip().lower().partition("@")
        name = ALSO_CALLED.get(word, word)
        if name not in PER_QUERY + CATALOGUE + WHOLE + RATING:
            known = ", ".join(PER_QUERY + CATALOGUE + WHOLE + RATING)
            raise Invalid(f"no metric {given!r}; the metrics are {known}, as in recall@20", field="metrics")
        if name in WHOLE + RATING:
            if at:
                raise Invalid(f"{name} knows no places; write it without @{places}", field="metrics")
            out.append(Metric(name, 0))
            continue
        if at and not (places.isascii() and places.isdigit() and 0 < int(places) <= MOST_PLACES):
            raise Invalid(
                f"{given!r} needs a number of places from 1 to {MOST_PLACES:,}, as in {name}@20", field="metrics"
            )
        out.append(Metric(name, int(places) if at else k))
    return list(dict.fromkeys(out))


class Wanted(NamedTuple):
    """What a table holds."""

    metrics: tuple[Metric, ...]
    """None: all that there are."""
    ks: tuple[int, ...]
    """Over so many places."""
    first: str
    """The metric by which rows are told from each other."""

    @property
    def whole(self) -> bool:
        """Whether whole rankings are looked at."""
        return any(one.name in WHOLE for one in self.metrics)


def wanted_of(metrics: Sequence[str], k: int) -> Wanted:
    """What a table of lists holds; ``k`` places where none are said."""
    wanted = parse_metrics(metrics, k)
    if rates := [str(one) for one in wanted if one.name in RATING]:
        raise Invalid(f"{' and '.join(rates)} is of predicted ratings, not of lists; ask for it alone", field="metrics")
    ks = tuple(dict.fromkeys(one.places for one in wanted if one.places)) or (k,)
    first = next((one for one in wanted if one.name in (*PER_QUERY, *WHOLE)), Metric("ndcg", ks[0]))
    return Wanted(tuple(wanted), ks, str(first))
