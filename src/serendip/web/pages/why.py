"""Why an item stands where it does, in words and parts of a hundred, the largest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serendip.data.features.saying import About, of_source, saying
from serendip.domain import Item, SerendipError, SlateItem, User
from serendip.flows.live import Live
from serendip.pipeline import BOOST, Source
from serendip.pipeline.ranked import BASE

MOST_SAID = 6
"""Of one item, so many sentences; the others are summed."""
LEAST = 0.005
"""Of what moved a score, parts below this are not told."""
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
    groups: dict[str, list[str]] = {}
    for name in place.parts:
        if name != BASE:
            groups.setdefault(_words(place, name, about), []).append(name)
    values = place.values or {}
    said = []
    for words, names in groups.items():
        share = sum(place.parts[name] for name in names) / whole
        if share < 0 and any(name in about.models for name in names):
            # Beside the other candidates the source put it below the middle, or nowhere.
            words = OTHER
        elif share < 0 and words in _of_sources(about):
            words = f"{words}, others more"
        said.append(Said(words, share, tuple((name, values.get(name)) for name in names)))
    said = sorted((one for one in said if abs(one.share) >= LEAST), key=lambda one: -abs(one.share))
    clear = [one for one in said if one.words != OTHER]
    rest = [*clear[MOST_SAID:], *(one for one in said if one.words == OTHER)]
    if not rest:
        return tuple(clear[:MOST_SAID])
    together = tuple(name for one in rest for name in one.names)
    return (*clear[:MOST_SAID], Said(OTHER, sum(one.share for one in rest), together))


def _of_sources(about: About) -> set[str]:
    return {of_source(source, about.models) for source in about.models}


def _words(place: SlateItem, name: str, about: About) -> str:
    if name == BOOST:
        return BY_RULE
    if name in about.models:
        return of_source(name, about.models)
    values = place.values or {}
    return (saying(name, values[name], about) if name in values else None) or OTHER


def about(live: Live, scenario: str, item: Item, user: User | None) -> About:
    """Whom the features of a slate's item were told of."""
    try:
        pipeline = live.scenario(scenario).pipeline
    except SerendipError:
        # A matrix answered, not a scenario.
        sources: tuple[Source, ...] = ()
    else:
        sources = (*pipeline.sources, *pipeline.fallback)
    columns = {**item.attributes, "title": item.title, "text": item.text, "tags": item.tags}
    models = {source.config.name: source.config.model for source in sources}
    return About(columns, {} if user is None else user.attributes, models)
