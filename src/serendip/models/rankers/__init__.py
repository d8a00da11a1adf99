"""Candidates with features in, an order out. One file a ranker."""

from __future__ import annotations

from serendip.domain import Invalid
from serendip.models.rankers import boosted
from serendip.models.rankers.contract import Groups, Practice, Ranker, RankerKind, RankerSettings

RANKERS: dict[str, RankerKind] = {boosted.KIND.name: boosted.KIND}
"""Every kind of ranker by its name."""


def ranker_of(name: str) -> RankerKind:
    """The kind of ranker called ``name``."""
    if name not in RANKERS:
        raise Invalid(f"there is no ranker {name!r}; the rankers are {', '.join(RANKERS)}", field="ranker")
    return RANKERS[name]


__all__ = ["RANKERS", "Groups", "Practice", "Ranker", "RankerKind", "RankerSettings", "ranker_of"]
