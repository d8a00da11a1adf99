"""A person's page as rows of cards: what is recommended, why, and what changed since the last look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from serendip.data.features.saying import BY_KIND
from serendip.domain import (
    HISTORY_LIMIT,
    Interaction,
    InteractionKind,
    Item,
    Reason,
    SerendipError,
    Slate,
    SlateItem,
)
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.recommend import Ask, recommend, recommend_session, similar
from serendip.flows.rows import recommend_by_matrices
from serendip.web.pages.paper import named
from serendip.web.pages.why import OTHER, Said, about, whole_of, why
from serendip.web.services import Services

N_CARDS = 12
WORTH_SAYING = 0.1
"""A sentence about less of what moved a score is no reason."""
N_RECOMMENDERS = 4
"""Recommenders that have a row; all of them are on the page of lists."""
STARS = 5


@dataclass(frozen=True)
class Because:
    """What speaks loudest for a card: a past event, or a sentence."""

    title: str | None
    """Of the event's item."""
    share: str | None
    """Its part of the score in percent; none where the parts do not add up to a whole."""
    fresh: bool = False
    """It is what was just done."""
    words: str | None = None
    """The sentence, where it is no event."""


@dataclass(frozen=True)
class Card:
    """One item in a row."""

    item: Item
    because: Because | None
    source: str
    change: str | None
    """new, or how many places it rose; none where it stands as before."""
    why: tuple[Said, ...] = ()
    """What its score is made of, where it has parts."""


@dataclass(frozen=True)
class Row:
    """A titled row of cards, or the sentence why there are none."""

    id: str
    title: str
    about: str
    cards: tuple[Card, ...]
    slate: str | None = None
    note: str | None = None
    doubt: str | None = None
    """What the gate said where it did not find the version better."""

    @property
    def changed(self) -> list[Item]:
        """Items that came in, rose, or are here because of what was just done."""
        return [card.item for card in self.cards if card.change or (card.because and card.because.fresh)]


@dataclass(frozen=True)
class Look:
    """Who looks, when, and what was on the screen before."""

    user: str
    now: datetime
    before: Mapping[str, Slate]
    """By scenario."""
    did: str | None = None
    """The item that something was just done to."""

    @staticmethod
    def of(parts: Services, user: str, since: Collection[str], did: str | None, now: datetime) -> Look:
        """``since`` names the slates that were on the screen."""
        found = (parts.store.slate(one) for one in since)
        return Look(user, now, {slate.scenario: slate for slate in found if slate and slate.user == user}, did)


def rows_for(parts: Services, look: Look, history: Sequence[Interaction]) -> list[Row]:
    """The rows of a person's page."""
    rows = [_row(parts, look, FOR_YOU, "For you")]
    home, mine = parts.live.scenarios.get(HOME), parts.live.scenarios.get(FOR_YOU)
    # Where one version answers in both places, the rows would be the same.
    if home is None or mine is None or home.version != mine.version:
        rows.append(_row(parts, look, HOME, "Home"))
    if home is not None and home.personal:
        rows.append(_popular(parts, look))
    by_recommender = _by_recommenders(parts, look)
    if by_recommender:
        # A site may go by its recommenders alone, with nothing live as a scenario.
        rows = [row for row in rows if row.cards]
    return [*rows, *by_recommender, *_because(parts, history, look.now)]


def _row(parts: Services, look: Look, scenario: str, title: str) -> Row:
    try:
        slate = recommend(parts.store, parts.live, look.user, Ask(scenario, N_CARDS, explain=True), look.now)
    except SerendipError as error:
        return Row(scenario, title, "", (), note=str(error))
    personal = parts.live.scenario(scenario).personal
    about = "from what you did, a moment ago included" if personal else "what everybody likes lately"
    note, doubt = noted(parts, slate)
    return _filled(parts, slate, Row(scenario, title, about, (), slate.id, note, doubt), look)


def noted(parts: Services, slate: Slate) -> tuple[str | None, str | None]:
    """What a slate's reader should know, and apart from it what the gate said of the version."""
    served = (one for one in parts.live.scenarios.values() if one.version == slate.version)
    doubt = next((one.note for one in served if one.note), None)
    if doubt is None or slate.note is None or not slate.note.endswith(doubt):
        return slate.note, None
    return slate.note.removesuffix(doubt).strip() or None, doubt


def _popular(parts: Services, look: Look) -> Row:
    """What an asker without a history is shown: the fallback, recent popularity, or what a ranker makes of nothing."""
    slate = recommend_session(parts.store, parts.live, [], Ask(HOME, N_CARDS, explain=True), look.now)
    popular = all(place.source.split("-")[0] == "popular" and "+" not in place.source for place in slate.items)
    title = "Popular this week" if popular else "For somebody new"
    row = Row("popular", title, "the same for everybody without a past", (), slate.id)
    return _filled(parts, slate, row, look)


def _by_recommenders(parts: Services, look: Look) -> list[Row]:
    """A row by each recommender, from its matrices."""
    rows = []
    for one in parts.store.recommenders()[:N_RECOMMENDERS]:
        row = Row(f"recommender-{one.id}", one.name, one.description or "", ())
        slate = recommend_by_matrices(parts.store, one.name, look.user, N_CARDS, look.now, explain=True)
        row = _filled(parts, slate, replace(row, slate=slate.id, note=slate.note), look)
        # Likeness times liking is on another scale than the row's scores: a reason has no part in percent here.
        cards = (replace(card, because=card.because and replace(card.because, share=None)) for card in row.cards)
        rows.append(replace(row, cards=tuple(cards)))
    return rows


