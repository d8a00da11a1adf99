"""Why an item stands where it does, in words and parts of a hundred, the largest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serendip.data.features.saying import About, of_source, saying
from serendip.domain import Item, SlateItem, User
from serendip.flows.live import Live
from serendip.pipeline import BOOST
from serendip.pipeline.ranked import BASE

MOST_SAID = 6
"""Of one item, so many sentences; the others are summed."""
OTHER = "other things"
BY_RULE = "a rule of this place lifts it"


@dataclass(frozen=True)
class Said:
    """One sentence, how much of what moved the score it is, and what it was put together from."""

    words: str
    """Goes on after "because"."""
    share: float
    """Of the sum of all sizes, -1 to 1; what speaks against the item is negative."""
    names: tuple[tuple[str, float | None], ...] = ()
    """Features or sources as they are written, and what they were."""

    @property
    def percent(self) -> str:
        """``38%``, and of what speaks against it ``−12%``."""
        shown = f"{abs(self.share):.0%}"
        return f"−{shown}" if self.share < 0 and shown != "0%" else shown

    @property
    def width(self) -> float:
        """Of a bar, in percent."""
        return round(100 * abs(self.share), 1)


def whole_of(parts: Mapping[str, float]) -> float:
    """The sum of the sizes of all parts that depend on the item."""
    return sum(abs(part) for name, part in parts.items() if name != BASE)


def why(place: SlateItem, about: About) -> tuple[Said, ...]:
    """What the parts of a score say; none where one source alone said it. Parts that say the same are one."""
    if place.parts is None:
        return ()
    whole = whole_of(place.parts) or 1.0
    shares: dict[str, float] = {}
    names: dict[str, list[tuple[str, float | None]]] = {}
    for name, part in place.parts.items():
        if name != BASE:
            words = _words(place, name, about)
            shares[words] = shares.get(words, 0.0) + part / whole
            value = None if place.values is None else place.values.get(name)
            names.setdefault(words, []).append((name, value))
    said = [Said(words, share, tuple(names[words])) for words, share in shares.items()]
    said.sort(key=lambda one: (one.words == OTHER, -abs(one.share)))
    rest = [one for one in said[MOST_SAID:] if one.words != OTHER] + [one for one in said if one.words == OTHER]
    told_alone = [one for one in said[:MOST_SAID] if one.words != OTHER]
    if not rest:
        return tuple(told_alone)
    together = tuple(name for one in rest for name in one.names)
    return (*told_alone, Said(OTHER, sum(one.share for one in rest), together))


def _words(place: SlateItem, name: str, about: About) -> str:
    if name == BOOST:
        return BY_RULE
    if name in about.models:
        return of_source(name, about.models)
    values = place.values or {}
    return (saying(name, values[name], about) if name in values else None) or OTHER


def about(live: Live, scenario: str, item: Item, user: User | None) -> About:
    """Whom the features of a slate's item were told of."""
    found = live.scenarios.get(scenario)
    sources = () if found is None else (*found.pipeline.sources, *found.pipeline.fallback)
    columns = {**item.attributes, "title": item.title, "text": item.text, "tags": item.tags}
    models = {source.config.name: source.config.model for source in sources}
    return About(columns, {} if user is None else user.attributes, models)
