"""What a scenario's operator wants of a slate, besides that it suits: filter, boosts, pins, diversity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from serendip.data import UNKNOWN, Columns, Floats, ItemRows, Vocabulary
from serendip.domain import Invalid
from serendip.ranking.diversity import Likeness
from serendip.ranking.filters import Masks, uses_now
from serendip.ranking.grammar import parse
from serendip.ranking.top import Mask

MOST_RULES = 100
"""Boosts, or pins, of one scenario."""

Relaxable = Literal["hide", "filter"]


class Boost(BaseModel):
    """Items that shall stand higher, or lower, than their scores say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str
    """Which items: an expression over attributes."""
    factor: float = Field(ge=-100, le=100, allow_inf_nan=False)
    """How much is added to their scores, in standard deviations of the scores of all that the asker could be shown;
    below 0 they fall. So it means the same for scores of any unit and sign."""

    @field_validator("filter")
    @classmethod
    def _readable(cls, text: str) -> str:
        return _checked(text)


class Pin(BaseModel):
    """An item that stands at a place, whatever its score, wherever it may be shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    place: PositiveInt
    """From 1."""


class Diversity(BaseModel):
    """Items that are alike shall not stand together (maximal marginal relevance)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    """The attribute that they are alike by: text, a list of texts such as ``tags``, or a vector."""
    share: float = Field(default=0.3, ge=0, le=1)
    """0: by score alone; 1: by difference alone."""


class RulesConfig(BaseModel):
    """The rules of a scenario; they act in serving and in measuring alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str | None = None
    """Only items that pass this expression over attributes are shown."""
    boosts: tuple[Boost, ...] = Field(default=(), max_length=MOST_RULES)
    """Add up where an item matches several."""
    pins: tuple[Pin, ...] = Field(default=(), max_length=MOST_RULES)
    diversity: Diversity | None = None
    n_candidates: PositiveInt = Field(default=100, le=1000)
    """Of how many of the best diversity chooses; at least as many as are asked for."""
    hide: tuple[str, ...] | None = None
    """Kinds of interaction after which an item is not shown to its user again; None: those declared so."""
    relax: tuple[Relaxable, ...] = ()
    """What may be given up, in this order, where fewer items qualify than are asked for: ``hide`` shows again what was
    hidden because it was met (never what was disliked), ``filter`` what the filter leaves out."""

    @field_validator("filter")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        return None if text is None else _checked(text)

    @field_validator("pins")
    @classmethod
    def _apart(cls, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        for name in ("item", "place"):
            given = [getattr(pin, name) for pin in pins]
            if len(set(given)) < len(given):
                twice = next(one for one in given if given.count(one) > 1)
                raise ValueError(f"two pins have the {name} {twice!r}; keep one of them")
        return pins

    @field_validator("relax")
    @classmethod
    def _once(cls, relax: tuple[Relaxable, ...]) -> tuple[Relaxable, ...]:
        if len(set(relax)) < len(relax):
            raise ValueError("a rule is given up once only; name each once")
        return relax

    @property
    def expressions(self) -> tuple[str, ...]:
        """Every filter expression in it."""
        return (*([self.filter] if self.filter is not None else []), *(boost.filter for boost in self.boosts))

    @property
    def uses_now(self) -> bool:
        """Whether what it does depends on the moment of asking."""
        return any(uses_now(parse(text)) for text in self.expressions)


def _checked(text: str) -> str:
    try:
        parse(text)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return text


@dataclass(frozen=True)
class Rules:
    """Rules as arrays over the rows of one vocabulary of items, at one moment."""

    passing: Mask | None = None
    """What the filter lets pass, of shape (n_items,); None: everything."""
    lift: Floats | None = None
    """What is added to each item's score, in spreads of the asker's scores; shape (n_items,), None: nothing."""
    pins: ItemRows = field(default_factory=lambda: np.empty(0, np.int32))
    """Items that are pinned; shape (n_pins,)."""
    places: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """The place of each, from 0, ascending."""
    likeness: Likeness | None = None
    share: float = 0.0
    """How much likeness counts against the score."""
    n_candidates: int = 100
    relax: tuple[Relaxable, ...] = ()

    @staticmethod
    def of(
        config: RulesConfig, masks: Masks, items: Vocabulary, now: int | None = None, columns: Columns | None = None
    ) -> Rules:
        """``config`` for ``items``, of whose attributes ``masks`` tells, at ``now`` in microseconds.

        Invalid where it names an attribute that there is not. Pins of items that are not among ``items`` are left out.
        ``columns`` has what diversity may look at besides, such as vectors.
        """
        lift = None
        for boost in config.boosts:
            own = np.float32(boost.factor) * masks.passing(parse(boost.filter), now)
            lift = own if lift is None else lift + own
        pins = sorted(config.pins, key=lambda pin: pin.place)
        rows = items.rows([pin.item for pin in pins])
        known = rows != UNKNOWN
        by = config.diversity
        return Rules(
            None if config.filter is None else masks.passing(parse(config.filter), now),
            lift if lift is not None and lift.any() else None,
            rows[known],
            np.array([pin.place - 1 for pin in pins], np.int64)[known],
            None if by is None or by.share == 0 else Likeness.of(columns or masks.columns, by.by),
            0.0 if by is None else by.share,
            config.n_candidates,
            config.relax,
        )


NO_RULES = Rules()


def lifted(scores: Floats, lift: Floats) -> tuple[Floats, Floats]:
    """Scores (n_queries, n_items) with each item's lift (n_items,) times the query's spread added, and that spread.

    The spread (n_queries,) is the standard deviation of the query's finite scores; 1 where they are all equal, so that
    a lift counts there too.
    """
    spread = np.ones(len(scores), np.float32)
    for q, row in enumerate(scores):
        found = row[np.isfinite(row)]
        deviation = found.std(dtype=np.float64) if len(found) else 0.0
        spread[q] = deviation if deviation > 0 else 1.0
    return np.asarray(scores + spread[:, None] * lift, np.float32), spread