def _filled(parts: Services, slate: Slate, row: Row, look: Look) -> Row:
    before = look.before.get(row.id)
    ids = [place.item for place in slate.items]
    changes = changed(ids, [place.item for place in before.items]) if before else {}
    cards = cards_of(parts, slate, look.did)
    return replace(row, cards=tuple(replace(card, change=changes.get(card.item.id)) for card in cards))


def cards_of(parts: Services, slate: Slate, did: str | None = None) -> tuple[Card, ...]:
    """The places of a slate with their items, and why they stand there; ``did``: what was just done something to."""
    met = {place.item for place in slate.items} | {r.item for place in slate.items for r in place.reasons}
    items = parts.store.items_by_id(list(met))
    person = None if slate.user is None else parts.store.user(slate.user)
    cards = []
    for place in slate.items:
        item = items.get(place.item) or Item(place.item)
        said = why(place, about(parts.live, slate.scenario, item, person))
        cards.append(Card(item, reason(place, items, did, said), place.source, None, said))
    return tuple(cards)


def changed(now: Sequence[str], before: Sequence[str]) -> dict[str, str]:
    """Items that came in or rose, and how far; that another one left does not count as rising."""
    stayed = [item for item in before if item in set(now)]
    was = {item: at for at, item in enumerate(stayed)}
    ranked = {item: at for at, item in enumerate(item for item in now if item in was)}
    return {
        item: "new" if item not in was else f"▲ {was[item] - ranked[item]}"
        for item in now
        if item not in was or was[item] > ranked[item]
    }


def reason(
    place: SlateItem, items: Mapping[str, Item], did: str | None = None, said: Sequence[Said] = ()
) -> Because | None:
    """What was just done where it speaks for an item, else what speaks loudest, a sentence or a past event, if any."""
    speaking: list[Reason] = [one for one in place.reasons if one.share > 0]
    loudest = max((one for one in said if one.words != OTHER), key=lambda one: one.share, default=None)
    first = next((one for one in speaking if one.item == did), speaking[0] if speaking else None)
    whole = place.score if place.parts is None else whole_of(place.parts)
    # An event tells better what all events together say, unless it is one small part of many.
    small = first is None or (first.item != did and first.share < whole * loudest.share / 2 if loudest else False)
    if loudest is not None and loudest.share >= WORTH_SAYING and small:
        return Because(None, loudest.percent, words=loudest.words)
    if first is None:
        return None
    share = f"{first.share / whole:.0%}" if 0 < first.share <= whole else None
    if first.item == place.item and first.item != did:
        return Because(None, share, words=BY_KIND["again"])
    return Because(named(items.get(first.item) or Item(first.item)), share, first.item == did)


def _because(parts: Services, history: Sequence[Interaction], now: datetime) -> list[Row]:
    """What is alike the latest thing that was not disliked."""
    kinds = parts.store.kinds()
    liked = next((event.item for event in reversed(history) if _positive(event, kinds)), None)
    if liked is None:
        return []
    try:
        source, found = similar(parts.store, parts.live, liked, 3 * N_CARDS, now)
    except SerendipError:
        # The row is an extra: a pipeline that knows no likeness of items simply has none.
        return []
    seen = {event.item for event in history}
    ids = [item for item, _ in found if item not in seen][:N_CARDS]
    items = parts.store.items_by_id([liked, *ids])
    cards = tuple(Card(items.get(item) or Item(item), None, "alike", None) for item in ids)
    models = {one.config.name: one.config.model for one in parts.live.scenario(FOR_YOU).pipeline.sources}
    about = "alike in what is known of them" if models.get(source) == "content-knn" else "alike by who else chose them"
    return [Row("because", f"Because of {named(items.get(liked) or Item(liked))}", about, cards)] if cards else []


def _positive(event: Interaction, kinds: Mapping[str, InteractionKind]) -> bool:
    kind = kinds.get(event.kind)
    if kind is None or kind.negative:
        return kind is None
    return kind.scale is None or event.value is None or event.value >= sum(kind.scale) / 2


@dataclass(frozen=True)
class Doing:
    """What a person can do to an item on the pages, given the kinds that are declared."""

    look: str
    """The kind that a click records."""
    rate: InteractionKind | None
    """The kind that stars record, if any has a scale."""

    @staticmethod
    def among(kinds: Mapping[str, InteractionKind]) -> Doing:
        """A click is a view where there is such a kind, or the first that carries no value."""
        plain = [kind.name for kind in kinds.values() if kind.scale is None and not kind.negative]
        look = next((name for name in ("view", "click", *plain) if name in plain), "view")
        return Doing(look, next((kind for kind in kinds.values() if kind.scale and not kind.negative), None))

    def value(self, stars: int) -> float:
        """What so many of five stars are on the kind's own scale."""
        low, high = self.rate.scale if self.rate and self.rate.scale else (0.0, float(STARS))
        return low + (high - low) * (stars - 1) / (STARS - 1) if low < 0 else max(low, high * stars / STARS)

    def stars(self, value: float) -> int:
        """How many of five stars a value is, rounded."""
        low, high = self.rate.scale if self.rate and self.rate.scale else (0.0, float(STARS))
        part = (value - low) / (high - low) * (STARS - 1) + 1 if low < 0 else value / high * STARS
        return max(1, min(STARS, round(part)))


def history_of(parts: Services, user: str, now: datetime) -> list[Interaction]:
    """What ``user`` did, oldest first."""
    return parts.store.history(user, until=now, limit=HISTORY_LIMIT)
