"""What a ranker is: it orders candidates by what is known of asker, item and moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from serendip.data import Arrays, Floats
from serendip.data.features import parse_features
from serendip.models.contract import ModelConfig


class RankerSettings(ModelConfig):
    """What every ranker has: what it looks at, and what past it practises on."""

    features: tuple[str, ...] = Field((), max_length=500)
    """What it looks at, such as ``count(item, 3d)``; none: a general set for the data."""
    span_days: PositiveFloat = 60.0
    """How much of the past it practises on; at most the days in which the later half of the events happened."""
    step_days: PositiveFloat = 1.0
    """The past is replayed in windows of this length: everybody active in one is asked at its start."""
    refit_days: PositiveFloat | None = None
    """While it practises, the sources are fitted again whenever so many days have passed; none: only trends are."""
    n_questions: PositiveInt = 20_000
    """At most so many questions are practised on, chosen at random in windows that hold too many."""
    n_negatives: PositiveInt = 100
    """Of a question's candidates that were not taken, so many are learnt from, chosen at random."""
    check_share: float = Field(0.2, gt=0, lt=1)
    """The part of the windows, the latest ones, that is not learnt from: it says when to stop."""

    @field_validator("features")
    @classmethod
    def _written_well(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_features(features)
        except Exception as error:
            raise ValueError(str(error)) from None
        return features


@dataclass(frozen=True)
class Groups:
    """Questions with candidates, and which of these were taken; the candidates of all questions end to end."""

    features: Floats
    """Shape (n_rows, n_features); NaN where nothing is known."""
    taken: NDArray[np.bool_]
    """Shape (n_rows,)."""
    indptr: NDArray[np.int64]
    """Question ``g`` owns the rows ``indptr[g]`` up to ``indptr[g + 1]``; shape (n_questions + 1,)."""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> dict[str, int]:
        """What a manifest says of them."""
        return {"questions": len(self), "rows": len(self.taken), "taken": int(self.taken.sum())}

    @property
    def question(self) -> NDArray[np.int32]:
        """The question that each row belongs to; shape (n_rows,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.indptr))

    @property
    def most_negatives(self) -> int:
        """The most rows of one question that were not taken."""
        return int(np.bincount(self.question, ~self.taken, len(self)).max(initial=0))

    def thinned(self, n_negatives: int, rng: np.random.Generator) -> Groups:
        """Of each question what was taken, and at most ``n_negatives`` of the rest, chosen at random."""
        chance = np.where(self.taken, -1.0, rng.random(len(self.taken)))
        order = np.lexsort((chance, self.question))
        n_taken = np.bincount(self.question, self.taken, len(self)).astype(np.int64)
        place = np.arange(len(order)) - self.indptr[self.question]
        kept = np.sort(order[place < (n_taken + n_negatives)[self.question]])
        sizes = np.minimum(np.diff(self.indptr), n_taken + n_negatives)
        return Groups(self.features[kept], self.taken[kept], np.concatenate([[0], np.cumsum(sizes)]))


def joined(first: Groups, second: Groups) -> Groups:
    """The questions of both."""
    indptr = np.concatenate([first.indptr, first.indptr[-1] + second.indptr[1:]])
    features = np.concatenate([first.features, second.features])
    return Groups(features, np.concatenate([first.taken, second.taken]), indptr)


@dataclass(frozen=True)
class Practice:
    """What a ranker is fitted to."""

    learn: Groups
    check: Groups
    """Later questions, which say when to stop."""
    names: tuple[str, ...]
    """Of the features."""
    categories: Mapping[int, tuple[str, ...]]
    """The words of those features that are codes, by their positions."""


class Ranker(Protocol):
    """A frozen value made by ``fit``."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What a manifest says of how it was fitted; empty where it was read back."""
        ...

    def score(self, features: Floats) -> Floats:
        """A score for each row of features (n_rows, n_features); comparable within one question."""
        ...

    def shares(self, features: Floats) -> tuple[float, Floats]:
        """Where every score begins, and each feature's part of the way from there; shape (n_rows, n_features)."""
        ...

    def arrays(self) -> Arrays:
        """Everything ``restore`` needs besides the config."""
        ...


@dataclass(frozen=True)
class RankerKind:
    """A kind of ranker: its name, what can be set, and how it is made and read back."""

    name: str
    config: type[RankerSettings]
    fit: Callable[[Any, Practice, np.random.Generator], Ranker]
    restore: Callable[[Any, Arrays], Ranker]
